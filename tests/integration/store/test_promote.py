"""`promote`: what has fallen due waits again, and no marker stays away."""

from __future__ import annotations

import pytest

from engine.store import queue
from tests.support.books import contents
from tests.support.store import CHAIN, Driver, deployed, hash_at, members


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def make_due(store, name):
    """Let everything that is delayed in a queue be due, as if time had passed."""
    keys = store.keys.prefix
    with store.talking() as client:
        for job_id in client.zrange(f"{keys}:queue:{name}:delayed", 0, -1):
            client.zadd(f"{keys}:queue:{name}:delayed", {job_id: 1})
        client.zadd(f"{keys}:timers", {f"d {name}": 1})


def test_nothing_is_due_where_nothing_waits(store, driver):
    was = contents(store)
    assert driver.promote() == -1
    assert contents(store) == was


def test_what_is_not_due_stays(store, driver):
    driver.start()
    driver.release(driver.fetch_one(), delay_ms=30_000)
    was = contents(store)

    assert 29_000 < driver.promote() <= 30_000
    assert contents(store) == was


def test_what_is_due_goes_to_its_place_and_once(store, driver):
    for k in range(3):
        driver.start(run_id=f"r{k}")
    driver.release(driver.fetch_one(), delay_ms=30_000)
    make_due(store, "f.a")
    assert driver.promote() == -1
    was = contents(store)
    assert driver.promote() == -1

    assert contents(store) == was
    assert members(store, "queue:f.a:wait") == ["r0/a#1", "r1/a#1", "r2/a#1"]
    assert members(store, "queue:f.a:delayed") == members(store, "timers") == []
    job = driver.fetch_one()
    assert (job.run_id, job.attempt, job.losses) == ("r0", 1, 0)


def test_one_call_moves_a_bounded_number_and_says_that_more_is_due(store, driver):
    for _ in range(5):
        driver.start()
    for job in driver.fetch(room=5):
        driver.release(job, delay_ms=30_000)
    make_due(store, "f.a")
    name, args = queue.promote(limit=3)

    assert store.call(name, *args) == [0]
    assert len(members(store, "queue:f.a:wait")) == 3
    assert store.call(name, *args) == [-1]
    assert len(members(store, "queue:f.a:wait")) == 5


def test_the_next_thing_due_is_that_of_the_earliest_queue(store, driver):
    driver.start()
    job = driver.fetch_one()
    driver.commit(job, emits=[("one", 1)])
    driver.release(driver.fetch_one(), delay_ms=50_000)
    driver.start()
    driver.release(driver.fetch_one(), delay_ms=20_000)

    assert 19_000 < driver.promote() <= 20_000


def test_a_delayed_job_of_a_run_that_has_failed_is_dropped(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    first, second = driver.fetch(room=2)
    driver.release(first, delay_ms=30_000)
    driver.fail(second)
    make_due(store, "f.b")
    driver.promote()

    assert driver.fetch(room=5) == []
    assert members(store, "queue:f.b:delayed") == members(store, "queue:f.b:wait") == []
    assert driver.state("r").activations["b#1"].state == "dropped"


def test_a_marker_that_a_dead_process_took_is_left_again(store, driver):
    driver.start()
    with store.talking() as client:
        client.delete(store.keys.queue_wake("f.a"))
        driver.promote()
        assert client.llen(store.keys.queue_wake("f.a")) == 1


def test_a_queue_that_is_empty_leaves_the_ready_ones(store, driver):
    with store.talking() as client:
        client.sadd(f"{store.keys.prefix}:ready", "f.a")
    driver.promote()
    assert members(store, "ready") == []


def test_an_id_without_a_job_is_dropped(store, driver):
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:queue:f.a:delayed", {"nobody/a#1": 1})
        client.zadd(f"{store.keys.prefix}:timers", {"d f.a": 1})
    driver.promote()

    assert members(store, "queue:f.a:delayed") == members(store, "queue:f.a:wait") == []
    assert hash_at(store, "job:nobody/a#1") == {}


def test_an_id_of_a_job_that_somebody_has_is_dropped(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:queue:f.a:delayed", {job.id: 1})
        client.zadd(f"{store.keys.prefix}:timers", {"d f.a": 1})
    driver.promote()

    assert members(store, "queue:f.a:delayed") == members(store, "queue:f.a:wait") == []
    assert driver.commit(job).word == "OK"


def test_several_fan_outs_that_are_being_laid_out_are_told_of_at_once(store, driver):
    for run_id in ("r1", "r2", "r3"):
        driver.start(run_id=run_id)
    for job in driver.fetch(room=3):
        driver.stage_all(job, [("one", 1), ("one", 2)])
        driver.commit(job, staged=2)
    name, args = queue.promote(limit=1)

    assert {job_id for job_id, *_ in store.call(name, *args)[1:]} == {b"r1/a#1", b"r2/a#1", b"r3/a#1"}
