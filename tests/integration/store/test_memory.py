"""A server that is full: it refuses new work whole, and admitted work goes on to its end."""

from __future__ import annotations

import pytest

from engine.errors import StoreFull
from tests.support.books import contents
from tests.support.store import CHAIN, Driver, add, deployed, logged, set_to, started


@pytest.fixture
def store(own_store):
    yield own_store
    set_limit(own_store, 0)


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def set_limit(store, limit):
    with store.talking() as client:
        client.config_set("maxmemory", limit)


def test_a_full_server_refuses_a_start_whole(store, driver):
    driver.start(run_id="before", key="k")
    was = contents(store)
    set_limit(store, 1)
    with pytest.raises(StoreFull, match="out of memory and takes no new runs"):
        driver.start(run_id="r")
    with pytest.raises(StoreFull):
        driver.start(run_id="r", key="another")
    assert contents(store) == was

    assert not driver.start(run_id="before").is_new, "a start that had been recorded is known all the same"
    assert driver.start(run_id="r", key="k").run_id == "before"
    set_limit(store, 0)
    assert driver.start(run_id="r").is_new


def test_runs_that_were_admitted_complete_on_a_full_server(store, driver):
    driver.start(run_id="r")
    set_limit(store, 1)
    driver.register()
    job = driver.fetch_one()
    assert driver.report(job, [started()]).word == "OK"
    token = driver.token()
    answer = driver.commit(
        job,
        first=1,
        events=logged("x" * 1000),
        changes=[set_to("s", "y" * 1000), add("n", 1)],
        emits=[("one", 1), ("one", 2)],
        take=token,
    )
    taken = driver.taken(answer, token)
    assert driver.renew(taken) == ["kept"]
    driver.commit(taken, emits=[("two", 1)])
    while jobs := driver.fetch(room=5):
        for job in jobs:
            assert driver.commit(job).word == "OK"

    assert driver.state("r").status == "completed"


def test_a_full_server_takes_lost_and_unstarted_jobs_back_and_records_failures(store, driver):
    for k in range(3):
        driver.start(run_id=f"r{k}")
    given_back, lost, failed = driver.fetch(room=3)
    driver.expire(lost)
    set_limit(store, 1)
    assert driver.release(given_back, unroutable=b'{"reason":"x"}').word == "OK"
    assert driver.sweep().lost == 1
    assert driver.fail(failed).word == "OK"
    assert driver.promote() == -1

    assert driver.state("r2").status == "failed"
    assert [job.run_id for job in driver.fetch(room=3)] == ["r0", "r1"]
