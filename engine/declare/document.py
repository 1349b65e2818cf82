"""What a file says, before it means anything: values with the places where they stand.

YAML and TOML are both read into a `Document`, so that every later rule can point
at any key and any value without knowing which of the two it came from.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any

from .diagnostic import Diagnostic, Related
from .span import Span

MAX_FILE_BYTES = 1_000_000
MAX_DEPTH = 64
MAX_NODES = 100_000

#: Nodes that all aliases of a file may stand for together: a few lines can stand for billions.
MAX_ALIASED_NODES = 10_000

#: Dates and times come from TOML only; no key of a flow takes one.
ScalarValue = str | int | float | bool | datetime | date | time | None

# What neither YAML (1.2, §5.1) nor TOML allows. Written as what is forbidden: the class of what
# is allowed takes many times as long to compile.
_NOT_TEXT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """A text, a number, true or false, nothing, or one of TOML's dates and times."""

    value: ScalarValue
    span: Span


@dataclass(frozen=True, slots=True)
class ListNode:
    """A list."""

    items: tuple[Node, ...]
    span: Span


@dataclass(frozen=True, slots=True)
class MapNode:
    """A map; its keys are text, whatever a YAML reader might make of them."""

    entries: Mapping[str, Entry]
    span: Span

    def get(self, key: str) -> Node | None:
        """The value under a key, or None where the key is not there."""
        entry = self.entries.get(key)
        return entry.value if entry else None


Node = ScalarNode | ListNode | MapNode


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a map with its value."""

    key_span: Span
    value: Node

    @property
    def place(self) -> Span:
        """Where to point when the value is wrong: the value, or its key if that shows more.

        A value of several lines would underline half the file, and one that is
        left out has no characters at all.
        """
        span = self.value.span
        is_pointable = span.line == span.end_line and span.column < span.end_column
        return span if is_pointable else self.key_span


@dataclass(frozen=True, slots=True)
class Document:
    """A file that could be read.

    Attributes:
        file: Its name in spans.
        text: All of it, decoded.
        root: The map that it consists of.
    """

    file: str
    text: str
    root: MapNode


@dataclass(frozen=True, slots=True)
class Reading:
    """What came of reading a file.

    Attributes:
        document: None where the file could not be understood as a whole.
        diagnostics: What is wrong; a document may have mistakes too (duplicate keys).
    """

    document: Document | None
    diagnostics: tuple[Diagnostic, ...]


class Places:
    """Turns offsets into a text, in code points, into spans of a file."""

    def __init__(self, file: str, text: str) -> None:
        self._file = file
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def span(self, start: int, end: int) -> Span:
        """The span of the characters from `start` up to, not including, `end`."""
        line, column = self._position(start)
        end_line, end_column = self._position(max(start, end))
        return Span(self._file, line, column, end_line, end_column)

    def _position(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1


def start_of(file: str) -> Span:
    """The first character of a file, for what concerns the file as a whole."""
    return Span(file, 1, 1, 1, 1)


def empty_file(file: str) -> Diagnostic:
    """There is nothing in a file but space and comments."""
    return Diagnostic("error", "FE022", "this file is empty", start_of(file), "begin with `flow: <name>`")


def duplicate_key(key: str, span: Span, first: Span) -> Diagnostic:
    """A key stands twice in one map."""
    message = f"`{key}` is defined a second time"
    return Diagnostic(
        "error", "FE020", message, span, "rename or remove one of them", Related("first defined here", first)
    )


def plain(node: Node) -> Any:
    """The value of a node as plain data, without its places."""
    match node:
        case ScalarNode():
            return node.value
        case ListNode():
            return [plain(item) for item in node.items]
        case MapNode():
            return {key: plain(entry.value) for key, entry in node.entries.items()}


def decode(file: str, data: bytes) -> str | Diagnostic:
    """Decode a file's bytes as the text of a declaration, or say why they are none."""
    if len(data) > MAX_FILE_BYTES:
        message = f"this file is larger than {MAX_FILE_BYTES:,} bytes, the most that a flow file may have"
        return Diagnostic("error", "FE002", message, start_of(file))
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        message = "this file is in UTF-16"
        return Diagnostic("error", "FE003", message, start_of(file), help="save it as UTF-8")
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        return _not_utf8(file, data, error.start)
    found = _NOT_TEXT.search(text)
    if found:
        span = Places(file, text).span(found.start(), found.end())
        message = f"this file has a character that is not text, U+{ord(found[0]):04X}, at this place"
        return Diagnostic("error", "FE003", message, span, help="remove it")
    return text


def _not_utf8(file: str, data: bytes, offset: int) -> Diagnostic:
    before = data[:offset].decode("utf-8").removeprefix("\ufeff")
    span = Places(file, before).span(len(before), len(before))
    message = f"this file is not UTF-8: byte 0x{data[offset]:02x} at offset {offset} does not fit"
    return Diagnostic("error", "FE003", message, span, help="save it as UTF-8")
