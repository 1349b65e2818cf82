"""Finishing wide fan-outs whose process has died while it laid them out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.clock import monotonic_ms
from engine.store.connection import Call

#: Milliseconds without progress after which a fan-out is anybody's.
_IDLE_MS: Final = 1_000.0

#: Milliseconds that a keeper spends on all fan-outs at a time: it has leases to renew.
_SHARE_MS: Final = 500.0

#: Milliseconds for which is remembered how far a fan-out was. Of many, each look is told only some.
_REMEMBERED_MS: Final = 60_000.0


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
        """Begin with no fan-out seen: each is given its time from when it is first seen.

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
        now = monotonic_ms()
        self._seen = {job: seen for job, seen in self._seen.items() if now - seen.since_ms < _REMEMBERED_MS}
        for job, flow, version, cursor in told:
            job_id = job.decode()
            seen = self._seen.setdefault(job_id, _Seen(cursor, now))
            if seen.cursor != cursor:
                self._seen[job_id] = _Seen(cursor, now)
            elif now - seen.since_ms >= _IDLE_MS and monotonic_ms() < now + _SHARE_MS:
                self._drive(seen, job_id, flow.decode(), version.decode(), until_ms=now + _SHARE_MS)

    def _drive(self, seen: _Seen, job_id: str, flow: str, version: str, *, until_ms: float) -> None:
        """Lay out part by part, for a while or to the end, and note how far that is."""
        while monotonic_ms() < until_ms:
            call = self._make_call(job_id, flow, version, seen.cursor)
            if call is None:
                return
            answer = self._send(call)
            if answer[0] not in (b"MORE", b"DUP"):
                del self._seen[job_id]
                return
            seen.cursor = answer[1]
