"""Finding runs: the indexes by flow and by status, and the ledger as a summary."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from engine.errors import RunNotFound
from engine.events.codec import decode_json
from engine.events.state import RUNNING, STATUSES

from .connection import Store

#: Runs, newest first, among which the beginning of an id is looked up.
_SEARCHED: Final = 10_000

#: Running runs, oldest first, whose versions are looked at.
_LIVE: Final = 5_000

#: Runs whose ledgers are read in one round trip.
_PAGE: Final = 200

#: Fields of the ledger that make a summary.
_FIELDS: Final = ("flow", "version", "status", "started", "ended", "error", "step")


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in a listing.

    Attributes:
        run_id: The run.
        flow: Its flow.
        version: The version that it is pinned to.
        status: Its status.
        started_at_ms: When it was started.
        ended_at_ms: When it ended, or None.
        error: `{type, message}` of a failing or failed run.
        failed_step: The step of that error.
    """

    run_id: str
    flow: str
    version: str
    status: str
    started_at_ms: int
    ended_at_ms: int | None
    error: dict[str, Any] | None
    failed_step: str | None


class RunIndex:
    """The runs in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def list(
        self, *, flow: str | None = None, status: str | None = None, limit: int = 50
    ) -> Sequence[RunSummary]:
        """Runs, newest first, at most `limit`, of a flow or a status or both."""
        if flow is None:
            return self._summaries(self._by_status([status] if status else STATUSES, limit))
        found: list[RunSummary] = []
        for start in range(0, _SEARCHED, _PAGE):
            with self._store.talking() as client:
                ids = client.zrevrange(self._store.keys.flow_index(flow), start, start + _PAGE - 1)
            page = self._summaries([run_id.decode() for run_id in ids])
            found += [summary for summary in page if status is None or summary.status == status]
            if len(ids) < _PAGE or len(found) >= limit:
                break
        return found[:limit]

    def get(self, run_id: str) -> RunSummary:
        """One run.

        Raises:
            RunNotFound: There is none of this id.
        """
        found = self._summaries([run_id])
        if not found:
            raise RunNotFound(f"there is no run `{run_id}` in the store at {self._store.address}")
        return found[0]

    def find(self, beginning: str) -> str:
        """The id of the run whose id begins so; the newest 10,000 of each status are looked at.

        Raises:
            RunNotFound: None does, or several do; the message names some of those.
        """
        with self._store.talking() as client:
            if client.exists(self._store.keys.run(beginning)):
                return beginning
        found = [run_id for run_id in self._by_status(STATUSES, _SEARCHED) if run_id.startswith(beginning)]
        if not found:
            raise RunNotFound(f"there is no run `{beginning}` in the store at {self._store.address}")
        if len(found) > 1:
            some = ", ".join(found[:5])
            raise RunNotFound(
                f"`{beginning}` is the beginning of {len(found)} run ids ({some}): write more of it"
            )
        return found[0]

    def pinned(self) -> set[tuple[str, str]]:
        """Flow and version of the runs that are running; the oldest 5,000 are looked at."""
        with self._store.talking() as client:
            ids = client.zrange(self._store.keys.status_index(RUNNING), 0, _LIVE - 1)
        live = self._summaries([run_id.decode() for run_id in ids])
        return {(summary.flow, summary.version) for summary in live}

    def _by_status(self, statuses: Sequence[str], count: int) -> Sequence[str]:
        """The newest run ids among some statuses, at most `count`."""
        with self._store.talking() as client:
            pipeline = client.pipeline(transaction=False)
            for status in statuses:
                pipeline.zrevrange(self._store.keys.status_index(status), 0, count - 1, withscores=True)
            answers = pipeline.execute()
        scored = {run_id.decode(): score for answer in answers for run_id, score in answer}
        return sorted(scored, key=lambda run_id: (-scored[run_id], run_id))[:count]

    def _summaries(self, run_ids: Sequence[str]) -> Sequence[RunSummary]:
        found = []
        for start in range(0, len(run_ids), _PAGE):
            page = run_ids[start : start + _PAGE]
            with self._store.talking() as client:
                pipeline = client.pipeline(transaction=False)
                for run_id in page:
                    pipeline.hmget(self._store.keys.run(run_id), _FIELDS)
                answers = pipeline.execute()
            found += [
                _summary(run_id, values) for run_id, values in zip(page, answers, strict=True) if values[0]
            ]
        return found


def _summary(run_id: str, values: Sequence[bytes | None]) -> RunSummary:
    flow, version, status, started, ended, error, step = values
    return RunSummary(
        run_id=run_id,
        flow=(flow or b"").decode(),
        version=(version or b"").decode(),
        status=(status or b"").decode(),
        started_at_ms=int(started or 0),
        ended_at_ms=int(ended) if ended else None,
        error=decode_json(error) if error else None,
        failed_step=step.decode() if step else None,
    )
