"""A project in a folder, whose modules are taken out of this process again."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import pytest

from engine.compile.link import put_project_first
from engine.reload.files import Files
from engine.reload.modules import Modules


class Code:
    """The modules of a project, and what this process has of them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = Files(root, root / "flows")
        self.modules = Modules(root)

    def write(self, name: str, text: str) -> Path:
        """Write a file, with the time of the one that was there: nothing may depend on it."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.stat() if path.exists() else None
        path.write_text(dedent(text))
        if before is not None:
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        return path

    def stale(self) -> set[str]:
        return set(self.modules.stale(self.files.digest))

    def renew(self, *, keep: bool = True) -> set[str]:
        """Load what is stale anew; answers what that was."""
        stale = self.modules.stale(self.files.digest)
        with self.modules.renewing(stale) as renewal:
            renewal.is_kept = keep
        return set(stale)


@pytest.fixture
def code(tmp_path: Path) -> Iterator[Code]:
    path = list(sys.path)
    code = Code(tmp_path)
    put_project_first(tmp_path)
    with code.modules.watched():
        yield code
    for name, module in list(sys.modules.items()):
        places = [getattr(module, "__file__", None), *(getattr(module, "__path__", None) or ())]
        if any(str(place).startswith(str(tmp_path)) for place in places):
            del sys.modules[name]
    sys.path[:] = path
    importlib.invalidate_caches()
