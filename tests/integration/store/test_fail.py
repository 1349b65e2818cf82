"""`fail`: the first failure decides, and the run ends when nothing of it is leased any more."""

from __future__ import annotations

import pytest

from tests.support.books import contents
from tests.support.store import (
    CHAIN,
    Driver,
    deployed,
    forget_run,
    hash_at,
    logged,
    members,
    set_to,
    started,
)


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


@pytest.fixture
def three(driver):
    """Three leased `b`s of the run `r`; a fourth one waits."""
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(4)])
    return driver.fetch(room=3)


def test_a_failed_step_ends_a_run_of_which_nothing_else_is_leased(store, driver):
    driver.start(run_id="r")
    answer = driver.fail(driver.fetch_one(), events=[started(), *logged("oh")], message='"quoted" ü')

    assert answer == ("OK", [])
    entry, began, log, failed, ended = driver.log("r")
    assert (began.type, log.type) == ("step.started", "log")
    assert failed.data == {
        "error": {"type": "ValueError", "message": '"quoted" ü', "traceback": "..."},
        "cause": "error",
        "ends": True,
    }
    assert ended.type == "flow.failed"
    assert ended.data["error"] == {"type": "ValueError", "message": '"quoted" ü'}
    assert ended.data["step"] == "a"
    assert ended.data["duration"] >= 0
    assert ended.ts_ms - entry.ts_ms == ended.data["duration"]
    assert hash_at(store, "run:r").items() >= {"status": "failed", "step": "a", "leased": "0"}.items()
    assert members(store, "runs:failed") == members(store, "runs:ended") == ["r"]
    assert members(store, "runs:running") == members(store, "queue:f.a:active") == []


def test_a_run_that_fails_waits_for_what_is_leased(store, driver, three):
    first, second, third = three
    driver.fail(first, message="the first")
    assert members(store, "runs:failing") == ["r"]
    assert driver.state("r").status == "failing"

    driver.commit(second, emits=[("two", 1)], changes=[set_to("x", 1)], events=logged("still here"))
    assert driver.state("r").status == "failing"
    driver.fail(third, message="another")

    run = driver.state("r")
    assert run.status == "failed"
    assert run.error == {"type": "ValueError", "message": "the first", "traceback": "..."}
    assert run.failed_step == "b"
    assert [it.state for it in run.activations.values()] == [
        "completed",
        "failed",
        "completed",
        "failed",
        "dropped",
    ]
    assert members(store, "runs:failing") == []


def test_what_commits_after_the_failure_is_recorded_and_makes_nothing_due(driver, three):
    first, second, third = three
    driver.fail(first)
    driver.commit(second, emits=[("two", 1)], changes=[set_to("x", 1)])
    assert [it.data["to"] for it in driver.log("r") if it.type == "emit"][-1] == []
    assert driver.state("r").handler_state == {"x": 1}
    assert "c" not in driver.state("r").created
    driver.commit(third)

    assert driver.types("r")[-2:] == ["step.completed", "flow.failed"]


def test_only_the_failure_that_ends_the_run_says_so(driver, three):
    for job in three:
        driver.fail(job)

    failures = [event.data for event in driver.log("r") if event.type == "step.failed"]
    assert [it.get("ends", False) for it in failures] == [True, False, False]


def test_jobs_that_wait_are_dropped_when_they_are_met(store, driver, three):
    driver.fail(three[0])
    assert driver.fetch(room=5) == []
    assert hash_at(store, "job:r/b#4") == {}
    for job in three[1:]:
        driver.commit(job)

    assert driver.state("r").activations["b#4"].state == "dropped"


def test_a_failure_sent_again_writes_nothing(store, driver, three):
    call = driver.fail_call(three[0], events=logged("oh"))
    assert driver.send(call).word == "OK"
    was = contents(store)
    assert driver.send(call).word == "SETTLED"
    assert contents(store) == was
    for job in three[1:]:
        driver.commit(job)
    was = contents(store)

    assert driver.send(call).word == "ENDED"
    assert contents(store) == was


def test_an_attempt_that_was_lost_cannot_fail_its_run(store, driver):
    driver.start(run_id="r")
    frozen = driver.fetch_one()
    driver.lose(frozen)
    was = contents(store)
    assert driver.fail(frozen).word == "FENCED"
    assert contents(store) == was
    again = driver.fetch_one()
    assert driver.fail(frozen).word == "FENCED"
    driver.commit(again, emits=[("one", 1)])
    assert driver.fail(frozen).word == "SETTLED"

    assert driver.state("r").status == "running"


def test_after_a_release_the_same_token_is_told_that_its_call_was_recorded(store, driver):
    driver.start()
    job = driver.fetch_one()
    driver.release(job)
    was = contents(store)

    assert driver.fail(job).word == "DUP"
    assert contents(store) == was


def test_a_run_that_is_gone_is_not_written_to(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    forget_run(store, "r")

    assert driver.fail(job).word == "GONE"
    assert driver.log("r") == []
    assert members(store, "queue:f.a:active") == []


def test_events_that_are_missing_are_asked_for(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.report(job, logged("0"))
    was = contents(store)

    assert driver.fail(job, events=logged("2"), first=2) == ("GAP", [1])
    assert contents(store) == was
    assert driver.fail(job, events=logged("0", "1", "2"), first=0).word == "OK"
    assert [it.data["message"] for it in driver.log("r") if it.type == "log"] == ["0", "1", "2"]


def test_a_step_that_fails_after_a_chain_fails_its_run(driver):
    driver.start(run_id="r")
    token = driver.token()
    job = driver.taken(driver.commit(driver.fetch_one(), emits=[("one", 1)], take=token), token)
    driver.fail(job)

    run = driver.state("r")
    assert (run.status, run.failed_step, run.activations["a#1"].state) == ("failed", "b", "completed")
