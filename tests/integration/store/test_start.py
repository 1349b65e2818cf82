"""`start`: a run is there whole or not at all, and once per id and per key."""

from __future__ import annotations

import pytest

from engine.control.start import start
from engine.errors import VersionNotFound
from tests.support.books import contents
from tests.support.store import (
    CHAIN,
    Driver,
    deployed,
    forget_run,
    hash_at,
    members,
    plan_from,
    server_ms,
)


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def test_a_run_has_a_ledger_a_log_an_entry_job_and_its_place_in_the_indexes(store, driver):
    before = server_ms(store)
    driver.start({"x": 1}, run_id="r")
    ledger = hash_at(store, "run:r")

    assert ledger.items() >= {"flow": "f", "version": driver.plan.version, "status": "running"}.items()
    assert ledger.items() >= {"open": "1", "leased": "0", "n:a": "1"}.items()
    assert before <= int(ledger["started"]) <= server_ms(store)
    assert members(store, "flows:f") == members(store, "runs:running") == ["r"]
    assert members(store, "queue:f.a:wait") == ["r/a#1"]
    assert members(store, "ready") == ["f.a"]
    assert hash_at(store, "job:r/a#1").items() >= {"state": "wait", "path": "0", "message": '{"x":1}'}.items()
    (first,) = driver.log("r")
    assert first.data == {
        "version": driver.plan.version,
        "trigger": "cli",
        "input": {"x": 1},
        "to": ["a#1"],
    }


def test_the_second_start_of_an_id_starts_nothing(store, driver):
    first = driver.start(1, run_id="r")
    was = contents(store)
    second = driver.start(2, run_id="r")

    assert (first.run_id, first.is_new) == ("r", True)
    assert (second.run_id, second.is_new) == ("r", False)
    assert contents(store) == was


def test_a_log_that_has_lost_its_ledger_is_not_begun_again(store, driver):
    driver.start(1, run_id="r")
    driver.commit(driver.fetch_one())
    with store.talking() as client:
        client.delete(store.keys.run("r"))
    was = contents(store)

    assert not driver.start(2, run_id="r").is_new
    assert contents(store) == was
    forget_run(store, "r")


def test_a_start_that_comes_again_after_the_end_of_the_run_starts_nothing(driver):
    driver.start(run_id="r", key="k")
    driver.commit(driver.fetch_one())

    assert driver.state("r").status == "completed"
    assert not driver.start(run_id="r").is_new
    assert not driver.start(run_id="r2", key="k").is_new


def test_a_key_names_the_run_that_it_started_first(store, driver):
    first = driver.start(run_id="r1", key="k")
    was = contents(store)
    second = driver.start(run_id="r2", key="k")

    assert (first.run_id, first.is_new) == ("r1", True)
    assert (second.run_id, second.is_new) == ("r1", False)
    assert contents(store) == was
    with store.talking() as client:
        assert 86_000_000 < client.pttl(f"{store.keys.prefix}:once:f:k") <= 86_400_000


def test_a_key_is_free_again_when_it_has_expired(store, driver):
    driver.start(run_id="r1", key="k")
    with store.talking() as client:
        client.delete(f"{store.keys.prefix}:once:f:k")

    assert driver.start(run_id="r2", key="k").is_new


def test_keys_of_two_flows_are_two_keys(store, driver):
    other = Driver(store, deployed(store, CHAIN, flow="g"), name="v")
    driver.start(run_id="r1", key="k")

    assert other.start(run_id="r2", key="k").is_new


def test_a_known_id_leaves_a_new_key_free(driver):
    driver.start(run_id="r1")
    assert not driver.start(run_id="r1", key="k").is_new
    assert driver.start(run_id="r2", key="k").is_new


def test_a_version_that_is_not_in_the_store_starts_nothing(store, driver):
    unknown = plan_from({"a": {}})
    was = contents(store)
    with pytest.raises(
        VersionNotFound, match=f"version {unknown.version[:12]} of flow `f` is not in the store"
    ):
        start(store, unknown, input=None, limit_bytes=100)
    assert contents(store) == was


def test_runs_are_fetched_in_the_order_of_their_starts(driver):
    for k in range(12):
        driver.start(run_id=f"r{k}")
    assert [job.run_id for job in driver.fetch(room=12)] == [f"r{k}" for k in range(12)]
