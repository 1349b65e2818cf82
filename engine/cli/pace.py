"""How long a fan-out will take, where that can be said honestly; pure."""

from __future__ import annotations

from collections import deque
from typing import Final

from .output import HOUR_MS, MINUTE_MS, SECOND_MS

#: What was settled in so much time tells the pace; less than the shorter time tells nothing.
_WINDOW_MS: Final = 15_000
_SHORTEST_MS: Final = 3_000

#: Time between two samples.
_SAMPLE_MS: Final = 500

#: Fewer settled activations are too few to judge by, and less time is not worth a word.
_FEWEST: Final = 10
_SOON_MS: Final = 3_000

#: From there on seconds are told in steps of so many.
_COARSE_FROM_S: Final = 10
_COARSE_S: Final = 5

#: So many minutes are told as hours.
_MINUTES_UP_TO: Final = 120


class Pace:
    """How fast the activations of one step are settled."""

    def __init__(self) -> None:
        self._samples: deque[tuple[float, int]] = deque()

    def note(self, at_ms: float, done: int) -> None:
        """Take note of how many are settled.

        Args:
            at_ms: Monotonic time.
            done: How many activations are settled.
        """
        if not self._samples or at_ms - self._samples[-1][0] >= _SAMPLE_MS:
            self._samples.append((at_ms, done))
        while at_ms - self._samples[0][0] > _WINDOW_MS:
            self._samples.popleft()

    def left_ms(self, remaining: int) -> float | None:
        """How long so many more take at this pace, in ms; None where nobody can know."""
        (from_ms, before), (until_ms, after) = self._samples[0], self._samples[-1]
        took_ms, settled = until_ms - from_ms, after - before
        if took_ms < _SHORTEST_MS or settled < _FEWEST:
            return None
        return remaining * took_ms / settled


def about(left_ms: float | None) -> str:
    """A guess in words, no more exact than it is; nothing where it is short or unknown."""
    if left_ms is None or left_ms < _SOON_MS:
        return ""
    # Rounded before the unit is chosen: 59 s reads `1 min`, not `60 s`.
    seconds = round(left_ms / SECOND_MS)
    if seconds >= _COARSE_FROM_S:
        seconds = round(left_ms / SECOND_MS / _COARSE_S) * _COARSE_S
    if seconds < 60:
        return f"about {seconds} s left"
    minutes = round(left_ms / MINUTE_MS)
    if minutes < _MINUTES_UP_TO:
        return f"about {minutes} min left"
    return f"about {round(left_ms / HOUR_MS)} h left"
