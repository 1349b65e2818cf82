"""What has become of the activations of each step of a run, counted while its events come in; pure.

A run may have tens of thousands of activations, and its view is drawn ten times a second: drawing
must not look at each of them. So every event changes a few numbers here, and a drawing costs
what the flow has steps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from engine.events.fold import Activation, RunState
from engine.events.state import ACTIVATION, CLOSED_BY_END, COMPLETED, FAILED, OPEN, RUNNING, WAITING
from engine.events.types import EMIT, STEP_COMPLETED, TERMINAL, Event


@dataclass(slots=True)
class StepTally:
    """The activations of one step, taken together.

    Attributes:
        states: How many there are in each state.
        attempt: Highest attempt, 0 before the first.
        started_at_ms: First start of an attempt, None before it.
        ended_at_ms: Last time that one was settled, or closed by the run's end.
        to_come: Events that it has emitted and that are not recorded yet: the rest of a wide fan-out.
        latest: The activation of which something was heard last.
        faulty: Whose error is told: the first that failed, else the last that was tried in vain.
    """

    states: Counter[str] = field(default_factory=Counter)
    attempt: int = 0
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    to_come: int = 0
    latest: Activation | None = None
    faulty: Activation | None = None

    @property
    def total(self) -> int:
        """How many activations there are."""
        return self.states.total()

    @property
    def open(self) -> int:
        """How many of them are not settled."""
        return sum(self.states[state] for state in OPEN)

    def add(self, activation: Activation) -> None:
        """Count an activation for the first time."""
        self.states[activation.state] += 1
        self._look_at(activation)

    def move(self, activation: Activation, *, before: str) -> None:
        """Count an activation in its present state, no longer in the one before."""
        self.states[before] -= 1
        self.add(activation)

    def close(self, at_ms: int) -> None:
        """The run is over: what is open is closed."""
        if self.open:
            self.ended_at_ms = at_ms
        for state, closed in CLOSED_BY_END.items():
            self.states[closed] += self.states.pop(state, 0)
        self.to_come = 0

    def _look_at(self, activation: Activation) -> None:
        self.latest = activation
        self.attempt = max(self.attempt, activation.attempt)
        started, ended = activation.started_at_ms, activation.ended_at_ms
        if started is not None:
            self.started_at_ms = min(started, self.started_at_ms or started)
        if ended is not None:
            self.ended_at_ms = max(ended, self.ended_at_ms or ended)
        is_faulty = activation.error is not None and activation.state != COMPLETED
        if is_faulty and (self.faulty is None or self.faulty.state != FAILED):
            self.faulty = activation


class Tally:
    """The steps of one run.

    Attributes:
        steps: By name, those that have had an activation.
        emitted: How many events of each name were recorded.
    """

    def __init__(self) -> None:
        self.steps: dict[str, StepTally] = {}
        self.emitted: Counter[str] = Counter()
        #: State of each open activation that is not waiting.
        self._moved: dict[str, str] = {}

    @classmethod
    def of(cls, run: RunState, emitted: Mapping[str, int]) -> Tally:
        """Count a run that was folded without counting more than what it has emitted."""
        tally = cls()
        tally.emitted.update(emitted)
        for activation in run.activations.values():
            tally._step(activation.step).add(activation)
        return tally

    def count(self, event: Event, run: RunState) -> None:
        """Count an event that has just been folded into the run."""
        for step_id in event.data.get("to", ()):
            activation = run.activations[step_id]
            self._step(activation.step).add(activation)
        if event.step_id is not None and event.type in ACTIVATION[RUNNING]:
            self._move(run.activations[event.step_id])
        if event.type == STEP_COMPLETED and event.step_name is not None:
            self._step(event.step_name).to_come += event.data.get("emits", 0)
        elif event.type == EMIT:
            self._emit(event)
        elif event.type in TERMINAL:
            self._moved.clear()
            for step in self.steps.values():
                step.close(event.ts_ms)

    def _move(self, activation: Activation) -> None:
        before = self._moved.pop(activation.step_id, WAITING)
        if activation.is_open and activation.state != WAITING:
            self._moved[activation.step_id] = activation.state
        self._step(activation.step).move(activation, before=before)

    def _emit(self, event: Event) -> None:
        self.emitted[_emitted(event)] += 1
        if "k" in event.data and event.step_name is not None:
            self._step(event.step_name).to_come -= 1

    def _step(self, name: str) -> StepTally:
        if name not in self.steps:
            self.steps[name] = StepTally()
        return self.steps[name]


def counting(events: Iterable[Event], emitted: Counter[str]) -> Iterator[Event]:
    """Pass events of a run on, and count by name what it emits."""
    for event in events:
        if event.type == EMIT:
            emitted[_emitted(event)] += 1
        yield event


def _emitted(event: Event) -> str:
    return str(event.data.get("event"))
