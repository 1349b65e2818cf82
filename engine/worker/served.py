"""The queues that a process serves, and by what: its threads or its event loop.

They are those of the flows in force here, and those of the versions that running runs of
flows which are or were in force here are pinned to: a step may have moved to another queue
since, or may be gone, and its jobs wait where they were put. The event loop serves a queue
all of whose steps are `async def` here; everything else the threads do.

Which versions runs are pinned to is looked up only now and then. So what is in force no more is
served on for some looks: a run may have been started on it a moment before.
"""

from __future__ import annotations

import threading
from collections.abc import Set as AbstractSet
from contextlib import suppress
from typing import Final

from engine.errors import StoreError, VersionNotFound
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.index import RunIndex
from engine.store.queue import Served

#: Seconds between two looks at the versions that runs are pinned to.
_LOOK_EVERY_S: Final = 30.0

#: Looks for which a queue is served on that no flow in force has any more: the first may have begun before.
_LOOKS_ON: Final = 2


class ServedQueues:
    """Names of queues, looked up anew from time to time.

    Attributes:
        now: The queues; another value whenever they change.
    """

    def __init__(self, registry: Registry, pins: Pins, runs: RunIndex, *, serves_every_flow: bool) -> None:
        """Serve what is in force; nothing is looked up yet.

        Args:
            registry: The plans in force.
            pins: Finds the plans of versions.
            runs: Knows what running runs are pinned to.
            serves_every_flow: Whether the runs of every flow count, and not only of those that are or were
                in force here.
        """
        self._registry = registry
        self._pins = pins
        self._runs = runs
        self._serves_every_flow = serves_every_flow
        self._is_over = threading.Event()
        self._lock = threading.Lock()
        self._flows: set[str] = set()
        self._in_force: AbstractSet[str] = frozenset()
        self._leaving: dict[str, int] = {}
        self._pinned: AbstractSet[str] = frozenset()
        self._on_loop: AbstractSet[str] = frozenset()
        self._all: AbstractSet[str] = frozenset()
        self.now = Served((), ())
        self.refresh()

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
        self.look()
        threading.Thread(target=self._keep_looking, name="flowengine-served", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._is_over.set()

    def _keep_looking(self) -> None:
        while not self._is_over.wait(_LOOK_EVERY_S):
            # A store that is away is the vital threads' affair; the next look comes soon enough.
            with suppress(StoreError):
                self.look()

    def refresh(self) -> None:
        """Serve what is in force now, without a look at the store."""
        with self._lock:
            self._serve()

    def look(self) -> None:
        """Look up what runs are pinned to, and let go of what has been out of force for long enough.

        Raises:
            StoreError: The store cannot be read.
        """
        pinned = self._of_pinned()
        with self._lock:
            self._pinned = pinned
            self._leaving = {name: looks - 1 for name, looks in self._leaving.items() if looks > 1}
            self._serve()

    def _serve(self) -> None:
        # Read under the lock: of two threads that see different plans in force, the later one has the newer.
        in_force = self._rooms()
        self._leaving |= dict.fromkeys(self._in_force - in_force.keys(), _LOOKS_ON)
        self._leaving = {name: looks for name, looks in self._leaving.items() if name not in in_force}
        self._in_force = in_force.keys()
        # What is not in force stays where it was; what this process has never had, nobody has linked yet.
        rooms = {name: name in self._on_loop for name in self._leaving.keys() | self._pinned} | in_force
        threads = tuple(sorted(name for name, on_loop in rooms.items() if not on_loop))
        loop = tuple(sorted(name for name, on_loop in rooms.items() if on_loop))
        if (threads, loop) != (self.now.threads, self.now.loop):
            self._on_loop, self._all = frozenset(loop), rooms.keys()
            self.now = Served(threads, loop, self.now.number + 1)

    def _rooms(self) -> dict[str, bool]:
        """Whether the event loop does its jobs, of each queue of the plans in force."""
        on_loop: dict[str, bool] = {}
        for linked in self._registry.linked:
            self._flows.add(linked.plan.flow)
            for step in linked.plan.steps.values():
                on_loop[step.queue] = linked.is_async(step.name) and on_loop.get(step.queue, True)
        return on_loop

    def _of_pinned(self) -> frozenset[str]:
        queues: set[str] = set()
        for flow, version in self._runs.pinned():
            if self._serves_every_flow or flow in self._flows:
                with suppress(VersionNotFound):
                    queues.update(self._pins.plan(flow, version).queues)
        return frozenset(queues)
