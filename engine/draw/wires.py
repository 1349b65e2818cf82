"""Where wires go between the boxes of a picture; pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from .columns import Columns, Item

#: Length of an arrow's head; so far a wire is level before it reaches a step.
ARROW: Final = 7


class Point(NamedTuple):
    """A place in the picture, in pixels from its upper left corner."""

    x: int
    y: int


class Box(NamedTuple):
    """A rectangle in the picture, in pixels."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """Where its right border is."""
        return self.x + self.width

    @property
    def middle(self) -> int:
        """The height at which wires reach it."""
        return self.y + self.height // 2


class Extent(NamedTuple):
    """From where to where a column reaches, in pixels."""

    left: int
    right: int


class Wiring:
    """Knows all boxes, and makes the points of the wires between them.

    A wire is level in each column that it passes, at the height of its bend there; so it touches
    nothing else in the column. It climbs between columns, where nothing stands.
    """

    def __init__(self, found: Columns, extents: Sequence[Extent], boxes: Mapping[Item, Box]) -> None:
        self._bends = found.bends
        self._extents = extents
        self._boxes = boxes
        # The way into an item from the left border of each column on, which wires that came together share.
        self._ways: dict[Item, dict[int, tuple[Point, ...]]] = {}

    def points(self, start: Item, end: Item) -> tuple[Point, ...]:
        """The points of the wire from one item to another."""
        ways = self._ways.get(end)
        if ways is None:
            ways = self._ways[end] = self._ways_into(end)
        way = ways.get(start.column + 1, ways[end.column])
        box = self._boxes[start]
        return tuple(dict.fromkeys(_extended(box.right, self._extents[start.column].right, box.middle, way)))

    def _ways_into(self, end: Item) -> dict[int, tuple[Point, ...]]:
        box, column = self._boxes[end], end.column
        border = self._extents[column].left - (ARROW if isinstance(end.of, str) else 0)
        way: tuple[Point, ...] = (Point(border, box.middle), Point(box.x, box.middle))
        ways = {column: way}
        while bend := self._bends.get((end, column - 1)):
            column -= 1
            box = self._boxes[bend]
            way = ways[column] = _extended(box.x, box.right, box.middle, way)
        return ways


def _extended(left: int, right: int, height: int, way: tuple[Point, ...]) -> tuple[Point, ...]:
    """A way with a level piece before it; two pieces that are level with each other are one."""
    if way[0].y == height:
        return (Point(left, height), *way[1:])
    return (Point(left, height), Point(right, height), *way)
