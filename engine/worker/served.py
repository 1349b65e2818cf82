"""The queues that a process serves.

They are those of its flows as it has loaded them, and those of the versions that running
runs of these flows are pinned to: a step may have moved to another queue since, or may be
gone, and its jobs wait where they were put.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from engine.clock import monotonic_ms
from engine.errors import VersionNotFound
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.index import RunIndex

#: Milliseconds between two looks at the versions that runs are pinned to.
_LOOK_EVERY_MS: Final = 30_000


class ServedQueues:
    """Names of queues, looked up anew from time to time.

    Attributes:
        names: The queues, ordered; another tuple whenever they change.
    """

    def __init__(self, registry: Registry, pins: Pins, runs: RunIndex) -> None:
        self._registry = registry
        self._pins = pins
        self._runs = runs
        self._looked_at_ms: float | None = None
        self.names = self._of_registry()

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def refresh(self) -> tuple[str, ...]:
        """Look again, if it is time to; answers the names.

        Raises:
            StoreError: The store cannot be read.
        """
        now = monotonic_ms()
        if self._looked_at_ms is None or now - self._looked_at_ms >= _LOOK_EVERY_MS:
            names = tuple(sorted({*self._of_registry(), *self._of_pinned()}))
            if names != self.names:
                self.names = names
            self._looked_at_ms = now
        return self.names

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
