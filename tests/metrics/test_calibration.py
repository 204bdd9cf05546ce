import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "calibration.py"


def test_a_sample_of_vifb(data: Path) -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--sample"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.startswith("299 values compared, 0 beyond their tolerance\n26 of SwinFusion and YDTR left out")
