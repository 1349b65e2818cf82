"""A worker process: its threads, how they begin, and how they end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final

from dramatiq import Worker

from engine.clock import ServerClock, monotonic_ms, new_worker_id
from engine.compile.link import Handler
from engine.compile.plan import Plan
from engine.execution.attempt import Attempt
from engine.execution.context import Services
from engine.execution.settlement import Environment, Settlement
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.connection import COMMAND_TIMEOUT_S, Store
from engine.store.index import RunIndex
from engine.store.queue import LeasedJob

from .actors import StepActors
from .async_steps import AsyncSteps
from .broker import STEPS_QUEUE, FlowBroker
from .committer import Committer
from .fetcher import Fetcher, Tokens
from .leases import Leases
from .limits import Limits
from .presence import Presence
from .reading import Reader
from .served import ServedQueues
from .side_threads import SideThreads
from .timers import Keeper
from .vital import Death, Notice, VitalThread, Watch

logger = logging.getLogger(__name__)

#: Milliseconds after which Dramatiq's idle threads look around; its `stop` waits out two of them.
_WORKER_TIMEOUT_MS: Final = 100

#: Longest wait for a marker, in seconds.
_BLOCK_S: Final = 5.0

#: Threads in which the reads of `async def` handlers wait for the store, at most.
_READING_THREADS: Final = 8

#: Seconds that a stop waits for the answers to what was handed over, at least.
_DRAIN_S: Final = 5.0


class WorkerProcess:
    """Does the steps of the flows in a registry.

    Attributes:
        worker_id: Its id.
        failure: Why it cannot go on, once a vital thread is dead; or None.
    """

    def __init__(
        self,
        store: Store,
        *,
        registry: Registry,
        pins: Pins,
        limits: Limits,
        died: Callable[[Death], None],
        serves_every_flow: bool = False,
    ) -> None:
        """Put the parts together; nothing is begun.

        Args:
            store: Where the work is.
            registry: The flows to serve, as long as no others are swapped in.
            pins: Finds the plans of runs.
            limits: What it is told.
            died: Called once, from another thread, when a vital thread is dead or stuck.
            serves_every_flow: Whether running runs of all flows are served, also of those that are not in
                the registry and never were.
        """
        self.worker_id = new_worker_id()
        self.failure: Death | None = None
        self._store = store
        self._limits = limits
        self._died = died
        self._registry = registry
        self._pins = pins
        self._served = ServedQueues(registry, pins, RunIndex(store), serves_every_flow=serves_every_flow)
        self._presence = Presence(store, self.worker_id, limits=limits, served=self._served)
        self._is_taking = True
        self._stop_lock = threading.Lock()
        self._is_started = False
        self._is_stopped = False
        self._is_over = threading.Event()
        self._clock = ServerClock()
        self._tokens = Tokens(self.worker_id)
        self._leases = Leases(
            threads=limits.threads,
            async_steps=limits.async_steps,
            lease_ms=limits.lease_ms,
            served=self._served,
            grew=self._knock,
        )
        self._committer = Committer(
            store.channel(timeout_s=self._timeout_s), settled=self._settled, fallback=self._refused
        )
        env = self._environment()
        self._loop = AsyncSteps(env=env, settle=self._settle, give_back=self._abandon)
        self._actors = StepActors(
            pins=pins,
            env=env,
            committer=self._committer,
            leases=self._leases,
            loop=self._loop,
            release_name=limits.release,
        )
        # The loop has a broker and a Dramatiq worker of its own: what only has to be put on it does not
        # wait for a thread.
        self._broker, self._loop_broker = (FlowBroker(self._actors, middleware=[]) for _ in range(2))
        self._workers = (
            self._new_worker(self._broker, threads=limits.threads),
            self._new_worker(self._loop_broker, threads=1),
        )
        self._actors.bind(self._broker, self._loop_broker)
        for linked in registry.linked:
            self._actors.declare(linked.plan)
        of_keeper, of_others = (Watch(lease_ms=limits.lease_ms, dead=self._report_death) for _ in range(2))
        self._fetcher = self._new_fetcher(of_keeper)
        self._keeper = self._new_keeper(of_others)
        of_keeper.over(self._keeper)
        of_others.over(self._fetcher, self._committer, self._loop)
        self._tell_deaths(self._fetcher, self._committer, self._keeper, self._loop)

    def _tell_deaths(self, *threads: VitalThread) -> None:
        notice = Notice()
        for thread in threads:
            thread.died = self._report_death
            thread.notice = notice

    @staticmethod
    def _new_worker(broker: FlowBroker, *, threads: int) -> Worker:
        broker.declare_queue(STEPS_QUEUE)
        return Worker(broker, worker_threads=threads, worker_timeout=_WORKER_TIMEOUT_MS)

    @property
    def _timeout_s(self) -> float:
        """Seconds until a command counts as lost: less than a thread may go without a sign of life."""
        return min(COMMAND_TIMEOUT_S, self._limits.lease_ms / 4000)

    def _environment(self) -> Environment:
        reader = Reader(self._store, gather_bytes=self._limits.gather_bytes, is_over=self._is_over)
        services = Services(
            clock=self._clock,
            buffered=self._committer.buffered,
            read_state=reader.state,
            read_input=reader.input,
            read_inputs=reader.inputs,
            aside=SideThreads("flowengine-reading", count=_READING_THREADS),
            payload_bytes=self._limits.payload_bytes,
            fan_out=self._limits.fan_out,
            gather_bytes=self._limits.gather_bytes,
        )
        return Environment(
            worker_id=self.worker_id,
            services=services,
            served=self._served,
            next_token=self._next_token,
            lease_ms=self._limits.lease_ms,
        )

    def _next_token(self, attempt: Attempt) -> str:
        """A token for a job to take along, or '' where none is to come."""
        return self._tokens.next_token() if self._is_taking and self._leases.may_follow(attempt) else ""

    def _new_fetcher(self, watch: Watch) -> Fetcher:
        block_s = min(_BLOCK_S, self._limits.lease_ms / 6000)
        return Fetcher(
            self._store.channel(timeout_s=block_s + self._timeout_s),
            worker_id=self.worker_id,
            keys=self._store.keys,
            served=self._served,
            register=self._presence.heartbeat,
            tokens=self._tokens,
            leases=self._leases,
            clock=self._clock,
            deliver=self._deliver,
            watch=watch,
            lease_ms=self._limits.lease_ms,
            block_s=block_s,
        )

    def _new_keeper(self, watch: Watch) -> Keeper:
        return Keeper(
            self._store.channel(timeout_s=self._timeout_s),
            tokens=self._tokens,
            leases=self._leases,
            heartbeat=self._presence.heartbeat,
            release=self._actors.release,
            abandon=self._actors.abandon,
            exhausted=self._exhausted,
            unfold=self._actors.unfold,
            watch=watch,
            lease_ms=self._limits.lease_ms,
            max_deliveries=self._limits.max_deliveries,
        )

    def start(self) -> None:
        """Begin to work.

        Raises:
            StoreError: The store cannot be reached.
        """
        self._served.start()
        self._presence.tell()
        self._committer.start()
        self._loop.start()
        for worker in self._workers:
            worker.start()
        self._fetcher.start()
        self._keeper.start()
        self._is_started = True

    def swap(self, plans: Iterable[Plan], handlers: Mapping[str, Handler]) -> None:
        """Put these plans, and no others, in force at once, with functions given by import path.

        What runs goes on; whatever begins from here on runs the new code, also of runs that are pinned
        to another version. A store that is away keeps nothing of this from happening: it is told later.

        The fetcher may sleep on the markers of the queues before, or have read them and be about to: the
        marker of its own, left when the store knows the new queues, waits for it. And a heartbeat that
        was made before may come to the store after this one, over another connection: the store goes
        by the number of the list in it.
        """
        self._registry.swap(plans, handlers)
        self._pins.forget_handlers()
        self._served.refresh()
        self._leases.reconsider_room()
        if self._is_started and self._is_taking:
            self._presence.tell_anew()

    def stop_taking(self) -> None:
        """Take no more jobs; what is being done goes on. Answers at once, may be called again."""
        if self._is_taking:
            self._is_taking = False
            self._fetcher.stopping.set()
            self._presence.wake()

    def stop(self, grace_ms: int) -> None:
        """Come to an end in order: nothing that was done is lost, nothing that was not begun is kept.

        The order matters. The fetcher leaves; handlers get `grace_ms`; what was not begun is given
        back, and what is left on the event loop, whose tasks can be cancelled; the settlements are
        sent and answered; only then the keeper stops renewing. What still runs after the grace is
        left to its lease.
        """
        with self._stop_lock:
            if self._is_stopped or not self._is_started:
                return
            self._is_stopped = True
            self._served.stop()
            self.stop_taking()
            self._fetcher.join(_BLOCK_S + self._timeout_s)
            ends_ms = monotonic_ms() + grace_ms
            for worker in self._workers:
                worker.stop(timeout=max(1, int(ends_ms - monotonic_ms())))
            self._loop.drain(max(0.0, (ends_ms - monotonic_ms()) / 1000))
            for broker in (self._broker, self._loop_broker):
                broker.close()
            self._committer.close()
            self._committer.join(max(_DRAIN_S, grace_ms / 1000))
            self._keeper.stopping.set()
            self._keeper.join(self._timeout_s)
            self._name_what_is_left()
            self._presence.leave()
            self._is_over.set()

    def _name_what_is_left(self) -> None:
        left = self._leases.held()
        if left:
            names = ", ".join(sorted(attempt.job.id for attempt in left)[:5])
            logger.warning("left unfinished, to be run again when the lease is over: %s", names)

    def _knock(self) -> None:
        self._committer.pass_on(self._presence.knock())

    def _settle(self, attempt: Attempt, settlement: Settlement) -> None:
        self._actors.settle(attempt, settlement)

    def _abandon(self, attempt: Attempt) -> None:
        self._actors.abandon(attempt)

    def _deliver(self, jobs: Sequence[LeasedJob], since_ms: float) -> None:
        for attempt in self._leases.take(jobs, since_ms=since_ms):
            self._bring(attempt)

    def _bring(self, attempt: Attempt) -> None:
        (self._loop_broker if attempt.on_loop else self._broker).deliver(attempt)

    def _settled(self, attempt: Attempt, successor: LeasedJob | None, since_ms: float) -> None:
        follower = self._leases.give_back(attempt, successor, since_ms=since_ms)
        if follower is not None and self._is_taking:
            self._bring(follower)
        elif follower is not None:
            self._actors.release(follower)

    def _exhausted(self, job: LeasedJob, since_ms: float) -> None:
        for attempt in self._leases.take((job,), since_ms=since_ms):
            self._actors.exhausted(attempt)

    def _refused(self, attempt: Attempt, why: str) -> Settlement:
        return self._actors.refused(attempt, why)

    def _report_death(self, death: Death) -> None:
        if self.failure is None:
            self.failure = death
            logger.critical("%s: this worker cannot go on", death.why)
            self._died(death)
