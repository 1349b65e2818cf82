"""The files of this project, for tests that look at all of them."""

from __future__ import annotations

import contextlib
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]

#: Folders that tools make, for a tree without git (an unpacked archive).
_MADE = {".git", ".venv", ".flowengine", "build", "dist", "__pycache__"}
_MADE |= {".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache"}


@cache
def tracked() -> tuple[Path, ...]:
    """Every file of the tree, relative to the root, sorted; what version control ignores is left out."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        paths = {Path(name) for name in listed.stdout.split("\0") if name}
    else:
        paths = {path.relative_to(ROOT) for path in ROOT.rglob("*")}
        paths = {path for path in paths if not _MADE & set(path.parts)}
    return tuple(sorted(path for path in paths if (ROOT / path).is_file()))


@cache
def texts() -> dict[Path, str]:
    """The text of every file that is text."""
    found = {}
    for path in tracked():
        with contextlib.suppress(UnicodeDecodeError):
            found[path] = (ROOT / path).read_bytes().decode("utf-8")
    return found
