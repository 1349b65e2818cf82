"""How far a process reaches ahead, as arithmetic."""

from __future__ import annotations

import pytest

from engine.worker.reach import MOST_A_THREAD, REACH_MS, Reach

THREADS = 4


@pytest.fixture
def reach():
    return Reach(THREADS)


def learned(reach, step, duration_ms):
    for _ in range(100):
        reach.learn(step, duration_ms)


#: What a process may always have in hand.
ALWAYS = THREADS + 1


def test_a_process_that_knows_nothing_takes_a_few_more_jobs_than_it_has_threads(reach):
    assert reach.room(0) == ALWAYS


def test_slow_jobs_are_not_hoarded(reach):
    learned(reach, "f.slow", 1_000.0)
    for _ in range(ALWAYS):
        reach.add(reach.cost("f.slow"))

    assert reach.room(ALWAYS) == 0
    assert reach.may_follow(), "one leaves for one that comes"
    reach.add(reach.cost("f.slow"))
    assert not reach.may_follow()


def test_quick_jobs_may_be_many_within_the_bound(reach):
    learned(reach, "f.quick", 0.1)

    assert reach.room(0) == MOST_A_THREAD * THREADS
    assert reach.room(MOST_A_THREAD * THREADS - 3) == 3
    assert reach.room(MOST_A_THREAD * THREADS) == 0


def test_a_step_that_was_never_seen_counts_as_all_the_work_that_is_allowed(reach):
    learned(reach, "f.quick", 0.1)
    assert reach.cost("f.new") == REACH_MS * THREADS

    for _ in range(ALWAYS):
        reach.add(reach.cost("f.new"))

    assert reach.room(ALWAYS) == 0


def test_what_was_added_is_gone_when_it_is_removed(reach):
    learned(reach, "f.quick", 0.3)
    costs = [reach.cost("f.quick"), reach.cost("f.new"), reach.cost()]
    for cost in costs:
        reach.add(cost)
    for cost in costs:
        reach.remove(cost)

    assert (reach.jobs, reach.work_ms) == (0, 0.0)


def test_durations_of_many_steps_are_forgotten_in_the_end(reach):
    for number in range(10_050):
        reach.learn(f"f.step{number}", 1.0)

    assert reach.cost("f.step0") == REACH_MS * THREADS
    assert reach.cost("f.step10049") == 1.0
