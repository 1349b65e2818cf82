"""The only readers of time and chance: wall clock, monotonic clock, new ids.

Everything else is handed a time or an id, so that what is decided can be tested.
"""

from __future__ import annotations

import math
import secrets
import time
from typing import Final

#: Crockford's base 32 in lower case: no i, l, o, u, so that an id can be read aloud.
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"

#: Characters of a run id that hold its time (45 bits of milliseconds: to the year 3084).
_TIME_CHARS = 9

#: Characters of a run id that are chance (55 bits).
_CHANCE_CHARS = 11

# CLOCK_BOOTTIME goes on while the machine sleeps (clock_gettime(2)), so a lease is known
# to be over after a suspend; macOS's monotonic clock is what it has instead.
_BOOT_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

#: By how much two clocks drift apart at most while one is slewed (adjtimex(2): 500 ppm).
_DRIFT: Final = 0.0005


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


def new_token() -> str:
    """A new token for one call, by which a second copy of it is known."""
    return new_run_id()


class ServerClock:
    """Another machine's wall clock, estimated from its answers and this machine's monotonic clock.

    A worker stamps events with Redis's time, so that timelines of a run agree whoever
    worked on it. Before the first answer it is this machine's wall clock.

    An answer bounds how far the two clocks are apart: the server has said its time after the
    question was sent and before the answer came. The estimate moves only where a bound
    forces it to, so a slow answer moves nothing, and times of one worker stay in order.
    """

    def __init__(self) -> None:
        self._offset_ms = now_ms() - monotonic_ms()
        self._least_ms, self._most_ms = -math.inf, math.inf
        self._learnt_ms = 0.0

    def learn(self, server_ms: int, *, sent_ms: float, received_ms: float) -> None:
        """Correct the estimate: the server said `server_ms`, in whole ones, between two monotonic times."""
        drifted_ms = (received_ms - self._learnt_ms) * _DRIFT
        least_ms, most_ms = server_ms - received_ms, server_ms + 1 - sent_ms
        self._least_ms = max(self._least_ms - drifted_ms, least_ms)
        self._most_ms = min(self._most_ms + drifted_ms, most_ms)
        if self._least_ms > self._most_ms:
            # Somebody has set the server's clock: what was known of it is void.
            self._least_ms, self._most_ms = least_ms, most_ms
        self._offset_ms = min(max(self._offset_ms, self._least_ms), self._most_ms)
        self._learnt_ms = received_ms

    def now_ms(self) -> int:
        """The server's time by the present estimate, in milliseconds since the epoch."""
        return int(monotonic_ms() + self._offset_ms)
