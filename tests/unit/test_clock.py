"""The estimate of a server's clock, which another process's answers correct."""

from __future__ import annotations

import random

import pytest

from engine.clock import ServerClock, monotonic_ms


class Server:
    """A server whose clock is this machine's monotonic one and something more."""

    def __init__(self, clock: ServerClock, *, ahead_ms: float) -> None:
        self._clock = clock
        self.ahead_ms = ahead_ms
        self.local_ms = monotonic_ms()

    def answer(self, *, there_ms: float, back_ms: float) -> None:
        """Answer a question that takes so long to come here, and its answer so long to come back."""
        sent_ms = self.local_ms
        received_ms = sent_ms + there_ms + back_ms
        self._clock.learn(int(sent_ms + there_ms + self.ahead_ms), sent_ms=sent_ms, received_ms=received_ms)
        self.local_ms = received_ms

    def error_ms(self) -> float:
        """How far the estimate is ahead of this server's clock, to a millisecond."""
        return self._clock.now_ms() - (monotonic_ms() + self.ahead_ms)


@pytest.fixture
def clock():
    return ServerClock()


def test_the_first_answer_tells_the_time_to_what_it_took(clock):
    server = Server(clock, ahead_ms=1e12)
    server.answer(there_ms=1, back_ms=2)
    assert -3 <= server.error_ms() <= 3


def test_a_slow_answer_moves_nothing(clock):
    server = Server(clock, ahead_ms=1e12)
    server.answer(there_ms=0.1, back_ms=0.1)
    for there_ms, back_ms in [(80, 0), (0, 80), (40, 40)]:
        server.answer(there_ms=there_ms, back_ms=back_ms)
        assert -2.5 <= server.error_ms() <= 1.5


def test_many_answers_tell_it_better_than_one(clock):
    server, chance = Server(clock, ahead_ms=1e12 + 0.5), random.Random(7)
    for _ in range(200):
        server.answer(there_ms=chance.uniform(0.1, 20), back_ms=chance.uniform(0.1, 20))
    assert -2.5 <= server.error_ms() <= 1.5


def test_a_clock_that_is_set_is_followed(clock):
    server = Server(clock, ahead_ms=1e12)
    server.answer(there_ms=0.1, back_ms=0.1)
    for ahead_ms in (1e12 + 60_000, 1e12 - 60_000):
        server.ahead_ms = ahead_ms
        server.answer(there_ms=0.1, back_ms=0.1)
        assert -2.5 <= server.error_ms() <= 1.5


def test_a_clock_that_drifts_is_followed(clock):
    server = Server(clock, ahead_ms=1e12)
    for _ in range(1000):
        server.answer(there_ms=0.1, back_ms=0.1)
        server.local_ms += 1000
        server.ahead_ms += 0.4
    # The estimate is asked for at the local time to which the answers have led.
    assert abs(clock.now_ms() - (monotonic_ms() + server.ahead_ms)) <= 3
