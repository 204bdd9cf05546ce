"""The command that adds an extra to an installation."""

import json
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from irfuse.installation import command


class Installed(Distribution):
    """A distribution that was installed from some place."""

    def __init__(self, origin: dict[str, object] | None) -> None:
        self._origin = origin

    def read_text(self, filename: str) -> str | None:
        if filename == "direct_url.json":
            return None if self._origin is None else json.dumps(self._origin)
        return (
            "Metadata-Version: 2.4\nName: irfuse\nVersion: 0.1.0\nRequires-Dist: numpy>=1.26\nProvides-Extra: bench\n"
            'Provides-Extra: dev\nRequires-Dist: pandas>=2.2; extra == "bench"\n'
            "Requires-Dist: torch>=2.9; extra == 'bench'\nRequires-Dist: pandas>=2.2; extra == 'dev'\n"
            if filename == "METADATA"
            else None
        )

    def locate_file(self, path: object) -> Path:  # type: ignore[override]
        raise NotImplementedError


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        ({"url": "file:///home/me/irfuse", "dir_info": {"editable": True}}, 'pip install -e "/home/me/irfuse[bench]"'),
        ({"url": "file:///home/me/my%20irfuse", "dir_info": {}}, 'pip install "/home/me/my irfuse[bench]"'),
        ({"url": "file:///tmp/irfuse.whl", "archive_info": {}}, 'pip install "/tmp/irfuse.whl[bench]"'),
        ({"url": "https://host/irfuse.git", "vcs_info": {"vcs": "git"}}, 'pip install "pandas>=2.2" "torch>=2.9"'),
        (None, 'pip install "pandas>=2.2" "torch>=2.9"'),
    ],
)
def test_names_what_works(origin: dict[str, object] | None, expected: str) -> None:
    assert command(Installed(origin), "bench") == expected


def test_no_message_names_a_package_that_is_not_published() -> None:
    sources = Path(__file__).parents[1] / "src" / "irfuse"
    assert not [path for path in sources.rglob("*.py") if 'install "irfuse[' in path.read_text(encoding="utf-8")]
