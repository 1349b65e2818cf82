"""`concurrency`: a queue hands out only so many jobs at once, and a place that is freed wakes somebody."""

from __future__ import annotations

import pytest

from engine.control.deploy import deploy
from engine.store.queue import Room, Served
from tests.support.books import audit
from tests.support.store import Driver, deployed, forget_run, hash_at, members, plan_from


def steps(limit=2):
    about = {"subscribes": "one", "emits": ["two"]}
    return {
        "a": {"emits": ["one"]},
        "b": about if limit is None else {**about, "concurrency": limit},
        "c": {"subscribes": "two"},
    }


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, steps()))


def fill(driver, count=5, run_id="r"):
    """A run with some jobs of the limited step, none of them handed out."""
    other = Driver(driver.store, driver.plan, name=f"of-{run_id}", served=Served(("f.a",), ()))
    other.start(run_id=run_id)
    other.commit(other.fetch_one(), emits=[("one", k) for k in range(count)])


def markers(store, name="f.b"):
    with store.talking() as client:
        return client.llen(store.keys.queue_wake(name))


def take_marker(store, name="f.b"):
    """What a worker does that wakes."""
    with store.talking() as client:
        client.lpop(store.keys.queue_wake(name))


def test_no_more_are_handed_out_at_once_than_the_limit_whoever_asks(store, driver):
    other = Driver(store, driver.plan, name="v")
    fill(driver)
    jobs = driver.fetch(room=1) + other.fetch(room=9)
    assert [job.step_id for job in jobs] == ["b#1", "b#2"]
    assert driver.fetch(room=9) == other.fetch(room=9) == []
    audit(store)

    driver.commit(jobs[0])
    (third,) = other.fetch(room=9)
    assert third.step_id == "b#3"
    assert driver.fetch(room=9) == []


def test_a_job_says_whether_its_queue_is_limited_also_when_it_is_asked_for_again(driver):
    fill(driver)
    assert [job.is_limited for job in driver.fetch(room=9)] == [True, True]
    assert [job.is_limited for job in driver.fetch(room=9, seq=driver.seq)] == [True, True]
    driver.start(run_id="r2")
    assert [job.is_limited for job in driver.fetch(room=9)] == [False]


def test_a_queue_without_a_free_place_is_not_ready_and_gets_no_marker(store, driver):
    fill(driver)
    take_marker(store)
    driver.fetch(room=9)
    assert members(store, "ready") == []
    assert markers(store) == 0
    driver.promote()
    fill(driver, run_id="r2")
    assert members(store, "ready") == []
    assert markers(store) == 0


def commit(driver, job):
    assert driver.commit(job).word == "OK"


def fail(driver, job):
    assert driver.fail(job).word == "OK"


def release(driver, job):
    assert driver.release(job).word == "OK"


def delay(driver, job):
    assert driver.release(job, delay_ms=30_000).word == "OK"


def lose(driver, job):
    assert driver.lose(job).lost == 1


def exhaust(driver, job):
    (exhausted,) = driver.lose(job, max_losses=1).exhausted
    assert markers(driver.store) == 0, "whoever fails it has its place"
    assert driver.fail(exhausted).word == "OK"


def forget(driver, job):
    forget_run(driver.store, job.run_id)
    assert driver.commit(job).word == "GONE"


def sweep_forgotten(driver, job):
    forget_run(driver.store, job.run_id)
    driver.lose(job)


def forget_in_a_report(driver, job):
    forget_run(driver.store, job.run_id)
    assert driver.report(job, []).word == "GONE"


@pytest.mark.parametrize(
    "call", [commit, fail, release, delay, lose, exhaust, forget, sweep_forgotten, forget_in_a_report]
)
def test_a_place_that_is_freed_wakes_somebody(store, driver, call):
    """The jobs are of different runs, so that the end of one does not end the others."""
    fill(driver, 1, run_id="r1")
    fill(driver, 1, run_id="r2")
    first, second = driver.fetch(room=2)
    fill(driver, 3, run_id="r3")
    take_marker(store)
    driver.promote()
    assert markers(store) == 0
    call(driver, first)

    assert markers(store) == 1
    assert members(store, "ready") == ["f.b"]
    audit(store)
    assert len(driver.fetch(room=9)) == 1
    assert members(store, "queue:f.b:active").count(second.id) == 1


@pytest.mark.parametrize("call", [commit, fail, release, delay, lose])
def test_a_place_that_is_freed_in_a_failing_run_wakes_somebody(store, driver, call):
    fill(driver, 2, run_id="bad")
    first, second = driver.fetch(room=2)
    fill(driver, 2, run_id="good")
    driver.fail(first)
    (third,) = driver.fetch(room=9)
    take_marker(store)
    call(driver, second)

    assert driver.state("bad").status == "failed"
    assert markers(store) == 1
    assert [job.run_id for job in (third, *driver.fetch(room=9))] == ["good", "good"]


def test_jobs_of_a_run_that_is_over_take_no_place(store, driver):
    fill(driver, 5, run_id="bad")
    first, second = driver.fetch(room=2)
    driver.fail(first)
    driver.commit(second)
    fill(driver, 3, run_id="good")

    assert [job.run_id for job in driver.fetch(room=9)] == ["good", "good"]
    audit(store)


@pytest.mark.parametrize(("free", "count"), [(9, 2), (2, 2), (1, 1), (0, 1)])
def test_no_more_are_handed_out_than_threads_have_nothing_to_do(driver, free, count):
    """What waits in a process for a thread would hold a place that another process could use."""
    fill(driver)

    assert len(driver.fetch(room=Room(threads=9, loop=0, free=free))) == count


