"""Reading what joins and collects work on: payloads that stand in a run's log.

They are read by page and never copied into a job, however many there are; what a reader
holds at a time is bounded by the limit that it names and by one page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from engine.errors import PayloadError, RunNotFound
from engine.events.types import EMIT

from .connection import Store
from .pages import PageSize

_PAYLOAD: Final = b'"payload":'


class Gather:
    """The payloads in the logs of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def join(self, run_id: str, places: Mapping[str, str], *, limit_bytes: int) -> bytes:
        """The payloads of some emissions as a JSON object by event.

        Args:
            run_id: The run.
            places: For each event the id of its emission in the log.
            limit_bytes: Bytes of all payloads, at most.

        Raises:
            PayloadError: They have more bytes than that.
            RunNotFound: The log does not have an emission.
            StoreError: The store cannot be read.
        """
        parts: list[bytes] = []
        size = 0
        for event in sorted(places):
            entries = self._range(run_id, places[event], places[event], 1)
            if not entries:
                raise RunNotFound(f"the log of run {run_id} has lost the event {places[event]}")
            payload = _payload(entries[0][1][b"data"])
            size = _within(size + len(payload), limit_bytes)
            parts.append(b'"%b":%b' % (event.encode(), payload))
        return b"{%b}" % b",".join(parts)

    def collect(self, run_id: str, event: str, upto: str, *, limit_bytes: int) -> bytes:
        """The payloads of all emissions of an event up to an id of the log, as a JSON list in their order.

        Raises:
            PayloadError: They have more bytes than the limit.
            StoreError: The store cannot be read.
        """
        head = f'{{"event":"{event}",'.encode()
        parts: list[bytes] = []
        size = 0
        for data in self._emissions(run_id, upto):
            if data.startswith(head):
                payload = _payload(data)
                size = _within(size + len(payload), limit_bytes)
                parts.append(payload)
        return b"[%b]" % b",".join(parts)

    def _emissions(self, run_id: str, upto: str) -> Iterator[bytes]:
        """The data of all `emit` events of a run up to an id, read by page."""
        after, page = "-", PageSize()
        while entries := self._range(run_id, after, upto, page.count):
            for _, fields in entries:
                if fields[b"type"] == EMIT.encode():
                    yield fields[b"data"]
            if len(entries) < page.count:
                return
            after = f"({entries[-1][0].decode()}"
            page.learn(entries)

    def _range(self, run_id: str, low: str, high: str, count: int) -> list[tuple[bytes, dict[bytes, bytes]]]:
        with self._store.talking() as client:
            entries: list[tuple[bytes, dict[bytes, bytes]]] = client.xrange(
                self._store.keys.log(run_id), low, high, count
            )
        return entries


def _payload(data: bytes) -> bytes:
    """The payload in an emission's data, whose last member it is; names before it need no escape."""
    return data[data.index(_PAYLOAD) + len(_PAYLOAD) : -1]


def _within(size: int, limit_bytes: int) -> int:
    if size > limit_bytes:
        raise PayloadError(
            f"more than {limit_bytes:,} bytes: "
            f"raise `limits.gather_bytes`, or emit references to what is kept elsewhere"
        )
    return size
