"""`irfuse demo`."""

from pathlib import Path
from typing import Annotated

import typer

from irfuse.cli.console import output, print_engine, print_report, progress
from irfuse.cli.options import DeviceOption, EngineOption, MethodOption, PrecisionOption


def demo(
    out: Annotated[Path, typer.Option("--output", "-o", help="The folder for the results.")] = Path("irfuse-demo"),
    method: MethodOption = "ember",
    device: DeviceOption = "auto",
    engine: EngineOption = "auto",
    precision: PrecisionOption = "auto",
) -> None:
    """Fuse the sample pairs that ship with irfuse, and show sources and results side by side in one picture."""
    from irfuse import samples
    from irfuse.fuser import Fuser
    from irfuse.imaging import sheet
    from irfuse.io import images
    from irfuse.pipelines import folder

    with progress("fetching", "MB", at_once=False) as on_fetch:
        fuser = Fuser(method, device=device, engine=engine, precision=precision, on_fetch=on_fetch)
    pairs = samples.pairs()
    with progress("fusing", "pairs") as on_step:
        report = folder.run(pairs, out, fuser, on_step=on_step)
    print_engine(str(fuser.choice))
    print_report(report, out)
    rows = [[images.read(path) for path in (pair.ir, pair.vis, out / f"{pair.name}.png")] for pair in pairs]
    picture = out / "comparison.png"
    images.write(picture, sheet.comparison(rows, ["infrared", "visible", f"fused: {method}"]))
    output.print(f"side by side: {picture}", markup=False)
