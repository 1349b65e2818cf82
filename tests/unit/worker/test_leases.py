"""What a process holds, and how far it reaches ahead."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import monotonic_ms
from engine.store.queue import LeasedJob
from engine.worker.leases import Leases, is_over
from engine.worker.reach import MOST_A_THREAD, Reach

LEASE_MS = 10_000


def jobs(count: int, step: str = "s") -> list[LeasedJob]:
    return [
        LeasedJob(f"r{n}", f"{step}#1", step, "f", "v", "q", "w.1", 1, 0, "0", "", b"null")
        for n in range(count)
    ]


@pytest.fixture
def leases():
    return Leases(threads=4, lease_ms=LEASE_MS)


def test_a_job_takes_room_until_its_settlement_is_acknowledged(leases):
    whole = leases.room()
    attempts = leases.take(jobs(3), since_ms=0)
    assert leases.room() <= whole - 3 or leases.room() == 0
    for attempt in attempts:
        leases.settling(attempt, follows=False)
        leases.give_back(attempt)
    assert leases.room() == whole
    assert leases.held() == []


def test_a_process_holds_a_few_jobs_more_than_it_has_threads_of_work_that_it_does_not_know(leases):
    assert leases.room() == 5
    leases.take(jobs(5), since_ms=0)
    assert leases.room() == 0


def test_room_for_a_few_is_no_room_while_no_thread_is_idle(leases):
    first, second, *_ = leases.take(jobs(5), since_ms=0)
    leases.settling(first, follows=False)
    leases.give_back(first)
    assert leases.room() == 0
    leases.settling(second, follows=False)
    leases.give_back(second)
    assert leases.room() == 2


def test_who_waits_for_room_is_woken_by_it(leases):
    attempts = leases.take(jobs(5), since_ms=0)
    got = []
    waiter = threading.Thread(target=lambda: got.append(leases.wait_for_room(20)))
    waiter.start()
    for attempt in attempts:
        leases.settling(attempt, follows=False)
        leases.give_back(attempt)
    waiter.join(10)
    assert not waiter.is_alive()
    assert got[0] >= 2


def test_who_waits_in_vain_gets_no_room(leases):
    leases.take(jobs(5), since_ms=0)
    assert leases.wait_for_room(0.01) == 0


def test_a_job_that_came_along_is_held_from_the_time_at_which_it_was_asked_for(leases):
    [attempt] = leases.take(jobs(1), since_ms=0)
    leases.settling(attempt, follows=True)
    [job] = jobs(1, "next")
    follower = leases.give_back(attempt, job, since_ms=5.0)
    assert follower is not None
    assert leases.held() == [follower]
    assert follower.lease_ends_ms == 5.0 + LEASE_MS


def test_a_lease_is_over_by_the_local_clock(leases):
    old, fresh = leases.take(jobs(1), since_ms=0) + leases.take(jobs(1), since_ms=monotonic_ms())
    assert is_over(old)
    assert not is_over(fresh)
    leases.renewed([old], since_ms=monotonic_ms())
    assert not is_over(old)


def test_a_quick_step_that_turns_slow_is_learnt():
    reach = Reach(4)
    for duration in [0.1] * 100 + [500] * 20:
        reach.learn("s", duration)
    assert reach.cost("s") > 400


@given(
    st.integers(1, 16),
    st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 10_000)), max_size=60),
)
def test_whatever_is_learnt_room_stays_within_its_bounds_and_all_of_it_comes_back(threads, work):
    reach = Reach(threads)
    costs: list[float] = []
    for step, duration in work:
        room = reach.room(len(costs))
        assert 0 <= room <= MOST_A_THREAD * threads - len(costs)
        if len(costs) < threads:
            assert room > 0
        if room:
            costs.append(reach.cost(step))
            reach.add(costs[-1])
        reach.learn(step, duration)
    for cost in costs:
        reach.remove(cost)
    assert (reach.jobs, reach.work_ms) == (0, 0.0)


def test_an_attempt_is_begun_or_given_back_and_never_both(leases):
    begun, withdrawn = leases.take(jobs(2), since_ms=0)
    assert leases.begin(begun)
    assert not leases.withdraw(begun)
    assert leases.withdraw(withdrawn)
    assert not leases.begin(withdrawn)


def test_what_waits_behind_handlers_that_turn_slow_is_surplus_but_for_a_few(leases):
    attempts = leases.take(jobs(6), since_ms=0)
    assert leases.surplus() == []
    for attempt in attempts:
        attempt.taken_ms -= 1_000
    for attempt in attempts[:4]:
        leases.begin(attempt)
    assert leases.surplus() == attempts[5:]
