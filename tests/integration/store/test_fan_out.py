"""`unfold`: a wide fan-out is settled as one and laid out part by part."""

from __future__ import annotations

from typing import Any

import pytest

from engine.events.codec import decode_json
from engine.store import ledger
from engine.store.gather import Gather
from engine.store.ledger import EMITS_A_PART
from tests.integration.store.fan import FAN, entry, items
from tests.support.books import audit, contents
from tests.support.store import Driver, deployed, forget_run, hash_at, members


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, FAN))


def settle(driver, emits):
    """Settle the entry of `r` with staged emissions."""
    job = entry(driver)
    driver.stage_all(job, emits)
    assert driver.commit(job, staged=len(emits)) == ("OK", [])
    audit(driver.store)


def unfold(driver, cursor, step_id="list#1"):
    return driver.send(driver.unfold_call("r", step_id, cursor))


def ttl_ms(store, job_id="r/list#1"):
    with store.talking() as client:
        return client.pttl(f"{store.keys.prefix}:stage:{job_id}")


def emits_of(driver, step_id="list#1"):
    return [it for it in driver.log("r") if it.type == "emit" and it.step_id == step_id]


@pytest.mark.parametrize("count", [1, EMITS_A_PART, EMITS_A_PART + 1, 200, 201, 450])
def test_every_emission_is_laid_out_once_and_in_order_and_what_it_makes_due_is_gathered(driver, count):
    settle(driver, items(count))
    parts = driver.unfold_all("r", "list#1")
    assert parts == -(-count // EMITS_A_PART)
    audit(driver.store)

    logged = [(it.data["k"], it.data["path"], it.data["payload"], it.data["to"]) for it in emits_of(driver)]
    assert logged == [(k + 1, f"0.{k + 1}", k, [f"work#{k + 1}"]) for k in range(count)]
    jobs = driver.fetch(room=count + 1)
    assert [(job.path, job.message) for job in jobs] == [
        (f"0.{k + 1}.2", str(k).encode()) for k in range(count)
    ]
    for job in jobs:
        driver.commit(job, emits=[("done", int(job.message))])
    (job,) = driver.fetch(room=5)
    upto = decode_json(job.message)
    found = Gather(driver.store).collect("r", job.event, upto, limit_bytes=1 << 20)
    assert decode_json(found) == list(range(count))
    driver.commit(job, result=count)
    assert (driver.state("r").status, driver.state("r").result) == ("completed", count)


def test_paths_are_those_of_a_narrow_fan_out(driver):
    driver.start(run_id="narrow")
    driver.commit(driver.fetch_one(), emits=items(3))
    narrow = [job.path for job in driver.fetch(room=3)]
    settle(driver, items(3))
    driver.unfold_all("r", "list#1")

    assert [job.path for job in driver.fetch(room=3)] == narrow == ["0.1.2", "0.2.2", "0.3.2"]
    was = [it.data for it in driver.log("narrow") if it.type == "emit"]
    assert [{**it.data} for it in emits_of(driver)] == [{**data, "k": k} for k, data in enumerate(was, 1)]


def test_the_settlement_makes_it_last_and_holds_its_share_until_all_is_laid_out(store, driver):
    settle(driver, items(120))
    completed = driver.log("r")[-1]
    assert (completed.type, completed.data["emits"]) == ("step.completed", 120)
    assert ttl_ms(store) == -1
    assert members(store, "unfolding") == ["r/list#1"]
    assert hash_at(store, "run:r")["u:list#1"] == "0 120 1 0"
    assert hash_at(store, "run:r").items() >= {"open": "2", "left:sum": "1", "leased": "0"}.items()

    assert unfold(driver, 0) == ("MORE", [50])
    audit(store)
    for job in driver.fetch(room=50):
        driver.commit(job, emits=[("done", 1)])
    audit(store)
    assert members(store, "queue:f.sum:wait") == [], "more is to come"
    assert unfold(driver, 50) == ("MORE", [100])
    assert unfold(driver, 100) == ("DONE", [])
    audit(store)
    assert ttl_ms(store) == -2
    assert members(store, "unfolding") == []
    assert "u:list#1" not in hash_at(store, "run:r")


def test_a_late_copy_of_unfold_lays_nothing_out_again(store, driver):
    settle(driver, items(120))
    unfold(driver, 0)
    was = contents(store)
    assert unfold(driver, 0) == ("DUP", [50])
    assert unfold(driver, 100) == ("DUP", [50]), "nor does one that runs ahead leave a gap"
    assert contents(store) == was
    unfold(driver, 50)
    unfold(driver, 100)
    was = contents(store)
    for cursor in (0, 50, 100, 120):
        assert unfold(driver, cursor) == ("DONE", [])
    assert contents(store) == was


def test_a_run_that_fails_meanwhile_takes_nothing_more_and_its_stage_goes(store, driver):
    settle(driver, items(120))
    unfold(driver, 0)
    first, second = driver.fetch(room=2)
    driver.fail(first)
    audit(store)

    assert unfold(driver, 50) == ("ENDED", [])
    assert ttl_ms(store) == -2
    assert members(store, "unfolding") == []
    driver.commit(second)
    assert driver.state("r").status == "failed"
    assert len(emits_of(driver)) == 50
    assert unfold(driver, 50) == ("ENDED", [])


def test_a_run_that_was_removed_meanwhile_leaves_nothing(store, driver):
    settle(driver, items(60))
    forget_run(store, "r")

    assert unfold(driver, 0) == ("GONE", [])
    assert [name for name in contents(store) if "r/list#1" in name or ":run:" in name] == []


def test_a_keeper_is_told_of_what_is_on_its_way(store, driver):
    settle(driver, items(120))
    unfold(driver, 0)
    told = store.call("promote", 1)

    assert told == [-1, [b"r/list#1", b"f", driver.plan.version.encode(), 50]]
    assert store.call("promote", 1) == told
    unfold(driver, 50)
    unfold(driver, 100)
    assert store.call("promote", 1) == [-1]


def test_what_a_removed_run_has_staged_is_cleared_by_a_keeper(store, driver):
    settle(driver, items(60))
    forget_run(store, "r")

    assert store.call("promote", 1) == [-1]
    assert members(store, "unfolding") == []
    assert ttl_ms(store) == -2


def test_emissions_that_somebody_has_deleted_fail_the_run(store, driver):
    settle(driver, items(120))
    unfold(driver, 0)
    with store.talking() as client:
        client.delete(f"{store.keys.prefix}:stage:r/list#1")

    assert unfold(driver, 50) == ("ENDED", [])
    run = driver.state("r")
    assert (run.status, run.failed_step) == ("failed", "list")
    assert run.error == {
        "type": "StoreError",
        "message": "the staged events of list#1 were deleted from the store",
    }
    assert members(store, "unfolding") == []
    assert driver.fetch(room=100) == []
    assert unfold(driver, 50) == ("ENDED", [])


def test_what_runs_of_such_a_run_is_told_that_it_is_over(store, driver):
    settle(driver, items(120))
    unfold(driver, 0)
    job = driver.fetch_one()
    with store.talking() as client:
        client.delete(f"{store.keys.prefix}:stage:r/list#1")
    unfold(driver, 50)

    assert driver.renew(job) == ["ending"]
    assert driver.commit(job, emits=[("done", 1)]).word == "ENDED"
    assert members(store, "queue:f.work:active") == []
    assert driver.types("r")[-1] == "flow.failed"


def test_an_event_that_nobody_but_a_collect_hears_fires_it_with_the_last_part(store):
    steps = {"list": {"emits": ["item"]}, "sum": {"subscribes": {"collect": "item"}}}
    driver = Driver(store, deployed(store, steps))
    settle(driver, items(120))
    for cursor in (0, 50):
        unfold(driver, cursor)
        audit(store)
        assert members(store, "queue:f.sum:wait") == []
    assert unfold(driver, 100) == ("DONE", [])
    audit(store)
    last = emits_of(driver)[-1]
    job = driver.fetch_one()

    assert (last.data["k"], last.data["to"]) == (120, ["sum#1"])
    assert decode_json(job.message) == last.id
    found = Gather(store).collect("r", "item", last.id, limit_bytes=1 << 20)
    assert decode_json(found) == list(range(120))


def test_events_that_nobody_hears_are_recorded_and_end_the_run(store, driver):
    settle(driver, items(120, event="note"))
    assert driver.unfold_all("r", "list#1") == 3
    audit(store)
    (job,) = driver.fetch(room=9)
    assert job.step == "sum", "the entry arms it, so an empty list is collected"
    driver.commit(job)

    assert driver.state("r").status == "completed"
    assert len(emits_of(driver)) == 120


def test_a_sink_that_fans_out_ends_the_run_with_its_result_when_all_is_recorded(store):
    driver = Driver(store, deployed(store, {"a": {"emits": ["note"]}}))
    job = entry(driver)
    driver.stage_all(job, items(60, event="note"))
    driver.commit(job, staged=60, result="all told")
    assert driver.state("r").status == "running"
    assert unfold(driver, 0, "a#1").word == "MORE"
    assert unfold(driver, 50, "a#1").word == "DONE"

    assert (driver.state("r").status, driver.state("r").result) == ("completed", "all told")
    assert driver.types("r")[-1] == "flow.completed"


def test_a_join_takes_the_first_emission_of_a_wide_fan_out(store):
    steps = {"list": {"emits": ["item", "note"]}, "both": {"subscribes": {"all": ["item", "note"]}}}
    driver = Driver(store, deployed(store, steps))
    settle(driver, [*items(70), ("note", "n"), *items(10)])
    unfold(driver, 0)
    audit(store)
    assert unfold(driver, 50) == ("DONE", [])
    audit(store)
    job = driver.fetch_one()

    assert decode_json(Gather(store).join("r", decode_json(job.message), limit_bytes=99)) == {
        "item": 0,
        "note": "n",
    }


def test_a_join_that_a_wide_fan_out_leaves_half_full_fails_the_run(store):
    steps = {"list": {"emits": ["item", "note"]}, "both": {"subscribes": {"all": ["item", "note"]}}}
    driver = Driver(store, deployed(store, steps))
    settle(driver, items(60))
    driver.unfold_all("r", "list#1")

    error = driver.state("r").error
    assert error
    assert error["message"] == "join `both` has `item` and misses `note`"


def test_two_fan_outs_of_one_run_are_laid_out_side_by_side(store):
    steps = {
        "a": {"emits": ["one"]},
        "list": {"subscribes": "one", "emits": ["item"]},
        "work": {"subscribes": "item", "emits": ["done"]},
        "sum": {"subscribes": {"collect": "done"}},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    for job in driver.fetch(room=2):
        driver.stage_all(job, items(60))
        driver.commit(job, staged=60)
        audit(store)
    for step_id, cursor in (("list#2", 0), ("list#1", 0), ("list#1", 50), ("list#2", 50)):
        unfold(driver, cursor, step_id)
        audit(store)
    for job in driver.fetch(room=200):
        assert members(store, "queue:f.sum:wait") == []
        driver.commit(job, emits=[("done", 1)])

    (job,) = driver.fetch(room=9)
    assert job.step == "sum"


def test_a_part_is_bounded_by_bytes_too(store, driver):
    large = "x" * (ledger.EMITS_BYTES // 4)
    settle(driver, [("item", large)] * 10)
    assert unfold(driver, 0) == ("MORE", [4])
    assert unfold(driver, 4) == ("MORE", [8])
    assert unfold(driver, 8) == ("DONE", [])
    audit(store)

    assert [job.message for job in driver.fetch(room=20)] == [f'"{large}"'.encode()] * 10


def test_one_emission_that_is_larger_than_a_part_is_a_part(driver):
    settle(driver, [("item", "x" * (2 * ledger.EMITS_BYTES)), ("item", "small")])
    assert unfold(driver, 0) == ("MORE", [1])
    assert unfold(driver, 1) == ("DONE", [])


def test_any_payload_comes_through_untouched(driver):
    payloads: list[Any] = [None, 0, False, "", [], {}, 'ü\u2028\0"\\', 1e300, -1, "%d %s", "x" * 20_000]
    settle(driver, [("item", payload) for payload in payloads])
    driver.unfold_all("r", "list#1")

    assert [it.data["payload"] for it in emits_of(driver)] == payloads
    assert [decode_json(job.message) for job in driver.fetch(room=20)] == payloads


def test_ten_thousand_are_staged_and_laid_out(store, driver):
    settle(driver, items(10_000))
    assert driver.unfold_all("r", "list#1") == 10_000 // EMITS_A_PART
    with store.talking() as client:
        assert client.zcard(f"{store.keys.prefix}:queue:f.work:wait") == 10_000
    assert hash_at(store, "run:r").items() >= {"open": "10001", "left:sum": "10000"}.items()


def test_what_it_costs_is_a_bounded_number_of_scripts_and_commands(own_store):
    """In counts: per emission to stage it three values in one command, and to lay it out eight commands."""
    driver = Driver(own_store, deployed(own_store, FAN))
    job = entry(driver)
    with own_store.talking() as client:
        for script in own_store.scripts.values():
            client.script_load(script.text)
        client.config_resetstat()
    driver.stage_all(job, items(400))
    driver.commit(job, staged=400)
    driver.unfold_all("r", "list#1")
    with own_store.talking() as client:
        stats = client.info("commandstats")
    calls = {name.removeprefix("cmdstat_"): about["calls"] for name, about in stats.items()}

    assert calls.pop("evalsha") == 2 + 1 + 8
    assert calls["rpush"] == 400 + 1, "one marker"
    assert calls["lpop"] == 400
    assert calls["xadd"] == 2 * 400 + 2
    assert sum(calls.values()) <= 400 * 9 + 11 * 30
