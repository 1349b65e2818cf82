"""Runs of every small shape, from their start to their end: they end once, and as they should."""

from __future__ import annotations

import pytest

from tests.support.store import CHAIN, Driver, deployed

TREE = {
    "a": {"emits": ["one", "two"]},
    "b": {"subscribes": "one"},
    "c": {"subscribes": "one"},
    "d": {"subscribes": {"any": ["one", "two"]}},
}


def run_to_its_end(driver, run_id, emits, results, *, failing=()):
    """Work until nothing is left; steps that fail do it once what waits with them has been fetched."""
    while jobs := driver.fetch(room=10):
        for job in sorted(jobs, key=lambda job: job.step in failing):
            if job.step in failing:
                assert driver.fail(job).word == "OK"
            else:
                answer = driver.commit(job, emits=emits.get(job.step, ()), result=results.get(job.step))
                assert answer.word == "OK"
    return driver.state(run_id)


def test_a_chain_completes_with_the_result_of_its_last_step(store):
    driver = Driver(store, deployed(store, CHAIN))
    run_id = driver.start({"x": 1}).run_id
    emits = {"a": [("one", 1)], "b": [("two", {"deep": [1, 2]})]}
    run = run_to_its_end(driver, run_id, emits, {"a": "not this", "c": {"total": 3}})

    assert run.status == "completed"
    assert run.result == {"total": 3}
    assert driver.types(run_id) == [
        "flow.start",
        "emit",
        "step.completed",
        "emit",
        "step.completed",
        "step.completed",
        "flow.completed",
    ]


def test_a_branch_that_is_not_taken_holds_nothing_open(store):
    plan = deployed(
        store,
        {"a": {"emits": ["left", "right"]}, "l": {"subscribes": "left"}, "r": {"subscribes": "right"}},
    )
    driver = Driver(store, plan)
    run_id = driver.start().run_id
    run = run_to_its_end(driver, run_id, {"a": [("left", 1)]}, {"l": 7, "r": 8})

    assert run.status == "completed"
    assert run.result == {"l": 7}
    assert list(run.activations) == ["a#1", "l#1"]


def test_several_subscribers_of_one_event_each_get_it(store):
    driver = Driver(store, deployed(store, TREE))
    run_id = driver.start().run_id
    run = run_to_its_end(driver, run_id, {"a": [("one", 1), ("two", 2)]}, {"b": 1, "c": 2, "d": 3})

    assert run.status == "completed"
    assert list(run.activations) == ["a#1", "b#1", "c#1", "d#1", "d#2"]
    assert run.result == {"b": 1, "c": 2, "d": 3}
    emits = [event.data for event in driver.log(run_id) if event.type == "emit"]
    assert [(it["event"], it["path"], it["to"]) for it in emits] == [
        ("one", "0.1", ["b#1", "c#1", "d#1"]),
        ("two", "0.2", ["d#2"]),
    ]


def test_several_collects_of_an_event_that_nothing_else_arms_fire_both(store):
    """The entry may lead elsewhere; the place of a collect among collects is not that among steps."""
    steps = {
        "start": {"emits": ["good", "bad"]},
        "bads": {"subscribes": "bad"},
        "sum": {"subscribes": {"collect": "good"}},
        "most": {"subscribes": {"collect": "good"}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("good", 1)])
    jobs = driver.fetch(room=5)

    assert {job.step: job.path for job in jobs} == {"most": "j1", "sum": "j3"}
    for job in jobs:
        driver.commit(job, result=job.step)
    assert driver.state("r").result == {"most": "most", "sum": "sum"}


def test_an_event_that_nobody_hears_is_recorded_and_makes_nothing_due(store):
    driver = Driver(store, deployed(store, {"a": {"emits": ["unheard"]}}))
    run_id = driver.start().run_id
    run = run_to_its_end(driver, run_id, {"a": [("unheard", "hello")]}, {"a": "done"})

    assert run.status == "completed"
    assert run.result == "done"
    assert [it.data for it in driver.log(run_id) if it.type == "emit"] == [
        {"event": "unheard", "path": "0.1", "payload": "hello", "to": []}
    ]


def test_a_step_that_emits_nothing_ends_the_run(store):
    driver = Driver(store, deployed(store, CHAIN))
    run_id = driver.start().run_id
    run = run_to_its_end(driver, run_id, {}, {"a": 5})

    assert run.status == "completed"
    assert run.result is None, "the only sink never ran"


def test_of_several_activations_of_the_only_sink_the_last_recorded_one_counts(store):
    driver = Driver(store, deployed(store, {"a": {"emits": ["one"]}, "b": {"subscribes": "one"}}))
    run_id = driver.start().run_id
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2), ("one", 3)])
    first, second, third = driver.fetch(room=3)
    for job, result in ((third, "third"), (first, "first"), (second, "second")):
        driver.commit(job, result=result)

    assert driver.state(run_id).result == "second"


def test_a_sink_that_was_skipped_gives_no_result(store):
    driver = Driver(store, deployed(store, TREE))
    run_id = driver.start().run_id
    driver.commit(driver.fetch_one(), emits=[("one", 1)])
    for job in driver.fetch(room=10):
        driver.commit(job, kind="skipped" if job.step == "c" else "completed", result=job.step)

    run = driver.state(run_id)
    assert run.result == {"b": "b", "d": "d"}
    assert run.activations["c#1"].state == "skipped"


def test_a_run_may_have_more_sinks_than_a_command_takes_arguments(store):
    driver = Driver(store, deployed(store, TREE))
    run_id = driver.start().run_id
    name, given = driver.commit_call(driver.fetch_one())
    args = list(given)
    sinks = args.index("b,c,d")
    args[sinks] = ",".join(["b", "c", "d", *(f"never{k}" for k in range(9_000))])

    assert driver.send((name, args)) == ("OK", [])
    assert (driver.state(run_id).status, driver.state(run_id).result) == ("completed", {})


@pytest.mark.parametrize("result", [None, 0, False, "", [], {}, "ü\u2028\0", 1e300, "x" * 20_000])
def test_any_result_comes_through_untouched(store, result):
    driver = Driver(store, deployed(store, {"a": {}}))
    run_id = driver.start().run_id
    driver.commit(driver.fetch_one(), result=result)

    assert driver.state(run_id).result == result


def test_an_entry_that_fails_fails_its_run(store):
    driver = Driver(store, deployed(store, CHAIN))
    run_id = driver.start().run_id
    run = run_to_its_end(driver, run_id, {}, {}, failing={"a"})

    assert run.status == "failed"
    assert (run.failed_step, run.error["message"]) == ("a", "no")
    assert driver.types(run_id) == ["flow.start", "step.failed", "flow.failed"]


def test_a_leaf_that_fails_fails_its_run(store):
    driver = Driver(store, deployed(store, CHAIN))
    run_id = driver.start().run_id
    run = run_to_its_end(driver, run_id, {"a": [("one", 1)], "b": [("two", 2)]}, {}, failing={"c"})

    assert run.status == "failed"
    assert run.failed_step == "c"
    assert driver.types(run_id)[-2:] == ["step.failed", "flow.failed"]


def test_the_jobs_of_two_runs_end_their_own_runs(store):
    driver = Driver(store, deployed(store, CHAIN))
    runs = [driver.start().run_id for _ in range(2)]
    run_to_its_end(driver, runs[0], {"a": [("one", 1)], "b": [("two", 2)]}, {"c": 1})

    assert [driver.state(run_id).status for run_id in runs] == ["completed", "completed"]
