"""Names that a column is too narrow for, cut so that they stay different; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from .output import GAP, table, width_of

_ELLIPSIS: Final = "…"


def fit_names(names: Collection[str], width: int) -> Mapping[str, str]:
    """Cut those of some names that are longer than a width.

    What is left out is as near to the middle as lets all of them stay different: names that belong
    together begin alike, and the number of an activation stands at the end.

    Args:
        names: Names in ASCII, as those of steps are, and with them the signs of one column each.
        width: Columns, 1 or more.

    Returns:
        What to show of each.
    """
    if all(len(name) <= width for name in names):
        return {name: name for name in names}
    kept = width - len(_ELLIPSIS)
    heads = sorted(range(kept + 1), key=lambda head: abs(2 * head - kept))
    cuts = ({name: _cut(name, head, width) for name in names} for head in heads)
    # Of equals the first one is taken.
    return max(cuts, key=lambda shown: len({*shown.values()}))


def with_fitted_names(
    column: int, headers: Sequence[str], rows: Sequence[Sequence[str]], *, width: int, least: int
) -> list[tuple[str, ...]]:
    """The rows of a table, the names in one column cut to what the others leave of the terminal.

    Args:
        column: Place of the column.
        headers: One for each column.
        rows: As many texts each.
        width: Columns of the terminal.
        least: Columns that names keep where the others leave less.
    """
    others = [[cell for place, cell in enumerate(row) if place != column] for row in (headers, *rows)]
    room = width - len(GAP) - max(width_of(line) for line in table(others[0], others[1:]))
    names = fit_names({row[column] for row in rows}, max(least, room))
    return [(*row[:column], names[row[column]], *row[column + 1 :]) for row in rows]


def _cut(name: str, head: int, width: int) -> str:
    if len(name) <= width:
        return name
    tail = width - len(_ELLIPSIS) - head
    return f"{name[:head]}{_ELLIPSIS}{name[len(name) - tail :]}"
