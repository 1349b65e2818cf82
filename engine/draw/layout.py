"""Where everything of a picture is: boxes for steps and events, and wires between them; pure.

The picture runs from left to right, as time does: a step stands right of all that triggers it.
A layout is a value that knows no colours and no format; `svg` writes it down, and a page may
draw it in its own way. Equal plans have equal layouts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from engine.compile.plan import DEFAULT_PRIORITY, Plan, StepPlan

from .columns import Bundle, Columns, Item, columns_of
from .crossings import uncross
from .heights import level
from .width import monospace_width, sans_width
from .wires import Box, Extent, Point, Wiring

#: Sizes of text in pixels: a step's name, what is said of it, an event, a badge.
NAME_PX: Final = 13
DETAIL_PX: Final = 10.5
EVENT_PX: Final = 11
BADGE_PX: Final = 9.5

#: Room between a box's border and its text, at each end.
PADDING: Final = 14

#: Distance between the lines of a label.
LINE_HEIGHT: Final = 16

#: Room around everything.
MARGIN: Final = 28

#: Height of a step's box, and its least width.
STEP_HEIGHT: Final = 44
_STEP_WIDTH: Final = 96

#: Distance between a step's name and the badge that says how it is triggered.
BADGE_GAP: Final = 10

#: Room between the text of a label or a badge and its border, at each end.
_LABEL_PADDING: Final = 7

#: What each kind of item needs above and below its middle.
_STEP_ROOM: Final = 32
_BEND_ROOM: Final = 8

#: Distance between two columns: at least, at most, and how much more of it for each pixel that a wire climbs.
_GAP: Final = 28
_WIDEST_GAP: Final = 120
_GAP_PER_CLIMB: Final = 0.18


@dataclass(frozen=True, slots=True)
class Node:
    """A step in the picture.

    Attributes:
        step: Its name.
        layer: How many steps are on the longest way to it.
        box: Where it is.
        badge: `all` or `collect` where the step waits for several things, else empty.
        detail: What its declaration says beyond the usual, in a few words; mostly empty.
        is_entry: Whether a run begins here.
        is_sink: Whether nothing follows.
    """

    step: str
    layer: int
    box: Box
    badge: str
    detail: str
    is_entry: bool
    is_sink: bool


@dataclass(frozen=True, slots=True)
class Wire:
    """A line between a step and the label of an edge.

    Attributes:
        step: The step, at the beginning of a wire to a label, or at the end of one from it.
        points: From the right border of one box to the left border of the other. Between two
            points that are not level the line is a curve that is level at both of them.
    """

    step: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """What some steps emit to some steps: wires that meet at a label and part again.

    Attributes:
        events: The events, in the order in which they stand in the label, one a line.
        label: Where the label is.
        sources: A wire for each step that emits these events.
        targets: A wire for each step that subscribes to them.
    """

    events: tuple[str, ...]
    label: Box
    sources: tuple[Wire, ...]
    targets: tuple[Wire, ...]


@dataclass(frozen=True, slots=True)
class Layout:
    """A picture of a plan.

    Attributes:
        width: Its width in pixels.
        height: Its height.
        nodes: All steps, ordered by name.
        edges: All events that somebody hears, ordered by the first event of each.
    """

    width: int
    height: int
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def layout_of(plan: Plan) -> Layout:
    """Lay a plan out."""
    found = columns_of(plan)
    uncross(found.columns)
    room = {item: _room(item) for column in found.columns for item in column}
    middles = level(found.columns, room)
    extents = _extents(plan, found.columns, middles)
    boxes = {item: _box(item, extents[item.column], middles[item] + MARGIN) for item in room}
    wiring = Wiring(found, extents, boxes)
    return Layout(
        width=extents[-1].right + MARGIN,
        height=max(middles[item] + room[item] for item in room) + 2 * MARGIN,
        nodes=tuple(_node(plan, step, found, boxes) for step in plan.steps.values()),
        edges=tuple(_edge(bundle, found, wiring, boxes) for bundle in found.labels),
    )


def _room(item: Item) -> int:
    match item.of:
        case Bundle(events):
            return (len(events) + 1) * LINE_HEIGHT // 2
        case None:
            return _BEND_ROOM
    return _STEP_ROOM


def _extents(plan: Plan, columns: Sequence[Sequence[Item]], middles: Mapping[Item, int]) -> list[Extent]:
    """Where each column is: as wide as its widest item, and far enough from the one before for its wires."""
    extents: list[Extent] = []
    left = MARGIN
    for column in columns:
        climb = max((abs(middles[one] - middles[item]) for item in column for one in item.before), default=0)
        if extents:
            left = extents[-1].right + min(_WIDEST_GAP, _GAP + round(climb * _GAP_PER_CLIMB))
        extents.append(Extent(left, left + max(_width(plan, item) for item in column)))
    return extents


def _width(plan: Plan, item: Item) -> int:
    match item.of:
        case Bundle(events):
            return _label_width(events)
        case str(name):
            step = plan.steps[name]
            badge = _badge(step)
            top = sans_width(name, NAME_PX) + (BADGE_GAP + badge_width(badge) if badge else 0)
            return max(_STEP_WIDTH, 2 * PADDING + max(top, sans_width(_detail(plan, step), DETAIL_PX)))
    return 0


def _label_width(events: Sequence[str]) -> int:
    return 2 * _LABEL_PADDING + max(monospace_width(event, EVENT_PX) for event in events)


def badge_width(badge: str) -> int:
    """Pixels that a badge takes."""
    return 2 * _LABEL_PADDING + sans_width(badge, BADGE_PX)


def _box(item: Item, extent: Extent, middle: int) -> Box:
    """Steps are as wide as their column, labels as their text, in the middle of it; bends have no height."""
    width = extent.right - extent.left
    match item.of:
        case Bundle(events):
            label_width = _label_width(events)
            height = len(events) * LINE_HEIGHT
            return Box(extent.left + (width - label_width) // 2, middle - height // 2, label_width, height)
        case None:
            return Box(extent.left, middle, width, 0)
    return Box(extent.left, middle - STEP_HEIGHT // 2, width, STEP_HEIGHT)


def _node(plan: Plan, step: StepPlan, found: Columns, boxes: Mapping[Item, Box]) -> Node:
    item = found.steps[step.name]
    return Node(
        step=step.name,
        layer=item.column // 2,
        box=boxes[item],
        badge=_badge(step),
        detail=_detail(plan, step),
        is_entry=step.name == plan.entry,
        is_sink=step.name in plan.sinks,
    )


def _badge(step: StepPlan) -> str:
    return "" if step.trigger == "any" else step.trigger


def _detail(plan: Plan, step: StepPlan) -> str:
    parts = []
    if step.queue != f"{plan.flow}.{step.name}":
        parts.append(f"queue {step.queue}")
    if step.priority != DEFAULT_PRIORITY:
        parts.append(f"priority {step.priority}")
    if step.concurrency is not None:
        parts.append(f"{step.concurrency} at once")
    return " · ".join(parts)


def _edge(bundle: Bundle, found: Columns, wiring: Wiring, boxes: Mapping[Item, Box]) -> Edge:
    label, steps = found.labels[bundle], found.steps
    return Edge(
        events=bundle.events,
        label=boxes[label],
        sources=tuple(Wire(name, wiring.points(steps[name], label)) for name in bundle.emitters),
        targets=tuple(Wire(name, wiring.points(label, steps[name])) for name in bundle.subscribers),
    )
