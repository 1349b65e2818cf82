"""One Dramatiq actor a step, made once per name; each looks its plan up when it runs."""

from __future__ import annotations

import logging
from collections import OrderedDict
from typing import Final

from dramatiq import Actor, Broker

from engine.clock import monotonic_ms
from engine.compile.plan import Plan
from engine.errors import HandlerError, StoreError, VersionNotFound, WorkerLost
from engine.events.codec import encode_json
from engine.execution.attempt import Attempt, Phase
from engine.execution.execute import execute
from engine.execution.settlement import Environment, Settlement, failure, skip, unfold
from engine.registry.pins import Pins
from engine.registry.plans import LinkedPlan
from engine.store import queue
from engine.store.connection import Call

from .async_steps import AsyncSteps
from .broker import STEPS_QUEUE, actor_name
from .committer import Committer
from .leases import Leases, is_over

logger = logging.getLogger(__name__)

#: First and longest time for which a job that this process cannot serve is put off, in milliseconds.
_FIRST_DELAY_MS: Final = 1_000
_LONGEST_DELAY_MS: Final = 60_000

#: Unroutable jobs that are remembered, so that each is recorded once; at most.
_REMEMBERED: Final = 10_000

#: Options of a step's actor. Its attempts are the engine's affair: Dramatiq neither retries nor
#: times them, and a handler's exception is expected, since it is recorded before Dramatiq sees it.
_OPTIONS: Final = {"max_retries": 0, "throws": Exception, "time_limit": float("inf")}


