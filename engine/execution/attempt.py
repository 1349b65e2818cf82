"""One attempt in the hands of this process: what it has recorded, and what it wants to record."""

from __future__ import annotations

from enum import Enum
from threading import Thread
from typing import Final

from engine.errors import FlowEngineError
from engine.events.record import BufferedEvent, Change
from engine.store.queue import LeasedJob

#: Events of one attempt, at most; a last one says that more were dropped.
MAX_EVENTS: Final = 10_000


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
        lease_ends_ms: Monotonic time up to which the lease holds for certain.
        phase: Where it is.
        thread: Who runs its handler, while somebody does.
        started_at_ms: Server's time when the handler was begun.
        events: Its buffered events, all of them.
        acked: How many of `events` the store has.
        emits: `(ts_ms, event, payload)` of what it has emitted.
        changes: Changes of the handler state.
        report_is_due: Whether a report of its events is already planned.
        fault: An error that fails the attempt even if the handler caught it.
    """

    __slots__ = (
        "acked",
        "changes",
        "emits",
        "events",
        "fault",
        "job",
        "lease_ends_ms",
        "phase",
        "report_is_due",
        "started_at_ms",
        "thread",
    )

    def __init__(self, job: LeasedJob, *, lease_ends_ms: float) -> None:
        self.job = job
        self.lease_ends_ms = lease_ends_ms
        self.phase = Phase.WAITING
        self.thread: Thread | None = None
        self.started_at_ms = 0
        self.events: list[BufferedEvent] = []
        self.acked = 0
        self.report_is_due = False
        self.emits: list[tuple[int, str, bytes]] = []
        self.changes: list[Change] = []
        self.fault: FlowEngineError | None = None

    def __repr__(self) -> str:
        return f"<Attempt {self.job.id} attempt {self.job.attempt} {self.phase.value}>"

    @property
    def unsent(self) -> list[BufferedEvent]:
        """The events that the store does not have yet."""
        return self.events[self.acked :]
