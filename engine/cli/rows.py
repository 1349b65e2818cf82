"""The steps of a run as rows, from its state, its plan and the counts of its activations; pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from engine.compile.graph import Graph
from engine.compile.plan import Plan, StepPlan
from engine.events.fold import Activation, RunState
from engine.events.state import (
    CANCELLED,
    COMPLETED,
    DELAYED,
    DROPPED,
    FAILED,
    OPEN,
    RUNNING,
    SKIPPED,
    WAITING,
)

from .lines import error_text
from .tally import StepTally, Tally

#: Said of a step that has had no activation, while the run lasts and when it is over.
NOT_YET: Final = "not yet"
NOT_REACHED: Final = "not reached"

#: Said of a join that had some of its events when its run ended.
INCOMPLETE: Final = "incomplete"

#: States in the order in which a row with several names them: what needs attention first.
TELLING: Final = (FAILED, RUNNING, DELAYED, WAITING, CANCELLED, DROPPED, SKIPPED, COMPLETED)

#: States of rows that stay before all others when a table is too tall.
_BUSY: Final = frozenset({FAILED, RUNNING, DELAYED, CANCELLED})


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step of a run, all its activations taken together.

    Attributes:
        step: The step.
        state: The most telling state of its activations, or `NOT_YET` or `NOT_REACHED`.
        words: The state with counts where there are several activations, or what the step waits for.
        attempt: Highest attempt, 0 before the first.
        took_ms: What its attempt took so far; of several activations, from the first start to the last end.
        note: How far it says that it is, why it failed, or what it has got so far.
        counts: How many activations are in each state.
        total: How many there are, with those that are known to follow.
        is_growing: Whether more than those may follow.
    """

    step: str
    state: str
    words: str
    attempt: int
    took_ms: int | None
    note: str
    counts: Mapping[str, int]
    total: int = 0
    is_growing: bool = False

    @property
    def done(self) -> int:
        """How many of its activations are no longer open."""
        return sum(number for state, number in self.counts.items() if state not in OPEN)

    @property
    def is_fan_out(self) -> bool:
        """Whether it is about several activations that are not all done, or may be."""
        is_several = self.total > 1 or self.done > 0
        return is_several and (self.done < self.total or self.is_growing)


