"""Jobs on their way: leasing them, keeping and giving back leases, taking back lost ones.

Each function makes the call of one script; what it guarantees stands in the script's
header. Those that a worker sends over a channel of its own come as `Call` values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from .connection import Call

#: Leases in one call of `renew`, at most: each takes the server about six microseconds.
RENEW_CHUNK: Final = 200

#: Expired leases that one call of `sweep` takes back, at most.
SWEEP_LIMIT: Final = 100

#: Delayed jobs of a queue that one call of `promote` moves, at most.
PROMOTE_LIMIT: Final = 200


class LeasedJob(NamedTuple):
    """A job in the hands of this process.

    Attributes:
        run_id: Its run.
        step_id: The activation, `<step>#<n>`.
        step: The step.
        flow: The run's flow.
        version: The version that the run is pinned to.
        queue: The queue that it came from.
        token: What shows that this process has it; unique for ever.
        attempt: Number of this attempt, from 1.
        losses: How often its worker was lost before.
        path: What caused the activation, from the entry's `0` on.
        event: The event that made it due; empty for the entry.
        message: Its input, JSON; of a join or a collect, where in the log that is.
        is_limited: Whether its queue hands out only so many jobs at once.
    """

    run_id: str
    step_id: str
    step: str
    flow: str
    version: str
    queue: str
    token: str
    attempt: int
    losses: int
    path: str
    event: str
    message: bytes
    is_limited: bool = False

    @property
    def id(self) -> str:
        """`<runId>/<stepId>`, unique in the store."""
        return f"{self.run_id}/{self.step_id}"

    @property
    def kind(self) -> str:
        """`<flow>.<step>`: what jobs of one step have in common."""
        return f"{self.flow}.{self.step}"

    @property
    def head(self) -> list[Any]:
        """What every script about an attempt begins with: run, step_id, step, flow, queue, token, attempt."""
        return [self.run_id, self.step_id, self.step, self.flow, self.queue, self.token, self.attempt]


def leased_job(fields: Sequence[Any], token: str) -> LeasedJob:
    """A job as `fetch`, `commit` and `sweep` answer it, leased under a token."""
    job_id, queue, attempt, losses, path, event, message, flow, version, limited = fields
    run_id, _, step_id = job_id.decode().partition("/")
    return LeasedJob(
        run_id=run_id,
        step_id=step_id,
        step=step_id.rpartition("#")[0],
        flow=flow.decode(),
        version=version.decode(),
        queue=queue.decode(),
        token=token,
        attempt=attempt,
        losses=int(losses),
        path=path.decode(),
        event=event.decode(),
        message=message,
        is_limited=limited == b"1",
    )


class Room(NamedTuple):
    """How many jobs a process can take in.

    Attributes:
        threads: Jobs that its threads would do.
        loop: Jobs that its event loop would do.
        free: Threads that have nothing to do.
    """

    threads: int
    loop: int
    free: int

    def __bool__(self) -> bool:
        return self.threads > 0 or self.loop > 0


def fetch(worker: str, *, seq: int, room: Room, lease_ms: int, ttl_ms: int) -> Call:
    """Lease jobs of the worker's ready queues, up to its room, under the token `<worker>.<seq>`."""
    return ("fetch", (worker, seq, *room, lease_ms, ttl_ms))


def release(job: LeasedJob, *, delay_ms: int = 0, unroutable: bytes = b"") -> Call:
    """Give a job back that was not started, at once or after a delay."""
    return ("release", (*job.head, delay_ms, unroutable))


def renew(jobs: Sequence[LeasedJob], *, lease_ms: int) -> Call:
    """Move the deadlines of at most `RENEW_CHUNK` leases on."""
    leases: list[str] = []
    for job in jobs:
        leases += (job.run_id, job.step_id, job.queue, job.token)
    return ("renew", (lease_ms, *leases))


def sweep(*, lease_ms: int, limit: int, max_losses: int, token: str) -> Call:
    """Take back the jobs whose lease is over; exhausted ones are leased under `token`."""
    return ("sweep", (lease_ms, limit, max_losses, token))


def promote(*, limit: int) -> Call:
    """Move what has fallen due, and leave missing markers."""
    return ("promote", (limit,))


def knock(worker: str, *, ttl_ms: int) -> Call:
    """Wake a worker's fetcher where it blocks."""
    return ("knock", (worker, ttl_ms))


class Served(NamedTuple):
    """Names of the queues that a process serves, each ordered.

    Attributes:
        threads: Queues whose jobs its threads do.
        loop: Queues whose jobs its event loop does.
        number: Greater than that of every list which the process served before.
    """

    threads: tuple[str, ...]
    loop: tuple[str, ...]
    number: int = 0


def heartbeat(worker: str, *, ttl_ms: int, served: Served, fields: Mapping[str, str | int]) -> Call:
    """Say that a worker lives and what it serves; with a ttl of 0, that it leaves."""
    flat = [part for field in fields.items() for part in field]
    counts = (len(served.threads), len(served.loop))
    return ("heartbeat", (worker, ttl_ms, served.number, *counts, *served.threads, *served.loop, *flat))
