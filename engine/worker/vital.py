"""Threads that a worker cannot do without, and how they get through an outage."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from engine.clock import monotonic_ms
from engine.errors import StoreError

logger = logging.getLogger(__name__)

#: Pause after the first failed call, and the longest one, in seconds.
_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 2.0

#: Shortest silence that counts as death, in milliseconds: where leases are short, machines are not quicker.
_SHORTEST_PATIENCE_MS: Final = 3_000


@dataclass(frozen=True, slots=True)
class Death:
    """Why a worker cannot go on.

    Attributes:
        why: As a sentence: what does not answer, or what a handler does, and where.
        is_handlers: Whether a handler is to blame, and not the engine.
    """

    why: str
    is_handlers: bool = False


class Notice:
    """Says that the store does not answer, and that it answers again: once for all threads that find out.

    Each reason is said once: a later one may be what has to be mended.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._cut_off: set[threading.Thread] = set()
        self._said: set[str] = set()

    def cut_off(self, thread: threading.Thread, error: StoreError) -> None:
        """Note that a thread gets no answer."""
        with self._lock:
            self._cut_off.add(thread)
            if str(error) not in self._said:
                self._said.add(str(error))
                logger.warning("%s; trying again until it answers", error)

    def back(self, thread: threading.Thread) -> None:
        """Note that a thread was answered."""
        with self._lock:
            if thread in self._cut_off:
                self._cut_off.remove(thread)
                if not self._cut_off:
                    self._said.clear()
                    logger.info("the store answers again")


class VitalThread(threading.Thread):
    """A thread that says regularly that it is alive.

    Attributes:
        beat_ms: Monotonic time of its last sign of life.
        stopping: Set when it shall come to its end.
        died: Called where it cannot go on.
        notice: Says that the store is away, for all threads that share it.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name=f"flowengine-{name}", daemon=True)
        self.beat_ms = monotonic_ms()
        self.stopping = threading.Event()
        self.died: Callable[[Death], None] = lambda _death: None
        self.notice = Notice()

    def run(self) -> None:
        """Work, and say so where that ends by an exception: the others may die of the same fault."""
        try:
            self.work()
        except BaseException as error:
            logger.critical("the thread %s has died", self.name, exc_info=True)
            self.died(Death(f"the thread {self.name} has died of {type(error).__name__}: {error}"))

    def work(self) -> None:
        """Work until the end is asked for."""
        raise NotImplementedError

    def suspicion(self) -> str:
        """What a handler does that keeps this thread from giving a sign of life; '' where none does."""
        return ""

    def beat(self) -> None:
        """Give a sign of life."""
        self.beat_ms = monotonic_ms()


class Watch:
    """Looks after vital threads: says when one is dead, or has been silent for too long.

    A vital thread looks after the others. Where it was itself held up, as by a suspended machine, a
    stopped process or a handler that let nobody else run, the others were too: their silence
    counts from its return.
    """

    def __init__(self, *, lease_ms: int, dead: Callable[[Death], None]) -> None:
        """Prepare; nobody is looked after yet.

        Args:
            lease_ms: Length of a lease; half of it is the longest silence.
            dead: Called with the reason.
        """
        self._patience_ms = max(lease_ms / 2, _SHORTEST_PATIENCE_MS)
        self._dead = dead
        self._threads: tuple[VitalThread, ...] = ()
        self._looked_at_ms = monotonic_ms()
        self._back_since_ms = 0.0

    def over(self, *threads: VitalThread) -> None:
        """Look after these threads."""
        self._threads = threads

    def look(self) -> None:
        """Look once."""
        now = monotonic_ms()
        if now - self._looked_at_ms > self._patience_ms / 2:
            self._back_since_ms = now
        self._looked_at_ms = now
        for thread in self._threads:
            silent_ms = now - max(thread.beat_ms, self._back_since_ms)
            if thread.ident is None or thread.stopping.is_set():
                continue
            if not thread.is_alive():
                self._dead(Death(f"the thread {thread.name} has died"))
            elif silent_ms > self._patience_ms:
                self._dead(_silence(thread, silent_ms / 1000))


def _silence(thread: VitalThread, silent_s: float) -> Death:
    suspicion = thread.suspicion()
    if suspicion:
        return Death(f"{suspicion} for {silent_s:.1f} s", is_handlers=True)
    return Death(f"the thread {thread.name} has given no sign of life for {silent_s:.1f} s")


class Outage:
    """What one thread knows of a store that does not answer: it waits longer each time."""

    def __init__(self, owner: VitalThread) -> None:
        self._owner = owner
        self._pause_s = 0.0

    @property
    def is_on(self) -> bool:
        """Whether the last call failed."""
        return self._pause_s > 0

    def failed(self, error: StoreError) -> None:
        """Note a failed call and wait a while, or until the thread shall stop."""
        # The first failure may be a connection that ended while nobody used it.
        if self.is_on:
            self._owner.notice.cut_off(self._owner, error)
        self._pause_s = min(_LONGEST_PAUSE_S, max(_FIRST_PAUSE_S, self._pause_s * 2))
        until_ms = monotonic_ms() + self._pause_s * 1000
        while monotonic_ms() < until_ms:
            # A pause may be longer than the time after which a thread without a sign of life counts as stuck.
            self._owner.beat()
            if self._owner.stopping.wait(_FIRST_PAUSE_S):
                # Who has to end has no time for long pauses, but must not storm the store either.
                time.sleep(_FIRST_PAUSE_S)
                return

    def succeeded(self) -> None:
        """Note a call that was answered."""
        if self.is_on:
            self._owner.notice.back(self._owner)
            self._pause_s = 0.0
