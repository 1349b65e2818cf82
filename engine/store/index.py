"""Finding runs: the indexes by flow and by status, and the ledger as a summary."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

#: Runs that are read in one round trip.
_PAGE: Final = 200

#: Runs that are looked at for one page of those of a flow and a status.
_LOOKED: Final = 100_000

#: Where a run stands in an index: its start in ms, and its id.
_Place = tuple[float, str]

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


@dataclass(frozen=True, slots=True)
class RunPage:
    """A part of a listing.

    Attributes:
        runs: The runs, the newest first.
        after: The run that the next page comes after; None where there is none.
        is_cut: Whether the page ended early: so many runs were looked at that did not fit.
    """

    runs: Sequence[RunSummary]
    after: str | None
    is_cut: bool


class RunIndex:
    """The runs in one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def page(
        self,
        *,
        flow: str | None = None,
        statuses: Collection[str] = (),
        since_ms: int | None = None,
        until_ms: int | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> RunPage:
        """Runs, the newest first; of equal starts the greater id is first.

        Costs some commands for each 200 runs that are looked at, however many there are. Runs
        that start meanwhile do not move a later page.

        Args:
            flow: Only runs of this flow.
            statuses: Only runs of one of these statuses; of any, where there are none.
            since_ms: Only runs that started then or later.
            until_ms: Only runs that started before.
            after: Only runs that come after this one.
            limit: At most so many.

        Raises:
            RunNotFound: `after` is not in the store, so where it stood is not known.
        """
        top: _Place = (float("inf") if until_ms is None else until_ms, "")
        if after is not None:
            top = min(top, (self.get(after).started_at_ms, after))
        floor = float("-inf") if since_ms is None else since_ms
        keys, others = self._sources(flow, statuses, (floor, top[0]))
        found: list[RunSummary] = []
        looked = 0
        while True:
            places = self._below(keys, top, floor, _PAGE if others else min(_PAGE, limit + 1))
            looked += len(places)
            run_ids = [run_id for _, run_id in places]
            fitting = self._members(others, run_ids) if others else run_ids
            for start in range(0, len(fitting), limit + 1):
                page = self._summaries(fitting[start : start + limit + 1])
                # A run may have moved on since its index was read.
                found += [one for one in page if not statuses or one.status in statuses]
                if len(found) > limit:
                    return RunPage(found[:limit], after=found[limit - 1].run_id, is_cut=False)
            if not places:
                return RunPage(found, after=None, is_cut=False)
            top = places[-1]
            if looked >= _LOOKED:
                return RunPage(found, after=top[1], is_cut=True)

    def get(self, run_id: str) -> RunSummary:
        """One run.

        Raises:
            RunNotFound: There is none of this id.
        """
        found = self._summaries([run_id])
        if not found:
            raise RunNotFound(f"there is no run `{run_id}` in the store at {self._store.address}")
        return found[0]

    def activations(self, run_id: str, step: str) -> int:
        """How many activations of a step a run has had; they are numbered from 1."""
        with self._store.talking() as client:
            return int(client.hget(self._store.keys.run(run_id), f"n:{step}") or 0)

    def find(self, beginning: str) -> str:
        """The id of the run whose id begins so; the newest 10,000 of each status are looked at.

        Raises:
            RunNotFound: None does, or several do; the message names some of those.
        """
        with self._store.talking() as client:
            if client.exists(self._store.keys.run(beginning)):
                return beginning
        found = self.beginning_with(beginning)
        if not found:
            raise RunNotFound(f"there is no run `{beginning}` in the store at {self._store.address}")
        if len(found) > 1:
            some = ", ".join(found[:5])
            raise RunNotFound(
                f"`{beginning}` is the beginning of {len(found)} run ids ({some}): write more of it"
            )
        return found[0]

    def beginning_with(self, beginning: str) -> Sequence[str]:
        """The ids that begin so, the newest first; the newest 10,000 of each status are looked at."""
        with self._store.talking() as client:
            # In no transaction, which would hold the server up for the sum of them. A run goes from an
            # earlier index to a later one, so it is seen at least once.
            pipeline = client.pipeline(transaction=False)
            for status in STATUSES:
                pipeline.zrevrange(self._store.keys.status_index(status), 0, _SEARCHED - 1, withscores=True)
            answers = pipeline.execute()
        start = beginning.encode()
        places = {
            (score, raw.decode()) for answer in answers for raw, score in answer if raw.startswith(start)
        }
        return [run_id for _, run_id in sorted(places, reverse=True)]

    def pinned(self) -> set[tuple[str, str]]:
        """Flow and version of the runs that are running; the oldest 5,000 are looked at."""
        with self._store.talking() as client:
            ids = client.zrange(self._store.keys.status_index(RUNNING), 0, _LIVE - 1)
        live = self._summaries([run_id.decode() for run_id in ids])
        return {(summary.flow, summary.version) for summary in live}

    def _sources(
        self, flow: str | None, statuses: Collection[str], bounds: tuple[float, float]
    ) -> tuple[Sequence[str], Sequence[str]]:
        """The indexes to walk, and others of which a run must be in one too: those that have more runs."""
        of_status = [self._store.keys.status_index(one) for one in statuses or STATUSES]
        if flow is None:
            return of_status, ()
        of_flow = [self._store.keys.flow_index(flow)]
        if not statuses:
            return of_flow, ()
        with self._store.talking() as client:
            in_flow, *with_status = (client.zcount(key, *bounds) for key in (*of_flow, *of_status))
        return (of_flow, of_status) if in_flow < sum(with_status) else (of_status, of_flow)

    def _below(self, keys: Sequence[str], top: _Place, floor: float, count: int) -> Sequence[_Place]:
        """The next places below `top` in some indexes taken together; none where there are no more.

        A run changes from one index of a status to another while they are walked. They are read
        in one transaction, so it is in exactly one of them, and at the same place in any.
        """
        offsets = dict.fromkeys(keys, 0)
        found: list[_Place] = []
        horizon: _Place = (float("-inf"), "")
        while offsets:
            with self._store.talking() as client:
                pipeline = client.pipeline()
                for key, offset in offsets.items():
                    pipeline.zrevrangebyscore(key, top[0], floor, start=offset, num=count, withscores=True)
                answers = pipeline.execute()
            for key, answer in zip(tuple(offsets), answers, strict=True):
                places = [(score, run_id.decode()) for run_id, score in answer]
                below = [place for place in places if place < top]
                found += below
                if len(places) == count and not below:
                    # So many runs started in the millisecond of `top` that none below it is in sight.
                    offsets[key] += count
                    continue
                del offsets[key]
                if len(places) == count:
                    # What this index has below its last place is not known yet.
                    horizon = max(horizon, places[-1])
        return sorted((place for place in found if place >= horizon), reverse=True)

    def _members(self, keys: Sequence[str], run_ids: Sequence[str]) -> Sequence[str]:
        """Those of the runs that are in one of the indexes."""
        if not run_ids:
            return []
        with self._store.talking() as client:
            # In one transaction: a run that changes from one index to another is in one of them.
            pipeline = client.pipeline()
            for key in keys:
                pipeline.zmscore(key, run_ids)
            answers = pipeline.execute()
        return [
            run_id
            for run_id, scores in zip(run_ids, zip(*answers, strict=True), strict=True)
            if any(score is not None for score in scores)
        ]

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
