"""What stands in which column of a picture; pure.

A plan becomes a graph of three kinds of *item*: steps, labels and bends. A label is what the
same steps emit to the same steps: the wires of its emitters meet there and part again to its
subscribers. So an event is written once, however many hear it, and there are as many wires as
words in the declaration, not as pairs of steps. Steps stand in the even columns, labels in the
odd ones between them. Where a wire passes a column it has a bend there. Wires that lead to the
same item share their bends: they have come together, and nothing is lost by it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.compile.graph import Graph
from engine.compile.plan import Plan

#: Bends of a picture, at most. A wire that needs more leads straight to its end, behind what is on its way.
_MOST_BENDS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Bundle:
    """Events that the same steps emit to the same steps.

    Attributes:
        events: The events, ordered by name.
        emitters: Who emits each of them, ordered by name.
        subscribers: Who hears each of them, ordered by name.
    """

    events: tuple[str, ...]
    emitters: tuple[str, ...]
    subscribers: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Item:
    """Something that takes a place in a column.

    Attributes:
        column: Its column, from 0.
        of: The step or the bundle that it shows, or None for a bend.
        before: The items of the column before that it is wired to.
        after: Those of the next column.
        place: Its place in its column, from 0.
    """

    column: int
    of: str | Bundle | None
    before: list[Item] = field(default_factory=list)
    after: list[Item] = field(default_factory=list)
    place: int = 0


@dataclass(frozen=True, slots=True)
class Columns:
    """All items of a plan.

    Attributes:
        columns: The items by column, each in its order from the top.
        steps: The item of each step.
        labels: The item of each bundle, in a fixed order.
        bends: The bends on the way to an item, by column.
    """

    columns: list[list[Item]]
    steps: dict[str, Item]
    labels: dict[Bundle, Item]
    bends: dict[tuple[Item, int], Item]


def columns_of(plan: Plan) -> Columns:
    """Give every step, label and bend of a plan its column.

    Each step stands as early as what triggers it allows, each label right behind the last of its
    emitters. The order in a column is that of a walk in depth: no wires cross where the plan is a tree.
    """
    graph = Graph(plan.steps)
    bundles, layers = _bundles(graph), _layers(graph)
    found = Columns(
        columns=[[] for _ in range(2 * max(layers.values()) + 1)],
        steps={name: Item(2 * layers[name], name) for name in plan.steps},
        labels={one: Item(2 * max(layers[name] for name in one.emitters) + 1, one) for one in bundles},
        bends={},
    )
    for bundle in bundles:
        for name in bundle.emitters:
            _wire(found, found.steps[name], found.labels[bundle])
        for name in bundle.subscribers:
            _wire(found, found.labels[bundle], found.steps[name])
    _fill(found, plan.entry)
    return found


def number(columns: Sequence[Sequence[Item]]) -> None:
    """Tell items which places they have in their columns."""
    for column in columns:
        for place, item in enumerate(column):
            item.place = place


def _bundles(graph: Graph) -> tuple[Bundle, ...]:
    """The events that somebody emits and somebody hears, as bundles in a fixed order."""
    events: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for event, names in sorted(graph.subscribers.items()):
        if event in graph.emitters:
            events.setdefault((tuple(graph.emitters[event]), tuple(names)), []).append(event)
    return tuple(Bundle(tuple(names), *ends) for ends, names in events.items())


def _layers(graph: Graph) -> Mapping[str, int]:
    """For each step the number of steps on the longest way to it."""
    layers: dict[str, int] = {}
    # For each event the layer of those who hear it.
    heard: dict[str, int] = {}
    for name in graph.in_order():
        step = graph.steps[name]
        layers[name] = max((heard.get(event, 0) for event in step.subscribes), default=0)
        for event in step.emits:
            heard[event] = max(heard.get(event, 0), layers[name] + 1)
    return layers


def _wire(found: Columns, start: Item, end: Item) -> None:
    is_new = (end, start.column + 1) not in found.bends
    if is_new and len(found.bends) + end.column - start.column > _MOST_BENDS:
        return
    last = start
    for column in range(start.column + 1, end.column):
        bend = found.bends.get((end, column))
        if bend is not None:
            # From here on the way has been made by a wire that began earlier.
            _join(last, bend)
            return
        bend = found.bends[end, column] = Item(column, None)
        _join(last, bend)
        last = bend
    _join(last, end)


def _join(item: Item, following: Item) -> None:
    item.after.append(following)
    following.before.append(item)


def _fill(found: Columns, entry: str) -> None:
    seen: set[Item] = set()
    waiting = [*reversed(found.steps.values()), found.steps[entry]]
    while waiting:
        item = waiting.pop()
        if item not in seen:
            seen.add(item)
            found.columns[item.column].append(item)
            waiting.extend(reversed(item.after))
    number(found.columns)
