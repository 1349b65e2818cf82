"""The last things that the steps of a run said or met, few enough to be read; pure."""

from __future__ import annotations

from typing import Final

from engine.events.types import LOG, STEP_LOST, STEP_RETRY, STEP_UNROUTABLE, Event

from .lines import progress_of

#: Events that are kept. With thousands of lines nobody reads more than the last; the log has all.
KEPT: Final = 20

#: Events that a reader should see pass, and not only their effect on the table.
_SAID: Final = frozenset({LOG, STEP_RETRY, STEP_LOST, STEP_UNROUTABLE})

#: Levels of log lines that give way to others.
_QUIET: Final = frozenset({"debug", "info"})


class LastSaid:
    """What was said last. What is a warning or worse stays longer than what is not.

    Attributes:
        events: Some of the last ones, in order.
        count: How many there were in all.
    """

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.count = 0

    def add(self, event: Event) -> None:
        """Keep an event, if it says something; reports of progress do not."""
        if event.type not in _SAID or progress_of(event) is not None:
            return
        self.events = _fewer([*self.events, event], KEPT)
        self.count += 1

    def last(self, count: int) -> list[Event]:
        """At most so many of them, in order."""
        return _fewer(self.events, count)


def _fewer(events: list[Event], count: int) -> list[Event]:
    """So many of the events: the newest one, and of the others what is loud, then what is later."""
    spare = len(events) - count
    if spare <= 0:
        return events
    leaving = sorted(range(len(events) - 1), key=lambda index: (not _is_quiet(events[index]), index))
    gone = {*leaving[:spare]} if count else {*range(len(events))}
    return [event for index, event in enumerate(events) if index not in gone]


def _is_quiet(event: Event) -> bool:
    return event.type == LOG and str(event.data.get("level", "")).lower() in _QUIET
