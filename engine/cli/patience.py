"""Waiting for a store that went away while a command only watches."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
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

    def __init__(self, note: Callable[[str], None]) -> None:
        """Nothing is amiss yet; `note` is told once for each outage, and once when it is over."""
        self._note = note
        self._gone_since_ms: float | None = None

    @property
    def is_tried(self) -> bool:
        """Whether the store was away when it was asked last."""
        return self._gone_since_ms is not None

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

    def relax(self) -> None:
        """Take note that the store has answered."""
        if self.is_tried:
            self._note("the store is back")
        self._gone_since_ms = None


class ReaderPatience(Patience):
    """As `Patience`, for a command that only reads: it brings the project's own server back itself.

    Where a worker lives in the same process, the worker does that.
    """

    def __init__(self, store: Store, note: Callable[[str], None]) -> None:
        """Nothing is amiss yet; `note` is told as `Patience` says."""
        super().__init__(note)
        self._store = store

    def bear(self, error: StoreUnavailable) -> None:
        """Wait a moment before the next try, and start the project's own server anew where it died.

        Raises:
            StoreUnavailable: The store has been away for longer than is waited for.
        """
        super().bear(error)
        if self._store.on_lost is not None:
            # Where that fails the next call does too, and says so when there is no more patience.
            with suppress(FlowEngineError):
                self._store.on_lost()
