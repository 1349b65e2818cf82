"""Ctrl-C and SIGTERM: the first asks to stop in order, the second leaves at once."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether the process has been asked to stop.

    Attributes:
        is_asked: True after the first signal.
    """

    def __init__(self) -> None:
        self.is_asked = False

    @contextmanager
    def caught(self) -> Iterator[Interrupts]:
        """Catch the signals inside the block; main thread only.

        Raises:
            KeyboardInterrupt: At the second signal, wherever the main thread is.
        """
        former = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            yield self
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if self.is_asked:
            raise KeyboardInterrupt
        self.is_asked = True
