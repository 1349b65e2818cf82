"""Finding runs, by flow, by status and by the beginning of an id."""

from __future__ import annotations

import pytest

from engine.errors import FlowEngineError, RunNotFound
from engine.store.index import RunIndex
from tests.support.store import CHAIN, Driver, deployed


@pytest.fixture
def index(store):
    return RunIndex(store)


@pytest.fixture
def runs(store):
    """One completed, one failed, one failing and two running runs of `f`, and one of `g`."""
    driver = Driver(store, deployed(store, CHAIN))
    driver.start(run_id="done")
    driver.commit(driver.fetch_one())
    driver.start(run_id="bad")
    driver.fail(driver.fetch_one())
    driver.start(run_id="ending")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    driver.fail(driver.fetch(room=2)[0])
    driver.start(run_id="run-1")
    driver.start(run_id="run-2")
    Driver(store, deployed(store, CHAIN, flow="g"), name="v").start(run_id="other")
    return driver


def ids(found):
    return sorted(summary.run_id for summary in found)


def test_all_runs(index, runs):
    assert ids(index.list()) == ["bad", "done", "ending", "other", "run-1", "run-2"]


def test_runs_of_a_flow(index, runs):
    assert ids(index.list(flow="g")) == ["other"]
    assert ids(index.list(flow="f")) == ["bad", "done", "ending", "run-1", "run-2"]
    assert index.list(flow="nobody") == []


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("completed", ["done"]),
        ("failed", ["bad"]),
        ("failing", ["ending"]),
        ("running", ["other", "run-1", "run-2"]),
        ("cancelled", []),
    ],
)
def test_runs_of_a_status(index, runs, status, expected):
    assert ids(index.list(status=status)) == expected
    assert ids(index.list(status=status, flow="f")) == [name for name in expected if name != "other"]


def test_the_newest_come_first_and_no_more_than_asked_for(store, index):
    driver = Driver(store, deployed(store, CHAIN))
    started = [driver.start().run_id for _ in range(5)]
    found = index.list(limit=3)

    assert len(found) == 3
    assert [it.started_at_ms for it in found] == sorted((it.started_at_ms for it in found), reverse=True)
    assert set(ids(found)) <= set(started)
    assert len(index.list(limit=4, flow="f")) == 4


def test_a_summary_says_what_became_of_a_run(index, runs):
    failed = index.get("bad")
    assert (failed.flow, failed.version, failed.status) == ("f", runs.plan.version, "failed")
    assert failed.error == {"type": "ValueError", "message": "no"}
    assert failed.failed_step == "a"
    assert failed.ended_at_ms >= failed.started_at_ms
    running = index.get("run-1")
    assert (running.status, running.ended_at_ms, running.error, running.failed_step) == (
        "running",
        None,
        None,
        None,
    )


def test_a_run_that_is_not_there(index):
    with pytest.raises(RunNotFound, match="there is no run `x` in the store at here"):
        index.get("x")
    with pytest.raises(RunNotFound, match="there is no run `x` in the store at here"):
        index.find("x")


def test_the_beginning_of_an_id_is_enough(index, runs):
    assert index.find("don") == "done"
    assert index.find("run-2") == "run-2"
    with pytest.raises(FlowEngineError, match=r"`run-` is the beginning of 2 run ids \(run-[12], run-[12]\)"):
        index.find("run-")


def test_a_whole_id_wins_over_longer_ones(store, index, runs):
    runs.start(run_id="run-11")
    assert index.find("run-1") == "run-1"
