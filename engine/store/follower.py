"""The events of all runs and of the registry as one sequence, as they happen."""

from __future__ import annotations

from collections.abc import Callable
from heapq import merge
from typing import Any, NamedTuple

from engine.events.types import Event, RegistryEvent, order_of

from .connection import Store
from .feed import Feed
from .registry_feed import RegistryFeed
from .stream import PAGE, Stream, read_together

#: Whatever happens in a store.
AnyEvent = Event | RegistryEvent


class Followed(NamedTuple):
    """What has happened since the last look.

    Attributes:
        events: The events, oldest first.
        is_reset: Whether events before these may have been missed.
    """

    events: list[AnyEvent]
    is_reset: bool


class Follower:
    """Follows both streams of one store from the moment when it is made.

    Ids come from the server's clock in both streams, so they order the events of both, but for those of
    one millisecond.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._cursors: dict[Stream[Any], str] = {
            stream: stream.end() for stream in (Feed(store), RegistryFeed(store))
        }

    def last(self, count: int, *, is_wanted: Callable[[AnyEvent], bool] | None = None) -> list[AnyEvent]:
        """The newest events before those that are followed, oldest first, at most `count`."""
        found = [
            stream.last(count, until=until, is_wanted=is_wanted) for stream, until in self._cursors.items()
        ]
        events = list(merge(*found, key=_order))
        return events[max(0, len(events) - count) :]

    def wait(self, *, timeout_ms: int, count: int = PAGE) -> Followed:
        """What has happened; waits up to `timeout_ms` (at least 1, at most 4,000) for the first event."""
        followed = self._read(count)
        if followed.events or followed.is_reset:
            return followed
        block = max(1, min(timeout_ms, 4_000))
        with self._store.talking() as client:
            asked = {stream.key: cursor for stream, cursor in self._cursors.items()}
            is_something = client.xread(asked, count=1, block=block)
        return self._read(count) if is_something else followed

    def _read(self, count: int) -> Followed:
        readings = read_together(self._store, list(self._cursors.items()), count=count)
        # A page that is full may go on: what the other stream has later than it, comes later.
        ends = [order_of(reading.cursor) for reading in readings if len(reading.events) == count]
        taken, is_reset = [], False
        for stream, reading in zip(self._cursors, readings, strict=True):
            events = [event for event in reading.events if not ends or _order(event) <= min(ends)]
            if events or not reading.events:
                is_whole = len(events) == len(reading.events)
                self._cursors[stream] = reading.cursor if is_whole else events[-1].id
                is_reset = is_reset or reading.is_reset
            taken.append(events)
        return Followed(list(merge(*taken, key=_order)), is_reset)


def _order(event: AnyEvent) -> tuple[int, int]:
    return order_of(event.id)
