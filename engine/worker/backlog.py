"""Back-pressure: how many bytes of large settlements may wait to be sent."""

from __future__ import annotations

from threading import Condition
from typing import Final

from .items import LARGE_BYTES

#: Bytes of large items that may wait to be sent; who brings more has to wait.
BACKLOG_BYTES: Final = 32 * 1024 * 1024


class Backlog:
    """Bytes on their way; small ones do not count, they are bounded by the room for jobs."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._bytes = 0

    def add(self, size: int) -> None:
        """Take bytes in; waits while there are too many, but for a single item that is too large alone."""
        if size >= LARGE_BYTES:
            with self._changed:
                self._changed.wait_for(lambda: self._bytes == 0 or self._bytes + size <= BACKLOG_BYTES)
                self._bytes += size

    def remove(self, size: int) -> None:
        """Let go of bytes that were added."""
        if size >= LARGE_BYTES:
            with self._changed:
                self._bytes -= size
                self._changed.notify_all()
