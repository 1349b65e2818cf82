"""The live view of a run on a terminal: a table of its steps, with its log lines above it."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Final

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.live import Live
from rich.table import Table
from rich.text import Text

from engine.clock import monotonic_ms, now_ms
from engine.compile.plan import Plan
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
from engine.events.types import LOG, STEP_LOST, STEP_RETRY, STEP_UNROUTABLE, Event

from .lines import progress_of, said_line, short_version, who_width
from .output import format_duration, one_line, wants_colour
from .rows import NOT_REACHED, NOT_YET, StepRow, most_telling, step_rows

#: Narrower terminals get fewer columns: first the notes go, then the attempts.
_NOTE_COLUMNS: Final = 60
_ATTEMPT_COLUMNS: Final = 44

#: Lines of the view that are not steps and not its title: header, what is left out, two to spare.
_FRAME_LINES: Final = 4

#: Columns that stay free on the right: a terminal that echoes ^C there would begin a new line,
#: of which the view knows nothing when it is drawn over.
_FREE_COLUMNS: Final = 3

#: Columns that a name or a state keeps on any terminal, and those of the two numbers.
_STEP_HEADER: Final = "  step"
_STEP_CHARS: Final = 12
_ATTEMPT_CHARS: Final = len("attempt")
_TOOK_CHARS: Final = len("59m 59s")

_BAR_CHARS: Final = 10

#: A fast run would be drawn for each of its events otherwise, at the cost of the handlers.
_REDRAW_MS: Final = 80.0

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

#: Events that a reader should see pass, and not only their effect on the table.
_SAID: Final = frozenset({LOG, STEP_RETRY, STEP_LOST, STEP_UNROUTABLE})


def render(
    run: RunState, plan: Plan, *, now_ms: int, notes: dict[str, str], width: int, height: int
) -> Constrain:
    """The title of a run and the table of its steps; pure.

    Args:
        run: The run so far.
        plan: The plan that it is pinned to.
        now_ms: Wall-clock time.
        notes: By step, the last thing that it said.
        width: Columns of the terminal.
        height: Lines of the terminal.
    """
    width = max(1, width - _FREE_COLUMNS)
    title = _title(run, now_ms=now_ms, width=width)
    rows = step_rows(run, plan, now_ms=now_ms, notes=notes)
    shown = most_telling(rows, max(1, height - _FRAME_LINES - len(title)))
    parts: list[RenderableType] = [*title, _table(shown, width=width)]
    if len(shown) < len(rows):
        parts.append(Text(f"… {len(rows) - len(shown)} more", style="dim"))
    return Constrain(Group(*parts), width)


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
        line.no_wrap, line.overflow = True, "ellipsis"
    return lines


def _table(rows: list[StepRow], *, width: int) -> Table:
    has_attempts, has_notes = width >= _ATTEMPT_COLUMNS, width >= _NOTE_COLUMNS
    # Only a table that expands gives a column with a ratio what the others leave.
    table = Table(box=None, pad_edge=False, expand=has_notes)
    longest = max(len(_STEP_HEADER), *(len(row.step) + 2 for row in rows))
    step_width = min(longest, max(_STEP_CHARS, width // 3))
    taken = step_width + _TOOK_CHARS + (_ATTEMPT_CHARS if has_attempts else 0) + 3 * len("  ")
    table.add_column(_STEP_HEADER, no_wrap=True, overflow="ellipsis", max_width=step_width)
    table.add_column("state", no_wrap=True, overflow="ellipsis", max_width=max(_STEP_CHARS, width - taken))
    if has_attempts:
        table.add_column("attempt", justify="right", no_wrap=True)
    table.add_column("took", justify="right", no_wrap=True)
    if has_notes:
        table.add_column("", no_wrap=True, overflow="ellipsis", ratio=1)
    for row in rows:
        table.add_row(*_cells(row, has_attempts=has_attempts, has_notes=has_notes))
    return table


def _cells(row: StepRow, *, has_attempts: bool, has_notes: bool) -> list[Text]:
    mark, style = _MARKS[row.state]
    cells = [Text(f"{mark} {row.step}", style=style), Text(row.words, style=style)]
    if has_attempts:
        cells.append(Text(str(row.attempt) if row.attempt else "", style="yellow" if row.attempt > 1 else ""))
    cells.append(Text("" if row.took_ms is None else format_duration(row.took_ms)))
    if has_notes:
        cells.append(Text(one_line(row.note), style="red" if row.state == FAILED else "dim"))
    return cells


def bar(done: float) -> str:
    """A bar that is filled to a fraction."""
    filled = round(min(1.0, max(0.0, done)) * _BAR_CHARS)
    return "━" * filled + "─" * (_BAR_CHARS - filled)


class LiveView:
    """Shows a run on stderr while it goes on, and leaves the last table standing.

    What handlers print meanwhile scrolls above the table too.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._console = Console(file=sys.stderr, highlight=False)
        self._colour = wants_colour(sys.stderr)
        self._notes: dict[str, str] = {}
        self._run: RunState | None = None
        self._drawn_at_ms = -_REDRAW_MS
        self._who_width = who_width(plan)
        self._live = Live(
            console=self._console, auto_refresh=False, redirect_stdout=True, redirect_stderr=True
        )

    def __enter__(self) -> LiveView:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._run is not None:
            self._draw(self._run)
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take note of one event; `tick` shows its effect."""
        done = progress_of(event)
        if event.type == LOG and event.step_name:
            message = str(event.data.get("message", ""))
            self._notes[event.step_name] = message if done is None else f"{bar(done)} {message}"
        if event.type in _SAID and done is None:
            line = said_line(event, who_width=self._who_width, colour=self._colour)
            self._console.print(Text.from_ansi(line))

    def note(self, sentence: str) -> None:
        """Print something that the command itself has to say."""
        self._console.print(Text(sentence, style="yellow"))

    def tick(self, run: RunState) -> None:
        """Show the run as it is now; what has just been drawn waits for the next time, or for the end."""
        self._run = run
        if run.is_over or monotonic_ms() - self._drawn_at_ms >= _REDRAW_MS:
            self._draw(run)

    def _draw(self, run: RunState) -> None:
        self._drawn_at_ms = monotonic_ms()
        size = self._console.size
        view = render(
            run, self._plan, now_ms=now_ms(), notes=self._notes, width=size.width, height=size.height
        )
        self._live.update(view, refresh=True)
