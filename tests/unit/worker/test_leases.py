"""What a process holds, and how far it reaches ahead."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.clock import monotonic_ms
from engine.execution.attempt import Attempt
from engine.store.queue import LeasedJob, Room
from engine.worker.leases import LONGEST_CHAIN_MS, Leases, is_over
from engine.worker.reach import MOST_A_THREAD, Reach
from tests.support.wait import wait_until
from tests.unit.worker.serving import Serving

LEASE_MS = 10_000


def jobs(count: int, step: str = "s", queue: str = "q", *, limited: bool = False) -> list[LeasedJob]:
    return [
        LeasedJob(f"r{n}", f"{step}#1", step, "f", "v", queue, "w.1", 1, 0, "0", "", b"null", limited)
        for n in range(count)
    ]


class Desk(Leases):
    """What a process with four threads and two places on its loop, for the queue `l`, holds.

    Attributes:
        knocks: How often it told that there is room of another kind.
        serving: The queues.
    """

    def __init__(self, *, loop: str = "l") -> None:
        self.knocks = 0
        self.serving = Serving(loop=loop)
        super().__init__(
            threads=4,
            async_steps=2,
            lease_ms=LEASE_MS,
            served=self.serving,  # type: ignore[arg-type]
            grew=self._knock,
        )

    def _knock(self) -> None:
        self.knocks += 1

    def settle(self, attempt: Attempt, follower: LeasedJob | None = None) -> Attempt | None:
        """Settle an attempt, whose answer brings a job along or not."""
        self.settling(attempt, follows=follower is not None)
        return self.give_back(attempt, follower)


@pytest.fixture
def leases():
    return Desk(loop="")


def test_a_job_takes_room_until_its_settlement_is_acknowledged(leases):
    whole = leases.room()
    attempts = leases.take(jobs(3), since_ms=0)
    assert leases.room() == Room(threads=2, loop=0, free=1)
    for attempt in attempts:
        leases.settle(attempt)
    assert leases.room() == whole
    assert leases.held() == []


def test_a_process_holds_a_few_jobs_more_than_it_has_threads_of_work_that_it_does_not_know(leases):
    assert leases.room() == Room(threads=5, loop=0, free=4)
    leases.take(jobs(5), since_ms=0)
    assert not leases.room()


def test_room_for_a_few_is_no_room_while_no_thread_is_idle(leases):
    first, second, *_ = leases.take(jobs(5), since_ms=0)
    leases.settle(first)
    assert not leases.room()
    leases.settle(second)
    assert leases.room() == Room(threads=2, loop=0, free=1)


def test_who_waits_for_room_is_woken_by_it(leases):
    attempts = leases.take(jobs(5), since_ms=0)
    got = []
    waiter = threading.Thread(target=lambda: got.append(leases.wait_for_room(20)))
    waiter.start()
    for attempt in attempts:
        leases.settle(attempt)
    waiter.join(10)
    assert not waiter.is_alive()
    assert got[0].threads >= 2


def test_who_waits_in_vain_gets_no_room(leases):
    leases.take(jobs(5), since_ms=0)
    assert not leases.wait_for_room(0.01)


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


def test_a_job_of_a_limited_queue_does_not_wait_here_while_it_might_run_elsewhere(leases):
    limited, *others = leases.take(jobs(1, limited=True) + jobs(5), since_ms=0)
    for attempt in (limited, *others):
        attempt.taken_ms -= 1_000
    for attempt in others[:4]:
        leases.begin(attempt)
    assert leases.surplus() == [limited]


def test_the_loop_and_the_threads_have_rooms_of_their_own():
    desk = Desk()
    assert desk.room() == Room(threads=5, loop=2, free=4)
    awaited = desk.take(jobs(2, queue="l"), since_ms=0)
    assert desk.room() == Room(threads=5, loop=0, free=4)
    desk.take(jobs(5), since_ms=0)
    assert not desk.room()
    desk.settle(awaited[0])
    assert desk.room() == Room(threads=0, loop=1, free=0)


def test_a_process_without_queues_of_the_loop_has_no_room_for_them():
    assert Desk(loop="").room().loop == 0


def test_what_waits_for_the_loop_is_no_surplus_of_the_threads():
    desk = Desk()
    for attempt in desk.take(jobs(2, queue="l"), since_ms=0):
        attempt.taken_ms -= 1_000
    assert desk.surplus() == []


def test_room_of_a_kind_that_the_blocking_fetcher_had_none_of_is_told_once():
    desk = Desk()
    first, second = desk.take(jobs(2, queue="l"), since_ms=0)
    assert desk.may_block(desk.room())
    desk.settle(first)
    assert desk.knocks == 1
    desk.settle(second)
    assert desk.knocks == 1


def test_more_room_of_the_kind_that_it_blocks_for_is_not_told():
    desk = Desk()
    first, _ = desk.take(jobs(1, queue="l") + jobs(1), since_ms=0)
    assert desk.may_block(desk.room())
    desk.settle(first)
    assert desk.knocks == 0


def test_a_fetcher_that_does_not_block_any_more_is_told_nothing():
    desk = Desk()
    held = desk.take(jobs(2, queue="l"), since_ms=0)
    assert desk.may_block(desk.room())
    desk.blocked()
    desk.settle(held[0])
    assert desk.knocks == 0


def test_a_fetcher_does_not_block_when_there_is_room_of_another_kind_meanwhile():
    desk = Desk()
    held = desk.take(jobs(2, queue="l"), since_ms=0)
    before = desk.room()
    desk.settle(held[0])
    assert not desk.may_block(before)


@pytest.mark.parametrize("waits_by", ["blocking", "waiting for room"])
def test_a_job_that_came_along_for_the_other_room_leaves_room_where_it_came_from(waits_by):
    """A step in a thread is followed by one on the loop: the thread is free, and nobody else would say so."""
    desk = Desk()
    attempts = desk.take(jobs(5), since_ms=0)
    if waits_by == "blocking":
        assert desk.may_block(desk.room())
        for attempt in attempts:
            follower = jobs(1, "next", queue="l")[0]
            desk.settle(attempt, follower)
        assert desk.knocks == 1
    else:
        desk.take(jobs(2, queue="l"), since_ms=0)
        got: list[Room] = []
        waiter = threading.Thread(target=lambda: got.append(desk.wait_for_room(20)))
        waiter.start()
        wait_until(lambda: desk._is_waiting)
        for attempt in attempts:
            follower = jobs(1, "next", queue="l")[0]
            desk.settle(attempt, follower)
        waiter.join(5)
        assert not waiter.is_alive()
        assert got[0].threads > 0


def test_who_waits_for_room_looks_again_when_the_queues_are_others(leases):
    """All threads are busy, and a swap has brought the first queue of the loop."""
    leases.take(jobs(5), since_ms=0)
    got: list[Room] = []
    waiter = threading.Thread(target=lambda: got.append(leases.wait_for_room(20)))
    waiter.start()
    wait_until(lambda: leases._is_waiting)
    leases.serving.now = leases.serving.now._replace(loop=("l",))
    leases.reconsider_room()
    waiter.join(5)
    assert not waiter.is_alive()
    assert got == [Room(threads=0, loop=2, free=0)]


def test_a_settlement_asks_for_no_job_while_the_loop_is_more_than_full():
    desk = Desk()
    held = desk.take(jobs(3, queue="l"), since_ms=0)
    assert not desk.may_follow(held[0])
    desk.settle(held[0])
    assert desk.may_follow(held[1])


def test_a_chain_of_jobs_that_came_along_makes_room_for_others_after_a_second(leases):
    [attempt] = leases.take(jobs(1), since_ms=0)
    assert leases.may_follow(attempt)
    attempt.chain_since_ms -= LONGEST_CHAIN_MS / 2
    follower = leases.settle(attempt, jobs(1, "next")[0])
    assert leases.may_follow(follower)
    follower.chain_since_ms -= LONGEST_CHAIN_MS / 2
    assert not leases.may_follow(follower)
    assert leases.may_follow(leases.take(jobs(1), since_ms=0)[0])
