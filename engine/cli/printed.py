"""What handlers print while a live view is on the terminal: kept by line until it is drawn anew."""

from __future__ import annotations

import threading
from typing import Any, TextIO


class Printed:
    """A text stream that keeps lines instead of writing them; any thread may write.

    A line begun by one thread is not broken by what others print meanwhile.
    """

    def __init__(self, stream: TextIO) -> None:
        """Stand in for a stream, which nothing is written to from here."""
        self._stream = stream
        self._lock = threading.Lock()
        self._lines: list[str] = []
        self._begun: dict[int, str] = {}
        self._is_open = True

    def write(self, text: str) -> int:
        """Keep the text; once the view has ended, write it."""
        thread = threading.get_ident()
        with self._lock:
            if not self._is_open:
                return self._stream.write(text)
            *lines, rest = (self._begun.pop(thread, "") + text).split("\n")
            self._lines += lines
            if rest:
                self._begun[thread] = rest
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind; lines are taken in a moment."""
        self._stream.flush()

    def take(self) -> list[str]:
        """The lines since the last time."""
        with self._lock:
            lines, self._lines = self._lines, []
        return lines

    def end(self) -> list[str]:
        """Take all that is left, and write through from now on: some hold this stream for ever."""
        with self._lock:
            self._is_open = False
            return [*self._lines, *self._begun.values()]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
