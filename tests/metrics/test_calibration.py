import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "calibration.py"


@pytest.mark.parametrize(
    ("triples", "said"),
    [
        ("1", "13 values compared, 0 beyond their tolerance\n0 of SwinFusion"),
        pytest.param(
            "25",
            "299 values compared, 0 beyond their tolerance\n26 of SwinFusion and YDTR left out",
            marks=pytest.mark.slow,
        ),
    ],
    ids=["one", "all"],
)
def test_a_sample_of_vifb(triples: str, said: str, data: Path) -> None:
    command = [sys.executable, SCRIPT, "--sample", triples]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith(said)
