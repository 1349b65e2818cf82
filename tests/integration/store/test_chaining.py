"""Chaining: a commit may bring the run's next job along."""

from __future__ import annotations

import pytest

from engine.store.queue import LeasedJob, Served
from tests.support.books import contents
from tests.support.store import CHAIN, Driver, add, deployed, hash_at, logged, members


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


@pytest.fixture
def chained(driver):
    """A commit call that has brought `b#1` along, that job, and its token."""
    driver.start(run_id="r")
    token = driver.token()
    call = driver.commit_call(driver.fetch_one(), emits=[("one", 7)], changes=[add("x", 1)], take=token)
    return call, driver.taken(driver.send(call), token), token


def test_the_next_job_comes_leased_and_never_waits(store, driver, chained):
    _, job, token = chained

    assert job == LeasedJob(
        "r", "b#1", "b", "f", driver.plan.version, "f.b", token, 1, 0, "0.1.1", "one", b"7"
    )
    assert hash_at(store, "run:r").items() >= {"leased": "1", "open": "1"}.items()
    assert hash_at(store, "job:r/b#1").items() >= {"state": "active", "token": token}.items()
    assert members(store, "queue:f.b:wait") == members(store, "ready") == []
    assert members(store, "queue:f.b:active") == ["r/b#1"]
    assert driver.renew(job) == ["kept"]
    assert driver.fetch(room=5) == []


def test_a_whole_run_is_done_in_one_go(driver, chained):
    _, job, _ = chained
    token = driver.token()
    job = driver.taken(driver.commit(job, emits=[("two", 8)], take=token), token)
    assert driver.commit(job, result="end", take=driver.token()) == ("OK", [])

    run = driver.state("r")
    assert (run.status, run.result) == ("completed", "end")


def test_a_commit_sent_again_answers_the_same_job(store, driver, chained):
    call, job, token = chained
    was = contents(store)
    for _ in range(3):
        again = driver.send(call)
        assert again.word == "SETTLED"
        assert driver.taken(again, token) == job
    assert contents(store) == was


def test_a_job_that_is_being_worked_on_is_answered_again_too(driver, chained):
    call, job, token = chained
    driver.report(job, logged("working"))
    driver.renew(job)

    assert driver.taken(driver.send(call), token) == job
    assert driver.commit(job, events=logged("working", "done")).word == "OK"


def test_a_late_copy_of_the_commit_brings_no_job_that_has_been_settled(driver, chained):
    call, job, _ = chained
    driver.commit(job, emits=[("two", 8)])

    assert driver.send(call) == ("SETTLED", [])


def test_a_late_copy_brings_no_job_that_was_given_back(driver, chained):
    call, job, _ = chained
    driver.release(job)

    assert driver.send(call) == ("SETTLED", [])
    again = driver.fetch_one()
    assert (again.step_id, again.attempt, again.losses) == ("b#1", 1, 0)
    assert driver.send(call) == ("SETTLED", [])


def test_a_late_copy_brings_no_job_that_was_lost(driver, chained):
    call, job, _ = chained
    assert driver.lose(job).lost == 1

    assert driver.send(call) == ("SETTLED", [])
    again = driver.fetch_one()
    assert (again.step_id, again.attempt, again.losses) == ("b#1", 2, 1)
    assert driver.commit(job).word == "FENCED"


def test_a_late_copy_brings_no_job_that_failed(driver, chained):
    call, job, _ = chained
    driver.fail(job)

    assert driver.send(call) == ("ENDED", [])


def test_a_commit_without_a_token_for_it_brings_nothing(store, driver):
    driver.start(run_id="r")
    assert driver.commit(driver.fetch_one(), emits=[("one", 1)]) == ("OK", [])
    assert members(store, "queue:f.b:wait") == ["r/b#1"]


def test_what_waits_already_goes_first(store, driver):
    driver.start(run_id="r1")
    driver.start(run_id="r2")
    first, second = driver.fetch(room=2)
    driver.commit(first, emits=[("one", 1)])

    assert driver.commit(second, emits=[("one", 2)], take=driver.token()) == ("OK", [])
    assert members(store, "queue:f.b:wait") == ["r1/b#1", "r2/b#1"]


def test_a_queue_that_this_worker_does_not_serve_is_left_alone(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.served = Served((), ())
    assert driver.commit(job, emits=[("one", 1)], take=driver.token()) == ("OK", [])
    assert members(store, "queue:f.b:wait") == ["r/b#1"]


def test_one_job_comes_along_and_the_others_wait_in_order(store, driver):
    driver.start(run_id="r")
    token = driver.token()
    answer = driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(4)], take=token)

    assert driver.taken(answer, token).step_id == "b#1"
    assert members(store, "queue:f.b:wait") == ["r/b#2", "r/b#3", "r/b#4"]
    assert members(store, "ready") == ["f.b"]


def test_nobody_hears_and_nothing_comes_along(driver):
    driver.start(run_id="r")
    assert driver.commit(driver.fetch_one(), take=driver.token()) == ("OK", [])
    assert driver.state("r").status == "completed"


def test_a_run_that_fails_brings_nothing_along(driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    first, second = driver.fetch(room=2)
    driver.fail(first)

    assert driver.commit(second, emits=[("two", 1)], take=driver.token()) == ("OK", [])
    assert driver.state("r").status == "failed"


def test_an_answer_that_was_never_read_is_work_for_a_sweep(driver, chained):
    _, job, _ = chained
    driver.expire(job)
    swept = driver.sweep()

    assert (swept.word, swept.lost) == ("SWEPT", 1)
    assert driver.fetch_one().step_id == "b#1"
