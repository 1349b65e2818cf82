"""What this process has in its hands, and how much more it has room for.

A job takes room when it is fetched and gives it back when its settlement is acknowledged.
A job that a commit took along inherits the room of the one that was settled.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

from engine.clock import monotonic_ms
from engine.execution.attempt import Attempt, Phase
from engine.store.queue import LeasedJob


class Leases:
    """The attempts that this process holds.

    Room below `low_water` counts as none: under load one fetch then brings several jobs.
    """

    def __init__(self, *, capacity: int, low_water: int, lease_ms: int) -> None:
        self._capacity = capacity
        self._low_water = low_water
        self._lease_ms = lease_ms
        self._held: set[Attempt] = set()
        self._changed = threading.Condition()
        self._is_waiting = False

    def take(self, jobs: Sequence[LeasedJob], *, since_ms: float) -> list[Attempt]:
        """Hold jobs whose lease was asked for at a monotonic time."""
        attempts = [Attempt(job, lease_ends_ms=since_ms + self._lease_ms) for job in jobs]
        with self._changed:
            self._held.update(attempts)
        return attempts

    def give_back(self, attempt: Attempt, successor: Attempt | None = None) -> None:
        """Let go of an attempt that is settled, and hold the job that came with the answer in its room."""
        with self._changed:
            self._held.discard(attempt)
            if successor is not None:
                self._held.add(successor)
            elif self._is_waiting and len(self._held) + self._low_water <= self._capacity:
                self._changed.notify_all()

    def room(self) -> int:
        """How many jobs may be fetched now."""
        room = self._capacity - len(self._held)
        return room if room >= self._low_water else 0

    def wait_for_room(self, timeout_s: float) -> int:
        """Wait until there is room, or the time is over; answers the room."""
        with self._changed:
            self._is_waiting = True
            self._changed.wait_for(self.room, timeout_s)
            self._is_waiting = False
            return self.room()

    def held(self) -> list[Attempt]:
        """Everything that is held at this moment."""
        with self._changed:
            return list(self._held)

    def renewed(self, attempts: Sequence[Attempt], *, since_ms: float) -> None:
        """Note that leases were renewed by a call sent at a monotonic time."""
        for attempt in attempts:
            attempt.lease_ends_ms = since_ms + self._lease_ms


def is_over(attempt: Attempt) -> bool:
    """Whether the lease may be over, so that somebody else may have the job by now."""
    return monotonic_ms() >= attempt.lease_ends_ms


def is_alive(attempt: Attempt) -> bool:
    """Whether something in this process will bring the attempt to its settlement."""
    return attempt.phase is not Phase.RUNNING or (attempt.thread is not None and attempt.thread.is_alive())
