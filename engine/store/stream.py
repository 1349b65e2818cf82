"""Reading a stream that is trimmed at its beginning, from a cursor on.

Theory of operation:

1. The id of the last event that was read is the cursor. What follows it is read in one
   transaction with the state of the stream, so the stream cannot be trimmed in between.
2. The stream is trimmed at its beginning. A cursor below its first entry may have missed
   something; that the entry of the cursor itself is gone does not tell, and
   `max-deleted-entry-id` stays 0-0 after trimming (seen on Valkey 9.1 and Redis 7.0).
3. Ids grow for as long as the stream's key exists, also when it is trimmed to nothing. A cursor
   above the last id ever given is of a stream that was deleted, or that lost its end with its
   server: whoever waited for a greater id could wait for hours.
4. In the cases of 2 and 3 a reading is a *reset*: events may have been missed, and the reader
   goes on from what is there. Whether something was missed is not always known, so a reset
   says that it may have been.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from engine.events.types import Event, RegistryEvent, order_of

from .connection import Store

#: Events that one read answers, at most.
PAGE: Final = 500

#: Events, newest first, among which those that are wanted are looked for.
_SEARCHED: Final = 10_000

#: The cursor before all events.
BEGIN: Final = "0-0"

#: What a stream holds.
E = TypeVar("E", bound=Event | RegistryEvent)

#: Makes an event of an entry.
Decoder = Callable[[bytes, Mapping[bytes, bytes]], E]

#: What the server answers: ids with their fields.
_Entries = Sequence[tuple[bytes, Mapping[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Reading(Generic[E]):
    """What a read of a stream gave.

    Attributes:
        events: The events, oldest first.
        cursor: Where to go on.
        is_reset: Whether events before these may have been missed.
    """

    events: Sequence[E]
    cursor: str
    is_reset: bool


class _Ends(NamedTuple):
    """The first entry, None if there is none; the last id ever given; whether entries are gone."""

    first: str | None
    last: str
    is_trimmed: bool


class Stream(Generic[E]):
    """One stream of one store."""

    def __init__(self, store: Store, key: str, decode: Decoder[E]) -> None:
        """Nothing is read yet.

        Args:
            store: Where it is.
            key: Its key.
            decode: Makes an event of an entry.
        """
        self.key = key
        self._store = store
        self._decode = decode

    def end(self) -> str:
        """The cursor of now: what follows it has not happened yet."""
        ((ends, _),) = _look(self._store, [(self.key, BEGIN)], count=1)
        return ends.last

    def last(self, count: int, *, until: str, is_wanted: Callable[[E], bool] | None = None) -> list[E]:
        """The newest events up to a cursor, oldest first, at most `count`.

        Where not all are wanted, at most 10,000 events are looked at.
        """
        found: list[E] = []
        top, looked = until, 0
        page = PAGE if is_wanted else min(PAGE, count)
        while len(found) < count and looked < _SEARCHED:
            with self._store.talking() as client:
                entries = client.xrevrange(self.key, top, "-", page)
            events = [self._decode(*entry) for entry in entries]
            found += [event for event in events if is_wanted is None or is_wanted(event)]
            looked += len(events)
            if not events:
                break
            top = f"({events[-1].id}"
        return found[:count][::-1]

    def read(self, *, after: str, count: int = PAGE) -> Reading[E]:
        """The events that follow a cursor, at most `count`; does not wait."""
        (reading,) = read_together(self._store, [(self, after)], count=count)
        return reading

    def _reading(self, after: str, ends: _Ends, entries: _Entries) -> Reading[E]:
        if order_of(ends.last) < order_of(after):
            return Reading([], ends.last, is_reset=True)
        if entries:
            events = [self._decode(*entry) for entry in entries]
            is_gone = ends.first is not None and order_of(ends.first) > order_of(after)
            return Reading(events, events[-1].id, is_reset=ends.is_trimmed and is_gone)
        # Where nothing follows the cursor and it is not the last id, all that followed was trimmed.
        return Reading([], ends.last, is_reset=ends.last != after)


def read_together(
    store: Store, asked: Sequence[tuple[Stream[Any], str]], *, count: int = PAGE
) -> list[Reading[Any]]:
    """What follows a cursor in each of some streams, at most `count` events of each, as of one moment."""
    looks = _look(store, [(stream.key, after) for stream, after in asked], count=count)
    return [
        stream._reading(after, ends, entries)
        for (stream, after), (ends, entries) in zip(asked, looks, strict=True)
    ]


def _look(store: Store, asked: Sequence[tuple[str, str]], *, count: int) -> list[tuple[_Ends, _Entries]]:
    """The state of some streams, given by key and cursor, and what follows the cursors."""
    with store.talking() as client:
        pipeline = client.pipeline()
        for key, after in asked:
            pipeline.xrange(key, f"({after}", "+", count)
            pipeline.exists(key)
            pipeline.xinfo_stream(key)
        answers = pipeline.execute(raise_on_error=False)
        looks = []
        for entries, is_there, info in zip(answers[::3], answers[1::3], answers[2::3], strict=True):
            for answer in (entries, is_there, info if is_there else None):
                if isinstance(answer, Exception):
                    raise answer
            looks.append((_ends_of(info) if is_there else _Ends(None, BEGIN, is_trimmed=False), entries))
    return looks


def _ends_of(info: Mapping[str, Any]) -> _Ends:
    first = info["first-entry"]
    return _Ends(
        None if first is None else first[0].decode(),
        info["last-generated-id"].decode(),
        is_trimmed=info["entries-added"] > info["length"],
    )
