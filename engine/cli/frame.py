"""One moment of a run as the live view shows it: title, table of steps, what they said last; pure.

Everything is laid out here, line by line, so that a drawing costs little and columns keep their
places while numbers change.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.text import Text

from engine.events.fold import RunState
from engine.events.state import (
    CANCELLED,
    CANCELLING,
    COMPLETED,
    DELAYED,
    DROPPED,
    FAILED,
    FAILING,
    RUNNING,
    SKIPPED,
    WAITING,
)
from engine.events.types import Event

from .lines import said_line, short_version
from .names import fit_names
from .output import GAP, NO_LIMIT, count_of, fit, format_duration, one_line, pad, width_of
from .rows import NOT_REACHED, NOT_YET, StepRow, most_telling
from .said import KEPT, LastSaid

#: Columns that stay free on the right: a terminal that echoes ^C there would begin a new line,
#: of which the view knows nothing when it is drawn over.
_FREE_COLUMNS: Final = 3

#: Shorter lines, those of terminals of less than 60 columns, have no notes.
_NOTE_COLUMNS: Final = 60 - _FREE_COLUMNS

#: Columns that a name and a state keep on any terminal, and those of the numbers.
_STEP_HEADER: Final = "  step"
_MARK_CHARS: Final = len("✓ ")
_STEP_CHARS: Final = 12
_STATE_CHARS: Final = 12
_ATTEMPT_CHARS: Final = len("attempt")
_TOOK_CHARS: Final = len("59m 59s")

#: Columns that a long name leaves for notes, and fewest that are worth having.
_NOTE_CHARS: Final = 24
_SHORTEST_NOTE_CHARS: Final = 12

#: Cells of a bar: of a step that says how far it is, and fewest and most of a fan-out.
_BAR_CHARS: Final = 10
_SHORTEST_BAR_CHARS: Final = 5
_LONGEST_BAR_CHARS: Final = 30

#: Lines of what was said: most while the run goes on, and what the table of a flow with many steps leaves.
_SAID_LINES: Final = 8
_SAID_AT_LEAST: Final = 3

#: Columns that an activation's name may take on any terminal before what it says.
_WHO_CHARS: Final = 24

_MARKS: Final = {
    COMPLETED: ("✓", "green"),
    RUNNING: ("●", "cyan"),
    WAITING: ("○", ""),
    DELAYED: ("◌", "yellow"),
    FAILED: ("✗", "red"),
    SKIPPED: ("–", "dim"),
    CANCELLED: ("✗", "yellow"),
    DROPPED: ("–", "dim"),
    NOT_YET: ("·", "dim"),
    NOT_REACHED: ("·", "dim"),
}

_STATUS_STYLES: Final = {
    RUNNING: "cyan",
    FAILING: "red",
    CANCELLING: "yellow",
    COMPLETED: "green",
    FAILED: "red",
    CANCELLED: "yellow",
}


#: What is said of a fan-out before anything else.
_NOT_WELL: Final = (FAILED, DELAYED, SKIPPED)


@dataclass(frozen=True, slots=True)
class Screen:
    """Where a frame is shown.

    Attributes:
        width: Columns of the terminal.
        height: Lines that the frame may take, or `NO_LIMIT`.
        colour: Whether colour is welcome.
    """

    width: int
    height: int
    colour: bool

    @property
    def columns(self) -> int:
        """Columns that a line may fill."""
        return max(1, self.width - _FREE_COLUMNS)


def frame(
    run: RunState,
    rows: list[StepRow],
    said: LastSaid,
    screen: Screen,
    *,
    now_ms: int,
    guesses: Mapping[str, str],
    see_all: str,
) -> list[Text]:
    """The lines of a run as it is now.

    Args:
        run: The run.
        rows: Its steps.
        said: What they said.
        screen: Where it is shown.
        now_ms: Wall-clock time.
        guesses: By step, how long it may still take, in words.
        see_all: The command that shows all of what was said.
    """
    title = _title(run, now_ms=now_ms, width=screen.columns)
    wanted = min(len(said.events), KEPT if screen.height == NO_LIMIT else _SAID_LINES)
    shown = most_telling(rows, _room(rows, screen.height - len(title) - 1, wanted))
    lines = [*title, *_table(shown, guesses, width=screen.columns)]
    if len(shown) < len(rows):
        lines.append(Text(f"… {count_of(len(rows) - len(shown), 'step')} more", style="dim"))
    left = screen.height - len(lines) - 1
    if wanted and left > 0:
        lines += _said(said.last(min(wanted, left)), said.count, screen, see_all)
    return lines


def _room(rows: Sequence[StepRow], left: int, wanted: int) -> int:
    """How many rows there is room for, beside some of what was said, if any, or else alone."""
    for taken in (min(wanted, _SAID_AT_LEAST) + 1 if wanted else 0, 0):
        if left - taken >= len(rows):
            return len(rows)
        # A line says how many are left out.
        if left - taken > 1:
            return left - taken - 1
    return 1


def _title(run: RunState, *, now_ms: int, width: int) -> list[Text]:
    """The flow, how it stands and the run's id, on as few lines as they fit on whole."""
    lasted_ms = (run.ended_at_ms or now_ms) - run.started_at_ms
    status = Text(run.status, style=_STATUS_STYLES[run.status])
    parts = [
        Text(f"{run.flow}@{short_version(run.version)}", style="bold"),
        status.append(f" {format_duration(lasted_ms)}", style="dim"),
        Text(run.run_id, style="dim"),
    ]
    lines = [parts[0]]
    for part in parts[1:]:
        if lines[-1].cell_len + len(" ") + part.cell_len <= width:
            lines[-1] = Text(" ").join((lines[-1], part))
        else:
            lines.append(part)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


