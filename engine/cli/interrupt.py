"""Ctrl-C, SIGTERM and SIGHUP: the first asks to stop in order, the second leaves at once.

A signal that was ignored when the process began stays so: `nohup` means it. A closed
terminal may say SIGHUP twice, once by the kernel and once by the shell (bash(1), SIGNALS):
a SIGHUP therefore never counts as the second.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Whether the process has been asked to stop.

    Attributes:
        first: The first signal's number, None before it.
    """

    def __init__(self) -> None:
        self.first: int | None = None

    @property
    def is_asked(self) -> bool:
        """Whether there was a signal."""
        return self.first is not None

    @contextmanager
    def caught(self) -> Iterator[Interrupts]:
        """Catch the signals inside the block; main thread only.

        Raises:
            KeyboardInterrupt: At the second signal, wherever the main thread is.
        """
        with _handled(self._on_signal):
            yield self

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if self.first is None:
            self.first = number
        elif number != signal.SIGHUP:
            raise KeyboardInterrupt


@contextmanager
def raised() -> Iterator[None]:
    """Let every one of the signals raise, so that all `with` blocks are left in order; main thread only.

    Raises:
        KeyboardInterrupt: At a signal, wherever the main thread is.
    """
    numbers: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        numbers.append(number)
        if len(numbers) == 1 or number != signal.SIGHUP:
            raise KeyboardInterrupt

    with _handled(on_signal):
        yield


@contextmanager
def held_back() -> Iterator[None]:
    """Let the first signal wait for the end of the block, where it counts; main thread only.

    For what must not be left half done, such as joining a server. It counts also where the
    block raises after it: a child that died of the same Ctrl-C is no news to who pressed it.

    Raises:
        KeyboardInterrupt: At the second signal, wherever the main thread is.
    """
    interrupts = Interrupts()
    try:
        with interrupts.caught():
            yield
    finally:
        if interrupts.first is not None:
            signal.raise_signal(interrupts.first)


@contextmanager
def _handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    former = {}
    try:
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, handler)
        yield
    finally:
        for number, old in former.items():
            signal.signal(number, old)
