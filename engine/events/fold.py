"""The state of a run as the fold of its log.

The log is the truth: everything that a listing, a page or a rebuild says of a run comes
from here. The fold needs no plan; steps that were never reached are derived by whoever
has one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from engine.errors import CorruptEvent

from . import state
from .types import (
    EMIT,
    FLOW_START,
    LOG,
    SETTLING,
    STATE,
    STEP_COMPLETED,
    STEP_FAILED,
    STEP_LOST,
    STEP_RETRY,
    STEP_SKIPPED,
    STEP_STARTED,
    STEP_UNROUTABLE,
    Event,
)


@dataclass(slots=True)
class Activation:
    """One time that a step is due in a run.

    Attributes:
        step: The step.
        step_id: `<step>#<n>`.
        state: A state of `events.state.ACTIVATION`.
        created_at_ms: When the event that made it due was recorded.
        attempt: Number of its latest attempt, 0 before the first.
        failures: Attempts that raised and were tried again.
        losses: Attempts whose worker was lost.
        worker: Who has or had the latest attempt.
        started_at_ms: Start of the latest attempt.
        ended_at_ms: When it was settled.
        result: What its handler returned.
        error: `{type, message, traceback?}` of its last failure.
        unroutable: Why the last worker that had it could not serve it, until an attempt begins; or None.
    """

    step: str
    step_id: str
    state: str
    created_at_ms: int
    attempt: int = 0
    failures: int = 0
    losses: int = 0
    worker: str | None = None
    started_at_ms: int | None = None
    ended_at_ms: int | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    unroutable: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still has to be settled."""
        return self.state in state.OPEN


@dataclass(slots=True)
class RunState:
    """What the log says of a run so far.

    Attributes:
        run_id: The run.
        flow: Its flow.
        version: The version that it is pinned to.
        status: A status of `events.state.RUN`.
        input: What it was started with.
        started_at_ms: Time of `flow.start`.
        ended_at_ms: Time of the terminal event.
        result: Result of a completed run.
        error: The first error of a failing or failed run.
        failed_step: The step of that error.
        activations: By step id, in the order in which they became due.
        created: How many activations each step has had.
        handler_state: `ctx.state` of the run.
        logs: Number of `log` events.
        emits: Number of `emit` events.
        last_id: Id of the last event folded.
    """

    run_id: str
    flow: str
    version: str
    status: str
    input: Any
    started_at_ms: int
    ended_at_ms: int | None = None
    result: Any = None
    error: dict[str, Any] | None = None
    failed_step: str | None = None
    activations: dict[str, Activation] = field(default_factory=dict)
    created: dict[str, int] = field(default_factory=dict)
    handler_state: dict[str, Any] = field(default_factory=dict)
    logs: int = 0
    emits: int = 0
    last_id: str = "0-0"

    @property
    def is_over(self) -> bool:
        """Whether the run has ended."""
        return self.status in state.ENDED

    @property
    def open(self) -> int:
        """Number of activations that are not settled."""
        return sum(1 for activation in self.activations.values() if activation.is_open)

    def apply(self, event: Event) -> None:
        """Fold one more event in.

        Raises:
            CorruptEvent: The event is illegal in the present state; nothing is changed.
        """
        if self.is_over:
            raise CorruptEvent(f"event {event.id} ({event.type}) follows the end of run {self.run_id}")
        next_status = self._next_status(event)
        activation = self._activation(event)
        due = self._due(event)
        change = _change(self.handler_state, event) if event.type == STATE else None
        # From here on nothing may fail.
        if activation is not None and event.type in state.ACTIVATION[state.RUNNING]:
            self._move(activation, event)
        elif activation is not None and event.type == STEP_UNROUTABLE:
            activation.unroutable = event.data.get("reason")
        self._count(event)
        self._make_due(due, event)
        if change is not None:
            self._set(*change)
        if next_status is not None:
            self._change_status(next_status, event)
        self.last_id = event.id

    def _next_status(self, event: Event) -> str | None:
        if event.type == STEP_FAILED:
            return state.RUN[self.status].get(STEP_FAILED) if event.data.get("ends") else None
        if event.type.startswith("flow."):
            moves = state.RUN[self.status]
            if event.type in moves:
                return moves[event.type]
            if event.type in _RUN_MOVES or event.type == FLOW_START:
                raise CorruptEvent(f"event {event.id}: {event.type} cannot happen to a {self.status} run")
        return None

    def _activation(self, event: Event) -> Activation | None:
        if event.step_id is None:
            if event.type in _OF_AN_ACTIVATION:
                raise CorruptEvent(f"event {event.id}: {event.type} of no activation")
            return None
        activation = self.activations.get(event.step_id)
        if activation is None:
            raise CorruptEvent(f"event {event.id}: {event.step_id} was never made due")
        if event.type in state.ACTIVATION[state.RUNNING] and not activation.is_open:
            raise CorruptEvent(
                f"event {event.id}: {event.type} of {event.step_id}, which is {activation.state}"
            )
        return activation

    def _move(self, activation: Activation, event: Event) -> None:
        activation.state = state.ACTIVATION[activation.state][event.type]
        activation.attempt = event.attempt or activation.attempt
        activation.unroutable = None
        if event.type == STEP_STARTED:
            activation.started_at_ms = event.ts_ms
            activation.worker = event.data.get("worker")
        elif event.type == STEP_RETRY:
            activation.failures = event.data.get("failures", activation.failures + 1)
            activation.error = event.data.get("error")
        elif event.type == STEP_LOST:
            activation.losses = event.data.get("losses", activation.losses + 1)
        elif event.type in SETTLING:
            activation.ended_at_ms = event.ts_ms
            if event.type == STEP_COMPLETED:
                activation.result = event.data.get("result")
            elif event.type == STEP_FAILED:
                activation.error = event.data.get("error")

    def _count(self, event: Event) -> None:
        if event.type == LOG:
            self.logs += 1
        elif event.type == EMIT:
            self.emits += 1

    def _due(self, event: Event) -> list[tuple[str, str, int]]:
        """Step, step id and number of each activation that an event makes due."""
        due: list[tuple[str, str, int]] = []
        counts: dict[str, int] = {}
        for step_id in event.data.get("to", ()):
            step = step_id.rpartition("#")[0]
            counts[step] = counts.get(step, self.created.get(step, 0)) + 1
            if step_id != f"{step}#{counts[step]}":
                raise CorruptEvent(f"event {event.id} makes {step_id} due out of turn")
            due.append((step, step_id, counts[step]))
        return due

    def _make_due(self, due: Iterable[tuple[str, str, int]], event: Event) -> None:
        for step, step_id, number in due:
            self.created[step] = number
            self.activations[step_id] = Activation(step, step_id, state.WAITING, event.ts_ms)

    def _set(self, key: str, value: Any) -> None:
        if value is _ABSENT:
            self.handler_state.pop(key, None)
        else:
            self.handler_state[key] = value

    def _change_status(self, status: str, event: Event) -> None:
        self.status = status
        if status in (state.FAILING, state.FAILED) and self.error is None:
            self.error = event.data.get("error")
            self.failed_step = event.step_name or event.data.get("step")
        if status in state.ENDED:
            self.ended_at_ms = event.ts_ms
            self.result = event.data.get("result")
            for activation in self.activations.values():
                if activation.is_open:
                    activation.state = state.CLOSED_BY_END[activation.state]
                    activation.ended_at_ms = event.ts_ms


