"""The attempts of a run's activations, which the fold keeps only the last of; pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from engine.events.types import SETTLING, STEP_LOST, STEP_RETRY, STEP_STARTED, TERMINAL, Event


@dataclass(slots=True)
class AttemptTimes:
    """One attempt that began.

    Attributes:
        number: Its number, from 1.
        started_at_ms: When it began.
        ended_at_ms: When it ended, None while it runs.
        ended_by: Type of the event that ended it, None while it runs.
    """

    number: int
    started_at_ms: int
    ended_at_ms: int | None = None
    ended_by: str | None = None


class Attempts:
    """What has been tried in one run, by activation."""

    def __init__(self) -> None:
        self._by_activation: dict[str, list[AttemptTimes]] = defaultdict(list)

    def noting(self, events: Iterable[Event]) -> Iterator[Event]:
        """Pass events of the run on, in order, and take note of them."""
        for event in events:
            self._note(event)
            yield event

    def of(self, step_id: str) -> Sequence[AttemptTimes]:
        """The attempts of an activation, in order."""
        return self._by_activation.get(step_id, ())

    def _note(self, event: Event) -> None:
        if event.type in TERMINAL:
            for attempts in self._by_activation.values():
                _end(attempts, event)
        elif event.step_id is None:
            return
        elif event.type == STEP_STARTED:
            attempts = self._by_activation[event.step_id]
            attempts.append(AttemptTimes(event.attempt or len(attempts) + 1, event.ts_ms))
        elif event.type in SETTLING or event.type in (STEP_RETRY, STEP_LOST):
            _end(self._by_activation.get(event.step_id, ()), event)


def _end(attempts: Sequence[AttemptTimes], event: Event) -> None:
    # One that was lost before it began has left no start, and is not the last one here.
    if attempts and attempts[-1].ended_by is None and event.attempt in (None, attempts[-1].number):
        attempts[-1].ended_at_ms = max(event.ts_ms, attempts[-1].started_at_ms)
        attempts[-1].ended_by = event.type
