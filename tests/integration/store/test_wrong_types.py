"""A key that somebody else has put in the way stops a call before its first write, never half way."""

from __future__ import annotations

import pytest

from engine.errors import StoreError
from tests.support.books import contents
from tests.support.store import CHAIN, Driver, add, deployed, logged, set_to

CALLS = {
    "start": lambda driver, job: driver.start(run_id="new"),
    "report": lambda driver, job: driver.report(job, logged("x")),
    "commit": lambda driver, job: driver.commit(job, emits=[("one", 1)], changes=[add("n", 1)]),
    "set": lambda driver, job: driver.commit(job, changes=[set_to("n", 1)]),
    "stage": lambda driver, job: driver.send(driver.stage_call(job, [("one", 1)])),
    "fail": lambda driver, job: driver.fail(job),
    "release": lambda driver, job: driver.release(job, unroutable=b'{"reason":"x"}'),
    "sweep": lambda driver, job: driver.sweep(),
}


@pytest.mark.parametrize(
    ("call", "key"),
    [(call, "events") for call in CALLS if call != "stage"]
    + [(call, "flow:r") for call in CALLS if call not in ("start", "sweep")]
    + [("start", "flow:new"), ("commit", "state:r"), ("set", "state:r")],
)
def test_a_stream_that_is_none_stops_the_call_whole(store, call, key):
    driver = Driver(store, deployed(store, CHAIN))
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.expire(job)
    name = f"{store.keys.prefix}:{key}"
    with store.talking() as client:
        kept = client.dump(name)
        client.set(name, "in the way")
    was = contents(store)
    with pytest.raises(StoreError, match="WRONGTYPE"):
        CALLS[call](driver, job)
    assert contents(store) == was

    with store.talking() as client:
        client.delete(name)
        if kept:
            client.restore(name, 0, kept)
    CALLS[call](driver, job)


def test_a_log_that_is_none_holds_up_the_sweep_of_its_own_job_alone(store):
    driver = Driver(store, deployed(store, CHAIN))
    for run_id in ("bad", "good"):
        driver.start(run_id=run_id)
    jobs = {job.run_id: job for job in (driver.fetch_one(), driver.fetch_one())}
    for job in jobs.values():
        driver.expire(job)
    name = store.keys.log("bad")
    with store.talking() as client:
        kept = client.dump(name)
        client.set(name, "in the way")
    driver.sweep()
    assert driver.types("good")[-1] == "step.lost"

    with store.talking() as client:
        client.delete(name)
        client.restore(name, 0, kept)
    driver.expire(jobs["bad"])
    driver.sweep()
    assert driver.types("bad")[-1] == "step.lost"


WIDE = [("one", k) for k in range(60)]


def stage_more(driver, job):
    driver.send(driver.stage_call(job, WIDE, first=60))


def settle(driver, job):
    driver.commit(job, staged=60)


def unfold(driver, job):
    driver.send(driver.unfold_call(job.run_id, job.step_id, 0))


@pytest.mark.parametrize(
    ("call", "key"),
    [
        (stage_more, "stage:r/a#1"),
        (settle, "stage:r/a#1"),
        (unfold, "stage:r/a#1"),
        (unfold, "flow:r"),
        (unfold, "events"),
    ],
)
def test_what_is_no_list_of_staged_emissions_stops_the_call_whole(store, call, key):
    driver = Driver(store, deployed(store, CHAIN))
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.stage_all(job, WIDE)
    if call is unfold:
        settle(driver, job)
    name = f"{store.keys.prefix}:{key}"
    with store.talking() as client:
        kept = client.dump(name)
        client.set(name, "in the way")
    was = contents(store)
    with pytest.raises(StoreError, match="WRONGTYPE"):
        call(driver, job)
    assert contents(store) == was

    with store.talking() as client:
        client.delete(name)
        client.restore(name, 0 if call is unfold else 60_000, kept)
    call(driver, job)