class Board:
    """What a plan says about the rows of its runs."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._graph = Graph(plan.steps)
        self._order = self._graph.in_order()
        self._before: dict[str, frozenset[str]] = {}

    def rows(self, run: RunState, tally: Tally, *, now_ms: int, notes: Mapping[str, str]) -> list[StepRow]:
        """A row a step, in the order in which the plan leads to them.

        Args:
            run: The run so far.
            tally: Its counts.
            now_ms: Wall-clock time, for what still runs.
            notes: By step, how far it says that it is.
        """
        return [self._row(step, run, tally, now_ms=now_ms, note=notes.get(step, "")) for step in self._order]

    def _row(self, step: str, run: RunState, tally: Tally, *, now_ms: int, note: str) -> StepRow:
        counted = tally.steps.get(step)
        if counted is None or not counted.total:
            return _row_of_none(self._plan.steps[step], run, tally)
        row = _row_of_some(step, counted, now_ms=now_ms, note=note)
        # A join and a collect are due once, and a run that is ending makes nothing due any more.
        if self._plan.steps[step].trigger != "any" or run.status != RUNNING:
            return row
        to_come, is_growing = self._to_come(step, tally)
        row = replace(row, total=row.total + to_come, is_growing=is_growing)
        # Between two of many, none may run for a moment.
        is_between = row.is_fan_out and row.done and row.state in (WAITING, SKIPPED, COMPLETED)
        return replace(row, state=RUNNING) if is_between else row

    def _to_come(self, step: str, tally: Tally) -> tuple[int, bool]:
        """How many activations are known to follow, and whether more than those may."""
        known, is_growing = 0, False
        for name in self._all_before(step):
            counted = tally.steps.get(name)
            if counted is None:
                continue
            emits = self._plan.steps[name].emits
            # What is laid out chunk by chunk says in advance how much it is, but not of which event.
            if len(emits) == 1 and step in self._plan.subscribers.get(emits[0], ()):
                known += counted.to_come
            else:
                is_growing = is_growing or counted.to_come > 0
            is_growing = is_growing or counted.open > 0
        return known, is_growing

    def _all_before(self, step: str) -> frozenset[str]:
        if step not in self._before:
            self._before[step] = self._graph.before(*self._plan.steps[step].subscribes)
        return self._before[step]


def step_rows(run: RunState, plan: Plan, emitted: Mapping[str, int], *, now_ms: int) -> list[StepRow]:
    """As `Board.rows`, of a run that was folded without counting more than its events by name."""
    return Board(plan).rows(run, Tally.of(run, emitted), now_ms=now_ms, notes={})


def _row_of_some(step: str, counted: StepTally, *, now_ms: int, note: str) -> StepRow:
    counts, total = counted.states, counted.total
    state = next(name for name in TELLING if counts[name])
    words = state
    if total > 1:
        words = ", ".join(f"{counts[name]:,} {name}" for name in TELLING if counts[name])
        # What one of many says tells nothing of the others.
        note = ""
    # What the attempt that runs says is newer than why the one before it failed.
    if not note and counted.faulty is not None and counted.faulty.state != COMPLETED:
        note = error_text(counted.faulty.error)
    return StepRow(step, state, words, counted.attempt, _took_ms(counted, now_ms=now_ms), note, counts, total)


def _took_ms(counted: StepTally, *, now_ms: int) -> int | None:
    if counted.total == 1 and counted.latest is not None:
        return took_ms([counted.latest], now_ms=now_ms)
    if counted.started_at_ms is None:
        return None
    last_ms = now_ms if counted.open or counted.ended_at_ms is None else counted.ended_at_ms
    # The worker's clock and this one may differ by a little.
    return max(0, last_ms - counted.started_at_ms)


def _row_of_none(step: StepPlan, run: RunState, tally: Tally) -> StepRow:
    """The row of a step that was never due: nothing led to it yet, or it waits for what is not complete."""
    come = sum(tally.emitted[event] for event in step.subscribes)
    missing = ", ".join(event for event in step.subscribes if not tally.emitted[event])
    state, words, note = NOT_YET, NOT_YET, ""
    if run.is_over:
        state, words = NOT_REACHED, NOT_REACHED
        if step.trigger == "all" and come and missing:
            words, note = INCOMPLETE, f"misses {missing}"
            state = FAILED if _is_failed_by_joins(run) else state
    elif step.trigger == "collect":
        words = f"collects {step.subscribes[0]}"
        if come:
            state, note = WAITING, f"{come:,} so far"
    elif step.trigger == "all" and missing:
        words = f"waits for {missing}"
        state = WAITING if come else state
    return StepRow(step.name, state, words, 0, None, note, Counter())


def _is_failed_by_joins(run: RunState) -> bool:
    """Whether joins that cannot be filled any more failed the run, which names the first of them.

    No other step fails a run without having been due.
    """
    return run.failed_step is not None and run.failed_step not in run.created


def took_ms(activations: Iterable[Activation], *, now_ms: int) -> int | None:
    """Milliseconds from the first start to the last end, or to now while one is open."""
    started = [one for one in activations if one.started_at_ms is not None]
    if not started:
        return None
    first = min(one.started_at_ms for one in started if one.started_at_ms is not None)
    last = max(now_ms if one.ended_at_ms is None else one.ended_at_ms for one in started)
    # The worker's clock and this one may differ by a little.
    return max(0, last - first)


def most_telling(rows: list[StepRow], height: int) -> list[StepRow]:
    """The rows that fit a height, in their order: what runs or failed, what waits, and what is near to it.

    Where nothing of that is there, the run has come to the last step that was due.
    """
    if len(rows) <= height:
        return rows
    centre = _frontier(rows)
    ranked = sorted(range(len(rows)), key=lambda index: (_rank(rows[index]), abs(index - centre)))
    return [rows[index] for index in sorted(ranked[:height])]


def _frontier(rows: Sequence[StepRow]) -> int:
    """Where the run is: the first row that is busy, or whose step waits for a worker, or the last one due."""
    due = [index for index, row in enumerate(rows) if row.total]
    # A collect that is not due yet waits far behind what leads to it.
    waiting = [index for index in due if rows[index].state == WAITING]
    busy = [index for index, row in enumerate(rows) if row.state in _BUSY]
    return next(iter([*busy, *waiting, *reversed(due)]), 0)


def _rank(row: StepRow) -> int:
    if row.state in _BUSY:
        return 0
    return 1 if row.state == WAITING else 2
