"""`priority`: which of the jobs that wait goes first, in a queue and between queues."""

from __future__ import annotations

from typing import Any

import pytest

from engine.store.queue import Room
from tests.support.books import audit
from tests.support.store import Driver, deployed, hash_at, members


def queue_of(**priorities):
    """A flow whose steps of some priorities wait in one queue."""
    steps = {
        name: {"subscribes": name, "queue": "q", **({} if priority is None else {"priority": priority})}
        for name, priority in priorities.items()
    }
    return {"a": {"emits": sorted(priorities)}, **steps}


def begin(driver, *events, run_id="r"):
    """A run whose entry has emitted some events."""
    driver.start(run_id=run_id)
    (job,) = (job for job in driver.fetch(room=1) if job.step == "a")
    driver.commit(job, emits=[(event, k) for k, event in enumerate(events)])


def order(driver):
    """Which steps are handed out, one at a time."""
    steps = []
    while jobs := driver.fetch(room=1):
        steps += [job.step_id for job in jobs]
    return steps


def test_lower_numbers_go_first_and_five_is_what_nobody_has_said(store):
    driver = Driver(store, deployed(store, queue_of(last=9, plain=None, five=5, first=0, early=4, late=6)))
    begin(driver, "last", "late", "plain", "five", "early", "first")

    assert order(driver) == ["first#1", "early#1", "plain#1", "five#1", "late#1", "last#1"]
    audit(store)


def test_within_a_priority_who_came_first_goes_first(store):
    driver = Driver(store, deployed(store, queue_of(x=3, y=3, z=1)))
    begin(driver, "y", "x", "z", "x", "y", "z", "x")

    assert order(driver) == ["z#1", "z#2", "y#1", "x#1", "x#2", "y#2", "x#3"]


def test_what_comes_later_overtakes_what_waits(store):
    driver = Driver(store, deployed(store, queue_of(x=5, y=1)))
    begin(driver, "x", "x", "x")
    driver.fetch(room=1)
    driver.start(run_id="r2")
    jobs = {job.step: job for job in driver.fetch(room=2)}
    driver.commit(jobs["a"], emits=[("y", 1)])

    assert order(driver) == ["y#1", "x#3"]


@pytest.mark.parametrize("way", ["release", "lose", "delay"])
def test_what_was_given_back_has_its_old_place(store, way):
    driver = Driver(store, deployed(store, queue_of(x=5, y=2)))
    begin(driver, "x", "x", "x", "y")
    _, second, _ = sorted(driver.fetch(room=3), key=lambda job: job.step_id)
    assert second.step_id == "x#2"
    if way == "release":
        driver.release(second)
    elif way == "lose":
        driver.lose(second)
    else:
        driver.release(second, delay_ms=30_000)
        with store.talking() as client:
            client.zadd(f"{store.keys.prefix}:queue:q:delayed", {second.id: 1})
            client.zadd(f"{store.keys.prefix}:timers", {"d q": 1})
        driver.promote()

    assert order(driver) == ["x#2", "x#3"]
    audit(store)


def test_what_came_along_with_a_commit_and_is_given_back_is_first_of_its_priority(store):
    driver = Driver(store, deployed(store, queue_of(x=5, y=2)))
    driver.start(run_id="r")
    token = driver.token()
    taken = driver.taken(driver.commit(driver.fetch_one(), emits=[("x", 1)], take=token), token)
    driver.start(run_id="r2")
    driver.commit(driver.fetch_one(), emits=[("x", 1), ("y", 1)])
    driver.release(taken)

    assert members(store, "queue:q:wait") == ["r2/y#1", "r/x#1", "r2/x#1"]
    assert hash_at(store, "job:r/x#1")["score"] == str(5 * 2**42)


def test_the_entry_has_its_priority_too(store):
    driver = Driver(store, deployed(store, {"a": {"queue": "q"}}))
    urgent = Driver(store, deployed(store, {"a": {"queue": "q", "priority": 0}}, flow="g"), name="v")
    driver.start(run_id="r")
    urgent.start(run_id="s")

    assert [job.run_id for job in driver.fetch(room=2)] == ["s", "r"]


