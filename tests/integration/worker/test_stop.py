"""How a worker comes to its end: nothing done is lost, nothing that was not begun is kept."""

from __future__ import annotations

import threading

import pytest

from engine.events.types import STEP_LOST, STEP_STARTED
from tests.support.wait import wait_until
from tests.support.worker import alone, assert_recorded_once, chain

#: No lease runs out while a test runs: what is free again was given back.
NEVER_MS = 600_000


class Gate:
    """A handler that waits until it is opened."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.opened = threading.Event()

    def __call__(self, job, ctx):
        self.begun.release()
        assert self.opened.wait(30)
        return "through"


def test_a_running_handler_ends_within_the_grace_and_is_recorded(workshop):
    gate = Gate()
    slow = alone(gate)
    worker = workshop.work(slow, threads=1, lease_ms=NEVER_MS)
    run_id = workshop.start(slow)
    assert gate.begun.acquire(timeout=10)
    stopping = threading.Thread(target=worker.stop, args=(20_000,))
    stopping.start()
    gate.opened.set()
    stopping.join(20)
    assert not stopping.is_alive()
    assert workshop.ended(run_id).result == "through"
    assert workshop.leased() == []


def test_jobs_that_were_not_started_are_given_back_and_cost_no_attempt(workshop):
    gate = Gate()
    slow = alone(gate)
    ids = workshop.start_many(slow, 10)
    worker = workshop.work(slow, threads=4, lease_ms=NEVER_MS)
    for _ in range(4):
        assert gate.begun.acquire(timeout=10)
    wait_until(lambda: len(workshop.leased()) > 4, saw=workshop.leased)
    stopping = threading.Thread(target=worker.stop, args=(20_000,))
    stopping.start()
    gate.opened.set()
    stopping.join(20)
    assert not stopping.is_alive()
    assert workshop.leased() == []
    workshop.work(slow, threads=2, lease_ms=NEVER_MS)
    for run in workshop.all_ended(ids):
        assert run.status == "completed"
        [started] = workshop.events(run.run_id, STEP_STARTED)
        assert started.attempt == 1
        assert workshop.events(run.run_id, STEP_LOST) == []


def test_a_handler_that_does_not_end_is_left_to_its_lease_and_its_result_is_discarded(workshop):
    gate = Gate()
    slow = alone(gate)
    worker = workshop.work(slow, threads=1, lease_ms=1_000)
    run_id = workshop.start(slow)
    assert gate.begun.acquire(timeout=10)
    worker.stop(50)
    assert workshop.leased() == [f"{run_id}/only#1"]
    workshop.work(slow, threads=1, lease_ms=1_000)
    assert gate.begun.acquire(timeout=10)
    gate.opened.set()
    run = workshop.ended(run_id)
    assert run.result == "through"
    assert_recorded_once(workshop.events(run_id), "only#1")
    assert [event.data["losses"] for event in workshop.events(run_id, STEP_LOST)] == [1]


@pytest.mark.parametrize("moment", range(6))
def test_a_stop_under_load_leaves_nothing_leased_and_nothing_lost(workshop, moment):
    three = chain()
    ids = workshop.start_many(three, 60)
    worker = workshop.work(three, threads=4, lease_ms=NEVER_MS)
    ended = f"{workshop.store.keys.prefix}:runs:ended"
    with workshop.store.talking() as client:
        wait_until(lambda: client.zcard(ended) >= 3 * moment)
    worker.stop(20_000)
    assert workshop.leased() == []
    workshop.work(three, threads=4, lease_ms=NEVER_MS)
    for run in workshop.all_ended(ids):
        events = workshop.events(run.run_id)
        assert run.status == "completed"
        assert_recorded_once(events, "first#1", "second#1", "third#1")
        assert {event.attempt for event in events if event.step_id} == {1}


def test_a_worker_that_is_stopped_at_once_stops(workshop):
    three = chain()
    worker = workshop.build(three)
    worker.start()
    worker.stop(20_000)
    assert worker.failure is None


def test_a_stopped_worker_is_gone_from_the_list_of_workers(workshop):
    three = chain()
    worker = workshop.work(three)
    with workshop.store.talking() as client:
        assert client.smembers(workshop.store.keys.workers) == {worker.worker_id.encode()}
        worker.stop(1000)
        worker.stop(1000)
        assert client.smembers(workshop.store.keys.workers) == set()


@pytest.mark.parametrize("name", ["_fetcher", "_committer", "_keeper"])
def test_a_vital_thread_that_dies_is_reported_at_once(workshop, name):
    """The process then ends: what has killed the thread, a fault of the engine, may kill the others too."""
    three = chain()
    worker = workshop.build(three)
    thread = getattr(worker, name)
    for call in ("command", "call", "send"):
        setattr(thread._channel, call, lambda *_: 1 // 0)
    worker.start()
    workshop.start(three, {"n": 0})
    wait_until(lambda: workshop.deaths)
    [death] = workshop.deaths
    assert worker.failure == death
    assert death.why.startswith(f"the thread {thread.name} has died of ZeroDivisionError")
    worker._committer.stopping.set()
    workshop.deaths.clear()