class StepActors:
    """Runs leased jobs as Dramatiq actors."""

    def __init__(
        self,
        *,
        pins: Pins,
        env: Environment,
        committer: Committer,
        leases: Leases,
        loop: AsyncSteps,
        release_name: str,
    ) -> None:
        """Prepare.

        Args:
            pins: Finds plans.
            env: The process that executes.
            committer: Takes settlements.
            leases: What is held.
            loop: Runs `async def` handlers.
            release_name: Version of the engine, for `step.unroutable`.
        """
        self._pins = pins
        self._env = env
        self._committer = committer
        self._leases = leases
        self._loop = loop
        self._release_name = release_name
        self._unroutable: OrderedDict[str, int] = OrderedDict()
        self._brokers: tuple[Broker, ...] = ()

    def bind(self, *brokers: Broker) -> None:
        """Say where actors are declared."""
        self._brokers = brokers

    def declare(self, plan: Plan) -> None:
        """Make the actors of a plan's steps."""
        for step in plan.steps.values():
            self._ensure(actor_name(plan.flow, step.name))

    def prepare(self, attempt: Attempt) -> None:
        """Make the actor of an attempt if there is none, as for a run that is pinned to another version."""
        self._ensure(actor_name(attempt.job.flow, attempt.job.step))

    def _ensure(self, name: str) -> None:
        for broker in self._brokers:
            if name not in broker.actors:
                Actor(
                    self.run,
                    broker=broker,
                    actor_name=name,
                    queue_name=STEPS_QUEUE,
                    priority=0,
                    options=dict(_OPTIONS),
                )

    def run(self, attempt: Attempt) -> None:
        """Run one attempt, and hand its settlement over before anything else can go wrong."""
        if not self._leases.begin(attempt):
            return
        if is_over(attempt):
            logger.warning(
                "the lease of %s was over before it was started; it is left to others", attempt.job.id
            )
            attempt.phase = Phase.SETTLING
            self._leases.settling(attempt, follows=False)
            self._leases.give_back(attempt)
            return
        linked = self._plan_of(attempt)
        if linked is None:
            return
        if attempt.on_loop or linked.is_async(attempt.job.step):
            attempt.is_awaited = True
            self._loop.schedule(attempt, linked)
            return
        begun_ms = monotonic_ms()
        settlement = execute(attempt, linked, self._env)
        self.settle(attempt, settlement, duration_ms=monotonic_ms() - begun_ms)
        if isinstance(settlement.error, Exception):
            raise settlement.error
        if settlement.error is not None:
            # Dramatiq expects exceptions, not what ends a thread or a process.
            raise RuntimeError(f"the handler raised {type(settlement.error).__name__}") from settlement.error

    def settle(self, attempt: Attempt, settlement: Settlement, *, duration_ms: float | None = None) -> None:
        """Hand a settlement over; waits while too many bytes are on their way."""
        self._leases.settling(attempt, follows=bool(settlement.take), duration_ms=duration_ms)
        self._committer.submit(attempt, settlement)

    def _plan_of(self, attempt: Attempt) -> LinkedPlan | None:
        """The plan of an attempt's run; without one the job is put off, and None is answered."""
        job = attempt.job
        try:
            linked = self._pins.get(job.flow, job.version, job.step)
        except StoreError as error:
            logger.warning("the plan of %s cannot be read: %s", job.id, error)
            self._give_back(attempt, delay_ms=_FIRST_DELAY_MS)
        except (VersionNotFound, HandlerError) as error:
            self._put_off(attempt, str(error))
        else:
            return linked
        return None

    def _put_off(self, attempt: Attempt, reason: str) -> None:
        """Give a job back that cannot be served here; told once, tried again after growing pauses."""
        job_id = attempt.job.id
        times = self._unroutable.pop(job_id, 0)
        self._unroutable[job_id] = times + 1
        if len(self._unroutable) > _REMEMBERED:
            self._unroutable.popitem(last=False)
        told = b""
        if times == 0:
            logger.error("%s cannot be served here: %s", job_id, reason)
            told = encode_json(
                {"worker": self._env.worker_id, "release": self._release_name, "reason": reason}
            )
        self._give_back(
            attempt, delay_ms=min(_LONGEST_DELAY_MS, _FIRST_DELAY_MS * 2 ** min(times, 10)), unroutable=told
        )

    def release(self, attempt: Attempt) -> None:
        """Give an attempt back, unless it has begun."""
        if self._leases.withdraw(attempt):
            self._give_back(attempt)

    def abandon(self, attempt: Attempt) -> None:
        """Give an attempt back whose thread is dead, or whose task was cancelled; what it logged stays."""
        self._committer.report(attempt)
        self._give_back(attempt)

    def _give_back(self, attempt: Attempt, *, delay_ms: int = 0, unroutable: bytes = b"") -> None:
        call = queue.release(attempt.job, delay_ms=delay_ms, unroutable=unroutable)
        self.settle(attempt, Settlement(lambda *_: call))

    def unfold(self, job_id: str, flow: str, version: str, cursor: int) -> Call | None:
        """The call that lays out a part of somebody else's wide fan-out; None where it cannot be made.

        Raises:
            StoreError: The plan cannot be read.
        """
        run_id, _, step_id = job_id.partition("/")
        try:
            plan = self._pins.plan(flow, version)
        except VersionNotFound as error:
            logger.error("%s cannot be laid out here: %s", job_id, error)
            return None
        return unfold(plan, run_id, step_id, cursor)

    def skipped(self, attempt: Attempt) -> None:
        """Settle an attempt whose handler Dramatiq's middleware kept from running."""
        if attempt.phase is Phase.RUNNING:
            error = RuntimeError("the engine did not settle this attempt; please report it")
            self.settle(attempt, failure(attempt, self._env, error, cause="bug of flowengine"))
        elif self._leases.begin(attempt) and (linked := self._plan_of(attempt)):
            self.settle(attempt, skip(attempt, linked.plan, self._env, "skipped by middleware"))

    def rejected(self, attempt: Attempt) -> None:
        """Settle an attempt whose message Dramatiq's middleware rejected."""
        if not self._leases.begin(attempt):
            return
        error = RuntimeError("middleware rejected the message before the handler ran")
        self.settle(attempt, failure(attempt, self._env, error, cause="rejected by middleware"))

    def exhausted(self, attempt: Attempt) -> None:
        """Settle a job that was lost too often."""
        job = attempt.job
        error = WorkerLost(f"{job.losses} workers were lost while they ran this step")
        self.settle(attempt, failure(attempt, self._env, error, cause="worker lost"))

    def refused(self, attempt: Attempt, why: str) -> Settlement:
        """What replaces a settlement that the store will never accept."""
        return failure(attempt, self._env, RuntimeError(why), cause=f"commit refused: {why}")
