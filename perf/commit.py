"""The commit that a measurement belongs to."""

import subprocess


def commit() -> str:
    """The commit that is checked out, marked ``-dirty`` where files differ from it; ``unknown`` outside of git."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
