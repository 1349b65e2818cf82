"""Finishing wide fan-outs whose process has died while it laid them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.clock import monotonic_ms
from engine.store.connection import Call

#: Milliseconds without progress after which a fan-out is anybody's.
_IDLE_MS: Final = 1_000.0

#: Milliseconds that a keeper spends on fan-outs at a time: it has leases to renew.
_SHARE_MS: Final = 500.0


@dataclass(slots=True)
class _Seen:
    """How far a fan-out was, and since when (monotonic)."""

    cursor: int
    since_ms: float


class Unfolding:
    """Drives the fan-outs that have not moved for a while."""

    def __init__(
        self, *, make_call: Callable[[str, str, str, int], Call | None], send: Callable[[Call], Any]
    ) -> None:
        """Prepare.

        Args:
            make_call: `(job, flow, version, cursor)` → the call that lays out the next part, or None.
            send: Sends a call and answers its answer.
        """
        self._make_call = make_call
        self._send = send
        self._seen: dict[str, _Seen] = {}

    def look(self, told: Sequence[Sequence[Any]]) -> None:
        """Go on with what has not moved since it was seen before.

        Args:
            told: Some of those on their way, as `promote` answers them.

        Raises:
            StoreError: The store cannot be reached.
        """
        now, seen = monotonic_ms(), self._seen
        self._seen = {}
        for job, flow, version, cursor in told:
            job_id = job.decode()
            last = seen.get(job_id)
            if last is None or last.cursor != cursor:
                self._seen[job_id] = _Seen(cursor, now)
            elif now - last.since_ms < _IDLE_MS:
                self._seen[job_id] = last
            else:
                left_at = self._drive(job_id, flow.decode(), version.decode(), cursor)
                if left_at is not None:
                    self._seen[job_id] = _Seen(left_at, last.since_ms)

    def _drive(self, job_id: str, flow: str, version: str, cursor: int) -> int | None:
        """Lay out part by part; answers how far it came, or None where nothing is left."""
        until_ms = monotonic_ms() + _SHARE_MS
        while monotonic_ms() < until_ms:
            call = self._make_call(job_id, flow, version, cursor)
            if call is None:
                return cursor
            answer = self._send(call)
            if answer[0] not in (b"MORE", b"DUP"):
                return None
            cursor = answer[1]
        return cursor
