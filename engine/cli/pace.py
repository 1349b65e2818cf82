"""How long a fan-out will take, where that can be said honestly; pure."""

from __future__ import annotations

from collections import deque
from typing import Final

#: What was settled in so much time tells the pace; less than the shorter time tells nothing.
_WINDOW_MS: Final = 15_000
_SHORTEST_MS: Final = 3_000

#: Time between two samples.
_SAMPLE_MS: Final = 500

#: Fewer settled activations are too few to judge by, and less time is not worth a word.
_FEWEST: Final = 10
_SOON_MS: Final = 3_000

_SECOND_MS: Final = 1_000
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 3_600_000


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
    if left_ms < _MINUTE_MS:
        step_ms = _SECOND_MS if left_ms < 10 * _SECOND_MS else 5 * _SECOND_MS
        return f"about {round(left_ms / step_ms) * step_ms // _SECOND_MS} s left"
    if left_ms < 2 * _HOUR_MS:
        return f"about {round(left_ms / _MINUTE_MS)} min left"
    return f"about {round(left_ms / _HOUR_MS)} h left"
