"""The files that a running process depends on: what they say now, and in which folders they are.

Whether something has changed is known by content. A file's status only tells whether it has to be
read again, and where it is so young that two saves may have the same, it is read in any case.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import chain, islice
from pathlib import Path
from typing import Final, NamedTuple

from engine.clock import now_ms
from engine.declare.discover import SETTINGS_FILE, flow_files_in

from .modules import FOREIGN, digest_of

#: Age in milliseconds up to which the time of a file may be that of a later save, too: file systems count in
#: steps, some of them of two seconds.
_YOUNG_MS: Final = 3_000

#: Folders that are looked after, at most; the flows come first. What is in others is found only by looking.
_MOST_FOLDERS: Final = 2_000


class Status(NamedTuple):
    """What tells that a file may have changed: the last of it no program can set."""

    device: int
    inode: int
    size: int
    changed_ns: int
    touched_ns: int


class Files:
    """The flow files and the folders of one project."""

    def __init__(self, root: Path, flows: Path) -> None:
        """Know nothing yet.

        Args:
            root: The project's folder.
            flows: The folder of its flow files.
        """
        self._root = root
        self._flows = flows
        self._known: dict[str, tuple[Status, bytes]] = {}

    def digest(self, path: str) -> bytes | None:
        """The digest of what a file says now; None where it cannot be read."""
        try:
            found = os.stat(path)
            if not stat.S_ISREG(found.st_mode):
                # Reading from a pipe would wait for a writer.
                return None
            status, known = _status(found), self._known.get(path)
            if known is not None and known[0] == status and now_ms() - status.touched_ns / 1e6 > _YOUNG_MS:
                return known[1]
            data = Path(path).read_bytes()
        except OSError:
            self._known.pop(path, None)
            return None
        self._known[path] = status, digest_of(data)
        return self._known[path][1]

    def are_as_read(self, paths: Iterable[str]) -> bool:
        """Whether none of these files has been written since it was asked for its digest, and had one."""
        return all(_status_of(path) == self._known[path][0] for path in paths if path in self._known)

    def flows(self) -> Mapping[str, bytes | None]:
        """The digest of each flow file, by its path."""
        return {str(path): self.digest(str(path)) for path in flow_files_in(self._flows)}

    def modules(self) -> frozenset[tuple[str, Status]]:
        """Every file that may be a module of the project's, with its status."""
        found = set()
        for folder in self.folders():
            for entry in _entries_in(folder):
                # A link may lead nowhere, as those of some editors do.
                with suppress(OSError):
                    if entry.name.endswith(".py"):
                        found.add((entry.path, _status(entry.stat())))
        return frozenset(found)

    def settings(self) -> bytes | None:
        """The digest of the project's settings."""
        return self.digest(str(self._root / SETTINGS_FILE))

    def folders(self) -> frozenset[str]:
        """The folders in which a change may matter, by the names under which they are watched.

        A link in the flows' folder leads to a file that is changed elsewhere: its folder counts too.
        """
        root = str(self._root)
        seen = {os.path.realpath(root)}
        walked = chain([root], _walk([str(self._flows)], seen), _walk(_folders_in(root), seen))
        folders = set(islice(walked, _MOST_FOLDERS))
        for path in flow_files_in(self._flows):
            if path.is_symlink():
                folders.add(os.path.dirname(os.path.realpath(path)))
        return frozenset(folder for folder in folders if os.path.isdir(folder))


def _status(found: os.stat_result) -> Status:
    return Status(found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _status_of(path: str) -> Status | None:
    try:
        return _status(os.stat(path))
    except OSError:
        return None


def _walk(waiting: list[str], seen: set[str]) -> Iterator[str]:
    """Folders and those below them, each once whatever links lead to it; none that is foreign."""
    waiting = waiting[::-1]
    while waiting:
        folder = waiting.pop()
        real = os.path.realpath(folder)
        if real not in seen and not os.path.exists(os.path.join(folder, "pyvenv.cfg")):
            seen.add(real)
            yield folder
            waiting += _folders_in(folder)[::-1]


def _entries_in(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _folders_in(folder: str) -> list[str]:
    names = sorted(entry.name for entry in _entries_in(folder) if entry.is_dir())
    return [os.path.join(folder, name) for name in names if not name.startswith(".") and name not in FOREIGN]
