"""How things are printed: plain text, tables, JSON, times, and colour where it is welcome.

Nothing here knows what it prints. Results and lists go to stdout, everything that is
said about them to stderr.
"""

from __future__ import annotations

import json
import os
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, TextIO

import click
import orjson

#: Width of a table where there is no terminal: lines are not cut there.
NO_LIMIT: Final = 10_000

#: Between two columns.
GAP: Final = "  "

_INDENT: Final = "  "

#: Characters of a line of JSON that people read.
_PRETTY_CHARS: Final = 80

_TENTH_MS: Final = 100

#: Units in which times are told.
SECOND_MS: Final = 1_000
MINUTE_MS: Final = 60 * SECOND_MS
HOUR_MS: Final = 60 * MINUTE_MS

#: So many tenths of a second are told as whole seconds.
_TENTHS_UP_TO: Final = 100


def wants_colour(stream: TextIO) -> bool:
    """Whether colour is welcome there: a terminal, and no `NO_COLOR` (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def paint(text: str, colour: str, *, is_on: bool, is_bold: bool = False) -> str:
    """The text in a colour, or as it is where colour is off; `colour` may be "dim"."""
    if not is_on or not text:
        return text
    if colour == "dim":
        return click.style(text, dim=True)
    return click.style(text, fg=colour or None, bold=is_bold or None)


def print_json(value: Any) -> None:
    """Print one JSON value on stdout, indented."""
    click.echo(to_json(value))


def to_json(value: Any) -> str:
    """A value as indented JSON."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


def pretty(value: Any, *, width: int = _PRETTY_CHARS, indent: int = 0) -> str:
    """A value as JSON for people: what fits a line stays on one.

    Args:
        value: JSON-able data.
        width: Characters of a line.
        indent: Spaces that the value stands behind.
    """
    flat = json.dumps(value, ensure_ascii=False)
    if indent + len(flat) <= width or not value or not isinstance(value, dict | list):
        return flat
    inner = indent + len(_INDENT)
    if isinstance(value, dict):
        parts = [
            f"{json.dumps(key, ensure_ascii=False)}: {pretty(one, width=width, indent=inner)}"
            for key, one in value.items()
        ]
        opening, closing = "{", "}"
    else:
        parts = [pretty(one, width=width, indent=inner) for one in value]
        opening, closing = "[", "]"
    lines = ",\n".join(" " * inner + part for part in parts)
    return f"{opening}\n{lines}\n{' ' * indent}{closing}"


def to_json_line(value: Any) -> str:
    """A value as JSON on one line."""
    return orjson.dumps(value).decode()


def say(sentence: str = "") -> None:
    """Print something about what is going on, on stderr."""
    click.echo(sentence, err=True)


def terminal_width(stream: TextIO) -> int:
    """Columns of the terminal behind a stream, or `NO_LIMIT` where there is none."""
    if not stream.isatty():
        return NO_LIMIT
    try:
        return os.get_terminal_size(stream.fileno()).columns or NO_LIMIT
    except OSError:
        return NO_LIMIT


def format_duration(duration_ms: float) -> str:
    """A duration for people: `12 ms`, `3.4 s`, `30 s`, `2m 05s`, `1h 10m`, `3d 4h`."""
    duration_ms = max(0, int(duration_ms))
    if duration_ms < SECOND_MS:
        return f"{duration_ms} ms"
    # Rounded before the unit is chosen: 59.99 s reads `1m 00s`, not `60 s`.
    tenths = _rounded(duration_ms, _TENTH_MS)
    if tenths < _TENTHS_UP_TO:
        return f"{tenths / 10:.1f} s"
    seconds = _rounded(duration_ms, SECOND_MS)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3_600:
        return f"{seconds // 60}m {seconds % 60:02}s"
    minutes = _rounded(duration_ms, MINUTE_MS)
    if minutes < 24 * 60:
        return f"{minutes // 60}h {minutes % 60:02}m"
    hours = _rounded(duration_ms, HOUR_MS)
    return f"{hours // 24}d {hours % 24}h"


def _rounded(duration_ms: int, unit_ms: int) -> int:
    """A duration in a unit; halves are rounded up."""
    return (2 * duration_ms + unit_ms) // (2 * unit_ms)


def format_clock(at_ms: int) -> str:
    """A time of day in the local zone, with milliseconds."""
    return f"{_local(at_ms):%H:%M:%S}.{at_ms % 1000:03d}"


def format_date(at_ms: int) -> str:
    """A date and a time in the local zone."""
    return f"{_local(at_ms):%Y-%m-%d %H:%M:%S}"


def _local(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000).astimezone()


def one_line(text: str) -> str:
    """The text without line breaks and control characters, which could rewrite the terminal."""
    return text if text.isprintable() else "".join(_visible(char) for char in text)


def _visible(char: str) -> str:
    match char:
        case "\n":
            return "\\n"
        case "\t":
            return " "
        case _ if unicodedata.category(char) in ("Cc", "Cf", "Zl", "Zp", "Cs"):
            return f"\\x{ord(char):02x}" if ord(char) < 256 else f"\\u{ord(char):04x}"
    return char


def width_of(text: str) -> int:
    """Columns that the text takes on a terminal: wide characters take two, combining ones none."""
    return len(text) if text.isascii() else sum(_char_width(char) for char in text)


def _char_width(char: str) -> int:
    if char.isascii():
        return 1
    if unicodedata.combining(char) or unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in ("W", "F") else 1


def fit(text: str, width: int) -> str:
    """The text cut to a width, with `…` where something is missing."""
    if width_of(text) <= width:
        return text
    if width <= 0:
        return ""
    taken = 0
    for index, char in enumerate(text):
        taken += _char_width(char)
        if taken > width - 1:
            return text[:index] + "…"
    return text


def pad(text: str, width: int) -> str:
    """The text filled up with spaces to a width."""
    return text + " " * (width - width_of(text))


def table(headers: Sequence[str], rows: Sequence[Sequence[str]], *, width: int = NO_LIMIT) -> list[str]:
    """Columns of text under their headers; what does not fit is cut from the right.

    Args:
        headers: The names of the columns.
        rows: Cells without line breaks.
        width: Columns of the terminal.

    Returns:
        The lines.
    """
    lines = [headers, *rows]
    widths = [max(width_of(row[column]) for row in lines) for column in range(len(headers))]
    texts = []
    for row in lines:
        cells = [pad(cell, widths[column]) for column, cell in enumerate(row)]
        texts.append(fit(GAP.join(cells).rstrip(), width))
    return texts


def count_of(number: int, noun: str) -> str:
    """A number with its noun: `1 flow`, `2 flows`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
