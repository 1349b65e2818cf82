"""How high each item of a column stands, so that wires are short and straight; pure.

Each item wants to be level with those that it is wired to. A column grants these wishes as far
as order and distances allow: the sum of what is missing, weighed by how much it is wanted, is
the least. So most is granted to the full, which makes wires that are straight and not merely
nearly so. Sweeps there and back let wishes travel. At last each wire is straightened where it
passes other columns, since it may stand anywhere between its neighbours.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from heapq import heappop, heappush, heapreplace
from itertools import pairwise
from typing import Final

from .columns import Item

#: Sweeps through all columns, there and back, at most.
_SWEEPS: Final = 8

#: Items that all sweeps together place: a picture of thousands gets fewer sweeps, and two at least.
_EFFORT: Final = 40_000

#: Everything stands at a multiple of this, so that what is nearly level is level.
GRID: Final = 4

#: How much a wire wants to be level: on the longest way through the flow, between two bends, and elsewhere.
_MAIN: Final = 8
_BETWEEN_BENDS: Final = 4
_OTHER: Final = 1

#: How much an item wants to stay where it is if nothing on this side has a wish for it.
_STAY: Final = 0.125

#: A height, and how much it is wanted.
_Wish = tuple[float, float]

#: What an item is wired to on one side, and how much each of these wires wants to be level.
_Wires = Sequence[tuple[Item, int]]


def level(columns: Sequence[Sequence[Item]], room: Mapping[Item, int]) -> dict[Item, int]:
    """Find the height of each item's middle.

    Args:
        columns: The items by column, each in its order from the top.
        room: What each needs above and below its middle, distances included; multiples of `GRID`.

    Returns:
        Multiples of `GRID`; the least is that of an item that touches 0.
    """
    heights: dict[Item, float] = {}
    for column in columns:
        _settle(column, room, heights, [(0.0, 1.0)] * len(column))
    before, after = _weighed(columns)
    for _ in range(min(_SWEEPS, max(2, _EFFORT // len(room)))):
        for column in reversed(columns):
            _settle(column, room, heights, [_wish(item, after[item], heights) for item in column])
        for column in columns:
            _settle(column, room, heights, [_wish(item, before[item], heights) for item in column])
    snapped = _snapped(columns, room, heights)
    _straighten(columns, room, snapped)
    top = min(height - room[item] for item, height in snapped.items())
    return {item: height - top for item, height in snapped.items()}


def _snapped(
    columns: Sequence[Sequence[Item]], room: Mapping[Item, int], heights: Mapping[Item, float]
) -> dict[Item, int]:
    snapped: dict[Item, int] = {}
    for column in columns:
        for place, item in enumerate(column):
            height = GRID * math.floor(heights[item] / GRID + 0.5)
            if place:
                # Two that touch may be rounded towards each other.
                above = column[place - 1]
                height = max(height, snapped[above] + room[above] + room[item])
            snapped[item] = height
    return snapped


def _straighten(
    columns: Sequence[Sequence[Item]], room: Mapping[Item, int], heights: dict[Item, int]
) -> None:
    """Lay the bends of each wire on as few heights as their neighbours leave room for."""
    for column in columns:
        for item in column:
            if item.of is None and all(one.of is not None for one in item.before):
                way = [item]
                while way[-1].after[0].of is None:
                    way.append(way[-1].after[0])
                _flatten(way, columns, room, heights)


def _flatten(
    way: Sequence[Item],
    columns: Sequence[Sequence[Item]],
    room: Mapping[Item, int],
    heights: dict[Item, int],
) -> None:
    """Lay successive bends on one height as far as that goes, then on another."""
    flat: list[Item] = []
    least, most = -math.inf, math.inf
    for item in way:
        upper, lower = _leeway(item, columns, room, heights)
        if max(least, upper) > min(most, lower):
            _lay(flat, least, most, heights)
            flat, least, most = [], -math.inf, math.inf
        flat.append(item)
        least, most = max(least, upper), min(most, lower)
    _lay(flat, least, most, heights)


def _lay(flat: Sequence[Item], least: float, most: float, heights: dict[Item, int]) -> None:
    """Lay bends on one height within bounds: level with what follows, or with what went before."""
    start, end = flat[0].before[0], flat[-1].after[0]
    level_with = start if least <= heights[start] <= most and not least <= heights[end] <= most else end
    heights.update(dict.fromkeys(flat, round(min(max(heights[level_with], least), most))))


def _leeway(
    item: Item, columns: Sequence[Sequence[Item]], room: Mapping[Item, int], heights: Mapping[Item, int]
) -> tuple[float, float]:
    """Between which heights an item may move while its neighbours stay."""
    column = columns[item.column]
    least, most = -math.inf, math.inf
    if item.place:
        above = column[item.place - 1]
        least = heights[above] + room[above] + room[item]
    if item.place + 1 < len(column):
        below = column[item.place + 1]
        most = heights[below] - room[below] - room[item]
    return least, most


def _weighed(columns: Sequence[Sequence[Item]]) -> tuple[Mapping[Item, _Wires], Mapping[Item, _Wires]]:
    """The wires of each item, to those before it and to those after it, with their weights.

    What matters is on a long way through the flow: where it forks, the way on which most is still to come
    goes straight on.
    """
    behind: dict[Item, int] = {}
    ahead: dict[Item, int] = {}
    for column in columns:
        for item in column:
            behind[item] = (item.of is not None) + max((behind[one] for one in item.before), default=0)
    for column in reversed(columns):
        for item in column:
            ahead[item] = (item.of is not None) + max((ahead[one] for one in item.after), default=0)
    most_behind = {item: max((behind[one] for one in item.before), default=0) for item in behind}
    most_ahead = {item: max((ahead[one] for one in item.after), default=0) for item in ahead}

    def weight(item: Item, following: Item) -> int:
        length = behind[item] + ahead[following]
        if item.of is None or following.of is None:
            return length * (_BETWEEN_BENDS if item.of is following.of else _OTHER)
        is_main = behind[item] == most_behind[following] and ahead[following] == most_ahead[item]
        return length * (_MAIN if is_main else _OTHER)

    before = {item: [(one, weight(one, item)) for one in item.before] for item in behind}
    after = {item: [(one, weight(item, one)) for one in item.after] for item in behind}
    return before, after


def _wish(item: Item, wires: _Wires, heights: Mapping[Item, float]) -> _Wish:
    """The height that an item wants, and how much it does."""
    if not wires:
        return heights[item], _STAY
    wishes = [(heights[other], weight) for other, weight in wires]
    return _middle(wishes), sum([weight for _, weight in wires])


def _settle(
    column: Sequence[Item], room: Mapping[Item, int], heights: dict[Item, float], wishes: Sequence[_Wish]
) -> None:
    """Grant a column's wishes as far as it goes; of all ways to do so, take the middle one."""
    # With its distance from the first item taken off, each may not be above the one before it.
    offsets = [0]
    for above, item in pairwise(column):
        offsets.append(offsets[-1] + room[above] + room[item])
    wanted = [(height - offset, weight) for (height, weight), offset in zip(wishes, offsets, strict=True)]
    least = _granted(wanted)
    greatest = _granted([(-height, weight) for height, weight in reversed(wanted)])
    for item, offset, up, down in zip(column, offsets, least, reversed(greatest), strict=True):
        heights[item] = (up - down) / 2 + offset


def _granted(wanted: Sequence[_Wish]) -> list[float]:
    """The least numbers, none less than the one before it, that are nearest to what is wanted.

    The cost of what has been granted so far, as a function of the last number, is convex and made of
    straight pieces. The heap has the numbers at which it changes its slope, greatest first, and by how much.
    """
    slopes: list[tuple[float, float]] = []
    least: list[float] = []
    for number, weight in wanted:
        heappush(slopes, (-number, 2 * weight))
        excess = weight
        while slopes[0][1] <= excess:
            excess -= heappop(slopes)[1]
        if excess:
            turn, change = slopes[0]
            heapreplace(slopes, (turn, change - excess))
        least.append(-slopes[0][0])
    for place in range(len(least) - 2, -1, -1):
        least[place] = min(least[place], least[place + 1])
    return least


def _middle(wishes: Sequence[_Wish]) -> float:
    """The weighted median: half of the weight is at this height or above it, half at it or below."""
    ordered = sorted(wishes)
    half = sum([weight for _, weight in ordered]) / 2
    place, passed = 0, ordered[0][1]
    while passed < half:
        place += 1
        passed += ordered[place][1]
    height = ordered[place][0]
    return height if passed > half else (height + ordered[place + 1][0]) / 2
