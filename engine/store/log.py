"""Reading the logs of runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from engine.events.codec import decode_entries, decode_json
from engine.events.types import FLOW_START, Event

from .connection import Store

#: Events that one read answers, at most.
PAGE: Final = 500


class EventLog:
    """The logs of runs in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def read(self, run_id: str, *, after: str = "0-0", count: int = PAGE) -> list[Event]:
        """Events of a run that follow an id, oldest first, at most `count`; empty for an unknown run."""
        with self._store.talking() as client:
            return decode_entries(client.xrange(self._store.keys.log(run_id), f"({after}", "+", count))

    def read_all(self, run_id: str) -> Iterator[Event]:
        """All events of a run, read by page."""
        after = "0-0"
        while page := self.read(run_id, after=after):
            yield from page
            after = page[-1].id

    def last(self, run_id: str) -> Event | None:
        """The newest event of a run; None for an unknown run."""
        with self._store.talking() as client:
            found = decode_entries(client.xrevrange(self._store.keys.log(run_id), count=1))
        return found[0] if found else None

    def get(self, run_id: str, event_id: str) -> Event | None:
        """One event of a run; None where its log does not have it."""
        with self._store.talking() as client:
            found = decode_entries(client.xrange(self._store.keys.log(run_id), event_id, event_id))
        return found[0] if found else None

    def wait(self, run_id: str, *, after: str, timeout_ms: int, count: int = PAGE) -> list[Event]:
        """As `read`, but waits up to `timeout_ms` (at least 1, at most 4,000) for the first event."""
        block = max(1, min(timeout_ms, 4_000))
        with self._store.talking() as client:
            answer = client.xread({self._store.keys.log(run_id): after}, count=count, block=block)
        return decode_entries(answer[0][1]) if answer else []

    def input_of(self, run_id: str) -> object:
        """What a run was started with; None for an unknown run."""
        first = self.read(run_id, count=1)
        return first[0].data.get("input") if first and first[0].type == FLOW_START else None


class HandlerState:
    """The handler state of runs, as it stands committed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, run_id: str, key: str) -> object:
        """The committed value of a key, or None."""
        with self._store.talking() as client:
            raw = client.hget(self._store.keys.state(run_id), key)
        return None if raw is None else decode_json(raw)
