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

from collections.abc import Mapping
from dataclasses import dataclass

from .graph import Graph


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


def cover(graph: Graph) -> Cover:
    """Find what covers and arms the collects of a flow."""
    collecting = {name: step.subscribes[0] for name, step in graph.steps.items() if step.trigger == "collect"}
    before = {name: graph.before(event) for name, event in collecting.items()}
    # What is before a collect before C is before C too, so fewer collects before is an order of the graph.
    ahead = {name: sum(other in names for other in collecting) for name, names in before.items()}
    order = sorted(collecting, key=lambda name: (ahead[name], name))
    covers = {step: tuple(name for name in order if step in before[name]) for step in graph.steps}
    return Cover(
        left={name: 1 + ahead[name] for name in order},
        covers=covers,
        arms={
            step: tuple(name for name in names if _leads(graph, step, collecting[name], before[name]))
            for step, names in covers.items()
        },
    )


def _leads(graph: Graph, step: str, event: str, before: frozenset[str]) -> bool:
    """Whether everything that a step may set off leads to the collect of an event."""
    heard = [emitted for emitted in graph.steps[step].emits if emitted in graph.subscribers]
    return bool(heard) and all(
        emitted == event or not before.isdisjoint(graph.subscribers[emitted]) for emitted in heard
    )
