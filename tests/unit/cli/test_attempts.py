from __future__ import annotations

from dataclasses import replace

from engine.cli.attempts import Attempts
from tests.support.events import begun, error, event


def gathered(*events):
    attempts = Attempts()
    assert list(attempts.noting([begun(), *events])) == [begun(), *events]
    return [(one.number, one.started_at_ms, one.ended_at_ms, one.ended_by) for one in attempts.of("a#1")]


def began(ts_ms, number):
    one = event("step.started", "a#1", ts_ms=ts_ms)
    return replace(one, attempt=number)


def test_each_attempt_has_its_times_and_its_end():
    retry = replace(event("step.retry", "a#1", ts_ms=20, error=error(), delay=5), attempt=1)
    done = replace(event("step.completed", "a#1", ts_ms=40), attempt=2)
    assert gathered(began(10, 1), retry, began(30, 2), done) == [
        (1, 10, 20, "step.retry"),
        (2, 30, 40, "step.completed"),
    ]


def test_an_attempt_that_runs_has_no_end():
    assert gathered(began(10, 1)) == [(1, 10, None, None)]


def test_the_end_of_the_run_ends_what_runs():
    assert gathered(began(10, 1), event("flow.failed", ts_ms=50)) == [(1, 10, 50, "flow.failed")]


def test_an_attempt_that_was_lost_before_it_said_that_it_began_ends_no_other():
    lost = [replace(event("step.lost", "a#1", ts_ms=number * 20), attempt=number) for number in (1, 2)]
    assert gathered(began(10, 1), *lost) == [(1, 10, 20, "step.lost")]


def test_a_clock_that_was_ahead_makes_no_attempt_of_less_than_no_time():
    done = event("step.completed", "a#1", ts_ms=5)
    assert gathered(began(10, 1), done) == [(1, 10, 10, "step.completed")]


def test_what_was_never_tried_has_no_attempts():
    assert gathered() == []
