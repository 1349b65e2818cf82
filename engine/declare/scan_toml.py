"""Where the keys and values of a TOML text stand.

This is no parser: it tells strings from brackets from the rest, which is enough to
find the places in a text that is TOML, and it gives up quietly in any other.
"""

from __future__ import annotations

import re
import tomllib
from contextlib import suppress
from dataclasses import dataclass, field

from .document import MAX_DEPTH, MAX_NODES

#: Keys and positions in lists that lead to a value.
Path = tuple[str | int, ...]

#: Offsets into the text: the first character, one past the last.
Range = tuple[int, int]

_STRING = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""(?:"{0,2})'
    r"|'''(?:[^']|'(?!''))*'''(?:'{0,2})"
    r'|"(?:[^"\\\n]|\\[^\n])*"'
    r"|'[^'\n]*'",
    re.DOTALL,
)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BARE_VALUE = re.compile(r"[^,\]}#\n]+")
_SPACE = re.compile(r"[ \t]*")
_SPACE_AND_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")


class TooMuch(Exception):
    """The text is past a limit; reading it must not go on.

    Attributes:
        at: Where it passed the limit.
        code: The diagnostic's code.
        message: The diagnostic's sentence.
    """

    def __init__(self, at: int, code: str, message: str) -> None:
        super().__init__(message)
        self.at = at
        self.code = code
        self.message = message


class _Lost(Exception):
    """This is no TOML."""


@dataclass(frozen=True, slots=True)
class Twice:
    """A key that is defined a second time."""

    key: str
    first: Range
    second: Range


@dataclass(slots=True)
class Scan:
    """The places that were found; all that there are, if the text is TOML.

    Attributes:
        keys: Where the key that leads to a value stands, by the value's path.
        values: Where a value stands, by its path; tables with a header have none.
        duplicates: Keys and tables that are defined again.
        unclosed: Where a bracket or a quote opens that is not closed, or None.
    """

    keys: dict[Path, Range] = field(default_factory=dict)
    values: dict[Path, Range] = field(default_factory=dict)
    duplicates: list[Twice] = field(default_factory=list)
    unclosed: int | None = None


def scan_toml(text: str) -> Scan:
    """Find the places of a text.

    Raises:
        TooMuch: It is nested too deep or has too many values.
    """
    scanner = _Scanner(text)
    with suppress(_Lost):
        scanner.statements()
    return scanner.scan


class _Scanner:
    def __init__(self, text: str) -> None:
        self.scan = Scan()
        self._text = text
        self._at = 0
        self._nodes = 0
        self._headers: dict[Path, Range] = {}
        self._lengths: dict[Path, int] = {}

    def statements(self) -> None:
        """Walk over the whole text, a line or a table header at a time."""
        table: Path = ()
        while self._skip(_SPACE_AND_LINES) < len(self._text):
            if self._text.startswith("[[", self._at):
                table = self._header(width=2)
            elif self._text.startswith("[", self._at):
                table = self._header(width=1)
            else:
                self._key_and_value(table)

    def _header(self, *, width: int) -> Path:
        start = self._at
        self._at += width
        path: Path = ()
        place: Range = (start, start)
        for key, place in self._key():
            path = (*self._current(path), key)
            self.scan.keys.setdefault(path, place)
        self._expect("]" * width)
        if width == 2:
            number = self._lengths.get(path, 0)
            self._lengths[path] = number + 1
            path = (*path, number)
            self.scan.values[path] = (start, self._at)
        else:
            path = self._current(path)
            self._note_header(path, place)
        return path

    def _note_header(self, path: Path, place: Range) -> None:
        first = self._headers.setdefault(path, place)
        if first != place:
            self.scan.duplicates.append(Twice(str(path[-1]), first, place))

    def _current(self, path: Path) -> Path:
        """The path of a table, which for a list of tables is its last one."""
        return (*path, self._lengths[path] - 1) if path in self._lengths else path

    def _key_and_value(self, table: Path) -> None:
        path = table
        place: Range = (self._at, self._at)
        for key, place in self._key():
            path = (*path, key)
            self.scan.keys.setdefault(path, place)
        self._expect("=")
        self._skip(_SPACE)
        if path in self.scan.values:
            self.scan.duplicates.append(Twice(str(path[-1]), self.scan.keys[path], place))
            # Its inside would be taken for more duplicates.
            path = (*path, -1)
        self._value(path)

    def _key(self) -> list[tuple[str, Range]]:
        """A key, which may have several parts with dots in between."""
        parts: list[tuple[str, Range]] = []
        while True:
            start = self._skip(_SPACE)
            parts.append((self._key_part(), (start, self._at)))
            if len(parts) > MAX_DEPTH:
                raise self._too_deep()
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _key_part(self) -> str:
        if found := _BARE_KEY.match(self._text, self._at):
            self._at = found.end()
            return found[0]
        found = _STRING.match(self._text, self._at)
        if not found:
            raise _Lost
        self._at = found.end()
        if "\\" not in found[0]:
            return found[0][1:-1]
        try:
            return str(tomllib.loads(f"key = {found[0]}")["key"])
        except ValueError as error:
            raise _Lost from error

    def _value(self, path: Path) -> None:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise TooMuch(self._at, "FE025", f"this file has more than {MAX_NODES:,} keys and values")
        if len(path) >= MAX_DEPTH:
            raise self._too_deep()
        start = self._at
        if self._text.startswith("[", start):
            self._list(path)
        elif self._text.startswith("{", start):
            self._inline_table(path)
        elif found := _STRING.match(self._text, start):
            self._at = found.end()
        elif self._text.startswith(("'", '"'), start):
            raise self._lost_in(start)
        elif found := _BARE_VALUE.match(self._text, start):
            self._at = start + len(found[0].rstrip())
        else:
            raise _Lost
        self.scan.values[path] = (start, self._at)

    def _list(self, path: Path) -> None:
        start = self._at
        self._at += 1
        number = 0
        while not self._closes("]", start):
            self._value((*path, number))
            number += 1
            self._comma_before("]", start)

    def _inline_table(self, path: Path) -> None:
        start = self._at
        self._at += 1
        while not self._closes("}", start):
            self._key_and_value(path)
            self._comma_before("}", start)

    def _closes(self, bracket: str, start: int) -> bool:
        if self._skip(_SPACE_AND_LINES) >= len(self._text):
            raise self._lost_in(start)
        if not self._text.startswith(bracket, self._at):
            return False
        self._at += 1
        return True

    def _comma_before(self, bracket: str, start: int) -> None:
        self._skip(_SPACE_AND_LINES)
        if self._text.startswith(",", self._at):
            self._at += 1
        elif not self._text.startswith(bracket, self._at):
            raise self._lost_in(start)

    def _lost_in(self, start: int) -> _Lost:
        self.scan.unclosed = start
        return _Lost()

    def _skip(self, space: re.Pattern[str]) -> int:
        found = space.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._at

    def _expect(self, word: str) -> None:
        if not self._text.startswith(word, self._at):
            raise _Lost
        self._at += len(word)

    def _too_deep(self) -> TooMuch:
        return TooMuch(self._at, "FE024", f"values are nested more than {MAX_DEPTH} deep here")
