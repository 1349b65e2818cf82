"""Names that a column is too narrow for, cut so that they stay different; pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

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
    kept = width - len(_ELLIPSIS)
    heads = sorted(range(kept + 1), key=lambda head: abs(2 * head - kept))
    cuts = ({name: _cut(name, head, width) for name in names} for head in heads)
    # Of equals the first one is taken.
    return max(cuts, key=lambda shown: len({*shown.values()}))


def _cut(name: str, head: int, width: int) -> str:
    if len(name) <= width:
        return name
    tail = width - len(_ELLIPSIS) - head
    return f"{name[:head]}{_ELLIPSIS}{name[len(name) - tail :]}"
