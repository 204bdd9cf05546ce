"""The second FLIR ADAS, whose video frames a JSON file pairs."""

import json
from pathlib import Path

from irfuse import notices
from irfuse.errors import DatasetWarning, PairError
from irfuse.io.pair import Pair, Pairing

MAP = "rgb_to_thermal_vid_map.json"
"""The name of the JSON file, which lies in the folder of the data set."""

_IR, _VIS = "video_thermal_test/data", "video_rgb_test/data"


def read(source: Path) -> Pairing:
    """Read the pairs of video frames of FLIR ADAS 2, whose names do not match.

    Raises:
        PairError: the JSON file of the folder `source` cannot be read, or none of its frames exists.

    Warns:
        DatasetWarning: some of its frames are missing.
    """
    path = source / MAP
    try:
        frames = json.loads(path.read_text(encoding="utf-8"))
        pairs = [Pair(Path(vis).stem, source / _IR / ir, source / _VIS / vis) for vis, ir in frames.items()]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise PairError(f"{path}: does not map visible frames to thermal frames ({error})") from error
    found = tuple(sorted((pair for pair in pairs if pair.ir.is_file() and pair.vis.is_file()), key=lambda p: p.name))
    if not found:
        raise PairError(f"{path}: none of its frames is in {_VIS} and {_IR}")
    if len(found) < len(pairs):
        missing = len(pairs) - len(found)
        notices.warn(DatasetWarning(f"{path}: the frames of {missing} of {len(pairs)} pairs are missing"))
    return Pairing(found)
