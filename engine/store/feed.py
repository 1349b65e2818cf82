"""Reading the live feed: the newest events of all runs, under the ids that they have in the logs.

Theory of operation:

1. The id of the last event that was read is the cursor. What follows it is read in one
   transaction with the state of the feed, so the feed cannot be trimmed in between.
2. The feed is trimmed at its beginning. A cursor below its first entry may have missed
   something; that the entry of the cursor itself is gone does not tell, and
   `max-deleted-entry-id` stays 0-0 after trimming (seen on Valkey 9.1 and Redis 7.0).
3. Ids grow for as long as the feed's key exists, also when it is trimmed to nothing. A cursor
   above the last id ever given is of a feed that was deleted, or that lost its end with its
   server: whoever waited for a greater id could wait for hours.
4. In the cases of 2 and 3 a reading is a *reset*: events may have been missed, and the reader
   goes on from what is there. Whether something was missed is not always known, so a reset
   says that it may have been.
5. Large data is not in the feed: `reference_bytes` knows such an event, and its log has it whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.events.codec import decode_entries
from engine.events.types import Event, order_of

from .connection import Store

#: Events that one read answers, at most.
PAGE: Final = 500

#: Events, newest first, among which those of one flow are looked for.
_SEARCHED: Final = 10_000

#: The cursor before all events.
BEGIN: Final = "0-0"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read of the feed gave.

    Attributes:
        events: The events, oldest first.
        cursor: Where to go on.
        is_reset: Whether events before these may have been missed.
    """

    events: Sequence[Event]
    cursor: str
    is_reset: bool


class _Ends(NamedTuple):
    """The feed's first entry, None if it has none; the last id ever given; whether entries are gone."""

    first: str | None
    last: str
    is_trimmed: bool


class Feed:
    """The live feed of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def end(self) -> str:
        """The cursor of now: what follows it has not happened yet."""
        ends, _ = self._look(BEGIN, 1)
        return ends.last

    def last(self, count: int, *, until: str, flow: str | None = None) -> list[Event]:
        """The newest events up to a cursor, oldest first, at most `count`.

        Of one flow, at most 10,000 events are looked at.
        """
        found: list[Event] = []
        top, looked = until, 0
        while len(found) < count and looked < _SEARCHED:
            with self._store.talking() as client:
                entries = client.xrevrange(
                    self._store.keys.events, top, "-", min(PAGE, count) if flow is None else PAGE
                )
            page = decode_entries(entries)
            found += [event for event in page if flow is None or event.flow_name == flow]
            looked += len(page)
            if not page:
                break
            top = f"({page[-1].id}"
        return found[:count][::-1]

    def read(self, *, after: str, count: int = PAGE) -> Reading:
        """The events that follow a cursor, at most `count`; does not wait."""
        ends, events = self._look(after, count)
        if order_of(ends.last) < order_of(after):
            return Reading([], ends.last, is_reset=True)
        if events:
            is_gone = ends.first is not None and order_of(ends.first) > order_of(after)
            return Reading(events, events[-1].id, is_reset=ends.is_trimmed and is_gone)
        # Where nothing follows the cursor and it is not the last id, all that followed was trimmed.
        return Reading([], ends.last, is_reset=ends.last != after)

    def wait(self, *, after: str, timeout_ms: int, count: int = PAGE) -> Reading:
        """As `read`, but waits up to `timeout_ms` (at least 1, at most 4,000) for the first event."""
        reading = self.read(after=after, count=count)
        if reading.events or reading.is_reset:
            return reading
        block = max(1, min(timeout_ms, 4_000))
        with self._store.talking() as client:
            answer = client.xread({self._store.keys.events: after}, count=1, block=block)
        return self.read(after=after, count=count) if answer else reading

    def _look(self, after: str, count: int) -> tuple[_Ends, list[Event]]:
        key = self._store.keys.events
        with self._store.talking() as client:
            pipeline = client.pipeline()
            pipeline.xrange(key, f"({after}", "+", count)
            pipeline.exists(key)
            pipeline.xinfo_stream(key)
            entries, is_there, info = pipeline.execute(raise_on_error=False)
            for answer in (entries, is_there, info if is_there else None):
                if isinstance(answer, Exception):
                    raise answer
        if not is_there:
            return _Ends(None, BEGIN, is_trimmed=False), []
        first = info["first-entry"]
        ends = _Ends(
            None if first is None else first[0].decode(),
            info["last-generated-id"].decode(),
            is_trimmed=info["entries-added"] > info["length"],
        )
        return ends, decode_entries(entries)


def reference_bytes(event: Event) -> int | None:
    """The size of an event's data where the feed has only that; the event of the log has the data."""
    if event.data.keys() - {"to"} != {"ref"}:
        return None
    size = event.data["ref"]
    return size if isinstance(size, int) else None
