"""Joins: one activation when every event has come, with the first emission of each."""

from __future__ import annotations

import itertools

import pytest

from engine.events.codec import decode_json
from engine.store.gather import Gather
from tests.support.books import audit, contents
from tests.support.store import Driver, deployed, hash_at, members

#: Three branches, and a step that waits for all of them.
THREE = {
    "a": {"emits": ["l", "m", "r"]},
    "left": {"subscribes": "l", "emits": ["p"]},
    "middle": {"subscribes": "m", "emits": ["q"]},
    "right": {"subscribes": "r", "emits": ["s"]},
    "join": {"subscribes": {"all": ["p", "q", "s"]}},
}

BRANCHES = {"left": "p", "middle": "q", "right": "s"}

#: The entry itself emits what the join waits for.
DIRECT = {"a": {"emits": ["l", "r"]}, "join": {"subscribes": {"all": ["l", "r"]}}}


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, THREE))


def branch_out(driver, *emits):
    """Start `r`, and answer the jobs of its branches by step."""
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[(event, None) for event in emits or ("l", "m", "r")])
    return {job.step: job for job in driver.fetch(room=10)}


def given(driver, job):
    """What a join's handler is given."""
    places = decode_json(job.message)
    return decode_json(Gather(driver.store).join(job.run_id, places, limit_bytes=1_000))


def emits_of(driver):
    return [(it.data["event"], it.data["to"]) for it in driver.log("r") if it.type == "emit"]


@pytest.mark.parametrize("order", list(itertools.permutations(BRANCHES)), ids="-".join)
def test_it_fires_with_the_last_event_that_was_missing_in_whatever_order_they_come(store, driver, order):
    jobs = branch_out(driver)
    for number, step in enumerate(order):
        assert members(store, "queue:f.join:wait") == []
        driver.commit(jobs[step], emits=[(BRANCHES[step], number)])
        audit(store)

    job = driver.fetch_one()
    assert (job.step_id, job.path, job.event) == ("join#1", "j1", BRANCHES[order[-1]])
    assert given(driver, job) == {BRANCHES[step]: number for number, step in enumerate(order)}
    assert emits_of(driver)[3:] == [(BRANCHES[step], []) for step in order[:2]] + [
        (BRANCHES[order[2]], ["join#1"])
    ]
    driver.commit(job, result="joined")
    assert (driver.state("r").status, driver.state("r").result) == ("completed", "joined")


def test_all_events_may_come_in_one_commit(store):
    driver = Driver(store, deployed(store, DIRECT))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("r", 1), ("l", 2)], take=driver.token())

    job = driver.fetch_one()
    assert given(driver, job) == {"l": 2, "r": 1}
    assert emits_of(driver) == [("r", []), ("l", ["join#1"])]


def test_a_join_is_never_taken_along_since_its_input_stands_in_the_log(store):
    driver = Driver(store, deployed(store, DIRECT))
    driver.start(run_id="r")

    assert driver.commit(driver.fetch_one(), emits=[("l", 1), ("r", 2)], take=driver.token()) == ("OK", [])


def test_later_emissions_of_an_event_change_nothing_whether_it_has_fired_or_not(store):
    driver = Driver(store, deployed(store, DIRECT))
    driver.start(run_id="r")
    emits = [("l", "first"), ("l", "second"), ("r", "first"), ("l", "third"), ("r", "second")]
    driver.commit(driver.fetch_one(), emits=emits)
    audit(store)

    assert emits_of(driver) == [("l", []), ("l", []), ("r", ["join#1"]), ("l", []), ("r", [])]
    job = driver.fetch_one()
    assert given(driver, job) == {"l": "first", "r": "first"}
    driver.commit(job)
    assert driver.state("r").status == "completed"


def test_a_branch_that_runs_twice_fills_it_with_what_it_recorded_first(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[(event, None) for event in ("l", "l", "m", "r")])
    jobs = {job.step_id: job for job in driver.fetch(room=10)}
    for step_id in ("left#2", "middle#1", "left#1", "right#1"):
        event = BRANCHES[jobs[step_id].step]
        driver.commit(jobs[step_id], emits=[(event, step_id)])
        audit(store)

    job = driver.fetch_one()
    assert given(driver, job) == {"p": "left#2", "q": "middle#1", "s": "right#1"}
    driver.commit(job)
    assert driver.state("r").status == "completed"


def test_a_commit_sent_again_fills_nothing_again(store, driver):
    jobs = branch_out(driver)
    calls = [driver.commit_call(jobs[step], emits=[(event, 1)]) for step, event in BRANCHES.items()]
    for call in calls:
        assert driver.send(call).word == "OK"
        was = contents(store)
        assert driver.send(call).word == "SETTLED"
        assert contents(store) == was


def test_an_attempt_that_was_lost_fills_nothing(store, driver):
    jobs = branch_out(driver)
    driver.lose(jobs["left"])
    assert driver.commit(jobs["left"], emits=[("p", "zombie")]).word == "FENCED"
    assert hash_at(store, "run:r").get("j:join") is None

    driver.commit(driver.fetch_one(), emits=[("p", "second attempt")])
    for step in ("middle", "right"):
        driver.commit(jobs[step], emits=[(BRANCHES[step], step)])
    assert given(driver, driver.fetch_one())["p"] == "second attempt"


