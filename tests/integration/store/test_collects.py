"""Collects: one activation when nothing is left that could emit the event, with all payloads in order."""

from __future__ import annotations

import pytest

from engine.events.codec import decode_json
from engine.store.gather import Gather
from tests.support.books import audit, contents
from tests.support.store import Driver, deployed, hash_at, members

#: One step lists items, one does each, one adds up.
FAN = {
    "list": {"emits": ["item"]},
    "work": {"subscribes": "item", "emits": ["done"]},
    "sum": {"subscribes": {"collect": "done"}},
}

#: A router: its first branch leads to a collect, its second one does not.
ROUTER = {
    "route": {"emits": ["left", "right"]},
    "work": {"subscribes": "left", "emits": ["done"]},
    "sum": {"subscribes": {"collect": "done"}, "emits": ["total"]},
    "other": {"subscribes": "right"},
    "last": {"subscribes": {"collect": "total"}},
}


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, FAN))


def fan_out(driver, count):
    """Start `r`, whose entry emits some items; answers their jobs."""
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("item", k) for k in range(count)])
    return driver.fetch(room=count)


def gathered(driver, job):
    """What a collect's handler is given."""
    upto = decode_json(job.message)
    return decode_json(Gather(driver.store).collect(job.run_id, job.event, upto, limit_bytes=10_000))


def collect(driver, step="sum"):
    """The one job that waits, which is a collect's."""
    (job,) = driver.fetch(room=5)
    assert job.step == step
    return job


def fired(driver):
    """Which settling event set off which collects."""
    return [
        (it.step_id, it.data["to"])
        for it in driver.log("r")
        if it.type.startswith("step.") and it.data.get("to")
    ]


@pytest.mark.parametrize("count", [1, 3])
def test_it_fires_once_when_the_last_item_is_settled(store, driver, count):
    jobs = fan_out(driver, count)
    for job in jobs:
        assert members(store, "queue:f.sum:wait") == []
        driver.commit(job, emits=[("done", job.message.decode())])
        audit(store)

    job = collect(driver)
    assert (job.step_id, job.path, job.event) == ("sum#1", "j1", "done")
    assert gathered(driver, job) == [str(k) for k in range(count)]
    assert fired(driver) == [(f"work#{count}", ["sum#1"])]
    driver.commit(job, result=count)
    assert (driver.state("r").status, driver.state("r").result) == ("completed", count)


def test_no_items_are_an_empty_list(store, driver):
    assert [job.step for job in fan_out(driver, 0)] == []
    audit(store)
    job = collect(driver)

    assert fired(driver) == [("list#1", ["sum#1"])]
    assert gathered(driver, job) == []
    driver.commit(job)
    assert driver.state("r").status == "completed"


def test_payloads_come_in_the_order_in_which_they_were_recorded(driver):
    first, second, third = fan_out(driver, 3)
    driver.commit(third, emits=[("done", "c"), ("done", "c2")])
    driver.commit(first, emits=[("done", "a")])
    driver.commit(second)

    assert gathered(driver, collect(driver)) == ["c", "c2", "a"]


def test_a_skipped_item_has_emitted_nothing(driver):
    first, second = fan_out(driver, 2)
    driver.commit(first, emits=[("done", 1)])
    driver.commit(second, kind="skipped")

    assert gathered(driver, collect(driver)) == [1]
    assert fired(driver) == [("work#2", ["sum#1"])]


def test_what_is_lost_given_back_or_delayed_is_waited_for(store, driver):
    lost, given_back, delayed, done = fan_out(driver, 4)
    driver.commit(done, emits=[("done", "done")])
    driver.lose(lost)
    driver.release(given_back)
    driver.release(delayed, delay_ms=30_000)
    audit(store)
    for job in driver.fetch(room=5):
        driver.commit(job, emits=[("done", job.step_id)])
    assert members(store, "queue:f.sum:wait") == []
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:timers", {"d f.work": 1})
        client.zadd(f"{store.keys.prefix}:queue:f.work:delayed", {delayed.id: 1})
    driver.promote()
    driver.commit(driver.fetch_one(), emits=[("done", "delayed")])

    assert gathered(driver, collect(driver)) == ["done", "work#1", "work#2", "delayed"]


def test_a_commit_sent_again_sets_off_nothing_again(store, driver):
    (job,) = fan_out(driver, 1)
    call = driver.commit_call(job, emits=[("done", 1)])
    assert driver.send(call).word == "OK"
    was = contents(store)

    assert driver.send(call).word == "SETTLED"
    assert contents(store) == was


