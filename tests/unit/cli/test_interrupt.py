from __future__ import annotations

import os
import signal

import pytest

from engine.cli.interrupt import Interrupts


def test_the_first_signal_asks_and_the_second_leaves():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts().caught() as interrupts:
        asked = [interrupts.is_asked]
        signal.raise_signal(signal.SIGINT)
        asked.append(interrupts.is_asked)
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
    assert asked == [False, True]
    assert signal.getsignal(signal.SIGINT) is before


def test_sigterm_asks_too():
    with Interrupts().caught() as interrupts:
        os.kill(os.getpid(), signal.SIGTERM)
        assert interrupts.is_asked
