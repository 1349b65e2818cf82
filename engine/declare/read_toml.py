"""TOML into a `Document`: the values by `tomllib`, the places by `scan_toml`.

The scanner goes first, because it also holds the limits: `tomllib` takes quadratic
time over a long dotted key and recurses as deep as a file asks it to.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from typing import Any

from .diagnostic import Diagnostic
from .document import (
    Document,
    Entry,
    ListNode,
    MapNode,
    Node,
    Places,
    Reading,
    ScalarNode,
    duplicate_key,
    empty_file,
)
from .scan_toml import Path, Scan, TooMuch, scan_toml
from .span import Span

_AT = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)

#: What tomllib says → what we say.
_SENTENCES = (
    ("Invalid statement", "this line is neither `key = value` nor `[table]`"),
    ("Expected '=' after a key", "a `=` is missing after the key"),
    ("Invalid value", "this is no value of TOML; put text in quotes"),
    ("Expected newline or end of document", "something follows the value on its line; put text in quotes"),
    ("Invalid initial character for a key part", "a key cannot begin like this; put it in quotes"),
    ("Exceeds the limit", "a number of this file has too many digits"),
    ("Unescaped '\\' in a string", "this backslash begins no escape that TOML knows"),
)


def read_toml(file: str, text: str) -> Reading:
    """Read the text of a TOML file."""
    places = Places(file, text)
    try:
        scan = scan_toml(text)
    except TooMuch as error:
        return Reading(
            None, (Diagnostic("error", error.code, str(error), places.span(error.at, error.at + 1)),)
        )
    if scan.duplicates:
        # tomllib refuses the file as well, but names one place, and no more than one mistake.
        twice = [
            duplicate_key(it.key, places.span(*it.second), places.span(*it.first)) for it in scan.duplicates
        ]
        return Reading(None, tuple(twice))
    try:
        data = tomllib.loads(text)
    except ValueError as error:
        found = (
            _explain(file, text, str(error))
            if scan.unclosed is None
            else _unclosed(text, places, scan.unclosed)
        )
        return Reading(None, (found,))
    if not data:
        return Reading(None, (empty_file(file),))
    nodes = _Nodes(places, scan)
    root = MapNode(nodes.entries(data, ()), places.span(0, len(text)))
    return Reading(Document(file, text, root), ())


class _Nodes:
    """Puts values and places together."""

    def __init__(self, places: Places, scan: Scan) -> None:
        self._places = places
        self._scan = scan

    def entries(self, table: Mapping[str, Any], path: Path) -> dict[str, Entry]:
        """The entries of a table, in the order of the file."""
        return {
            key: Entry(self._places.span(*self._scan.keys[*path, key]), self._node(value, (*path, key)))
            for key, value in table.items()
        }

    def _node(self, value: Any, path: Path) -> Node:
        span = self._span(path)
        if isinstance(value, dict):
            return MapNode(self.entries(value, path), span)
        if isinstance(value, list):
            return ListNode(
                tuple(self._node(item, (*path, number)) for number, item in enumerate(value)), span
            )
        return ScalarNode(value, span)

    def _span(self, path: Path) -> Span:
        # A table that is made by headers stands in no one place: its key has to do.
        place = self._scan.values.get(path) or self._scan.keys[path]
        return self._places.span(*place)


def _unclosed(text: str, places: Places, start: int) -> Diagnostic:
    sign = text[start]
    if sign in "[{":
        help = "close it with `]`" if sign == "[" else "close it with `}` on the same line"
        message = f"the `{sign}` that opens here is not closed, or a comma is missing in it"
        return Diagnostic("error", "FE011", message, places.span(start, start + 1), help)
    message = f"the quote {sign} that opens here is not closed on its line"
    return Diagnostic("error", "FE010", message, places.span(start, start + 1))


def _explain(file: str, text: str, problem: str) -> Diagnostic:
    found = _AT.fullmatch(problem)
    words = found[1] if found else problem
    lines = text.split("\n")
    line, column = (int(found[2]), int(found[3])) if found and found[2] else (len(lines), len(lines[-1]) + 1)
    span = Span(file, line, column, line, column + 1)
    for theirs, ours in _SENTENCES:
        if theirs in words:
            return Diagnostic("error", "FE018", ours, span)
    return Diagnostic("error", "FE018", f"this is not valid TOML: {words[:1].lower()}{words[1:]}", span)
