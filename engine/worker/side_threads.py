"""Threads beside an event loop, for what would block it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class SideThreads(ThreadPoolExecutor):
    """An executor whose threads do not keep the process from ending.

    Python waits at its exit for every thread of its own executors, so one handler that waits in a
    thread for an hour would keep a stopped worker alive for as long. asyncio takes no executor that
    is not a `ThreadPoolExecutor`, hence the base class, of which only the interface is used.
    """

    def __init__(self, name: str, *, count: int) -> None:
        """Prepare; threads are started when there is work for them.

        Args:
            name: What the threads are called.
            count: How many there are, at most.
        """
        super().__init__(max_workers=count, thread_name_prefix=name)
        self._name = name
        self._count = count
        self._jobs: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._started = 0
        self._unfinished = 0

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a thread."""
        future: Future[T] = Future()
        with self._lock:
            self._unfinished += 1
            if self._started < min(self._unfinished, self._count):
                self._started += 1
                threading.Thread(
                    target=self._serve, name=f"{self._name}-{self._started}", daemon=True
                ).start()
        self._jobs.put((future, partial(fn, *args, **kwargs)))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let threads end that have nothing more to do; none is waited for."""
        with self._lock:
            for _ in range(self._started):
                self._jobs.put(None)

    def _serve(self) -> None:
        while (job := self._jobs.get()) is not None:
            _do(*job)
            # Not held on to while the next one is waited for.
            del job
            with self._lock:
                self._unfinished -= 1


def _do(future: Future[Any], call: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = call()
    # It is for whoever waits, SystemExit included.
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
