"""One attempt in the hands of this process: what it has recorded, and what it wants to record."""

from __future__ import annotations

from enum import Enum
from threading import Thread
from typing import Final

from engine.errors import FlowEngineError
from engine.events.record import BufferedEvent, Change, Emitted
from engine.store.queue import LeasedJob

#: Events of one attempt and their bytes, at most; a last one says that more were dropped.
MAX_EVENTS: Final = 10_000
MAX_EVENTS_BYTES: Final = 16 * 1024 * 1024

#: Longest message of a log line or an error that is recorded, in characters.
MAX_MESSAGE: Final = 10_000


class Phase(Enum):
    """Where in this process an attempt is."""

    WAITING = "waiting"
    RUNNING = "running"
    SETTLING = "settling"


class Attempt:
    """One attempt.

    `events` is written by the handler's thread and read by the committer's, which counts in
    `acked` how many the store has; nothing is removed before the attempt is settled, so that
    a store that lost some can be sent them again.

    Attributes:
        job: The leased job.
        taken_ms: Monotonic time at which it came.
        chain_since_ms: The same of the first of those jobs that came along, one with the other's settlement.
        lease_ends_ms: Monotonic time up to which the lease holds for certain.
        phase: Where it is.
        thread: Who runs its handler, while somebody does.
        started_at_ms: Server's time when the handler was begun, as far as it was known then.
        begun_ms: Monotonic time of the same moment.
        events: Its buffered events, all of them.
        events_bytes: Bytes of their data.
        on_loop: Whether it takes a place of the event loop, and not of the threads.
        is_awaited: Whether the event loop will settle it.
        is_recalled: Whether its process is to end and has cancelled its handler.
        is_full: Whether further log lines are dropped.
        is_lost: Whether its lease was found to be another's while its handler ran.
        cost_ms: What it was estimated to take when it came.
        follower_cost_ms: The same for the job that its settlement asks for, or None.
        acked: How many of `events` the store has.
        emits: What it has emitted.
        emits_bytes: Bytes of their payloads.
        changes: Changes of the handler state.
        report_is_due: Whether a report of its events is already planned.
        fault: An error that fails the attempt even if the handler caught it.
    """

    __slots__ = (
        "acked",
        "begun_ms",
        "chain_since_ms",
        "changes",
        "cost_ms",
        "emits",
        "emits_bytes",
        "events",
        "events_bytes",
        "fault",
        "follower_cost_ms",
        "is_awaited",
        "is_full",
        "is_lost",
        "is_recalled",
        "job",
        "lease_ends_ms",
        "on_loop",
        "phase",
        "report_is_due",
        "started_at_ms",
        "taken_ms",
        "thread",
    )

    def __init__(self, job: LeasedJob, *, lease_ends_ms: float, on_loop: bool = False) -> None:
        self.job = job
        self.on_loop = on_loop
        self.taken_ms = 0.0
        self.chain_since_ms = 0.0
        self.lease_ends_ms = lease_ends_ms
        self.phase = Phase.WAITING
        self.thread: Thread | None = None
        self.started_at_ms = 0
        self.begun_ms = 0.0
        self.events: list[BufferedEvent] = []
        self.events_bytes = 0
        self.is_awaited = False
        self.is_recalled = False
        self.is_full = False
        self.is_lost = False
        self.cost_ms = 0.0
        self.follower_cost_ms: float | None = None
        self.acked = 0
        self.report_is_due = False
        self.emits: list[Emitted] = []
        self.emits_bytes = 0
        self.changes: list[Change] = []
        self.fault: FlowEngineError | None = None

    def __repr__(self) -> str:
        return f"<Attempt {self.job.id} attempt {self.job.attempt} {self.phase.value}>"