def test_one_that_is_half_full_at_the_end_fails_its_run_and_names_what_is_missing(store, driver):
    jobs = branch_out(driver)
    driver.commit(jobs["middle"], emits=[("q", 1)])
    driver.commit(jobs["left"])
    assert driver.state("r").status == "running", "a half full join holds nothing open, another step does"
    driver.commit(jobs["right"])

    run = driver.state("r")
    assert (run.status, run.failed_step) == ("failed", "join")
    assert run.error == {
        "type": "JoinIncomplete",
        "message": "join `join` has `q` and misses `p`, `s`",
    }
    assert driver.types("r")[-2:] == ["step.completed", "flow.failed"]
    assert hash_at(store, "run:r")["open"] == "0"


def test_every_join_that_is_half_full_is_named_and_an_empty_or_a_full_one_is_not(store):
    steps = {
        "a": {"emits": ["one", "two", "three", "four"]},
        "b": {"subscribes": {"all": ["one", "two"]}},
        "c": {"subscribes": {"all": ["three", "two", "one"]}},
        "d": {"subscribes": {"all": ["three", "four"]}},
        "e": {"subscribes": {"all": ["four", "one"]}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("two", 2)])
    driver.commit(driver.fetch_one(), result="full")

    run = driver.state("r")
    assert run.error
    assert (run.status, run.failed_step) == ("failed", "c")
    assert run.error["message"] == (
        "join `c` has `one`, `two` and misses `three`; join `e` has `one` and misses `four`"
    )
    assert run.result is None


def test_one_that_is_empty_at_the_end_was_a_branch_not_taken(driver):
    jobs = branch_out(driver)
    for job in jobs.values():
        driver.commit(job)

    assert driver.state("r").status == "completed"


def test_a_skipped_step_brings_it_nothing(driver):
    jobs = branch_out(driver)
    driver.commit(jobs["left"], kind="skipped")
    for step in ("middle", "right"):
        driver.commit(jobs[step], emits=[(BRANCHES[step], step)])

    error = driver.state("r").error
    assert error
    assert error["message"] == "join `join` has `q`, `s` and misses `p`"


def test_a_run_that_fails_fills_nothing_and_keeps_its_first_error(store, driver):
    jobs = branch_out(driver)
    driver.commit(jobs["left"], emits=[("p", 1)])
    driver.fail(jobs["middle"])
    driver.commit(jobs["right"], emits=[("s", 1)])

    run = driver.state("r")
    assert (run.status, run.failed_step, run.error["type"]) == ("failed", "middle", "ValueError")
    assert emits_of(driver)[-1] == ("s", [])
    assert hash_at(store, "run:r")["j:join"] == "1"


def test_two_joins_may_wait_for_one_event(store):
    steps = {
        "a": {"emits": ["one", "two", "three"]},
        "b": {"subscribes": {"all": ["one", "two"]}},
        "c": {"subscribes": {"all": ["one", "three"]}},
        "d": {"subscribes": "one"},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("two", 2), ("three", 3), ("one", 1)])
    audit(store)

    assert emits_of(driver)[-1] == ("one", ["b#1", "c#1", "d#1"])
    jobs = {job.step: job for job in driver.fetch(room=5)}
    assert given(driver, jobs["b"]) == {"one": 1, "two": 2}
    assert given(driver, jobs["c"]) == {"one": 1, "three": 3}
    assert (jobs["b"].path, jobs["c"].path, jobs["d"].path) == ("j1", "j2", "0.3.3")


def test_a_join_of_one_event_is_the_first_of_many(store):
    driver = Driver(store, deployed(store, {"a": {"emits": ["one"]}, "b": {"subscribes": {"all": ["one"]}}}))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(3)])

    assert emits_of(driver) == [("one", ["b#1"]), ("one", []), ("one", [])]
    job = driver.fetch_one()
    assert given(driver, job) == {"one": 0}
    driver.commit(job)
    assert driver.state("r").status == "completed"


def test_joins_may_follow_each_other(store):
    steps = {
        "a": {"emits": ["one", "two", "three"]},
        "b": {"subscribes": {"all": ["one", "two"]}, "emits": ["both"]},
        "c": {"subscribes": {"all": ["both", "three"]}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("two", 2), ("three", 3)])
    audit(store)
    driver.commit(driver.fetch_one(), emits=[("both", 12)])
    job = driver.fetch_one()

    assert given(driver, job) == {"both": 12, "three": 3}
    driver.commit(job)
    assert driver.state("r").status == "completed"


def test_many_events_may_be_waited_for(store):
    events = [f"e{k:03}" for k in range(150)]
    steps = {"a": {"emits": events}, "b": {"subscribes": {"all": events}}}
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[(event, k) for k, event in enumerate(reversed(events))])

    assert given(driver, driver.fetch_one()) == {event: 149 - k for k, event in enumerate(events)}
