"""The result of a run, for people: totals and short lists as a table, anything else as JSON; pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from .output import GAP, one_line, pad, pretty, width_of

#: Rows of a list that are still a table; a longer list is data.
_MOST_ROWS: Final = 50


def result_lines(result: Any, *, width: int) -> list[str]:
    """A result as lines.

    What is JSON on one line stays so. An object whose members are single values, lists of single values,
    objects of such or lists of objects with the same members becomes a table, and so does such a list
    itself, if it fits the width whole: nothing is cut.

    Args:
        result: JSON-able data.
        width: Columns of the terminal.
    """
    lines = pretty(result).splitlines()
    table = _members(result) if isinstance(result, Mapping) else _cell(result)
    if len(lines) == 1 or table is None or any(width_of(line) > width for line in table):
        return lines
    return table


def _members(told: Mapping[str, Any]) -> list[str] | None:
    """A line for each member, and further ones below it where it is itself a table; None where one is not."""
    names_width = max((width_of(one_line(name)) for name in told), default=0)
    lines: list[str] = []
    for name, value in told.items():
        cell = _cell(value)
        if cell is None:
            return None
        if len(cell) == 1 and not (isinstance(value, Mapping) and value):
            lines.append(f"{pad(one_line(name), names_width)}{GAP}{cell[0]}".rstrip())
        else:
            lines += [one_line(name), *(f"{GAP}{line}" for line in cell)]
    return lines


def _cell(value: Any) -> list[str] | None:
    """One line that may stand beside a name, or the lines of a table; None where it is neither."""
    if _is_single(value) or not value:
        return [_single(value)]
    if isinstance(value, Mapping):
        return _members(value) if all(map(_is_single, value.values())) else None
    if len(value) > _MOST_ROWS:
        return None
    if all(map(_is_single, value)):
        return [", ".join(map(_single, value))]
    is_table = all(isinstance(row, Mapping) and row and row.keys() == value[0].keys() for row in value)
    return _rows(value) if is_table else None


def _rows(rows: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """Objects with the same members, under their names; numbers stand on the right."""
    columns: list[list[str]] = []
    for name in rows[0]:
        values = [row[name] for row in rows]
        if not all(map(_is_single, values)):
            return None
        cells = [one_line(name), *map(_single, values)]
        width = max(map(width_of, cells))
        if all(_is_number(value) or value is None for value in values):
            columns.append([" " * (width - width_of(cell)) + cell for cell in cells])
        else:
            columns.append([pad(cell, width) for cell in cells])
    return [GAP.join(cells).rstrip() for cells in zip(*columns, strict=True)]


def _is_single(value: Any) -> bool:
    return not isinstance(value, Mapping | list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _single(value: Any) -> str:
    """A value as it is; text without quotes, and on one line."""
    return one_line(value) if isinstance(value, str) else json.dumps(value)
