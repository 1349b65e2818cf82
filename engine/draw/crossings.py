"""In which order the items of a column stand, so that few wires cross; pure.

The method is Sugiyama's: sweep through the columns there and back, put each item at the mean
place of those that it is wired to, exchange neighbours where that helps, keep the best order
that was seen. All sorting is stable, so equal items keep the order that they came in.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final

from .columns import Item, number

#: Sweeps through all columns, at most.
_SWEEPS: Final = 24

#: Sweeps that may pass in vain before it is enough.
_PATIENCE: Final = 8

#: Items that all sweeps together look at: a picture of thousands gets fewer sweeps, and two at least.
_EFFORT: Final = 20_000

#: Rounds of exchanging neighbours after a sweep.
_ROUNDS: Final = 4

_Side = Callable[[Item], list[Item]]
_BEFORE: Final[_Side] = attrgetter("before")
_AFTER: Final[_Side] = attrgetter("after")


def uncross(columns: list[list[Item]]) -> None:
    """Put the items of each column into an order in which few wires cross."""
    best = [list(column) for column in columns]
    least = count_crossings(columns)
    in_vain = 0
    sweeps = min(_SWEEPS, max(2, _EFFORT // sum(map(len, columns))))
    for sweep in range(sweeps):
        if not least or in_vain == _PATIENCE:
            break
        # Which of two items with equal means should come first shows only in the next columns: try both.
        _sweep(columns, is_forward=sweep % 2 == 0, is_turned=sweep % 4 in (1, 2))
        _exchange(columns)
        crossings = count_crossings(columns)
        in_vain += 1
        if crossings < least:
            best, least, in_vain = [list(column) for column in columns], crossings, 0
    columns[:] = best
    number(columns)


def count_crossings(columns: Sequence[Sequence[Item]]) -> int:
    """How often wires cross: the inversions among their ends, counted with a tree of sums."""
    total = 0
    for column, following in pairwise(columns):
        tree = [0] * (len(following) + 1)
        ended = 0
        for item in column:
            places = _places(item, _AFTER)
            total += sum(ended - _up_to(tree, place) for place in places)
            for place in places:
                _add(tree, place)
            ended += len(places)
    return total


def _sweep(columns: list[list[Item]], *, is_forward: bool, is_turned: bool) -> None:
    side = _BEFORE if is_forward else _AFTER
    for column in columns if is_forward else reversed(columns):
        # An item that is wired to nothing on this side has no opinion and keeps its place.
        means = {item: sum(_places(item, side)) / len(side(item)) for item in column if side(item)}
        candidates = list(means)
        if is_turned:
            candidates.reverse()
        ordered = iter(sorted(candidates, key=means.__getitem__))
        column[:] = [next(ordered) if item in means else item for item in column]
        number([column])


def _exchange(columns: Sequence[list[Item]]) -> None:
    for number_of_round in range(_ROUNDS):
        # An exchange that changes nothing here may make room for one that does: every other round takes them.
        is_bold = number_of_round % 2 == 0
        for column in columns:
            _exchange_in(column, is_bold=is_bold)


def _exchange_in(column: list[Item], *, is_bold: bool) -> None:
    """Exchange neighbours of one column where that helps, or does no harm; the other columns stand still."""
    ends = [(item, _places(item, _BEFORE), _places(item, _AFTER)) for item in column]
    for place in range(len(ends) - 1):
        upper, lower = ends[place], ends[place + 1]
        gain = _gain(upper[1], lower[1]) + _gain(upper[2], lower[2])
        if gain > 0 or (is_bold and not gain):
            ends[place], ends[place + 1] = lower, upper
    column[:] = [item for item, _, _ in ends]
    number([column])


def _gain(upper: Sequence[int], lower: Sequence[int]) -> int:
    """How many crossings less there are if wires to these places change their order."""
    if len(upper) == len(lower) == 1:
        return (upper[0] > lower[0]) - (upper[0] < lower[0])
    now = sum(bisect_left(lower, place) for place in upper)
    return now - sum(bisect_left(upper, place) for place in lower)


def _places(item: Item, side: _Side) -> list[int]:
    others = side(item)
    return [others[0].place] if len(others) == 1 else sorted([other.place for other in others])


def _up_to(tree: Sequence[int], place: int) -> int:
    """How many wires end at a place or above it."""
    total, index = 0, place + 1
    while index:
        total += tree[index]
        index &= index - 1
    return total


def _add(tree: list[int], place: int) -> None:
    index = place + 1
    while index < len(tree):
        tree[index] += 1
        index += index & -index
