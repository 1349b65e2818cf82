"""The queues that a process serves, and by what: its threads or its event loop.

They are those of its flows as it has loaded them, and those of the versions that running
runs of these flows are pinned to: a step may have moved to another queue since, or may be
gone, and its jobs wait where they were put. The event loop serves a queue all of whose
steps are `async def` here; everything else the threads do.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from engine.errors import StoreError, VersionNotFound
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.index import RunIndex
from engine.store.queue import Served

#: Seconds between two looks at the versions that runs are pinned to.
_LOOK_EVERY_S: Final = 30.0


class ServedQueues:
    """Names of queues, looked up anew from time to time.

    Attributes:
        now: The queues; another value whenever they change.
    """

    def __init__(self, registry: Registry, pins: Pins, runs: RunIndex) -> None:
        self._registry = registry
        self._pins = pins
        self._runs = runs
        self._is_over = threading.Event()
        self._on_loop: frozenset[str] = frozenset()
        self._all: frozenset[str] = frozenset()
        self.now = Served((), ())
        self._serve(())

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def is_on_loop(self, name: str) -> bool:
        """Whether the event loop does the jobs of a queue."""
        return name in self._on_loop

    @property
    def has_loop(self) -> bool:
        """Whether the event loop does the jobs of any queue."""
        return bool(self._on_loop)

    def start(self) -> None:
        """Look once, and again from time to time, in a thread that nothing waits for.

        Raises:
            StoreError: The store cannot be read.
        """
        self._look()
        threading.Thread(target=self._keep_looking, name="flowengine-served", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()

    def _keep_looking(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            # A store that is away is the vital threads' affair; the next look comes soon enough.
            with suppress(StoreError):
                self._look()

    def _look(self) -> None:
        self._serve(self._of_pinned())

    def _serve(self, pinned: Iterable[str]) -> None:
        on_loop: dict[str, bool] = {}
        for linked in self._registry.linked:
            for step in linked.plan.steps.values():
                on_loop[step.queue] = linked.is_async(step.name) and on_loop.get(step.queue, True)
        # What old versions alone have, nobody has linked yet.
        for name in pinned:
            on_loop.setdefault(name, False)
        now = Served(
            threads=tuple(sorted(name for name, is_async in on_loop.items() if not is_async)),
            loop=tuple(sorted(name for name, is_async in on_loop.items() if is_async)),
        )
        if now != self.now:
            self._on_loop, self._all = frozenset(now.loop), frozenset(on_loop)
            self.now = now

    def _of_pinned(self) -> set[str]:
        flows = {linked.plan.flow for linked in self._registry.linked}
        queues: set[str] = set()
        for flow, version in self._runs.pinned():
            if flow in flows:
                with suppress(VersionNotFound):
                    queues.update(self._pins.plan(flow, version).queues)
        return queues