@dataclass(frozen=True, slots=True)
class _Columns:
    """Widths of the table's columns; 0 for one that is not shown."""

    step: int
    state: int
    attempt: int
    note: int


def _table(rows: Sequence[StepRow], guesses: Mapping[str, str], *, width: int) -> list[Text]:
    columns = _columns(rows, width=width)
    attempt = GAP + "attempt" if columns.attempt else ""
    header = f"{pad(_STEP_HEADER, columns.step)}{GAP}{pad('state', columns.state)}{attempt}"
    lines = [Text(f"{header}{GAP}{'took':>{_TOOK_CHARS}}", style="bold")]
    names = fit_names([row.step for row in rows], columns.step - _MARK_CHARS)
    lines += [_line(row, names[row.step], columns, guesses.get(row.step, "")) for row in rows]
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return lines


def _columns(rows: Sequence[StepRow], *, width: int) -> _Columns:
    """Names get what state and notes leave; state and notes get what is left after that.

    Attempts and took are whole wherever the narrowest name and state leave room for them.
    """
    has_attempts = any(row.attempt > 1 for row in rows)
    attempt = _ATTEMPT_CHARS if has_attempts and width >= _NOTE_COLUMNS else 0
    left = width - _TOOK_CHARS - 2 * len(GAP) - (attempt + len(GAP) if attempt else 0)
    state = max(_STATE_CHARS, *(_state_width(row, width=width) for row in rows))
    has_notes = width >= _NOTE_COLUMNS and any(row.note or row.is_fan_out for row in rows)
    spare = left - state - (_NOTE_CHARS + len(GAP) if has_notes else 0)
    longest = max(len(_STEP_HEADER), *(_MARK_CHARS + len(row.step) for row in rows))
    step = min(longest, max(_STEP_CHARS, width // 4, spare))
    left = max(_STATE_CHARS, left - step)
    note = left - state - len(GAP)
    if has_notes and note >= _SHORTEST_NOTE_CHARS:
        return _Columns(step, state, attempt, note)
    # Without notes a fan-out has its counts beside its bar.
    return _Columns(step, left if any(row.is_fan_out for row in rows) else min(state, left), attempt, 0)


def _is_words_only(row: StepRow) -> bool:
    """Whether nothing stands behind the state, which may take the rest of the line then."""
    return not (row.is_fan_out or row.attempt or row.note) and row.took_ms is None


def _state_width(row: StepRow, *, width: int) -> int:
    """The columns that a state needs, of which the table's are made."""
    if _is_words_only(row):
        return 0
    if row.is_fan_out:
        return _bar_width(width) + 1 + width_of(_done(row))
    return width_of(row.words)


def _bar_width(width: int) -> int:
    return min(_LONGEST_BAR_CHARS, max(_BAR_CHARS, width // 6))


def _line(row: StepRow, name: str, columns: _Columns, guess: str) -> Text:
    mark, style = _MARKS[row.state]
    step = pad(f"{mark} {name}", columns.step)
    if _is_words_only(row):
        return Text(f"{step}{GAP}{row.words}", style=style)
    state = _fan_out(row, columns) if row.is_fan_out else fit(row.words, columns.state)
    line = Text().append(f"{step}{GAP}{pad(state, columns.state)}", style=style)
    if columns.attempt:
        attempt = str(row.attempt) if row.attempt else ""
        line.append(f"{GAP}{attempt:>{columns.attempt}}", style="yellow" if row.attempt > 1 else "")
    took = "" if row.took_ms is None else format_duration(row.took_ms)
    line.append(f"{GAP}{took:>{_TOOK_CHARS}}")
    if columns.note:
        note = fit(one_line(_note(row, guess)), columns.note)
        line.append(f"{GAP}{note}", style="red" if row.state == FAILED else "dim")
    return line


def _done(row: StepRow) -> str:
    total = f"{row.total:,}"
    return f"{row.done:>{len(total)},} of {total}{'+' if row.is_growing else ''}"


def _numbered(counts: Mapping[str, int], states: Sequence[str]) -> list[str]:
    return [f"{counts[state]:,} {state}" for state in states if counts[state]]


def _fan_out(row: StepRow, columns: _Columns) -> str:
    """A bar with how many are done; where there are no notes, with what did not go well."""
    words = _done(row)
    if not columns.note:
        more = ", ".join([words, *_numbered(row.counts, _NOT_WELL)])
        words = more if _SHORTEST_BAR_CHARS + 1 + width_of(more) <= columns.state else words
    cells = min(_LONGEST_BAR_CHARS, columns.state - width_of(words) - 1)
    if cells < _SHORTEST_BAR_CHARS:
        return fit(words.strip(), columns.state)
    # One more may follow as long as the total may grow.
    return f"{bar(row.done / (row.total + row.is_growing), cells)} {words}"


def _note(row: StepRow, guess: str) -> str:
    if not row.is_fan_out:
        return row.note
    # What is known to follow waits too.
    waiting = row.total - row.done - row.counts[RUNNING] - row.counts[DELAYED]
    # Counts that change all the time keep their places, also where they are 0.
    steady = [f"{row.counts[RUNNING]:,} running", f"{waiting:,} waiting"]
    counts = ", ".join([*_numbered(row.counts, _NOT_WELL), *([guess] if guess else []), *steady])
    has_error = row.counts[FAILED] or row.counts[DELAYED]
    return f"{counts}; {row.note}" if has_error and row.note else counts


def bar(done: float, cells: int = _BAR_CHARS) -> str:
    """A bar that is filled to a fraction; quite full only when all is done."""
    filled = int(min(1.0, max(0.0, done)) * cells)
    return "━" * filled + "─" * (cells - filled)


def _said(events: Sequence[Event], count: int, screen: Screen, see_all: str) -> list[Text]:
    """What was said last, under a line that is empty or says how much there was before."""
    ids = [one.step_id or "" for one in events]
    width = min(max(_WHO_CHARS, screen.columns // 3), max(map(len, ids)))
    names = fit_names(ids, max(1, width))
    lines = [
        Text.from_ansi(said_line(one, who=pad(names[step_id], width), colour=screen.colour))
        for one, step_id in zip(events, ids, strict=True)
    ]
    before = f"… {count_of(count - len(events), 'earlier line')}" if count > len(events) else ""
    if screen.height == NO_LIMIT:
        return [Text(f"{before}: {see_all}" if before else "", style="dim"), *lines]
    lines.insert(0, Text(before, style="dim"))
    for line in lines:
        line.truncate(screen.columns, overflow="ellipsis")
    return lines
