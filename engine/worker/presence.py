"""What a worker tells the store of itself: that it lives, what it serves, that it leaves."""

from __future__ import annotations

import logging
import os
import platform
from typing import Final

from engine.errors import StoreError
from engine.store import queue
from engine.store.connection import Call, Store
from engine.store.queue import Served

from .limits import Limits
from .served import ServedQueues

logger = logging.getLogger(__name__)

#: Milliseconds for which a knock is kept: longer than any fetcher blocks.
_KNOCK_TTL_MS: Final = 10_000


class Presence:
    """Says for one worker what others, and its own fetches, find in the store."""

    def __init__(self, store: Store, worker_id: str, *, limits: Limits, served: ServedQueues) -> None:
        """Prepare; nothing is told yet.

        Args:
            store: Where it is told.
            worker_id: Who.
            limits: Its threads, its release and the length of a lease, after which it is forgotten.
            served: The queues that it serves.
        """
        self._store = store
        self._worker_id = worker_id
        self._limits = limits
        self._served = served

    def heartbeat(self) -> Call:
        """The call that says that it lives, and what it serves now."""
        fields: dict[str, str | int] = {
            "host": platform.node() or "?",
            "pid": os.getpid(),
            "release": self._limits.release,
            "threads": self._limits.threads,
        }
        return queue.heartbeat(
            self._worker_id, ttl_ms=self._limits.lease_ms, served=self._served.now, fields=fields
        )

    def knock(self) -> Call:
        """The call that wakes its fetcher."""
        return queue.knock(self._worker_id, ttl_ms=_KNOCK_TTL_MS)

    def tell(self) -> None:
        """Tell what it serves now.

        Raises:
            StoreError: The store cannot be reached.
        """
        self._call(self.heartbeat())

    def tell_anew(self) -> None:
        """Tell what it serves now, where that has changed, and wake its fetcher for it.

        Where the store is away the keeper's next heartbeat tells it, and the fetcher comes round by itself.
        """
        try:
            self.tell()
            # Only now: the fetch that it leads to goes by what the store knows.
            self._call(self.knock())
        except StoreError as error:
            logger.warning("the queues that are served now are told to the store later: %s", error)

    def wake(self) -> None:
        """Wake its fetcher, which is to leave."""
        try:
            self._call(self.knock())
        except StoreError as error:
            logger.warning("the fetcher leaves when its wait is over: %s", error)

    def leave(self) -> None:
        """Say that it leaves."""
        try:
            self._call(queue.heartbeat(self._worker_id, ttl_ms=0, served=Served((), ()), fields={}))
        except StoreError:
            logger.warning("the store does not answer; this worker's entry there ends by itself")

    def _call(self, call: Call) -> None:
        self._store.call(call[0], *call[1])
