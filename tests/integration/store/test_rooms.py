"""`fetch` with two rooms: jobs that threads do, and jobs that the event loop does."""

from __future__ import annotations

import pytest

from engine.store.queue import Room, Served
from tests.support.books import audit, contents
from tests.support.store import LEASE_MS, Driver, deployed, hash_at, members

STEPS = {
    "a": {"emits": ["one", "two"]},
    "sync": {"subscribes": "one"},
    "loop": {"subscribes": "two"},
}

SERVED = Served(threads=("f.a", "f.sync"), loop=("f.loop",))


@pytest.fixture
def driver(store):
    driver = Driver(store, deployed(store, STEPS), served=SERVED)
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("two", 1)] * 5)
    return driver


def steps(jobs):
    return sorted(job.step for job in jobs)


def markers(store):
    with store.talking() as client:
        return [client.llen(store.keys.queue_wake(name)) for name in ("f.sync", "f.loop")]


def take_markers(store):
    with store.talking() as client:
        client.delete(store.keys.queue_wake("f.sync"), store.keys.queue_wake("f.loop"))


@pytest.mark.parametrize(
    ("threads", "loop"), [(2, 0), (0, 2), (1, 3), (3, 1), (9, 9), (9, 2), (0, 0)], ids=str
)
def test_each_kind_of_job_is_bounded_by_its_own_room(store, driver, threads, loop):
    jobs = driver.fetch(room=Room(threads, loop, free=threads))

    assert steps(jobs) == ["loop"] * min(5, loop) + ["sync"] * min(5, threads)
    audit(store)


@pytest.mark.parametrize(("threads", "loop"), [(2, 0), (0, 2), (0, 0)], ids=str)
def test_what_it_has_no_room_for_keeps_a_marker(store, driver, threads, loop):
    take_markers(store)
    driver.fetch(room=Room(threads, loop, free=threads))

    assert markers(store) == [1, 1]


def test_asked_again_it_answers_the_jobs_of_both_rooms(store, driver):
    jobs = driver.fetch(room=Room(2, 2, free=2))
    was = contents(store)

    assert driver.fetch(room=Room(2, 2, free=2), seq=driver.seq) == jobs
    assert driver.fetch(room=Room(0, 0, free=0), seq=driver.seq) == jobs
    assert contents(store) == was


def test_a_worker_may_have_queues_of_the_event_loop_alone(store, driver):
    other = Driver(store, driver.plan, name="v", served=Served((), ("f.loop",)))

    assert steps(other.fetch(room=Room(9, 2, free=9))) == ["loop"] * 2
    assert other.fetch(room=Room(9, 0, free=9)) == []
    assert other.fetch_answer(room=Room(9, 0, free=9)).word == "OK"


def test_a_worker_may_serve_nothing(store, driver):
    other = Driver(store, driver.plan, name="v", served=Served((), ()))

    assert other.fetch(room=Room(9, 9, free=9)) == []


def test_a_queue_may_be_of_threads_in_one_worker_and_of_the_event_loop_in_another(store, driver):
    """While a new version, whose handler is `async def`, is rolled out."""
    other = Driver(store, driver.plan, name="v", served=Served((), ("f.sync",)))

    assert steps(driver.fetch(room=Room(2, 0, free=2))) == ["sync"] * 2
    assert steps(other.fetch(room=Room(0, 2, free=0))) == ["sync"] * 2


def test_without_its_hash_a_worker_registers_again_even_if_its_queues_are_there(store, driver):
    with store.talking() as client:
        client.delete(store.keys.worker("w"))
    was = contents(store)
    assert driver.fetch_answer(room=Room(1, 1, free=1)).word == "REGISTER"
    assert contents(store) == was

    driver.register()
    assert steps(driver.fetch(room=Room(1, 1, free=1))) == ["loop", "sync"]


def test_what_it_renews_are_its_hash_and_the_queues_of_both_kinds(store, driver):
    keys = store.keys.worker("w"), *store.keys.worker_queues("w")
    with store.talking() as client:
        for key in keys:
            client.pexpire(key, 5_000)
        driver.fetch(room=Room(0, 0, free=0))
        assert all(LEASE_MS - 5_000 < client.pttl(key) <= LEASE_MS for key in keys)


def test_queues_that_were_lost_come_back_with_the_next_heartbeat(store, driver):
    with store.talking() as client:
        client.delete(*store.keys.worker_queues("w"))
    assert driver.fetch(room=9) == []
    driver.register()

    assert members(store, "worker:w:queues:loop") == ["f.loop"]
    assert len(driver.fetch(room=9)) == 10


def test_the_last_fetch_of_a_worker_that_leaves_passes_on_what_its_markers_stood_for(store, driver):
    take_markers(store)
    assert driver.fetch(room=0) == []
    assert markers(store) == [1, 1]
    assert hash_at(store, "run:r")["leased"] == "0"
