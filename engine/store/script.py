"""The scripts: how their text is made, and how they are called.

Theory of operation:

1. Each operation is one file in `scripts/`: a header that lists KEYS, ARGV, guarantee and
   answers, a line `--- include a b` that names its shared parts, and the body.
2. The text that Redis gets is: the shebang line if the file has one, names of keys and
   constants, the shared parts in the order named, the body. Its SHA1 names it, so two
   releases of the engine can use one server.
3. Every call is `EVALSHA` with one key, the prefix. A server that does not know a script
   (`NOSCRIPT`, after a restart or `SCRIPT FLUSH`) has run nothing, so the text is loaded and
   the call is made again.
4. A call may reach the server twice, because a reply was lost. What makes the second one
   harmless is written in each header; nothing here decides it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from .keys import Keys

#: Operations, each one file.
NAMES: Final = (
    "start",
    "fetch",
    "commit",
    "fail",
    "report",
    "stage",
    "unfold",
    "release",
    "renew",
    "sweep",
    "promote",
    "heartbeat",
    "knock",
    "deploy",
    "announce",
)

#: An event's data above this many bytes is only referred to in the firehose and on the channel.
REFERENCE_BYTES: Final = 16_384

_INCLUDE: Final = "--- include "


@dataclass(frozen=True, slots=True)
class Script:
    """One operation, ready to be called.

    Attributes:
        name: The operation.
        text: What Redis gets.
        sha: SHA1 of the text, which is the script's name on the server.
    """

    name: str
    text: str
    sha: str


@cache
def source(name: str) -> str:
    """The text of a file under `scripts/`, without `.lua`."""
    return files("engine.store").joinpath("scripts", f"{name}.lua").read_text(encoding="utf-8")


def assemble(name: str, keys: Keys, *, events_max_len: int) -> Script:
    """Make the text of an operation.

    Args:
        name: One of `NAMES`.
        keys: Keys of the store.
        events_max_len: Entries that the firehose keeps, about.
    """
    lines = source(name).splitlines()
    shebang = lines.pop(0) + "\n" if lines[0].startswith("#!") else ""
    shared = next((line for line in lines if line.startswith(_INCLUDE)), _INCLUDE)
    parts = [_code(source(f"shared/{part}").splitlines()) for part in shared[len(_INCLUDE) :].split()]
    body = "\n".join([*parts, _code(lines)])
    constants = f"local EVENTS_MAX_LEN = {events_max_len}\nlocal REFERENCE_BYTES = {REFERENCE_BYTES}\n"
    text = shebang + keys.lua_names(body) + constants + body
    return Script(name, text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())


def _code(lines: list[str]) -> str:
    """The lines that do something: comments need not travel to every server."""
    return "\n".join(line for line in lines if line.strip() and not line.lstrip().startswith("--"))
