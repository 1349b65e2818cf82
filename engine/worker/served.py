"""The queues that a process serves.

They are those of its flows as it has loaded them, and those of the versions that running
runs of these flows are pinned to: a step may have moved to another queue since, or may be
gone, and its jobs wait where they were put.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Final

from engine.errors import StoreError, VersionNotFound
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.index import RunIndex

#: Seconds between two looks at the versions that runs are pinned to.
_LOOK_EVERY_S: Final = 30.0


class ServedQueues:
    """Names of queues, looked up anew from time to time.

    Attributes:
        names: The queues, ordered; another tuple whenever they change.
    """

    def __init__(self, registry: Registry, pins: Pins, runs: RunIndex) -> None:
        self._registry = registry
        self._pins = pins
        self._runs = runs
        self._is_over = threading.Event()
        self.names = self._of_registry()

    def __contains__(self, name: object) -> bool:
        return name in self.names

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
        names = tuple(sorted({*self._of_registry(), *self._of_pinned()}))
        if names != self.names:
            self.names = names

    def _of_registry(self) -> tuple[str, ...]:
        return tuple(sorted({name for linked in self._registry.linked for name in linked.plan.queues}))

    def _of_pinned(self) -> set[str]:
        flows = {linked.plan.flow for linked in self._registry.linked}
        queues: set[str] = set()
        for flow, version in self._runs.pinned():
            if flow in flows:
                with suppress(VersionNotFound):
                    queues |= self._pins.queues(flow, version)
        return queues
