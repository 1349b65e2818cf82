"""Where the embedded server's files are: `.flowengine/` of the project, and its socket."""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from engine.errors import EmbeddedServerError

FOLDER = ".flowengine"

#: sockaddr_un holds 108 bytes on Linux (unix(7)) and 104 on macOS, the final NUL among them.
_SOCKET_PATH_MAX_BYTES = 103


def make_folder(root: Path) -> Path:
    """Make `.flowengine/`, which version control is told to leave alone.

    Raises:
        EmbeddedServerError: The project directory cannot be written to, or is not there.
    """
    folder = root / FOLDER
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise EmbeddedServerError(
            f"The embedded server needs to write to {folder}, but: {error.strerror}. "
            f"Use a directory that can be written to, or name a Redis server with --redis-url."
        ) from error
    return folder


def choose_socket(folder: Path, last: Path | None = None) -> Path:
    """Choose the socket's path: short, private to this user, one for each project.

    The folder's identity is part of the name: a project that was moved takes its
    running server along, and another one may stand where it stood.

    Args:
        folder: The project's `.flowengine/`.
        last: The path of the server before this one, whose members may still look there: it is
            chosen again if it is this folder's and can be used from here.

    Raises:
        EmbeddedServerError: No folder for sockets is both private and short enough.
    """
    status = folder.stat()
    identity = f"{folder.resolve()} {status.st_dev} {status.st_ino}"
    name = hashlib.sha256(identity.encode("utf-8", "surrogateescape")).hexdigest()[:16] + ".sock"
    if last is not None and last.name == name and _is_private(last.parent):
        return last
    for runtime in _runtime_folders():
        path = runtime / name
        if len(os.fsencode(path)) <= _SOCKET_PATH_MAX_BYTES and _is_private(runtime):
            return path
    raise EmbeddedServerError(
        "No folder for the embedded server's socket is private to this user and has a short path: "
        "set XDG_RUNTIME_DIR to one, or name a Redis server with --redis-url."
    )


def _runtime_folders() -> Iterator[Path]:
    of_session = os.environ.get("XDG_RUNTIME_DIR")
    if of_session:
        yield Path(of_session) / "flowengine"
    # The last one is for a TMPDIR whose path is long.
    for temporary in (tempfile.gettempdir(), "/tmp"):
        yield Path(temporary) / f"flowengine-{os.getuid()}"


def _is_private(folder: Path) -> bool:
    """Make the folder if need be, and say whether it is ours alone.

    The temporary directory is everybody's: another user may have made a folder, or a
    link, of this name before.
    """
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    return (
        stat.S_ISDIR(status.st_mode)
        and status.st_uid == os.getuid()
        and stat.S_IMODE(status.st_mode) & 0o077 == 0
        and os.access(folder, os.W_OK | os.X_OK)
    )
