"""An attempt in hand, and a process around it that only notes what it is asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from engine.clock import ServerClock
from engine.execution.attempt import Attempt
from engine.execution.context import Services, StepContext
from engine.execution.execute import execute, execute_async
from engine.execution.settlement import Environment, Settlement
from engine.registry.plans import LinkedPlan
from engine.store.connection import Call
from engine.store.queue import LeasedJob
from tests.support.store import plan_from

PLAN = plan_from({"a": {"emits": ["one", "deaf"]}, "b": {"subscribes": "one"}, "c": {"subscribes": "one"}})


class Bench:
    """What executes one attempt of step `a`."""

    def __init__(
        self,
        *,
        payload_bytes: int = 1_000,
        fan_out: int = 1_000,
        gather_bytes: int = 10_000_000,
        token: str = "w.2",
        **job: Any,
    ) -> None:
        step = job.get("step", "a")
        about: dict[str, Any] = {"event": "", "message": b'{"n":1}', "attempt": 1, "losses": 0, "step": step}
        about |= {"run_id": "r", "step_id": f"{step}#1", "flow": "f", "version": PLAN.version}
        about |= {"queue": "f.a", "token": "w.1", "path": "0"}
        self.leased = LeasedJob(**(about | job))
        self.attempt = Attempt(self.leased, lease_ends_ms=1e12)
        self.stored: dict[str, Any] = {}
        self.buffered = 0
        self.services = Services(
            clock=ServerClock(),
            buffered=self._note,
            read_state=lambda run_id, key: self.stored.get(key),
            read_input=lambda run_id: {"input": run_id},
            read_inputs=lambda job, step: b'{"gathered":"%b"}' % job.message,
            aside=ThreadPoolExecutor(),
            payload_bytes=payload_bytes,
            fan_out=fan_out,
            gather_bytes=gather_bytes,
        )
        self.env = Environment(
            worker_id="w",
            services=self.services,
            served=frozenset({"f.a", "f.b"}),
            next_token=lambda attempt: token,
            lease_ms=1_000,
        )

    def _note(self, attempt: Attempt) -> None:
        self.buffered += 1

    @property
    def context(self) -> StepContext:
        """A context of the attempt."""
        return StepContext(self.attempt, PLAN.steps[self.leased.step], self.services)

    def execute(self, handler: Callable[[Any, Any], Any]) -> Settlement:
        """Run a handler as step `a`."""
        handlers: Mapping[str, Any] = dict.fromkeys("abc", handler)
        return execute(self.attempt, LinkedPlan(PLAN, handlers), self.env)

    def execute_async(self, handler: Callable[[Any, Any], Any]) -> Settlement:
        """Run an `async def` handler as step `a`."""
        linked = LinkedPlan(PLAN, dict.fromkeys("abc", handler))
        settlement = asyncio.run(execute_async(self.attempt, linked, self.env))
        assert settlement is not None
        return settlement

    def call_of(self, settlement: Settlement) -> Call:
        """The call that a settlement makes with everything unsent."""
        return settlement.make_call(0, self.attempt.events)
