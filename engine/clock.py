"""The only readers of time and chance: wall clock, monotonic clock, new ids.

Everything else is handed a time or an id, so that what is decided can be tested.
"""

from __future__ import annotations

import secrets
import time

#: Crockford's base 32 in lower case: no i, l, o, u, so that an id can be read aloud.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

#: Characters of a run id that hold its time (45 bits of milliseconds: to the year 3084).
_TIME_CHARS = 9

#: Characters of a run id that are chance (55 bits).
_CHANCE_CHARS = 11

# CLOCK_BOOTTIME goes on while the machine sleeps (clock_gettime(2)), so a lease is known
# to be over after a suspend; macOS's monotonic clock is what it has instead.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def now_ms() -> int:
    """Wall-clock time of this machine, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def monotonic_ms() -> float:
    """A clock that never goes back and counts suspended time, in milliseconds."""
    return time.clock_gettime_ns(_BOOT_CLOCK) / 1e6


def new_run_id() -> str:
    """A new run id: 20 characters, of which the first nine order runs by start."""
    value = now_ms()
    chars = []
    for _ in range(_TIME_CHARS):
        chars.append(_ALPHABET[value & 31])
        value >>= 5
    chars.reverse()
    chance = secrets.randbits(5 * _CHANCE_CHARS)
    for _ in range(_CHANCE_CHARS):
        chars.append(_ALPHABET[chance & 31])
        chance >>= 5
    return "".join(chars)


def new_worker_id() -> str:
    """A new worker id, unique for ever: leases carry it, so it must never be reused."""
    return new_run_id()


class ServerClock:
    """Another machine's wall clock, estimated from its answers and this machine's monotonic clock.

    A worker stamps events with Redis's time, so that timelines of a run agree whoever
    worked on it. Before the first answer it is this machine's wall clock.
    """

    def __init__(self) -> None:
        self._offset_ms = now_ms() - monotonic_ms()

    def learn(self, server_ms: int, *, sent_ms: float, received_ms: float) -> None:
        """Correct the estimate: the server said `server_ms` between two monotonic times."""
        self._offset_ms = server_ms - (sent_ms + received_ms) / 2

    def now_ms(self) -> int:
        """The server's time by the last estimate, in milliseconds since the epoch."""
        return int(monotonic_ms() + self._offset_ms)
