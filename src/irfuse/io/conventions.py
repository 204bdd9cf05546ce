"""How data sets and cameras name the infrared and the visible image of a scene.

The tables are data: the words for the two sensors, and the conventions that apply to files, to folders and to columns
of a list. To support another data set, add a word or a row with an example; the tests try the example of each.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

IR_WORDS = {
    "infrared": "LLVIP, RGBT234 and LasHeR: folders `infrared` and `visible`",
    "thermal": "PST900: folders `thermal` and `rgb`; FLIR ADAS 2: `images_thermal_train` and `images_rgb_train`",
    "thermal_8_bit": "FLIR ADAS 1: folders `thermal_8_bit`, which has a sibling `thermal_16_bit`, and `RGB`",
    "previewdata": "FLIR ADAS 1, aligned: `FLIR_00001_PreviewData.jpeg` and `FLIR_00001_RGB.jpg`",
    "flir": "files of FLIR cameras beside files of another camera: `flir_1` and `rgb_1`",
    "ir": "MSRS, M3FD, TNO, RoadScene and VTUAV: folders `ir` and `vi`, `Ir` and `Vis`, `ir` and `rgb`",
    "inf": "short for infrared: folders `Inf` and `Vis`",
    "th": "short for thermal: folders `TH` and `VIS`, and `th` in the parts of MFNet: `00001D_th.png`",
    "thm": "short for thermal: `1_thm.png` and `1_rgb.png`",
    "tir": "thermal infrared: folders `TIR` and `RGB`",
    "fir": "CVC-14: folders `FIR` and `Visible`, far infrared",
    "lwir": "KAIST: folders `lwir` and `visible`, long-wave infrared",
    "mwir": "mid-wave infrared, as in the multiband files of TNO",
    "swir": "short-wave infrared, as in files of multispectral cameras",
    "nir": "RGB-NIR of EPFL: `0000_nir.tiff` and `0000_rgb.tiff`, near infrared",
}
"""The words for the infrared sensor, and where each comes from."""

VIS_WORDS = {
    "visible": "LLVIP, KAIST, CVC-14, RGBT234 and LasHeR",
    "vis": "M3FD: folders `Ir` and `Vis`",
    "vi": "MSRS and VIFB: folders `ir` and `vi`",
    "visual": "folders `thermal` and `visual`",
    "rgb": "FLIR ADAS, PST900 and VTUAV",
    "color": "folders `thermal` and `color`",
    "colour": "folders `thermal` and `colour`",
    "co": "VEDAI: `00000000_ir.png` and `00000000_co.png`",
    "eo": "electro-optical, in aerial data sets: `1_ir.png` and `1_eo.png`",
    "dc": "digital camera, as FLIR cameras call their visible image: `1_ir.jpg` and `1_dc.jpg`",
}
"""The words for the visible sensor, and where each comes from."""

FUSED_WORDS = ("fused", "fusion", "result")
"""The words for the fused image."""


def words(listed: Iterable[str]) -> re.Pattern[str]:
    """Match a word in a name: in any case between characters that are no letters, in capitals between no capitals.

    >>> [bool(words(["ir"]).search(name)) for name in ("a_ir", "12ir", "sceneIR", "iris")]
    [True, True, True, False]
    """
    # Longer words first: `thermal_8_bit` begins with another word.
    lower = "|".join(sorted(listed, key=len, reverse=True))
    return re.compile(rf"(?<![a-zA-Z])(?i:{lower})(?![a-zA-Z])|(?<![A-Z])(?:{lower.upper()})(?![A-Z])")


@dataclass(frozen=True)
class Convention:
    """A convention of naming: what marks the infrared image, and what marks the visible image.

    Two names are partners if they are equal without their marks.

    Attributes:
        origin: the cameras or data sets that use it.
        ir, vis: match the mark in the name of an infrared and of a visible image. None: the name has no mark.
        example: an infrared and a visible name.
    """

    origin: str
    ir: re.Pattern[str] | None
    vis: re.Pattern[str] | None
    example: tuple[str, str]


def _dji(letter: str) -> tuple[Convention, Convention]:
    """The two files of a picture of a DJI camera. The seconds in their names sometimes differ by one."""
    # Names are DJI_ and the number, or DJI_, the time with 14 digits, and the number.
    seconds = r"(?<=^DJI_\d{10})\d{4}(?=_\d+_)"
    return (
        Convention(
            "DJI H20T, H30T, M30T, M3T, M4T",
            re.compile(r"(?i)(?<=\d)_T$"),
            re.compile(rf"(?i)(?<=\d)_{letter}$"),
            ("DJI_0001_T", f"DJI_0001_{letter}"),
        ),
        Convention(
            "the same cameras, if the second changes between the two files",
            re.compile(rf"(?i){seconds}|(?<=\d)_T$"),
            re.compile(rf"(?i){seconds}|(?<=\d)_{letter}$"),
            ("DJI_20230101120000_0001_T", f"DJI_20230101120001_0001_{letter}"),
        ),
    )


_IR, _VIS = words(IR_WORDS), words(VIS_WORDS)

WORDS = Convention("a word for each sensor; see IR_WORDS and VIS_WORDS", _IR, _VIS, ("x_lwir", "x_visible"))
SAME = Convention("the same name in two folders", None, None, ("FLIR_00006", "FLIR_00006"))

FILES = (
    WORDS,
    Convention("a word only for the infrared sensor", _IR, None, ("x_ir", "x")),
    Convention("a word only for the visible sensor", None, _VIS, ("x", "x_vis")),
    # The wide camera comes before the zoom camera, whose field of view is the smaller one.
    *_dji("W"),
    *_dji("V"),
    *_dji("Z"),
    Convention(
        "DJI with FLIR XT2: a radiometric file beside the visible one",
        re.compile(r"(?i)(?<=\d)_[RT]$"),
        None,
        ("DJI_0001_R", "DJI_0001"),
    ),
    Convention(
        "RGBT210, RGBT234 and GTOT: a letter after the number",
        re.compile(r"(?i)(?<=\d)i$"),
        re.compile(r"(?i)(?<=\d)v$"),
        ("00001i", "00001v"),
    ),
    Convention(
        "LasHeR: a letter before the number",
        re.compile(r"(?i)^i(?=\d+$)"),
        re.compile(r"(?i)^v(?=\d+$)"),
        ("i000001", "v000001"),
    ),
)
"""The conventions for files, the safest first. A name that has found its partner is not tried again."""

FOLDERS = (
    WORDS,
    Convention(
        "DroneVehicle: folders `trainimgr` and `trainimg`",
        re.compile(r"(?i)imgr$"),
        re.compile(r"(?i)img$"),
        ("trainimgr", "trainimg"),
    ),
    Convention("GTOT: folders `i` and `v`", re.compile(r"(?i)^i$"), re.compile(r"(?i)^v$"), ("i", "v")),
)
"""The conventions for the two folders of a data set."""


@dataclass(frozen=True)
class Partners:
    """Names that belong together.

    Attributes:
        found: the infrared name for each visible name.
        ambiguous: the names that have several possible partners, and so have none.
    """

    found: dict[str, str]
    ambiguous: frozenset[str]


def partners(
    ir_names: Iterable[str], vis_names: Iterable[str], conventions: Sequence[Convention], *, one_folder: bool = False
) -> Partners:
    """Find the names that belong together.

    Each convention is tried on the names that no earlier one has matched: first by the names as they are, apart from
    case and separators, then without leading zeros of numbers. A name with several possible partners gets none.

    Args:
        ir_names, vis_names: the names without extensions.
        conventions: the conventions, the safest first.
        one_folder: both sensors are in one folder, so both are the same names. Then the infrared image must
            have a mark.

    >>> partners(["a_ir", "b_ir"], ["a_vis", "c_vis"], FILES).found
    {'a_vis': 'a_ir'}
    """
    found: dict[str, str] = {}
    ambiguous: set[str] = set()
    free_ir, free_vis = set(ir_names), set(vis_names)
    stages = [(convention, fold) for fold in (plain, unpadded) for convention in conventions]
    for convention, fold in [(SAME, str)] * (SAME in conventions) + stages:
        if one_folder and convention.ir is None:
            continue
        edges = _edges(free_ir, free_vis, convention, fold)
        if one_folder:
            edges = {(ir, vis) for ir, vis in edges if ir != vis}
        # In one folder, a name may be tried as either sensor.
        uses = Counter((ir, True) for ir, _ in edges) + Counter((vis, one_folder) for _, vis in edges)
        for ir, vis in edges:
            if uses[ir, True] == uses[vis, one_folder] == 1:
                found[vis] = ir
            else:
                ambiguous |= {ir, vis}
        gone_ir, gone_vis = {name for name, _ in edges}, {name for _, name in edges}
        free_ir -= gone_ir | (gone_vis if one_folder else set())
        free_vis -= gone_vis | (gone_ir if one_folder else set())
    return Partners(found, frozenset(ambiguous))


def keys(name: str, mark: re.Pattern[str] | None) -> set[str]:
    """Return what is left of a name without its marks, all of them or any one of them; empty if it has none.

    >>> sorted(keys("FLIR_1_PreviewData", words(IR_WORDS)))
    ['FLIR_1__', '__1_PreviewData', '__1__']
    """
    if mark is None:
        return {name}
    marks = list(mark.finditer(name))
    # A word may belong to the scene: in FLIR_1_PreviewData, only the second one is a mark.
    return {mark.sub("_", name) for _ in marks} | {f"{name[: at.start()]}_{name[at.end() :]}" for at in marks}


def plain(name: str) -> str:
    """Drop case, kinds of separators, and the two ways to encode accents.

    >>> plain("Scene-1__a")
    'scene_1_a'
    """
    # macOS and some archives write an accent as a character of its own.
    return re.sub(r"[-_. ]+", "_", unicodedata.normalize("NFC", name)).strip("_").lower()


def unpadded(name: str) -> str:
    """Drop the leading zeros of numbers, too.

    >>> unpadded("Scene-0012")
    'scene_12'
    """
    return re.sub(r"(?<!\d)0+(?=\d)", "", plain(name))


def _edges(
    ir: Iterable[str], vis: Iterable[str], convention: Convention, fold: Callable[[str], str]
) -> set[tuple[str, str]]:
    """Return all pairs of names that a convention allows."""
    by_key: dict[str, list[str]] = {}
    for name in vis:
        for key in {fold(key) for key in keys(name, convention.vis)}:
            by_key.setdefault(key, []).append(name)
    return {
        (name, other)
        for name in ir
        for key in {fold(key) for key in keys(name, convention.ir)}
        for other in by_key.get(key, ())
    }
