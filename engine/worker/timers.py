"""The keeper: one thread for all that has to happen in time.

At every tick (at most a second apart) it sweeps leases of dead workers, moves what has
fallen due, goes on with fan-outs whose process died, and looks whether the other vital
threads are alive; every third of a lease it renews what this process holds and says that it
lives. What has not begun it asks for at every tick, and gives it back when its run is ending
or when it waits behind handlers that turned slow. It has a connection of its own, so that a
large settlement never delays a renewal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

from engine.clock import monotonic_ms
from engine.errors import StoreError
from engine.execution.attempt import Attempt, Phase
from engine.store import queue
from engine.store.connection import Call, Channel
from engine.store.queue import LeasedJob, leased_job

from .fetcher import Tokens
from .leases import Leases, is_alive
from .unfolding import Unfolding
from .vital import Outage, VitalThread, Watch

logger = logging.getLogger(__name__)

#: Longest pause between two ticks, in seconds.
TICK_S: Final = 1.0

#: Shortest pause, in seconds: what is due sooner waits for it.
_SHORTEST_TICK_S: Final = 0.02


class Keeper(VitalThread):
    """Keeps leases, and moves what time moves."""

    def __init__(
        self,
        channel: Channel,
        *,
        tokens: Tokens,
        leases: Leases,
        heartbeat: Callable[[], Call],
        release: Callable[[Attempt], None],
        abandon: Callable[[Attempt], None],
        exhausted: Callable[[LeasedJob, float], None],
        unfold: Callable[[str, str, str, int], Call | None],
        watch: Watch,
        lease_ms: int,
        max_deliveries: int,
    ) -> None:
        """Make the thread; nothing is renewed, swept or promoted before it is started.

        Args:
            channel: A connection of its own.
            tokens: Numbers of this worker.
            leases: What is held.
            heartbeat: Makes the call that says that this worker lives.
            release: Gives back an attempt, unless it has begun.
            abandon: Gives back an attempt whose thread is dead.
            exhausted: Settles a job that was lost too often, leased since a monotonic time.
            unfold: Makes the call that lays out a part of a wide fan-out, of
                `(job, flow, version, cursor)`; None where it cannot.
            watch: Looks after the other vital threads.
            lease_ms: Length of a lease.
            max_deliveries: Losses after which a job is not tried again.
        """
        super().__init__("keeper")
        self._channel = channel
        self._tokens = tokens
        self._leases = leases
        self._heartbeat = heartbeat
        self._release = release
        self._abandon = abandon
        self._exhausted = exhausted
        self._unfolding = Unfolding(make_call=unfold, send=self._send)
        self._watch = watch
        self._lease_ms = lease_ms
        self._max_deliveries = max_deliveries
        self._renewed_at_ms = monotonic_ms()
        self._outage = Outage(self)

    def work(self) -> None:
        """Tick until the end is asked for."""
        pause_s = 0.0
        while not self.stopping.wait(pause_s):
            self.beat()
            self._watch.look()
            try:
                due_in_ms = self._tick()
            except StoreError as error:
                self._outage.failed(error)
                pause_s = 0.0
                continue
            self._outage.succeeded()
            pause_s = TICK_S if due_in_ms < 0 else min(TICK_S, max(_SHORTEST_TICK_S, due_in_ms / 1000))
            pause_s = min(pause_s, self._lease_ms / 6000)
        self._channel.close()

    def _tick(self) -> int:
        """One round; answers the milliseconds until something is due, or -1."""
        for attempt in self._leases.surplus():
            self._release(attempt)
        held = self._leases.held()
        if monotonic_ms() - self._renewed_at_ms >= self._lease_ms / 3:
            since_ms = monotonic_ms()
            self._renew(held)
            # Only now: a renewal that failed is tried again at the next tick, not a third of a lease later.
            self._renewed_at_ms = since_ms
            self._send(self._heartbeat())
        else:
            # What has not begun is asked for at every tick: its run may be ending.
            self._renew([attempt for attempt in held if attempt.phase is Phase.WAITING])
        self._sweep()
        due_in_ms, *unfolding = self._send(queue.promote(limit=queue.PROMOTE_LIMIT))
        self._unfolding.look(unfolding)
        return int(due_in_ms)

    def _renew(self, held: Sequence[Attempt]) -> None:
        """Renew what something in this process will settle; give back everything else."""
        since_ms = monotonic_ms()
        for attempt in held:
            if not is_alive(attempt):
                logger.error("the thread that ran %s is dead; the job is given back", attempt.job.id)
                self._abandon(attempt)
        living = [attempt for attempt in held if is_alive(attempt) and not attempt.is_lost]
        for start in range(0, len(living), queue.RENEW_CHUNK):
            chunk = living[start : start + queue.RENEW_CHUNK]
            _, *words = self._send(queue.renew([attempt.job for attempt in chunk], lease_ms=self._lease_ms))
            told = list(zip(chunk, words, strict=True))
            self._leases.renewed([attempt for attempt, word in told if word != b"lost"], since_ms=since_ms)
            for attempt, word in told:
                if word == b"ending":
                    # A run that is failing starts nothing more; what runs may end.
                    self._release(attempt)
                elif word == b"lost" and attempt.phase is Phase.RUNNING:
                    attempt.is_lost = True
                    logger.warning("the lease of %s is lost: its result will be discarded", attempt.job.id)

    def _sweep(self) -> None:
        token = self._tokens.next_token()
        since_ms = monotonic_ms()
        call = queue.sweep(
            lease_ms=self._lease_ms, limit=queue.SWEEP_LIMIT, max_losses=self._max_deliveries, token=token
        )
        answer = self._send(call)
        if answer[0] != b"SWEPT":
            return
        if answer[1]:
            logger.warning("leases of lost workers that were taken back: %d", answer[1])
        for fields in answer[2:]:
            self._exhausted(leased_job(fields, token), since_ms)

    def _send(self, call: Call) -> Any:
        self.beat()
        return self._channel.call(call[0], *call[1])
