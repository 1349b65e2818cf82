"""What handlers print, as a worker's process has it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from engine.execution.capture import PrintsToLog


@contextmanager
def prints_to_log() -> Iterator[None]:
    """Prints of handlers become events; not a fixture, since pytest sets `sys.stdout` after those."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", PrintsToLog(sys.stdout))
        yield
