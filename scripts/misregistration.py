"""Print the table of docs/training.md: how many pairs of each data set the check of registration names.

    python scripts/misregistration.py

`IRFUSE_DATA` names the folder of the data. `shifted` and `warped` count the pairs with each sign, and `either` those
with any: detected pairs where the set is not registered, and false alarms where it is. The registered sets are also
measured after one image has been moved by 5 % of the longer side.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from compare import data_folder
from irfuse.imaging import misregistration
from irfuse.imaging.misregistration import Gray, Signs
from irfuse.io import pairs
from irfuse.io.pairs import Pair
from irfuse.training.reading import prepare_pair

REGISTERED = ("msrs", "roadscene", "tno21", "vifb")
MOVED = 0.05
MISALIGNED = ("misaligned/starainj", "misaligned/synthetic/MSRS", "misaligned/synthetic/RoadScene")


def main() -> None:
    data = data_folder()
    print("| data | pairs | shifted | warped | either | |")
    print("|---|---:|---:|---:|---:|---|")
    for name, found, registered in _sets(data):
        prepared = [prepare_pair(pair, 1) for pair in found]
        _print_row(name, [misregistration.measure_prepared(pair) for pair in prepared], registered)
        if registered:
            _print_row(f"{name}, moved", [_moved(pair.ir[0, 0], pair.vis[0, 0]) for pair in prepared], False)


def _print_row(name: str, measured: Sequence[Signs], registered: bool) -> None:
    shifted, warped = (sum(getattr(one, sign) for one in measured) for sign in ("shifted", "warped"))
    either = sum(one.shifted or one.warped for one in measured)
    verdict = "false alarms" if registered else "detected"
    share = f"{either / len(measured):.0%} {verdict}"
    print(f"| {name} | {len(measured)} | {shifted} | {warped} | {either} | {share} |")


def _moved(ir: Gray, vis: Gray) -> Signs:
    by = round(MOVED * max(ir.shape))
    return misregistration.measure(ir[:, by:], vis[:, :-by])


def _sets(data: Path) -> Iterator[tuple[str, Sequence[Pair], bool]]:
    """The name of each set, its pairs, and whether they are registered."""
    msrs55 = pairs.find(data / "msrs55").pairs
    yield "`msrs55`, its warped pairs", [pair for pair in msrs55 if _is_warped(pair)], False
    for name in MISALIGNED:
        yield f"`{name}`", pairs.match(data / name / "ir", data / name / "vis").pairs, False
    yield "`msrs55`, its other pairs", [pair for pair in msrs55 if not _is_warped(pair)], True
    for name in REGISTERED:
        yield f"`{name}`", pairs.find(data / name).pairs, True


def _is_warped(pair: Pair) -> bool:
    """Whether a pair of `msrs55` was warped: 00001 to 00039, except the numbers that 4 divides."""
    number = int(pair.ir.stem[:5])
    return number < 40 and number % 4 != 0


if __name__ == "__main__":
    main()
