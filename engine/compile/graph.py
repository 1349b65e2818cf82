"""Questions about the steps of a sound flow and the events between them; pure.

Walks keep their own stack: a flow may be a thousand steps deep.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .plan import StepPlan


class Graph:
    """The steps of a flow, which lead to each other without a cycle.

    Attributes:
        steps: The steps by name.
        emitters: For each event that somebody emits the steps that may, in their order.
        subscribers: For each event that somebody hears the steps that do, in any way, in their order.
    """

    def __init__(self, steps: Mapping[str, StepPlan]) -> None:
        self.steps = steps
        self.emitters: dict[str, list[str]] = {}
        self.subscribers: dict[str, list[str]] = {}
        for name, step in steps.items():
            for event in step.emits:
                self.emitters.setdefault(event, []).append(name)
            for event in step.subscribes:
                self.subscribers.setdefault(event, []).append(name)

    def arrows(self, step: str) -> dict[str, list[str]]:
        """The steps that the events of a step lead to, and the events that lead to each."""
        arrows: dict[str, list[str]] = {}
        for event in self.steps[step].emits:
            for follower in self.subscribers.get(event, ()):
                arrows.setdefault(follower, []).append(event)
        return arrows

    def in_order(self) -> list[str]:
        """The steps as a reader expects them: none before a step that leads to it."""
        arrows = {name: sorted(self.arrows(name)) for name in self.steps}
        missing = Counter(follower for followers in arrows.values() for follower in followers)
        order = [name for name in self.steps if not missing[name]]
        # It grows while it is walked.
        for name in order:
            for follower in arrows[name]:
                missing[follower] -= 1
                if not missing[follower]:
                    order.append(follower)
        return order

    def before(self, *events: str) -> frozenset[str]:
        """The steps from which an emitter of some events can be reached, the emitters included."""
        found: set[str] = set()
        waiting = list(events)
        while waiting:
            new = set(self.emitters.get(waiting.pop(), ())) - found
            found |= new
            waiting += [event for name in new for event in self.steps[name].subscribes]
        return frozenset(found)
