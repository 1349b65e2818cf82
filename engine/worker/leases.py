"""What this process has in its hands, and how much more it has room for.

A process has two rooms: its threads, and the places of its event loop. A job takes room when
it is fetched and gives it back when its settlement is acknowledged. A job that a commit took
along inherits the room of the one that was settled. How far the threads may reach ahead
`reach` decides; a job on the loop waits for nobody, so it takes exactly one place.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from engine.clock import monotonic_ms
from engine.execution.attempt import Attempt, Phase
from engine.store.queue import LeasedJob, Room

from .reach import Reach
from .served import ServedQueues

#: Milliseconds after which a job that waits here for a thread may be wanted elsewhere.
SURPLUS_AFTER_MS: Final = 200.0

#: Milliseconds for which the jobs of one run come along one with the other: then others get their turn.
LONGEST_CHAIN_MS: Final = 1_000.0


class Leases:
    """The attempts that this process holds.

    While no thread is idle, room for less than half as many jobs as there are threads counts
    as none: under load one fetch then brings several.
    """

    def __init__(
        self, *, threads: int, async_steps: int, lease_ms: int, served: ServedQueues, grew: Callable[[], None]
    ) -> None:
        """Begin with nothing held, and room for as much as the process can do.

        Args:
            threads: Threads of the process.
            async_steps: Places of its event loop.
            lease_ms: Length of a lease.
            served: Which of the two does the jobs of a queue.
            grew: Called when there is room again of a kind that the fetcher, which blocks, had none of.
        """
        self._low_water = max(1, threads // 2)
        self._async_steps = async_steps
        self._served = served
        self._grew = grew
        self._blocks_with: Room | None = None
        self._on_loop = 0
        self._lease_ms = lease_ms
        self._reach = Reach(threads)
        self._held: set[Attempt] = set()
        self._changed = threading.Condition()
        self._is_waiting = False

    def take(self, jobs: Sequence[LeasedJob], *, since_ms: float) -> list[Attempt]:
        """Hold jobs whose lease was asked for at a monotonic time."""
        with self._changed:
            return [self._hold(job, since_ms) for job in jobs]

    def _hold(self, job: LeasedJob, since_ms: float) -> Attempt:
        on_loop = self._served.is_on_loop(job.queue)
        attempt = Attempt(job, lease_ends_ms=since_ms + self._lease_ms, on_loop=on_loop)
        attempt.taken_ms = attempt.chain_since_ms = monotonic_ms()
        self._held.add(attempt)
        if on_loop:
            self._on_loop += 1
        else:
            attempt.cost_ms = self._reach.cost(job.kind)
            self._reach.add(attempt.cost_ms)
        return attempt

    def begin(self, attempt: Attempt) -> bool:
        """Claim an attempt for the calling thread; False where it was given back meanwhile."""
        with self._changed:
            if attempt.phase is not Phase.WAITING:
                return False
            attempt.phase = Phase.RUNNING
            attempt.thread = threading.current_thread()
            attempt.begun_ms = monotonic_ms()
            return True

    def withdraw(self, attempt: Attempt) -> bool:
        """Claim an attempt in order to give it back; False where it has begun, or is given back already."""
        with self._changed:
            if attempt.phase is not Phase.WAITING:
                return False
            attempt.phase = Phase.SETTLING
            return True

    def surplus(self) -> list[Attempt]:
        """Attempts that wait here behind handlers which take longer than was expected.

        What runs for long is learnt from before it ends, so that no more is fetched meanwhile. A few may
        always wait, but not one of a limited queue: elsewhere it might run.
        """
        with self._changed:
            now = monotonic_ms()
            waiting: list[Attempt] = []
            limited: list[Attempt] = []
            for attempt in self._held:
                if attempt.on_loop:
                    continue
                if attempt.phase is Phase.RUNNING and now - attempt.begun_ms > SURPLUS_AFTER_MS:
                    self._reach.learn(attempt.job.kind, now - attempt.begun_ms)
                elif attempt.phase is Phase.WAITING and now - attempt.taken_ms > SURPLUS_AFTER_MS:
                    (limited if attempt.job.is_limited else waiting).append(attempt)
            waiting.sort(key=lambda attempt: attempt.taken_ms)
            return limited + waiting[self._reach.few :]

    def settling(self, attempt: Attempt, *, follows: bool, duration_ms: float | None = None) -> None:
        """Note that an attempt needs no thread any more.

        Args:
            attempt: The attempt, whose settlement is about to be handed over.
            follows: Whether the settlement asks for a job to be taken along.
            duration_ms: What its handler took, or None where it did not run.
        """
        with self._changed:
            if not attempt.on_loop:
                self._reach.remove(attempt.cost_ms)
                if duration_ms is not None:
                    self._reach.learn(attempt.job.kind, duration_ms)
            if follows:
                attempt.follower_cost_ms = self._reach.cost()
                self._reach.add(attempt.follower_cost_ms)

    def may_follow(self, attempt: Attempt) -> bool:
        """Whether an attempt's settlement may ask for a job to be taken along."""
        if monotonic_ms() - attempt.chain_since_ms > LONGEST_CHAIN_MS:
            return False
        return self._reach.may_follow() and (not self._served.has_loop or self._on_loop <= self._async_steps)

    def give_back(
        self, attempt: Attempt, follower: LeasedJob | None = None, *, since_ms: float = 0.0
    ) -> Attempt | None:
        """Let go of an attempt that is settled, and hold the job that came with the answer.

        Args:
            attempt: The attempt.
            follower: The job that came along, if one did.
            since_ms: Monotonic time at which it was asked for.

        Returns:
            The attempt at the job that came with the answer, if one did.
        """
        with self._changed:
            self._held.discard(attempt)
            self._on_loop -= attempt.on_loop
            if attempt.follower_cost_ms is not None:
                self._reach.remove(attempt.follower_cost_ms)
            held = None
            if follower is not None:
                held = self._hold(follower, since_ms)
                held.chain_since_ms = attempt.chain_since_ms
            # Also with a job that came along: it may be for the loop where the other was for a thread.
            if self._is_waiting and self.room():
                self._changed.notify_all()
            if self._blocks_with is not None and _is_new(self.room(), self._blocks_with):
                self._blocks_with = None
                self._grew()
            return held

    def room(self) -> Room:
        """How many jobs may be fetched now."""
        threads = self._reach.room(len(self._held) - self._on_loop)
        if threads < self._low_water and not self._reach.idle_threads:
            threads = 0
        loop = max(0, self._async_steps - self._on_loop) if self._served.has_loop else 0
        return Room(threads, loop, self._reach.idle_threads)

    def wait_for_room(self, timeout_s: float) -> Room:
        """Wait until there is room, or the time is over; answers the room."""
        with self._changed:
            self._is_waiting = True
            self._changed.wait_for(self.room, timeout_s)
            self._is_waiting = False
            return self.room()

    def reconsider_room(self) -> None:
        """Wake whoever waits for room: the queues are others now, and with them what there is room for."""
        with self._changed:
            self._changed.notify_all()

    def may_block(self, room: Room) -> bool:
        """Whether the fetcher may block for work that this room is for, as far as it is known now.

        It may not when there is room meanwhile of a kind that there was none of. From here on room
        that comes back is told, so that between this question and the blocking none is missed.
        """
        with self._changed:
            if _is_new(self.room(), room):
                return False
            self._blocks_with = room
            return True

    def blocked(self) -> None:
        """The fetcher blocks no more."""
        with self._changed:
            self._blocks_with = None

    def held(self) -> list[Attempt]:
        """Everything that is held at this moment."""
        with self._changed:
            return list(self._held)

    def renewed(self, attempts: Sequence[Attempt], *, since_ms: float) -> None:
        """Note that leases were renewed by a call sent at a monotonic time."""
        for attempt in attempts:
            attempt.lease_ends_ms = since_ms + self._lease_ms


def _is_new(room: Room, before: Room) -> bool:
    """Whether there is room of a kind that there was none of before."""
    return (room.threads > 0 and before.threads <= 0) or (room.loop > 0 and before.loop <= 0)


def is_over(attempt: Attempt) -> bool:
    """Whether the lease may be over, so that somebody else may have the job by now."""
    return monotonic_ms() >= attempt.lease_ends_ms


def is_alive(attempt: Attempt) -> bool:
    """Whether something in this process will bring the attempt to its settlement."""
    return attempt.phase is not Phase.RUNNING or (attempt.thread is not None and attempt.thread.is_alive())
