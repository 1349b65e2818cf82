"""What stands before each collect of a flow; pure.

A collect fires when nothing is left that could still emit its event. So for each collect C:

- *before* C are the steps from which an emitter of C's event can be reached, the emitters
  included. While an activation of one of them is open, or another collect among them has not
  been decided, C waits: they *cover* it.
- a step before C *arms* it if every event of the step's that has a subscriber leads to C. Once
  an activation of such a step was made, C will fire, with an empty list if need be; so it will
  once its event was emitted. Where neither happens, its branch was not taken and C is skipped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Node:
    """A step as far as it matters here.

    Attributes:
        emits: The events that it may emit.
        collects: The event that it collects, or None.
    """

    emits: Sequence[str]
    collects: str | None


@dataclass(frozen=True, slots=True)
class Cover:
    """What the analysis finds.

    Attributes:
        left: For each collect, each after those before it, the number of things that it waits for at
            a run's start: the entry, and the collects before it.
        covers: For each step the collects that it is before, in that order.
        arms: For each step those of them that it arms, in that order.
    """

    left: Mapping[str, int]
    covers: Mapping[str, tuple[str, ...]]
    arms: Mapping[str, tuple[str, ...]]


def cover(steps: Mapping[str, Node], subscribers: Mapping[str, Sequence[str]]) -> Cover:
    """Find what covers and arms the collects of an acyclic flow.

    Args:
        steps: All steps, by name.
        subscribers: For each event, the steps that subscribe to it in any way.
    """
    collecting = {name: node.collects for name, node in steps.items() if node.collects is not None}
    before = {name: _before(steps, subscribers, event) for name, event in collecting.items()}
    # What is before a collect before C is before C too, so fewer collects before is an order of the graph.
    ahead = {name: sum(other in names for other in collecting) for name, names in before.items()}
    order = sorted(collecting, key=lambda name: (ahead[name], name))
    return Cover(
        left={name: 1 + ahead[name] for name in order},
        covers={step: tuple(name for name in order if step in before[name]) for step in steps},
        arms={
            step: tuple(
                name
                for name in order
                if step in before[name] and _leads(node, collecting[name], before[name], subscribers)
            )
            for step, node in steps.items()
        },
    )


def _before(
    steps: Mapping[str, Node], subscribers: Mapping[str, Sequence[str]], event: str
) -> frozenset[str]:
    """The steps from which an emitter of an event can be reached."""
    emitters: dict[str, list[str]] = {}
    triggered_by: dict[str, list[str]] = {}
    for name, node in steps.items():
        for emitted in node.emits:
            emitters.setdefault(emitted, []).append(name)
    for heard, names in subscribers.items():
        for name in names:
            triggered_by.setdefault(name, []).append(heard)
    found: set[str] = set()
    waiting = list(emitters.get(event, ()))
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [
                emitter for heard in triggered_by.get(name, ()) for emitter in emitters.get(heard, ())
            ]
    return frozenset(found)


def _leads(node: Node, event: str, before: frozenset[str], subscribers: Mapping[str, Sequence[str]]) -> bool:
    """Whether everything that a step may set off leads to the collect of an event."""
    heard = [emitted for emitted in node.emits if subscribers.get(emitted)]
    return bool(heard) and all(
        emitted == event or not before.isdisjoint(subscribers[emitted]) for emitted in heard
    )
