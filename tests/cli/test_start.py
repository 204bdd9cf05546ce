"""What a command costs beside its work: the modules that it imports, and the end of its process."""

import json
import subprocess
import sys
from pathlib import Path

from irfuse import samples

CODE = """
import atexit, gc, json, sys

@atexit.register
def tell():
    print(json.dumps({"modules": list(sys.modules), "frozen": gc.get_freeze_count(), "tracked": len(gc.get_objects())}))

from irfuse.cli import main
main()
"""
SLOW = {
    "imagecodecs",
    "jinja2",
    "matplotlib",
    "onnxruntime",
    "openvino",
    "pandas",
    "rich.progress",
    "rich.table",
    "scipy",
    "sympy",
    "tifffile",
    "torch._dynamo",
    "torch._inductor",
    "torch.onnx",
}
"""What a pair of PNG files can be fused without."""


def test_a_pair_imports_only_what_it_needs_and_ends_at_once(tmp_path: Path) -> None:
    pair = samples.pairs()[0]
    arguments = ["fuse", pair.ir, pair.vis, "-o", tmp_path / "fused.png"]
    run = subprocess.run([sys.executable, "-c", CODE, *map(str, arguments)], capture_output=True, text=True, check=True)
    end = json.loads(run.stdout.splitlines()[-1])
    assert "torch" in end["modules"]
    assert not SLOW & set(end["modules"])
    # At exit Python searches only what is not frozen.
    assert end["frozen"] > 100 * end["tracked"]
