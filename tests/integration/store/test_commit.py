"""`commit`: an attempt is settled once, by the token that has its job."""

from __future__ import annotations

import pytest

from tests.support.books import contents
from tests.support.store import (
    CHAIN,
    Driver,
    add,
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


def test_all_that_follows_is_recorded_in_order_and_the_next_job_waits(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    answer = driver.commit(
        job,
        events=[started(), *logged("half way")],
        changes=[set_to("x", 1)],
        emits=[("one", {"n": 1})],
        result="a's own",
    )

    assert answer == ("OK", [])
    assert driver.types("r") == ["flow.start", "step.started", "log", "state", "emit", "step.completed"]
    for event in driver.log("r")[1:]:
        assert (event.step_name, event.step_id, event.attempt) == ("a", "a#1", 1)
    assert driver.log("r")[-1].data == {"duration": 1, "result": "a's own"}
    assert hash_at(store, "job:r/a#1") == {}
    assert members(store, "queue:f.a:active") == []
    assert hash_at(store, "job:r/b#1") == {
        "state": "wait",
        "queue": "f.b",
        "score": hash_at(store, "job:r/b#1")["score"],
        "path": "0.1.1",
        "event": "one",
        "message": '{"n":1}',
        "attempt": "0",
        "losses": "0",
        "events": "0",
    }
    assert members(store, "queue:f.b:wait") == ["r/b#1"]
    following = driver.fetch_one()
    assert (following.path, following.event, following.message) == ("0.1.1", "one", b'{"n":1}')


def test_a_commit_sent_again_is_settled_and_writes_nothing(store, driver):
    driver.start(run_id="r")
    call = driver.commit_call(
        driver.fetch_one(), emits=[("one", 1)], changes=[add("x", 1)], events=logged("one")
    )
    assert driver.send(call).word == "OK"
    was = contents(store)

    assert driver.send(call) == ("SETTLED", [])
    assert contents(store) == was


def test_a_commit_sent_again_after_the_end_of_its_run_is_told_so(store, driver):
    driver.start(run_id="r")
    call = driver.commit_call(driver.fetch_one())
    assert driver.send(call).word == "OK"
    was = contents(store)

    assert driver.send(call) == ("ENDED", [])
    assert contents(store) == was


def test_an_attempt_that_was_lost_is_fenced_off_while_its_job_waits_and_when_another_has_it(store, driver):
    driver.start(run_id="r")
    frozen = driver.fetch_one()
    driver.lose(frozen)
    call = driver.commit_call(frozen, emits=[("one", 1)], changes=[set_to("x", 1)])
    was = contents(store)
    assert driver.send(call).word == "FENCED"
    again = driver.fetch_one()
    assert (again.attempt, again.losses) == (2, 1)
    assert driver.send(call).word == "FENCED"
    driver.commit(again)

    assert driver.send(call).word == "ENDED"
    assert was != contents(store)
    assert driver.state("r").handler_state == {}
    assert driver.types("r").count("step.completed") == 1


def test_an_attempt_that_was_lost_is_told_when_another_has_settled_it(driver):
    driver.start(run_id="r")
    frozen = driver.fetch_one()
    driver.lose(frozen)
    driver.commit(driver.fetch_one(), emits=[("one", 1)])

    assert driver.commit(frozen).word == "SETTLED"


def test_a_commit_after_the_deadline_but_before_a_sweep_is_good(driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.expire(job)

    assert driver.commit(job).word == "OK"
    assert driver.sweep().lost == 0


def test_after_a_release_the_same_token_is_told_that_its_call_was_recorded(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.release(job)
    was = contents(store)

    assert driver.commit(job).word == "DUP"
    assert contents(store) == was


def test_a_run_that_is_gone_is_not_written_to_and_its_job_is_removed(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    forget_run(store, "r")

    assert driver.commit(job, emits=[("one", 1)], changes=[set_to("x", 1)]).word == "GONE"
    assert driver.log("r") == []
    assert hash_at(store, "run:r") == hash_at(store, "job:r/a#1") == hash_at(store, "state:r") == {}
    assert members(store, "queue:f.a:active") == []


def test_a_run_that_is_over_is_not_written_to_and_what_waits_of_it_is_removed(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    frozen, other = driver.fetch(room=2)
    driver.lose(frozen)
    driver.fail(other)
    was = driver.log("r")

    assert driver.state("r").status == "failed"
    assert driver.commit(frozen).word == "ENDED"
    assert driver.log("r") == was
    assert hash_at(store, f"job:{frozen.id}") == {}


def test_events_that_are_missing_are_asked_for(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.report(job, logged("0"))
    was = contents(store)

    assert driver.commit(job, events=logged("3"), first=3) == ("GAP", [1])
    assert contents(store) == was
    assert driver.commit(job, events=logged("1", "2", "3"), first=1).word == "OK"
    assert messages(driver, "r") == ["0", "1", "2", "3"]


def test_events_that_a_report_has_recorded_are_not_recorded_again(driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.report(job, logged("0", "1"))

    assert driver.commit(job, events=logged("0", "1", "2"), first=0).word == "OK"
    assert messages(driver, "r") == ["0", "1", "2"]


def messages(driver, run_id):
    return [event.data["message"] for event in driver.log(run_id) if event.type == "log"]


def test_a_skipped_step_is_settled_like_a_completed_one(driver):
    driver.start(run_id="r")
    call = driver.commit_call(driver.fetch_one(), kind="skipped")

    assert driver.send(call).word == "OK"
    assert driver.types("r") == ["flow.start", "step.skipped", "flow.completed"]
    assert driver.log("r")[1].data == {"reason": "not today"}
    assert driver.send(call).word == "ENDED"


def test_many_emits_in_one_commit_each_make_one_activation(driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(200)])
    jobs = driver.fetch(room=300)

    assert [job.message for job in jobs] == [str(k).encode() for k in range(200)]
    assert [job.path for job in jobs] == [f"0.{k}.1" for k in range(1, 201)]
    for job in jobs:
        driver.commit(job)
    assert driver.state("r").status == "completed"


def test_the_path_depends_on_the_cause_and_not_on_the_order_of_commits(store):
    plan = deployed(
        store,
        {
            "a": {"emits": ["one"]},
            "b": {"subscribes": "one", "emits": ["two"]},
            "c": {"subscribes": "two"},
        },
    )
    driver = Driver(store, plan)
    seen = []
    for is_reversed in (False, True):
        run_id = driver.start().run_id
        driver.commit(driver.fetch_one(), emits=[("one", "x"), ("one", "y")])
        jobs = driver.fetch(room=2)
        for job in reversed(jobs) if is_reversed else jobs:
            driver.commit(job, emits=[("two", job.message.decode())])
        last = driver.fetch(room=2)
        seen.append({job.message: job.path for job in last})
        for job in last:
            driver.commit(job)
        assert driver.state(run_id).is_over

    assert seen[0] == seen[1]


def test_times_are_clamped_to_the_servers_clock(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), ts=9_999_999_999_999, emits=[("one", 1)])
    entry, emit, completed = driver.log("r")

    assert entry.ts_ms <= emit.ts_ms == completed.ts_ms < 9_999_999_999_999


def test_the_ledger_of_a_completed_run_keeps_no_results(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    first, second = driver.fetch(room=2)
    driver.commit(first, emits=[("two", 1)])
    driver.commit(driver.fetch_one(), result=5)
    assert hash_at(store, "run:r")["r:c"] == "5"
    driver.commit(second)

    assert "r:c" not in hash_at(store, "run:r")
    assert driver.state("r").result == 5
