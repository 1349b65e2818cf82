"""The live view of a run on a terminal: a table of its steps, and what they said last."""

from __future__ import annotations

import contextlib
import sys
from types import TracebackType
from typing import Final

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from engine.clock import monotonic_ms, now_ms
from engine.compile.plan import Plan
from engine.events.fold import RunState
from engine.events.state import ACTIVATION, DELAYED, RUNNING
from engine.events.types import Event

from .frame import Screen, bar, frame
from .lines import progress_of
from .output import NO_LIMIT, wants_colour
from .pace import Pace, about
from .printed import Printed
from .rows import Board, StepRow
from .said import LastSaid
from .tally import Tally

#: A fast run would be drawn for each of its events otherwise, at the cost of the handlers.
_REDRAW_MS: Final = 100.0


class LiveView:
    """Shows a run on stderr while it goes on, and leaves the last table standing.

    What handlers print meanwhile scrolls above the table.
    """

    def __init__(self, plan: Plan, *, see_all: str) -> None:
        """Prepare to show a run; nothing is drawn.

        Args:
            plan: The plan that the run is pinned to.
            see_all: The command that shows all events of the run.
        """
        self._see_all = see_all
        self._board = Board(plan)
        self._console = Console(file=sys.stderr, highlight=False)
        self._colour = wants_colour(sys.stderr)
        self._notes: dict[str, str] = {}
        self._said = LastSaid()
        self._paces: dict[str, Pace] = {}
        self._printed = Printed(sys.stderr)
        self._now: tuple[RunState, Tally] | None = None
        self._drawn: list[Text] = []
        self._drawn_at_ms = -_REDRAW_MS
        self._redirected = contextlib.ExitStack()
        self._live = Live(
            console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False
        )

    def __enter__(self) -> LiveView:
        self._live.start()
        self._redirected.enter_context(contextlib.redirect_stdout(self._printed))
        self._redirected.enter_context(contextlib.redirect_stderr(self._printed))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._redirected.close()
        self._print(self._printed.end())
        self._draw(is_last=True)
        self._live.stop()

    def event(self, event: Event) -> None:
        """Take note of one event; `tick` shows its effect."""
        self._said.add(event)
        done = progress_of(event)
        if done is not None and event.step_name:
            self._notes[event.step_name] = f"{bar(done)} {event.data.get('message', '')}"
        elif event.step_name and event.type in ACTIVATION[RUNNING]:
            # What an attempt has said is over with it.
            self._notes.pop(event.step_name, None)

    def note(self, sentence: str) -> None:
        """Print something that the command itself has to say."""
        self._console.print(Text(sentence, style="yellow"))

    def tick(self, run: RunState, tally: Tally) -> float | None:
        """Show the run as it is now, unless a drawing has only just been made.

        Returns:
            How many milliseconds are left until it can be drawn; None where it has been.
        """
        self._now = run, tally
        left_ms = self._drawn_at_ms + _REDRAW_MS - monotonic_ms()
        if left_ms > 0:
            return left_ms
        self._print(self._printed.take())
        self._draw()
        return None

    def _print(self, lines: list[str]) -> None:
        if lines:
            self._console.print(Text.from_ansi("\n".join(lines)))

    def _draw(self, *, is_last: bool = False) -> None:
        """Draw what has changed; the last time whole, since nothing is drawn over it any more."""
        if self._now is None:
            return
        self._drawn_at_ms = monotonic_ms()
        run, tally = self._now
        size = self._console.size
        height = NO_LIMIT if is_last else size.height - 1
        screen = Screen(size.width, height, self._colour)
        rows = self._board.rows(run, tally, now_ms=now_ms(), notes=self._notes)
        guesses = {row.step: self._guess(run, row) for row in rows if row.is_fan_out}
        lines = frame(run, rows, self._said, screen, now_ms=now_ms(), guesses=guesses, see_all=self._see_all)
        if lines != self._drawn or is_last:
            self._drawn = lines
            self._live.update(Group(*lines), refresh=True)

    def _guess(self, run: RunState, row: StepRow) -> str:
        """How long a fan-out may still take, in words; nothing where that depends on more than its pace."""
        pace = self._paces.setdefault(row.step, Pace())
        pace.note(self._drawn_at_ms, row.done)
        if row.is_growing or row.counts[DELAYED] or run.status != RUNNING:
            return ""
        return about(pace.left_ms(row.total - row.done))