def test_a_place_is_exact_however_many_jobs_a_queue_has_seen(store):
    """The highest priority number after four million million jobs is a number that a score holds exactly."""
    driver = Driver(store, deployed(store, queue_of(x=9)))
    with store.talking() as client:
        client.hset(f"{store.keys.prefix}:queue:q:conf", "seq", 2**42 - 3)
    begin(driver, "x", "x")
    with store.talking() as client:
        scores = [client.zscore(f"{store.keys.prefix}:queue:q:wait", f"r/x#{k}") for k in (1, 2)]

    assert scores == [10 * 2**42 - 2, 10 * 2**42 - 1]
    assert [int(hash_at(store, f"job:r/x#{k}")["score"]) for k in (1, 2)] == scores
    assert order(driver) == ["x#1", "x#2"]


#: Three queues, each with the priority of its step.
QUEUES: dict[str, dict[str, Any]] = {
    "a": {"emits": ["x", "y", "z"]},
    "x": {"subscribes": "x", "priority": 7},
    "y": {"subscribes": "y", "priority": 2},
    "z": {"subscribes": "z", "priority": 2},
}


def test_the_queue_whose_first_job_is_most_urgent_goes_first(store):
    driver = Driver(store, deployed(store, QUEUES))
    begin(driver, "x", "x", "y", "x", "y")

    assert order(driver) == ["y#1", "y#2", "x#1", "x#2", "x#3"]


def test_a_queue_is_as_urgent_as_the_job_that_waits_first_in_it_not_the_last(store):
    steps = queue_of(first=1, last=9)
    steps["a"]["emits"].append("between")
    driver = Driver(store, deployed(store, {**steps, "between": {"subscribes": "between", "priority": 5}}))
    begin(driver, "last", "first", "between")

    assert order(driver) == ["first#1", "between#1", "last#1"]


def test_queues_of_one_priority_share_the_room_and_others_get_what_is_left(store):
    driver = Driver(store, deployed(store, QUEUES))
    begin(driver, *"xxxyyyzzz")
    assert sorted(job.step for job in driver.fetch(room=4)) == ["y", "y", "z", "z"]
    assert sorted(job.step for job in driver.fetch(room=4)) == ["x", "x", "y", "z"]
    audit(store)


def test_no_queue_of_a_priority_is_left_out_though_there_is_room_for_one_job_at_a_time(store):
    """Where a fetch begins is left to chance: both are served, but for one time in 2^39."""
    driver = Driver(store, deployed(store, QUEUES))
    begin(driver, *"y" * 40, *"z" * 40)

    assert {job.step for _ in range(40) for job in driver.fetch(room=1)} == {"y", "z"}


def test_a_queue_that_has_less_than_its_share_leaves_it_to_others(store):
    driver = Driver(store, deployed(store, QUEUES))
    begin(driver, *"xxxyzz")

    assert sorted(job.step for job in driver.fetch(room=6)) == ["x", "x", "x", "y", "z", "z"]


def test_a_limited_queue_does_not_keep_the_room_that_it_may_not_use(store):
    driver = Driver(store, deployed(store, {**QUEUES, "y": {**QUEUES["y"], "concurrency": 1}}))
    begin(driver, *"xxyyy")

    assert sorted(job.step for job in driver.fetch(room=4)) == ["x", "x", "y"]


def test_each_room_goes_by_priority_for_itself(store):
    driver = Driver(store, deployed(store, QUEUES))
    driver.served = driver.served._replace(threads=("f.a", "f.x"), loop=("f.y", "f.z"))
    driver.register()
    begin(driver, *"xxyyzz")
    jobs = driver.fetch(room=Room(threads=1, loop=3, free=1))

    assert sorted(job.step for job in jobs)[:1] == ["x"]
    assert len(jobs) == 4
    assert {job.step for job in jobs} == {"x", "y", "z"}
