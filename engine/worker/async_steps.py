"""The event loop of a process, on which its `async def` handlers run; none of them holds a thread."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final

from engine.execution.attempt import Attempt, Phase
from engine.execution.execute import execute, execute_async
from engine.execution.settlement import Environment, Settlement, failure
from engine.registry.plans import LinkedPlan

from .items import LARGE_BYTES
from .side_threads import SideThreads
from .vital import VitalThread

logger = logging.getLogger(__name__)

#: Seconds between signs of life.
_BEAT_S: Final = 0.5

#: Seconds that cancelled handlers have for coming to their end.
_CANCEL_S: Final = 2.0

#: Threads for what handlers hand to `asyncio.to_thread`, at most.
_HANDLERS_THREADS: Final = 32


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
        """Make the loop; nothing runs on it before the thread is started.

        Args:
            env: The process that executes.
            settle: Takes settlements; may wait where they are large.
            give_back: Takes attempts whose task was cancelled, or that came too late.
        """
        super().__init__("loop")
        self._env = env
        self._settle = settle
        self._give_back = give_back
        self._loop = asyncio.new_event_loop()
        self._tasks: dict[Attempt, asyncio.Task[None]] = {}
        self._is_over = False
        self._changed = threading.Condition()
        self._scheduled = 0
        self._is_closed = False

    def schedule(self, attempt: Attempt, linked: LinkedPlan) -> None:
        """Put an attempt on the loop; from here on it is the loop's to settle."""
        with self._changed:
            is_late = self._is_closed
            if not is_late:
                self._scheduled += 1
                attempt.thread = self
                self._loop.call_soon_threadsafe(self._begin, attempt, linked)
        if is_late:
            self._give_back(attempt)

    def work(self) -> None:
        """Run tasks until the end is asked for."""
        asyncio.set_event_loop(self._loop)
        self._loop.set_default_executor(SideThreads("flowengine-handlers", count=_HANDLERS_THREADS))
        self._beat_again()
        try:
            # A handler may stop the loop, and asyncio lets SystemExit and KeyboardInterrupt through from
            # whatever task raises them, which it tells too: nothing of that ends the loop of all.
            while not self._is_over:
                with suppress(SystemExit, KeyboardInterrupt):
                    self._loop.run_forever()
            self._cancel_the_rest()
        finally:
            self._loop.close()

    def _beat_again(self) -> None:
        # No task, since a handler may cancel all tasks that it finds.
        self.beat()
        self._loop.call_later(_BEAT_S, self._beat_again)

    def _leave(self) -> None:
        self._is_over = True
        self._loop.stop()

    def _cancel_the_rest(self) -> None:
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        if left:
            with suppress(SystemExit, KeyboardInterrupt):
                self._loop.run_until_complete(asyncio.wait(left, timeout=_CANCEL_S))

    def _begin(self, attempt: Attempt, linked: LinkedPlan) -> None:
        task = self._loop.create_task(self._run(attempt, linked), name=attempt.job.id)
        self._tasks[attempt] = task
        task.add_done_callback(partial(self._ended, attempt))

    async def _run(self, attempt: Attempt, linked: LinkedPlan) -> None:
        if linked.is_async(attempt.job.step):
            settlement = await execute_async(attempt, linked, self._env)
        else:
            # The step was no `async def` in the version that this run is pinned to.
            settlement = await asyncio.to_thread(execute, attempt, linked, self._env)
        # What has come to its end is not cancelled any more.
        self._tasks.pop(attempt, None)
        if settlement is None:
            self._give_back(attempt)
        elif settlement.size >= LARGE_BYTES:
            await self._loop.run_in_executor(self._env.services.aside, self._settle, attempt, settlement)
        else:
            self._settle(attempt, settlement)

    def _ended(self, attempt: Attempt, task: asyncio.Task[None]) -> None:
        self._tasks.pop(attempt, None)
        if task.cancelled():
            self._give_back(attempt)
        elif attempt.phase is not Phase.SETTLING:
            error = task.exception() or RuntimeError("the engine did not settle this attempt")
            self._settle(attempt, failure(attempt, self._env, error, cause="bug of flowengine"))
        with self._changed:
            self._scheduled -= 1
            self._changed.notify_all()

    def suspicion(self) -> str:
        """Names what blocks the loop, as the beginning of a sentence: only handlers put there what may."""
        task = asyncio.current_task(self._loop)
        if task is None:
            return "a callback of a handler has blocked the event loop"
        attempt = next((of for of, other in tuple(self._tasks.items()) if other is task), None)
        whose = f"the `async def` handler of {attempt.job.id}" if attempt else "a task of a handler"
        return f"{whose} has blocked the event loop"

    def drain(self, timeout_s: float) -> None:
        """Give the tasks time to end, then cancel what is left, and leave."""
        if not self._wait_until_idle(timeout_s):
            self._tell(self._cancel)
            if not self._wait_until_idle(_CANCEL_S):
                logger.warning("some `async def` handlers go on although they were cancelled")
        with self._changed:
            self._is_closed = True
        self.stopping.set()
        self._tell(self._leave)

    def _tell(self, callback: Callable[[], None]) -> None:
        # Where the thread has died there is nobody to tell.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback)

    def _wait_until_idle(self, timeout_s: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self._scheduled == 0, timeout_s)

    def _cancel(self) -> None:
        for attempt, task in self._tasks.items():
            attempt.is_recalled = True
            task.cancel()