#: Marks a key of the handler state that is removed.
_ABSENT = object()

_RUN_MOVES = frozenset(kind for moves in state.RUN.values() for kind in moves)


#: Types that say something of an activation; a subscriber whose condition is false is skipped without one.
_OF_AN_ACTIVATION = state.ACTIVATION[state.RUNNING].keys() - {STEP_SKIPPED}


def _change(values: dict[str, Any], event: Event) -> tuple[str, Any] | None:
    """What a `state` event makes of its key: a new value, or `_ABSENT`."""
    try:
        key = event.data["key"]
        match event.data["op"]:
            case "set":
                return key, event.data["value"]
            case "incr":
                return key, values.get(key, 0) + event.data["by"]
            case "delete":
                return key, _ABSENT
    except (KeyError, TypeError) as error:
        raise CorruptEvent(
            f"event {event.id} changes the state in a way that does not fit: {error}"
        ) from error
    return None


def begin(event: Event) -> RunState:
    """The state of a run after its first event.

    Raises:
        CorruptEvent: The event is not a `flow.start`, or names no version.
    """
    if event.type != FLOW_START or "version" not in event.data:
        raise CorruptEvent(
            f"the log of run {event.run_id} begins with {event.type}, not with a whole {FLOW_START}"
        )
    run = RunState(
        run_id=event.run_id,
        flow=event.flow_name,
        version=event.data["version"],
        status=state.RUNNING,
        input=event.data.get("input"),
        started_at_ms=event.ts_ms,
    )
    run._make_due(run._due(event), event)
    run.last_id = event.id
    return run


def fold(events: Iterable[Event]) -> RunState | None:
    """The state that a whole log folds to, or None for an empty one.

    Raises:
        CorruptEvent: An event is illegal where it stands.
    """
    run: RunState | None = None
    for event in events:
        if run is None:
            run = begin(event)
        else:
            run.apply(event)
    return run
