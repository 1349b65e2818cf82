"""Finding runs, by flow, by status and by the beginning of an id."""

from __future__ import annotations

import random

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
    assert ids(index.page().runs) == ["bad", "done", "ending", "other", "run-1", "run-2"]


def test_runs_of_a_flow(index, runs):
    assert ids(index.page(flow="g").runs) == ["other"]
    assert ids(index.page(flow="f").runs) == ["bad", "done", "ending", "run-1", "run-2"]
    assert index.page(flow="nobody").runs == []


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
    assert ids(index.page(statuses=[status]).runs) == expected
    assert ids(index.page(statuses=[status], flow="f").runs) == [name for name in expected if name != "other"]


def test_the_newest_come_first_and_no_more_than_asked_for(store, index):
    driver = Driver(store, deployed(store, CHAIN))
    started = [driver.start().run_id for _ in range(5)]
    found = index.page(limit=3).runs

    assert len(found) == 3
    assert [it.started_at_ms for it in found] == sorted((it.started_at_ms for it in found), reverse=True)
    assert set(ids(found)) <= set(started)
    assert len(index.page(limit=4, flow="f").runs) == 4


def pages(index, *, limit, **filters):
    """All pages of a listing, each as its ids."""
    page = index.page(limit=limit, **filters)
    found = [[one.run_id for one in page.runs]]
    while page.after is not None:
        page = index.page(limit=limit, after=page.after, **filters)
        found.append([one.run_id for one in page.runs])
    return found


def expected(made, *, limit, flow=None, statuses=(), since_ms=0, until_ms=10**15):
    """What the pages should be, from (start, id, flow, status) of each run."""
    fitting = [
        run_id
        for at, run_id, of_flow, has_status in sorted(made, reverse=True)
        if flow in (None, of_flow) and (not statuses or has_status in statuses) and since_ms <= at < until_ms
    ]
    return [fitting[start : start + limit] for start in range(0, len(fitting), limit)] or [[]]


@pytest.fixture
def make(store):
    """Runs that are nothing but a ledger and its indexes, at times that a test chooses."""
    keys = store.keys
    made = []

    def make_all(runs):
        made.extend(runs)
        with store.talking() as client:
            for at, run_id, flow, status in runs:
                fields = {"flow": flow, "version": "v", "status": status, "started": at}
                client.hset(keys.run(run_id), mapping=fields)
                client.zadd(keys.flow_index(flow), {run_id: at})
                client.zadd(keys.status_index(status), {run_id: at})
        return runs

    yield make_all
    with store.talking() as client:
        client.delete(*(keys.run(run_id) for _, run_id, _, _ in made))


@pytest.mark.parametrize("seed", range(5))
def test_pages_of_any_filter_give_every_run_once_newest_first_also_at_equal_starts(
    monkeypatch, index, make, seed
):
    """Pages of the index are short here, so that many runs of one millisecond fill several."""
    monkeypatch.setattr("engine.store.index._PAGE", 5)
    chance = random.Random(seed)
    statuses = ("running", "completed", "failed")
    made = make(
        [
            (chance.choice((1_000, 1_001, 1_001, 1_001, 1_002, 5_000)), f"r{n}", *pick)
            for n in range(80)
            for pick in [(chance.choice("fg"), chance.choice(statuses))]
        ]
    )
    for limit in (1, 7, 79, 80, 200):
        for filters in (
            {},
            {"flow": "f"},
            {"statuses": ["failed"]},
            {"statuses": ["failed", "running"]},
            {"flow": "g", "statuses": ["completed"]},
            {"flow": "g", "statuses": ["completed", "failed"]},
            {"since_ms": 1_001, "until_ms": 1_002},
            {"flow": "f", "statuses": ["running"], "since_ms": 1_001},
            {"statuses": ["failed"], "until_ms": 1_001},
            {"since_ms": 6_000},
        ):
            assert pages(index, limit=limit, **filters) == expected(made, limit=limit, **filters)


def test_a_page_stays_where_it_is_while_runs_start_and_end(index, make, store):
    make([(1_000 + n, f"r{n}", "f", "running") for n in range(10)])
    first = index.page(limit=4)
    assert [one.run_id for one in first.runs] == ["r9", "r8", "r7", "r6"]
    make([(2_000, "new", "f", "running")])
    with store.talking() as client:
        for run_id in ("r9", "r4"):
            client.zrem(store.keys.status_index("running"), run_id)
            client.zadd(store.keys.status_index("completed"), {run_id: 1_000 + int(run_id[1:])})
            client.hset(store.keys.run(run_id), "status", "completed")
    second = index.page(limit=4, after=first.after)
    assert [(one.run_id, one.status) for one in second.runs] == [
        ("r5", "running"),
        ("r4", "completed"),
        ("r3", "running"),
        ("r2", "running"),
    ]


def test_a_run_that_moves_on_while_it_is_listed_is_not_listed_with_a_status_that_it_has_left(
    index, make, store
):
    make([(1_000, "old", "f", "running"), (1_001, "new", "f", "running")])
    with store.talking() as client:
        client.hset(store.keys.run("new"), "status", "completed")
    assert ids(index.page(statuses=["running"]).runs) == ["old"]


def test_a_page_after_a_run_that_is_gone_is_refused(index):
    with pytest.raises(RunNotFound, match="there is no run `x`"):
        index.page(after="x")


def test_a_look_among_very_many_ends_and_says_where_to_go_on(monkeypatch, index, make):
    monkeypatch.setattr("engine.store.index._PAGE", 5)
    monkeypatch.setattr("engine.store.index._LOOKED", 20)
    make([(1_000 + n, f"r{n:02}", "f", "completed") for n in range(50)])
    make([(1_000 + n, f"s{n:02}", "g", "failed") for n in range(50)])
    make([(900, "wanted", "f", "failed")])
    page = index.page(flow="f", statuses=["failed"])
    assert (page.runs, page.is_cut) == ([], True)
    assert "s25" <= page.after <= "s30"
    found = []
    while page.after is not None:
        page = index.page(flow="f", statuses=["failed"], after=page.after)
        found += page.runs
    assert ids(found) == ["wanted"]
    assert not page.is_cut


def test_a_page_costs_the_same_however_long_the_history_is(index, make, store):
    def commands():
        with store.talking() as client:
            stats = client.info("commandstats")
            return sum(
                stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("zrevrangebyscore", "hmget")
            )

    costs = []
    for history in range(2):
        make([(1_000 * history + n, f"h{history}-{n}", "f", "completed") for n in range(600)])
        before = commands()
        assert len(index.page(limit=20).runs) == 20
        costs.append(commands() - before)
    assert costs[0] == costs[1] <= 30


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