def test_jobs_of_other_queues_count_as_what_the_threads_do(store):
    plan = deployed(store, {**steps(limit=5), "b": {**steps(5)["b"], "priority": 9}})
    driver = Driver(store, plan)
    fill(driver, 5)
    for _ in range(3):
        driver.start()
    jobs = driver.fetch(room=Room(threads=9, loop=0, free=4))

    assert sorted(job.step for job in jobs) == ["a", "a", "a", "b"]


def test_a_limited_queue_of_the_event_loop_is_bounded_by_its_places_alone(store):
    plan = deployed(store, steps(limit=5))
    driver = Driver(store, plan, served=Served(("f.a", "f.c"), ("f.b",)))
    fill(driver, 9)

    assert len(driver.fetch(room=Room(threads=0, loop=3, free=0))) == 3
    assert len(driver.fetch(room=Room(threads=0, loop=9, free=0))) == 2


def test_a_job_of_a_limited_queue_is_never_taken_along(store, driver):
    driver.start(run_id="r")
    token = driver.token()
    assert driver.commit(driver.fetch_one(), emits=[("one", 1)], take=token) == ("OK", [])
    (job,) = driver.fetch(room=9)
    answer = driver.commit(job, emits=[("two", 1)], take=driver.token())
    assert answer.rest, "what follows in a queue without a limit is"
    audit(store)


def test_a_limit_that_came_after_the_plan_of_a_worker_holds_for_what_it_takes_along(store):
    driver = Driver(store, deployed(store, steps(limit=None)))
    driver.start(run_id="r")
    job = driver.fetch_one()
    deployed(store, steps(limit=1))

    assert driver.commit(job, emits=[("one", 1)], take=driver.token()) == ("OK", [])
    assert members(store, "queue:f.b:wait") == ["r/b#1"]


def cap(store):
    return hash_at(store, "queue:f.b:conf").get("cap")


def test_a_new_version_raises_the_limit_and_wakes_somebody(store, driver):
    fill(driver)
    assert len(driver.fetch(room=9)) == 2
    take_marker(store)
    deployed(store, steps(limit=4))

    assert cap(store) == "4"
    assert markers(store) == 1
    assert len(driver.fetch(room=9)) == 2
    audit(store)


def test_a_new_version_lowers_the_limit_and_what_runs_goes_on(store, driver):
    fill(driver)
    first, second = driver.fetch(room=9)
    deployed(store, steps(limit=1))
    driver.commit(first)
    assert driver.fetch(room=9) == []
    audit(store)
    driver.commit(second)
    assert len(driver.fetch(room=9)) == 1


def test_a_new_version_takes_the_limit_away(store, driver):
    fill(driver)
    driver.fetch(room=9)
    deployed(store, steps(limit=None))

    assert cap(store) is None
    assert len(driver.fetch(room=9)) == 3
    audit(store)


def test_a_worker_of_an_older_release_leaves_the_limit_alone(store, driver):
    deployed(store, steps(limit=4))
    deploy(store, driver.plan, source="", mode="serve")
    assert cap(store) == "4"
    deployed(store, steps(limit=4))
    assert cap(store) == "4"


def test_a_version_that_is_stored_for_a_run_limits_its_queues_until_one_is_served_again(store):
    newest = deployed(store, steps(limit=None))
    for limit in (2, 4, None, 2):
        deploy(store, plan_from(steps(limit=limit)), source="", mode="store")
        assert cap(store) == (None if limit is None else str(limit))
    deploy(store, newest, source="", mode="serve")
    assert cap(store) is None


def test_another_flow_on_a_queue_neither_changes_nor_removes_the_limit_of_the_first(store):
    deployed(store, {"a": {"queue": "gpu", "concurrency": 2}}, flow="mine")
    for other in ({"queue": "gpu"}, {"queue": "gpu", "concurrency": 9}):
        for mode in ("serve", "store"):
            deploy(store, plan_from({"a": other}, flow="other"), source="", mode=mode)
            assert hash_at(store, "queue:gpu:conf")["cap"] == "2"
    deployed(store, {"a": {"queue": "gpu"}}, flow="mine")
    assert "cap" not in hash_at(store, "queue:gpu:conf")
    deployed(store, {"a": {"queue": "gpu", "concurrency": 3}}, flow="other")
    assert hash_at(store, "queue:gpu:conf")["cap"] == "3"


def test_a_plan_that_is_only_stored_limits_a_queue_that_nobody_has_used(store):
    plan = plan_from(steps(limit=3))
    deploy(store, plan, source="", mode="store")
    assert cap(store) == "3"
    deployed(store, steps(limit=2))
    assert cap(store) == "2"


def test_a_join_and_a_collect_may_be_limited(store):
    plan = deployed(
        store,
        {
            "a": {"emits": ["one", "two"]},
            "join": {"subscribes": {"all": ["one", "two"]}, "emits": ["done"], "concurrency": 1},
            "sum": {"subscribes": {"collect": "done"}, "concurrency": 1},
        },
    )
    driver = Driver(store, plan)
    for run_id in ("r1", "r2"):
        driver.start(run_id=run_id)
    for job in driver.fetch(room=2):
        driver.commit(job, emits=[("one", 1), ("two", 2)])
    (first,) = driver.fetch(room=9)
    assert (first.id, first.is_limited) == ("r1/join#1", True)
    driver.commit(first, emits=[("done", 1)])
    jobs = {job.id: job for job in driver.fetch(room=9)}
    assert sorted(jobs) == ["r1/sum#1", "r2/join#1"]
    driver.commit(jobs["r2/join#1"], emits=[("done", 1)])
    assert driver.fetch(room=9) == []
    audit(store)
    driver.commit(jobs["r1/sum#1"])
    assert [job.id for job in driver.fetch(room=9)] == ["r2/sum#1"]
