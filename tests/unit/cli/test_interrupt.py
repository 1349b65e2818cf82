from __future__ import annotations

import os
import signal

import pytest

from engine.cli.interrupt import Interrupts, held_back, raised
from engine.errors import EmbeddedServerError


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


def test_a_closed_terminal_that_says_so_twice_asks_once():
    with Interrupts().caught() as interrupts:
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert interrupts.is_asked


def test_a_signal_that_was_ignored_before_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interrupts().caught() as interrupts, raised():
            signal.raise_signal(signal.SIGHUP)
            assert not interrupts.is_asked
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_around_a_command_leaves_its_blocks_in_order(number):
    left = []

    def command():
        try:
            signal.raise_signal(number)
        finally:
            left.append("inner")
            signal.raise_signal(signal.SIGHUP)
            left.append("outer")

    with pytest.raises(KeyboardInterrupt), raised():
        command()
    assert left == ["inner", "outer"]


def test_a_signal_that_is_held_back_counts_at_the_end_of_the_block():
    done = []

    def command():
        with held_back():
            signal.raise_signal(signal.SIGTERM)
            done.append("block")
        done.append("after")

    with pytest.raises(KeyboardInterrupt), raised():
        command()
    assert done == ["block"]


def test_a_signal_that_is_held_back_counts_more_than_what_the_block_raises_after_it():
    """What the signal did to others may be all that went wrong."""

    def command():
        with held_back():
            signal.raise_signal(signal.SIGINT)
            raise EmbeddedServerError("the server did not start")

    with pytest.raises(KeyboardInterrupt), raised():
        command()


def test_what_a_block_raises_counts_where_nobody_leaves_for_the_signal():
    def command():
        with held_back():
            signal.raise_signal(signal.SIGINT)
            raise EmbeddedServerError("the server did not start")

    with Interrupts().caught() as interrupts, pytest.raises(EmbeddedServerError):
        command()
    assert interrupts.is_asked


def test_a_second_signal_is_not_held_back():
    done = []

    def command():
        with held_back():
            signal.raise_signal(signal.SIGTERM)
            signal.raise_signal(signal.SIGTERM)
            done.append("block")

    with pytest.raises(KeyboardInterrupt), raised():
        command()
    assert done == []
