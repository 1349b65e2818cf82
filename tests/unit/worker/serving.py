"""The queues of a process, as a test says them."""

from __future__ import annotations

from collections.abc import Iterable

from engine.store.queue import Served


class Serving:
    """Stands where `ServedQueues` does, without registry or store."""

    def __init__(self, *, threads: Iterable[str] = ("q",), loop: Iterable[str] = ()) -> None:
        self.now = Served(tuple(threads), tuple(loop))

    def is_on_loop(self, name: str) -> bool:
        """Whether the event loop does the jobs of a queue."""
        return name in self.now.loop

    @property
    def has_loop(self) -> bool:
        """Whether the event loop does the jobs of any queue."""
        return bool(self.now.loop)
