"""When the steps of a run waited and ran: a line a row of bars, with its scale and its signs; pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from engine.events.fold import Activation, RunState

from .attempts import Attempts
from .bars import (
    BLANK,
    CUT,
    DELAYED_BAR,
    FAILED_MARK,
    LEVELS,
    LOST_MARK,
    RUNNING_BAR,
    SKIPPED_MARK,
    WAITING_BAR,
    draw_many,
    draw_one,
)
from .names import fit_names
from .output import GAP, NO_LIMIT, fit, format_duration, pad, paint, width_of
from .scale import Scale, Stretch

#: Signs with their meanings, in the order of the legend.
_MEANINGS: Final = {
    RUNNING_BAR: "running",
    WAITING_BAR: "waiting",
    DELAYED_BAR: "until the next attempt",
    FAILED_MARK: "failed",
    LOST_MARK: "lost with its worker",
    SKIPPED_MARK: "skipped",
}

_COLOURS: Final = {
    FAILED_MARK: "red",
    LOST_MARK: "yellow",
    **dict.fromkeys((WAITING_BAR, DELAYED_BAR, CUT, SKIPPED_MARK), "dim"),
}

#: Columns of the bars: fewest, most, and where there is no terminal.
_FEWEST: Final = 20
_MOST: Final = 100
_WITHOUT_TERMINAL: Final = 60

_NOTE_CHARS: Final = len("  10,000 at once")


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a run's timeline.

    Attributes:
        name: What stands before it.
        activations: One activation, or several of one step.
    """

    name: str
    activations: Sequence[Activation]


def timeline(
    run: RunState, rows: Sequence[Row], attempts: Attempts, *, now_ms: int, width: int, colour: bool = False
) -> list[str]:
    """The scale, a line a row, and what the signs on them mean.

    Args:
        run: The run.
        rows: What to show, one or more, in order.
        attempts: The attempts of the run.
        now_ms: Wall-clock time: there a run that is not over has come to.
        width: Columns of the terminal.
        colour: Whether to colour it.
    """
    end_ms = max(run.ended_at_ms or now_ms, run.started_at_ms + 1)
    name_width = min(width // 3, max(len(row.name) for row in rows))
    names = fit_names([row.name for row in rows], name_width)
    is_any_wide = any(len(row.activations) > 1 for row in rows)
    left = width - name_width - len(GAP)
    has_notes = is_any_wide and left >= _FEWEST + _NOTE_CHARS
    columns = _bar_columns(left - (_NOTE_CHARS if has_notes else 0), width)
    whole = Stretch(run.started_at_ms, end_ms)
    scale = Scale(whole, _busy(rows, attempts, end_ms=end_ms), columns=columns)
    lines = [f"{BLANK * name_width}{GAP}{_axis(scale, whole)}"]
    signs: set[str] = set()
    has_levels = False
    for row in rows:
        cells, note = _draw(row, attempts, scale, end_ms=end_ms)
        has_levels = has_levels or bool(note)
        signs.update(cells if len(row.activations) == 1 else {WAITING_BAR}.intersection(cells))
        line = f"{pad(names[row.name], name_width)}{GAP}{_painted(cells, colour=colour)}"
        lines.append((line + note if has_notes else line).rstrip())
    return [*lines, *_legend(signs, scale, has_levels=has_levels, width=width)]


def _bar_columns(left: int, width: int) -> int:
    if width == NO_LIMIT:
        return _WITHOUT_TERMINAL
    return min(_MOST, max(_FEWEST, left))


def _busy(rows: Iterable[Row], attempts: Attempts, *, end_ms: int) -> Iterator[Stretch]:
    for row in rows:
        for activation in row.activations:
            for one in attempts.of(activation.step_id):
                yield Stretch(one.started_at_ms, max(one.started_at_ms + 1, one.ended_at_ms or end_ms))


def _draw(row: Row, attempts: Attempts, scale: Scale, *, end_ms: int) -> tuple[list[str], str]:
    """The cells of a row, and what is said behind them."""
    if len(row.activations) == 1:
        [activation] = row.activations
        return draw_one(scale, activation, attempts.of(activation.step_id), end_ms=end_ms), ""
    tried = (one for activation in row.activations for one in attempts.of(activation.step_id))
    cells, most = draw_many(scale, row.activations, tried, end_ms=end_ms)
    return cells, f"{GAP}{most:,} at once" if most else ""


def _axis(scale: Scale, whole: Stretch) -> str:
    cells = ["─"] * scale.columns
    for column in scale.cut_columns():
        cells[column] = CUT
    begin, end = "0 ", f" {format_duration(whole.length_ms)}"
    return begin + "".join(cells)[len(begin) : -len(end)] + end


def _painted(cells: Sequence[str], *, colour: bool) -> str:
    return "".join(
        paint("".join(same), _COLOURS.get(sign, ""), is_on=colour and sign in _COLOURS)
        for sign, same in groupby(cells)
    )


def _legend(signs: set[str], scale: Scale, *, has_levels: bool, width: int) -> list[str]:
    """What the signs mean, as many on a line as fit."""
    told = [f"{sign} {meaning}" for sign, meaning in _MEANINGS.items() if sign in signs]
    if has_levels:
        told.append(f"{LEVELS[0]}{LEVELS[3]}{LEVELS[-1]} how many run")
    if scale.cuts:
        lengths = ", ".join(format_duration(cut.length_ms) for cut in scale.cuts)
        told.append(f"{CUT} left out: {lengths} in which nothing ran")
    lines: list[str] = []
    for part in told:
        if lines and width_of(lines[-1]) + len(GAP) + width_of(part) <= width:
            lines[-1] += GAP + part
        else:
            lines.append(part)
    return [fit(line, width) for line in lines]