def test_its_queue_gets_a_marker(store, driver):
    fan_out(driver, 0)
    with store.talking() as client:
        assert client.llen(store.keys.queue_wake("f.sum")) == 1
    assert members(store, "ready") == ["f.sum"]


def test_a_run_that_fails_fires_nothing(store, driver):
    first, second, third = fan_out(driver, 3)
    driver.commit(first, emits=[("done", 1)])
    driver.fail(second)
    driver.commit(third, emits=[("done", 3)])

    run = driver.state("r")
    assert (run.status, run.failed_step) == ("failed", "work")
    assert "sum#1" not in run.activations
    assert members(store, "queue:f.sum:wait") == []


def test_each_attempt_of_it_gathers_up_to_the_same_event(driver):
    (job,) = fan_out(driver, 1)
    driver.commit(job, emits=[("done", 1)])
    first = collect(driver)
    driver.lose(first)
    second = collect(driver)

    assert (first.message, second.attempt) == (second.message, 2)
    assert gathered(driver, second) == [1]


def test_the_entry_itself_may_emit_what_is_collected(store):
    driver = Driver(
        store, deployed(store, {"a": {"emits": ["one"]}, "sum": {"subscribes": {"collect": "one"}}})
    )
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(3)], take=driver.token())
    audit(store)

    assert gathered(driver, collect(driver)) == [0, 1, 2]
    assert [it.data["to"] for it in driver.log("r") if it.type == "emit"] == [[], [], []]


def test_a_branch_that_is_taken_is_collected_and_what_comes_after_it_too(store):
    driver = Driver(store, deployed(store, ROUTER))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("left", 1), ("right", 2)])
    audit(store)
    work, other = sorted(driver.fetch(room=2), key=lambda job: job.step, reverse=True)
    driver.commit(work, emits=[("done", 5)])
    audit(store)
    driver.commit(collect(driver), emits=[("total", 50)])
    audit(store)
    driver.commit(collect(driver, "last"), result="end")
    assert driver.state("r").status == "running", "the other branch still runs"
    driver.commit(other, result="other")

    assert fired(driver) == [("work#1", ["sum#1"]), ("sum#1", ["last#1"])]
    assert driver.state("r").result == {"last": "end", "other": "other"}


@pytest.mark.parametrize("emits", [[], [("right", 1)]], ids=["nothing", "the-other-branch"])
def test_a_branch_that_is_not_taken_is_collected_nowhere(store, emits):
    driver = Driver(store, deployed(store, ROUTER))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=emits)
    audit(store)
    ledger = hash_at(store, "run:r")

    assert (ledger["left:sum"], ledger["left:last"], ledger["open"]) == ("0", "0", str(len(emits)))
    assert fired(driver) == []
    for job in driver.fetch(room=5):
        driver.commit(job)
    assert driver.state("r").status == "completed"
    assert [name for name in driver.state("r").activations if name[0] in "sl"] == []


def test_a_collect_behind_a_collect_waits_for_it(store):
    steps = {
        **FAN,
        "sum": {"subscribes": {"collect": "done"}, "emits": ["total"]},
        "last": {"subscribes": {"collect": "total"}},
    }
    driver = Driver(store, deployed(store, steps))
    jobs = fan_out(driver, 2)
    for job in jobs:
        driver.commit(job, emits=[("done", 1)])
        audit(store)
    first = collect(driver)
    assert hash_at(store, "run:r")["left:last"] == "1"
    driver.commit(first, emits=[("total", 1), ("total", 2)])
    audit(store)

    assert gathered(driver, collect(driver, "last")) == [1, 2]
    assert fired(driver) == [("work#2", ["sum#1"]), ("sum#1", ["last#1"])]


def test_a_collect_that_an_emission_has_armed_arms_those_behind_it(store):
    """The entry may lead elsewhere, so it arms neither; the first fires all the same, and emits nothing."""
    steps = {
        "start": {"emits": ["good", "bad"]},
        "goods": {"subscribes": {"collect": "good"}, "emits": ["summed"]},
        "bads": {"subscribes": "bad"},
        "last": {"subscribes": {"collect": "summed"}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("good", 1)])
    first = collect(driver, "goods")
    assert "armed:last" in hash_at(store, "run:r")
    driver.commit(first)
    audit(store)

    assert gathered(driver, collect(driver, "last")) == []


