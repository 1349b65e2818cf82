"""The steps of a run as rows, from its state and its plan; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from engine.compile.plan import Plan
from engine.events.fold import Activation, RunState
from engine.events.state import (
    CANCELLED,
    COMPLETED,
    DELAYED,
    DROPPED,
    FAILED,
    RUNNING,
    SKIPPED,
    WAITING,
)

#: Said of a step that has had no activation, while the run lasts and when it is over.
NOT_YET: Final = "not yet"
NOT_REACHED: Final = "not reached"

#: States in the order in which a row with several names them: what needs attention first.
_TELLING: Final = (FAILED, RUNNING, DELAYED, WAITING, CANCELLED, DROPPED, SKIPPED, COMPLETED)

#: States of rows that stay when a table is too tall.
_BUSY: Final = frozenset({FAILED, RUNNING, DELAYED, CANCELLED})


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a run, all its activations taken together.

    Attributes:
        step: The step.
        state: The most telling state of its activations, or `NOT_YET` or `NOT_REACHED`.
        words: The state with counts where there are several activations.
        attempt: Highest attempt, 0 before the first.
        took_ms: From its first start to its last end, or to now; None before its first start.
        note: The last thing that it said, or why it failed.
    """

    step: str
    state: str
    words: str
    attempt: int
    took_ms: int | None
    note: str


def step_rows(run: RunState, plan: Plan, *, now_ms: int, notes: Mapping[str, str]) -> list[StepRow]:
    """A row a step, in the order in which the plan leads to them.

    Args:
        run: The run so far.
        plan: The plan that it is pinned to.
        now_ms: Wall-clock time, for what still runs.
        notes: By step, the last thing that it said.
    """
    by_step: dict[str, list[Activation]] = {name: [] for name in in_order(plan)}
    for activation in run.activations.values():
        by_step.setdefault(activation.step, []).append(activation)
    return [
        _row(step, activations, is_over=run.is_over, now_ms=now_ms, note=notes.get(step, ""))
        for step, activations in by_step.items()
    ]


def _row(step: str, activations: list[Activation], *, is_over: bool, now_ms: int, note: str) -> StepRow:
    if not activations:
        words = NOT_REACHED if is_over else NOT_YET
        return StepRow(step, words, words, 0, None, note)
    counts = Counter(activation.state for activation in activations)
    state = next(name for name in _TELLING if counts[name])
    words = state
    if len(activations) > 1:
        words = ", ".join(f"{counts[name]} {name}" for name in _TELLING if counts[name])
    error = next((one.error for one in activations if one.error and one.state != COMPLETED), None)
    if error is not None:
        note = f"{error.get('type')}: {error.get('message')}"
    attempt = max(activation.attempt for activation in activations)
    return StepRow(step, state, words, attempt, took_ms(activations, now_ms=now_ms), note)


def took_ms(activations: Iterable[Activation], *, now_ms: int) -> int | None:
    """Milliseconds from the first start to the last end, or to now while one is open."""
    started = [one for one in activations if one.started_at_ms is not None]
    if not started:
        return None
    first = min(one.started_at_ms for one in started if one.started_at_ms is not None)
    last = max(now_ms if one.ended_at_ms is None else one.ended_at_ms for one in started)
    # The worker's clock and this one may differ by a little.
    return max(0, last - first)


def in_order(plan: Plan) -> list[str]:
    """The steps as a reader expects them: none before a step that leads to it."""
    incoming = Counter(follower for step in plan.steps for follower in followers(plan, step))
    ready = [plan.entry]
    order: list[str] = []
    while ready:
        step = ready.pop(0)
        order.append(step)
        for follower in followers(plan, step):
            incoming[follower] -= 1
            if incoming[follower] == 0:
                ready.append(follower)
    return order


def followers(plan: Plan, step: str) -> list[str]:
    """The steps that an event of this step may trigger, ordered by name, each once."""
    return sorted({hearer for event in plan.steps[step].emits for hearer in plan.subscribers.get(event, ())})


def most_telling(rows: list[StepRow], height: int) -> list[StepRow]:
    """The rows that fit a height, in their order: what runs or failed, then what is near to it."""
    if len(rows) <= height:
        return rows
    busy = [index for index, row in enumerate(rows) if row.state in _BUSY]
    centre = busy[0] if busy else len(rows) - 1
    ranked = sorted(range(len(rows)), key=lambda index: (rows[index].state not in _BUSY, abs(index - centre)))
    return [rows[index] for index in sorted(ranked[:height])]
