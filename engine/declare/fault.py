"""What a validator finds in a document, and where that is in the author's words.

A validator knows keywords and paths; an author knows steps, keys and lines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .document import Document, ListNode, MapNode, Node
from .span import Span
from .words import Level

#: Keys and positions in lists that lead to a value.
Path = Sequence[str | int]

_KINDS: Mapping[type, str] = {
    bool: "true or false",
    int: "a number",
    float: "a number",
    str: "text",
    list: "a list",
    dict: "a map",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What a validator found.

    Attributes:
        path: Keys and positions that lead to the value.
        key: The key of that value, a map, that is at fault instead of it; or None.
        keyword: The keyword of the schema that was broken.
        rule: What the schema says under that keyword.
        value: The value at fault, as plain data.
        schema: The part of the schema that has the keyword.
    """

    path: Path
    key: str | None
    keyword: str
    rule: Any
    value: Any
    schema: Mapping[str, Any]


class Whereabouts:
    """Finds places and names in a document."""

    def __init__(self, document: Document) -> None:
        self._lines = document.text.split("\n")
        self._document = document

    def node(self, path: Path) -> Node:
        """The node at a path."""
        node: Node = self._document.root
        for part in path:
            if isinstance(node, MapNode):
                node = node.entries[str(part)].value
            elif isinstance(node, ListNode):
                node = node.items[int(part)]
        return node

    def map(self, path: Path) -> MapNode:
        """The map at a path."""
        node = self.node(path)
        if not isinstance(node, MapNode):
            raise TypeError(f"there is no map at {path}")
        return node

    def place(self, fault: Fault) -> Span:
        """The span to point at for a fault."""
        if fault.key is not None:
            return self.map(fault.path).entries[fault.key].key_span
        if not fault.path:
            return self._document.root.span
        last = fault.path[-1]
        if isinstance(last, int):
            return self.node(fault.path).span
        return self.map(fault.path[:-1]).entries[last].place

    def key_place(self, path: Path) -> Span:
        """Where the key stands under which a value is found; the first key of the file for the root."""
        if not path:
            first = next(iter(self._document.root.entries.values()), None)
            return first.key_span if first else self._document.root.span
        return self.map(path[:-1]).entries[str(path[-1])].key_span

    def written(self, span: Span) -> str:
        """A value of one line as the author wrote it."""
        return self._lines[span.line - 1][span.column - 1 : span.end_column - 1]


def level_of(path: Path) -> Level:
    """Which keys belong into the map at a path."""
    match tuple(path):
        case ():
            return "flow"
        case ("defaults",):
            return "defaults"
        case ("steps", _):
            return "step"
        case ("steps", _, "subscribes"):
            return "subscribes"
    return "labels"


def name_of(path: Path) -> str:
    """What is found under a path, in the author's words."""
    match tuple(path):
        case ():
            return "this file"
        case ("steps", step):
            return f"step `{step}`"
        case (*_, key, int()):
            return f"an event of `{key}`"
    return f"`{path[-1]}`"


def where(path: Path) -> str:
    """The end of a sentence that says which map a key stands in, or "" for the file itself."""
    match tuple(path):
        case ():
            return ""
        case ("steps", step):
            return f" in step `{step}`"
        case ("steps", step, key):
            return f" in `{key}` of step `{step}`"
    return f" in `{path[0]}`"


def kind_of(value: Any) -> str:
    """What a value is, as the last words of "must be text, not …"."""
    return _KINDS.get(type(value), "a date or a time")


def short(value: object) -> str:
    """A value on one line, of at most 70 characters."""
    text = " ".join(str(value).split())
    return text if len(text) <= 70 else f"{text[:67]}…"
