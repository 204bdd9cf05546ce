"""A thermal image in the fourth channel is said, with a command that splits the file."""

import re
from pathlib import Path

import numpy as np
import pytest

from irfuse import notices
from irfuse.io import images
from irfuse.io.pairs import Pair


def test_the_command_splits_the_file(msrs_day: Pair, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ir, vis = images.read(msrs_day.ir), images.read(msrs_day.vis)
    ir = ir if ir.ndim == 2 else ir[..., 0]
    monkeypatch.chdir(tmp_path)
    images.write("00001D.png", np.dstack([vis, ir]))
    with notices.collected() as said:
        np.testing.assert_array_equal(images.read("00001D.png"), vis)
    (warning,) = said
    command = re.search(r'python -c "(.*)"', str(warning))
    assert command is not None
    exec(command[1], {})
    np.testing.assert_array_equal(images.read("x_rgb.png"), vis)
    np.testing.assert_array_equal(images.read("x_th.png"), ir)
