"""Waiting for a condition instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

#: Pause between two looks.
_PAUSE_S = 0.01


def wait_until(
    predicate: Callable[[], T], *, timeout_s: float = 10, saw: Callable[[], object] | None = None
) -> T:
    """Wait until a predicate is true, and return what it answered.

    Args:
        predicate: Called again and again.
        timeout_s: How long to wait, in seconds; the limit is only for what never comes.
        saw: Called on failure: its answer is shown. The predicate's last answer without it.

    Raises:
        AssertionError: It did not become true; says what was seen.
    """
    until = time.monotonic() + timeout_s
    while True:
        answer = predicate()
        if answer:
            return answer
        if time.monotonic() > until:
            seen = answer if saw is None else saw()
            raise AssertionError(f"waited {timeout_s} s in vain; saw: {seen!r}")
        time.sleep(_PAUSE_S)