def test_two_collects_may_gather_one_event(store):
    steps = {
        **FAN,
        "sum": {"subscribes": {"collect": "done"}, "emits": ["total"]},
        "most": {"subscribes": {"collect": "done"}},
        "each": {"subscribes": "done"},
    }
    driver = Driver(store, deployed(store, steps))
    for job in fan_out(driver, 2):
        driver.commit(job, emits=[("done", job.message.decode())])
        audit(store)
    assert fired(driver) == [("work#2", ["most#1", "sum#1"])]
    jobs = {job.step_id: job for job in driver.fetch(room=9)}

    assert sorted(jobs) == ["each#1", "each#2", "most#1", "sum#1"]
    assert gathered(driver, jobs["most#1"]) == gathered(driver, jobs["sum#1"]) == ["0", "1"]
    for job in jobs.values():
        driver.commit(job)
    assert driver.state("r").status == "completed"


NESTED = {
    "list": {"emits": ["item"]},
    "split": {"subscribes": "item", "emits": ["part"]},
    "work": {"subscribes": "part", "emits": ["done"]},
    "sum": {"subscribes": {"collect": "done"}},
}


def test_fan_outs_may_be_nested(store):
    driver = Driver(store, deployed(store, NESTED))
    for job in fan_out(driver, 3):
        number = int(job.message)
        driver.commit(job, emits=[("part", [number, k]) for k in range(number)])
        audit(store)
    parts = driver.fetch(room=9)
    assert [job.path for job in parts] == ["0.2.1.1.3", "0.3.1.1.3", "0.3.1.2.3"]
    for job in reversed(parts):
        assert members(store, "queue:f.sum:wait") == []
        driver.commit(job, emits=[("done", decode_json(job.message))])
        audit(store)

    assert gathered(driver, collect(driver)) == [[2, 1], [2, 0], [1, 0]]


def test_nested_fan_outs_without_any_leaf_are_an_empty_list(store):
    driver = Driver(store, deployed(store, NESTED))
    for job in fan_out(driver, 3):
        driver.commit(job)
        audit(store)

    assert gathered(driver, collect(driver)) == []


def test_joins_may_be_before_and_behind_a_collect(store):
    steps = {
        "a": {"emits": ["one", "two", "item"]},
        "both": {"subscribes": {"all": ["one", "two"]}, "emits": ["done"]},
        "work": {"subscribes": "item", "emits": ["done"]},
        "sum": {"subscribes": {"collect": "done"}, "emits": ["total"]},
        "end": {"subscribes": {"all": ["total", "two"]}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("item", 1), ("two", 2), ("one", 3)])
    audit(store)
    for job in driver.fetch(room=5):
        driver.commit(job, emits=[("done", job.step)])
        audit(store)
    job = collect(driver)
    assert sorted(gathered(driver, job)) == ["both", "work"]
    driver.commit(job, emits=[("total", 9)])
    audit(store)
    driver.commit(collect(driver, "end"), result="end")

    assert driver.state("r").result == "end"


def test_a_half_full_join_before_it_lets_it_fire_and_fails_the_run_at_the_end(store):
    steps = {
        "a": {"emits": ["one", "two"]},
        "both": {"subscribes": {"all": ["one", "two"]}, "emits": ["done"]},
        "sum": {"subscribes": {"collect": "done"}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("two", 2)])
    audit(store)
    job = collect(driver)
    assert gathered(driver, job) == []
    driver.commit(job)

    run = driver.state("r")
    assert run.error
    assert (run.status, run.error["message"]) == ("failed", "join `both` has `two` and misses `one`")


def test_the_jobs_of_a_collect_have_its_queue_and_its_priority(store):
    steps = {**FAN, "sum": {"subscribes": {"collect": "done"}, "queue": "sums", "priority": 1}}
    driver = Driver(store, deployed(store, steps))
    fan_out(driver, 0)
    with store.talking() as client:
        score = client.zscore(f"{store.keys.prefix}:queue:sums:wait", "r/sum#1")

    assert score == (1 << 42) + 1
    assert collect(driver).queue == "sums"


def test_the_start_of_a_run_counts_what_its_collects_wait_for(store):
    driver = Driver(store, deployed(store, ROUTER))
    driver.start(run_id="r")
    audit(store)
    ledger = hash_at(store, "run:r")

    assert (ledger["open"], ledger["left:sum"], ledger["left:last"]) == ("3", "1", "2")
    assert not any(name.startswith("armed:") for name in ledger), "the entry may go elsewhere"
    driver = Driver(store, deployed(store, FAN, flow="g"))
    driver.start(run_id="s")
    assert hash_at(store, "run:s")["armed:sum"] == "1"
