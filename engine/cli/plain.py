"""The view of a run where there is no terminal, or none is wanted: one line an event."""

from __future__ import annotations

import sys
from types import TracebackType

from engine.compile.plan import Plan
from engine.events.fold import RunState
from engine.events.types import Event

from .lines import event_line, who_width
from .output import say, wants_colour
from .tally import Tally


class PlainView:
    """Writes each event as a line on stderr, or only notes where events are not wanted."""

    def __init__(self, plan: Plan, *, shows_events: bool) -> None:
        self._colour = wants_colour(sys.stderr)
        self._who_width = who_width(plan)
        self._shows_events = shows_events

    def __enter__(self) -> PlainView:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing to tidy up."""

    def event(self, event: Event) -> None:
        """Print one event."""
        if self._shows_events:
            say(event_line(event, who_width=self._who_width, colour=self._colour))

    def note(self, sentence: str) -> None:
        """Print something that the command itself has to say."""
        say(sentence)

    def tick(self, run: RunState, tally: Tally) -> None:
        """Nothing to do: lines stand as they were printed."""
