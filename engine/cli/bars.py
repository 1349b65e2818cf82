"""When activations waited and ran, as one cell a column of a scale; pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final

from engine.events.fold import Activation
from engine.events.state import FAILED, SKIPPED
from engine.events.types import STEP_FAILED, STEP_LOST, STEP_RETRY, STEP_SKIPPED

from .attempts import AttemptTimes
from .scale import Scale

BLANK: Final = " "
WAITING_BAR: Final = "░"
RUNNING_BAR: Final = "█"
DELAYED_BAR: Final = "┄"
FAILED_MARK: Final = "✗"
LOST_MARK: Final = "!"
SKIPPED_MARK: Final = "–"
CUT: Final = "≈"

#: How many of several run at once, from few to the most that there were.
LEVELS: Final = "▁▂▃▄▅▆▇█"

_MARKS: Final = {
    STEP_FAILED: FAILED_MARK,
    STEP_RETRY: FAILED_MARK,
    STEP_LOST: LOST_MARK,
    STEP_SKIPPED: SKIPPED_MARK,
}

#: Of an activation that was settled without an attempt.
_STATE_MARKS: Final = {FAILED: FAILED_MARK, SKIPPED: SKIPPED_MARK}


def draw_one(
    scale: Scale, activation: Activation, attempts: Sequence[AttemptTimes], *, end_ms: int
) -> list[str]:
    """The cells of one activation: its waiting, its attempts, and how each of them ended.

    Args:
        scale: The columns.
        activation: The activation.
        attempts: Its attempts, in order.
        end_ms: Where the run ends, or has come to.
    """
    settled_ms = activation.ended_at_ms or end_ms
    cells = [BLANK] * scale.columns
    _fill(cells, scale, (activation.created_at_ms, settled_ms), WAITING_BAR)
    next_starts = [*(one.started_at_ms for one in attempts[1:]), settled_ms]
    for one, next_ms in zip(attempts, next_starts, strict=False):
        ended_ms = one.ended_at_ms or end_ms
        if one.ended_by == STEP_RETRY:
            _fill(cells, scale, (ended_ms, next_ms), DELAYED_BAR)
        _fill(cells, scale, (one.started_at_ms, ended_ms), RUNNING_BAR)
    _cut(cells, scale)
    for one in attempts:
        if one.ended_by in _MARKS:
            cells[_reach(scale, one.started_at_ms, one.ended_at_ms or end_ms)[1]] = _MARKS[one.ended_by]
    if not attempts and activation.state in _STATE_MARKS:
        cells[scale.column(settled_ms)] = _STATE_MARKS[activation.state]
    return cells


def draw_many(
    scale: Scale, activations: Iterable[Activation], attempts: Iterable[AttemptTimes], *, end_ms: int
) -> tuple[list[str], int]:
    """The cells of several activations: how many of them ran at once, and where they only waited.

    Returns:
        The cells, and the most that ran at once for certain: times are whole milliseconds.
    """
    due = _most(scale, ((one.created_at_ms, one.ended_at_ms or end_ms) for one in activations))
    running = _most(scale, ((one.started_at_ms, one.ended_at_ms or end_ms) for one in attempts))
    most = max(running)
    cells = [WAITING_BAR if count else BLANK for count in due]
    for column, count in enumerate(running):
        if count:
            cells[column] = LEVELS[(count * len(LEVELS) - 1) // most]
    _cut(cells, scale)
    return cells, most


def _most(scale: Scale, stretches: Iterable[tuple[int, int]]) -> list[int]:
    """By column, how many stretches of time there were at once, at most.

    Of those within one millisecond it is not known whether they met: they count as one.
    """
    changes: dict[int, int] = {}
    shortest: set[int] = set()
    for from_ms, until_ms in stretches:
        if from_ms == until_ms:
            shortest.add(from_ms)
        else:
            changes[from_ms] = changes.get(from_ms, 0) + 1
            changes[until_ms] = changes.get(until_ms, 0) - 1
    counts = [0] * scale.columns
    for at_ms in shortest:
        counts[scale.column(at_ms)] = 1
    at_once = 0
    for from_ms, until_ms in pairwise(sorted(changes)):
        at_once += changes[from_ms]
        first, last = _reach(scale, from_ms, until_ms)
        for column in range(first, last + 1):
            counts[column] = max(counts[column], at_once)
    return counts


def _reach(scale: Scale, from_ms: int, until_ms: int) -> tuple[int, int]:
    """The first and the last column of a stretch of time; its end belongs to what comes next."""
    first = scale.column(from_ms)
    return first, max(first, scale.column(until_ms - 1))


def _fill(cells: list[str], scale: Scale, stretch: tuple[int, int], sign: str) -> None:
    first, last = _reach(scale, *stretch)
    cells[first : last + 1] = sign * (last + 1 - first)


def _cut(cells: list[str], scale: Scale) -> None:
    """Mark what is left out, where the line does not stop before it."""
    for column in scale.cut_columns():
        if cells[column] != BLANK:
            cells[column] = CUT
