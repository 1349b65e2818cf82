"""Waiting for a store that went away while a command only watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from engine.clock import monotonic_ms
from engine.errors import FlowEngineError, StoreUnavailable
from engine.store.connection import Store

from .output import format_duration

#: How long a store that went away is waited for.
_PATIENCE_MS: Final = 30_000
_PAUSE_S: Final = 0.5


class Patience:
    """Bears with a store that does not answer, for 30 seconds at a time."""

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        """Nothing is amiss yet.

        Args:
            store: The store.
            note: Told once for each outage, and once when it is over.
        """
        self._store = store
        self._note = note
        self._gone_since_ms: float | None = None

    def bear(self, error: StoreUnavailable) -> None:
        """Wait a moment before the next try.

        Raises:
            StoreUnavailable: The store has been away for longer than is waited for.
        """
        now = monotonic_ms()
        if self._gone_since_ms is None:
            self._gone_since_ms = now
            self._note(f"{error}; trying again for {format_duration(_PATIENCE_MS)}")
        elif now - self._gone_since_ms > _PATIENCE_MS:
            raise error
        time.sleep(_PAUSE_S)
        self._bring_back()

    def relax(self) -> None:
        """Take note that the store has answered."""
        if self._gone_since_ms is not None:
            self._gone_since_ms = None
            self._note("the store is back")

    def _bring_back(self) -> None:
        """Start the project's own server anew where it died, as any of its members may."""
        if self._store.on_lost is None:
            return
        try:
            self._store.on_lost()
        except FlowEngineError:
            # The next call fails too, and says so when there is no more patience.
            return
