"""Reading the logs of runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.events.codec import decode_entries, decode_json
from engine.events.types import FLOW_START, Event

from .connection import Store
from .pages import PageSize


class EventLog:
    """The logs of runs in one store.

    Pages are as large as the entries that this reader has met allow.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._page = PageSize()

    def read(self, run_id: str, *, after: str = "0-0") -> list[Event]:
        """A page of the events of a run that follow an id, oldest first; empty for an unknown run."""
        with self._store.talking() as client:
            key = self._store.keys.log(run_id)
            return self._decode(client.xrange(key, f"({after}", "+", self._page.count))

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

    def wait(self, run_id: str, *, after: str, timeout_ms: int) -> list[Event]:
        """As `read`, but waits up to `timeout_ms` (at least 1, at most 4,000) for the first event."""
        block = max(1, min(timeout_ms, 4_000))
        with self._store.talking() as client:
            key = self._store.keys.log(run_id)
            answer = client.xread({key: after}, count=self._page.count, block=block)
        return self._decode(answer[0][1]) if answer else []

    def input_of(self, run_id: str) -> object:
        """What a run was started with; None for an unknown run."""
        with self._store.talking() as client:
            first = decode_entries(client.xrange(self._store.keys.log(run_id), count=1))
        return first[0].data.get("input") if first and first[0].type == FLOW_START else None

    def _decode(self, entries: Any) -> list[Event]:
        self._page.learn(entries)
        return decode_entries(entries)


class HandlerState:
    """The handler state of runs, as it stands committed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, run_id: str, key: str) -> object:
        """The committed value of a key, or None."""
        with self._store.talking() as client:
            raw = client.hget(self._store.keys.state(run_id), key)
        return None if raw is None else decode_json(raw)
