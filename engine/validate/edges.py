"""The steps of a declared flow and the events between them, as a graph; pure.

Walks keep their own stack: a flow may be a thousand steps deep.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from engine.declare.declaration import FlowDeclaration, Located, StepDeclaration
from engine.declare.suggest import Suggestions


class EventGraph:
    """A declared flow with its edges.

    Attributes:
        flow: The declaration.
        emitters: For each event that is emitted, where, and by which step.
        subscribers: For each event that is subscribed to, the steps.
    """

    def __init__(self, flow: FlowDeclaration) -> None:
        self.flow = flow
        self.emitters: dict[str, list[tuple[Located, StepDeclaration]]] = {}
        self.subscribers: dict[str, list[StepDeclaration]] = {}
        for step in flow.steps:
            for event in step.emits:
                self.emitters.setdefault(event.text, []).append((event, step))
            for event in step.subscribes:
                self.subscribers.setdefault(event.text, []).append(step)
        self.entries = tuple(step for step in flow.steps if step.is_entry)
        self._suggestions = Suggestions()
        self._meant: dict[str, str | None] = {}
        self._after: Mapping[str, tuple[StepDeclaration, ...]] = {
            step.name.text: tuple(
                follower
                for event in step.emits
                for follower in self.subscribers.get(event.text, ())
                if not follower.is_entry
            )
            for step in flow.steps
        }

    def meant(self, event: str) -> str | None:
        """The emitted event that one which nobody emits is a misspelling of, if that is sure."""
        if event not in self._meant:
            self._meant[event] = self._suggestions.nearest(event, self.emitters)
        return self._meant[event]

    def after(self, step: StepDeclaration) -> tuple[StepDeclaration, ...]:
        """The steps that a step triggers; never an entry, whose subscriptions are a mistake of their own."""
        return self._after[step.name.text]

    def reach(self, starts: tuple[StepDeclaration, ...]) -> set[str]:
        """The names of some steps and of all that follow from them."""
        reached: set[str] = set()
        waiting = list(starts)
        while waiting:
            step = waiting.pop()
            if step.name.text not in reached:
                reached.add(step.name.text)
                waiting.extend(self.after(step))
        return reached

    def blamed(self) -> tuple[StepDeclaration, ...]:
        """Steps whose own declaration says why they may not run: no subscription, or one to nothing."""
        return tuple(
            step
            for step in self.flow.steps
            if not step.subscribes or any(event.text not in self.emitters for event in step.subscribes)
        )

    def connected(self, steps: Sequence[StepDeclaration]) -> set[str]:
        """The names of those steps that hang together with the first one, whichever way the events go."""
        neighbours: dict[str, set[str]] = {step.name.text: set() for step in steps}
        for step in steps:
            for follower in self.after(step):
                if follower.name.text in neighbours:
                    neighbours[step.name.text].add(follower.name.text)
                    neighbours[follower.name.text].add(step.name.text)
        connected: set[str] = set()
        waiting = [steps[0].name.text]
        while waiting:
            name = waiting.pop()
            if name not in connected:
                connected.add(name)
                waiting.extend(neighbours[name])
        return connected

    def cycles(self, steps: Sequence[StepDeclaration]) -> Iterator[tuple[StepDeclaration, ...]]:
        """Cycles among some steps, each from a step back to it; not all, but one for each tangle."""
        walk = _CycleWalk(self, steps)
        for start in steps:
            yield from walk.begin(start)


class _CycleWalk:
    """A walk in depth that notices when it comes back to its own path."""

    def __init__(self, graph: EventGraph, steps: Sequence[StepDeclaration]) -> None:
        self._graph = graph
        self._names = {step.name.text for step in steps}
        self._done: set[str] = set()
        self._reported: set[str] = set()

    def begin(self, start: StepDeclaration) -> Iterator[tuple[StepDeclaration, ...]]:
        """Walk from one step to all that follow from it."""
        if start.name.text in self._done:
            return
        path = {start.name.text: start}
        stack = [iter(self._graph.after(start))]
        while stack:
            follower = next(stack[-1], None)
            if follower is None:
                stack.pop()
                self._done.add(path.popitem()[0])
            elif follower.name.text in path:
                yield from self._close(path, follower)
            elif follower.name.text in self._names and follower.name.text not in self._done:
                path[follower.name.text] = follower
                stack.append(iter(self._graph.after(follower)))

    def _close(
        self, path: Mapping[str, StepDeclaration], follower: StepDeclaration
    ) -> Iterator[tuple[StepDeclaration, ...]]:
        names = list(path)
        around = names[names.index(follower.name.text) :]
        # In a tangle each new cycle would be told in full; one that has a new step is news enough.
        if not self._reported.issuperset(around):
            self._reported.update(around)
            yield (*(path[name] for name in around), follower)
