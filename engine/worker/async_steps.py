"""The event loop of a process, on which its `async def` handlers run; none of them holds a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

from engine.execution.attempt import Attempt
from engine.execution.execute import execute, execute_async
from engine.execution.settlement import Environment, Settlement
from engine.registry.plans import LinkedPlan

from .items import LARGE_BYTES
from .vital import VitalThread

logger = logging.getLogger(__name__)

#: Seconds between signs of life.
_BEAT_S: Final = 0.5

#: Seconds that cancelled handlers have for coming to their end.
_CANCEL_S: Final = 2.0


class AsyncSteps(VitalThread):
    """Runs attempts as tasks of one event loop.

    It is a vital thread: a handler that blocks the loop holds up all others, and the renewal of
    their leases says nothing about them any more, so after half a lease the process ends.
    """

    def __init__(
        self,
        *,
        env: Environment,
        settle: Callable[[Attempt, Settlement], None],
        give_back: Callable[[Attempt], None],
    ) -> None:
        """Prepare.

        Args:
            env: The process that executes.
            settle: Takes settlements; may wait where they are large.
            give_back: Takes attempts whose task was cancelled.
        """
        super().__init__("loop")
        self._env = env
        self._settle = settle
        self._give_back = give_back
        self._loop = asyncio.new_event_loop()
        self._tasks: set[asyncio.Task[None]] = set()
        self._over = asyncio.Event()
        self._changed = threading.Condition()
        self._scheduled = 0

    def schedule(self, attempt: Attempt, linked: LinkedPlan) -> None:
        """Put an attempt on the loop; from here on it is the loop's to settle."""
        attempt.thread = self
        with self._changed:
            self._scheduled += 1
        self._loop.call_soon_threadsafe(self._begin, attempt, linked)

    def work(self) -> None:
        """Run tasks until the end is asked for."""
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._beat_until_over())
        finally:
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()

    async def _beat_until_over(self) -> None:
        while not self._over.is_set():
            self.beat()
            try:
                await asyncio.wait_for(self._over.wait(), _BEAT_S)
            except TimeoutError:
                continue

    def _begin(self, attempt: Attempt, linked: LinkedPlan) -> None:
        task = self._loop.create_task(self._run(attempt, linked), name=attempt.job.id)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        with self._changed:
            self._scheduled -= 1
            self._changed.notify_all()

    async def _run(self, attempt: Attempt, linked: LinkedPlan) -> None:
        try:
            if linked.is_async(attempt.job.step):
                settlement = await execute_async(attempt, linked, self._env)
            else:
                # The step was no `async def` in the version that this run is pinned to.
                settlement = await asyncio.to_thread(execute, attempt, linked, self._env)
        except asyncio.CancelledError:
            self._give_back(attempt)
            return
        if settlement.size >= LARGE_BYTES:
            await asyncio.to_thread(self._settle, attempt, settlement)
        else:
            self._settle(attempt, settlement)

    def suspicion(self) -> str:
        """Names the handler that blocks the loop, if one does."""
        task = asyncio.current_task(self._loop)
        return f": the `async def` handler of {task.get_name()} blocks the event loop" if task else ""

    def drain(self, timeout_s: float) -> None:
        """Give the tasks time to end, then cancel what is left, and leave."""
        if not self._wait_until_idle(timeout_s):
            self._loop.call_soon_threadsafe(self._cancel)
            if not self._wait_until_idle(_CANCEL_S):
                logger.warning("some `async def` handlers go on although they were cancelled")
        self.stopping.set()
        self._loop.call_soon_threadsafe(self._over.set)

    def _wait_until_idle(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._scheduled == 0, timeout_s)

    def _cancel(self) -> None:
        for task in self._tasks:
            task.cancel()
