"""Whether each step with a limit is alone on its queue, in one flow and among several; pure.

A limit belongs to a queue: it is kept by counting the queue's leases, so the jobs of another step
would use it up.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from engine.declare.declaration import FlowDeclaration, StepDeclaration
from engine.declare.diagnostic import Diagnostic, Related

from .rules import broken

#: Characters of the name of a queue.
_LONGEST_NAME = 64


@dataclass(frozen=True, slots=True)
class _Place:
    """A step in the queue that it or its flow names."""

    flow: FlowDeclaration
    step: StepDeclaration


def check_queues(flows: Iterable[FlowDeclaration]) -> Iterator[Diagnostic]:
    """Each step with a limit that shares its queue, with one of those that it shares it with.

    Args:
        flows: Flows with names of their own.
    """
    for queue, places in _named(flows).items():
        told: set[int] = set()
        for number, place in enumerate(places):
            other_number = 1 if number == 0 else 0
            # Of two with a limit each the one diagnostic names both.
            if place.step.concurrency and len(places) > 1 and number not in told:
                told.add(other_number)
                yield _shared(queue, place, places[other_number], others=len(places) - 2)


def _named(flows: Iterable[FlowDeclaration]) -> Mapping[str, list[_Place]]:
    """The steps on each queue that has a name; a step without one is alone on its own queue."""
    places: dict[str, list[_Place]] = {}
    for flow in flows:
        for step in flow.steps:
            if queue := step.queue or flow.default_queue:
                places.setdefault(queue.text, []).append(_Place(flow, step))
    return places


def _shared(queue: str, place: _Place, other: _Place, *, others: int) -> Diagnostic:
    step, limit = place.step, place.step.concurrency
    if limit is None:
        raise TypeError("a step without a limit was told to have one")
    of_flow = "" if other.flow is place.flow else f" of flow `{other.flow.name.text}`"
    more = f" and {others} more" if others else ""
    message = (
        f"step `{step.name.text}` has a limit, but shares its queue `{queue}` "
        f"with step `{other.step.name.text}`{of_flow}{more}"
    )
    if step.queue and not place.flow.default_queue:
        help = "remove its `queue`: then it has one of its own"
    else:
        name = f"{place.flow.name.text}_{step.name.text}"[:_LONGEST_NAME]
        help = f"give it a queue of its own, as in `queue: {name}`"
    span = other.step.queue.span if other.step.queue else other.step.name.span
    related = Related(f"`{other.step.name.text}` waits in `{queue}` too", span)
    return broken("FE411", message, limit.span, help=help, related=related)
