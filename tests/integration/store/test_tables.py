"""The tables of `events/state` walked against the scripts: each call, on a run of each status."""

from __future__ import annotations

import pytest

from engine.events import state
from engine.events.fold import fold
from engine.events.types import TERMINAL
from tests.support.store import CHAIN, Driver, add, deployed, hash_at, logged, members

#: Statuses that a run of this release can have.
STATUSES = ("running", "failing", "completed", "failed")


def fan_out(driver, job):
    """Settle with staged emissions, and lay them out."""
    driver.send(driver.stage_call(job, [("two", k) for k in range(3)]))
    word = driver.commit(job, staged=3).word
    driver.send(driver.unfold_call(job.run_id, job.step_id, 0))
    return word


CALLS = {
    "report": lambda driver, job: driver.report(job, logged("x")).word,
    "commit": lambda driver, job: driver.commit(job, emits=[("two", 1)], changes=[add("n", 1)]).word,
    "stage": lambda driver, job: driver.send(driver.stage_call(job, [("two", 1)])).word,
    "fan out": fan_out,
    "skip": lambda driver, job: driver.commit(job, kind="skipped").word,
    "fail": lambda driver, job: driver.fail(job).word,
    "release": lambda driver, job: driver.release(job).word,
    "put off": lambda driver, job: driver.release(job, delay_ms=1_000, unroutable=b'{"reason":"x"}').word,
    "renew": lambda driver, job: driver.renew(job)[0],
    "sweep": lambda driver, job: driver.lose(job).word,
    "exhaust": lambda driver, job: driver.lose(job, max_losses=1).word,
    "fetch": lambda driver, job: driver.fetch_answer(room=5).word,
    "promote": lambda driver, job: driver.promote(),
}


def run_of(driver, status):
    """A run of a status, and a job of it: leased while the run is live, else the one that a zombie has."""
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(4)])
    first, second, third, zombie = driver.fetch(room=4)
    if status == "running":
        return zombie
    if status == "failing":
        driver.fail(first)
        return zombie
    driver.lose(zombie)
    if status == "completed":
        for job in (first, second, third, driver.fetch_one()):
            driver.commit(job)
    else:
        for job in (first, second, third):
            driver.fail(job)
    return zombie


#: Calls about an attempt, which learn that its run is over.
OF_AN_ATTEMPT = ("report", "commit", "stage", "fan out", "skip", "fail", "release", "put off")


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("status", STATUSES)
def test_a_call_moves_run_and_activation_by_the_tables(store, status, call):
    driver = Driver(store, deployed(store, CHAIN))
    job = run_of(driver, status)
    before = driver.log("r")
    run = fold(before)
    assert run is not None
    assert run.status == hash_at(store, "run:r")["status"] == status
    word = CALLS[call](driver, job)
    written = driver.log("r")[len(before) :]

    for event in written:
        status_before, activation = run.status, run.activations.get(event.step_id or "")
        was = activation.state if activation else None
        run.apply(event)
        if event.type in TERMINAL:
            assert run.status == state.RUN[status_before][event.type]
        if activation is not None and was is not None and event.type in state.ACTIVATION[was]:
            assert activation.state == state.ACTIVATION[was][event.type]
    assert hash_at(store, "run:r")["status"] == run.status
    if status in state.ENDED:
        assert written == []
        if call in OF_AN_ATTEMPT:
            assert word == "ENDED"
        if call == "renew":
            assert word == "lost"
    elif call not in ("fetch", "promote"):
        assert word in ("OK", "SWEPT", "kept", "ending")


@pytest.mark.parametrize("status", sorted(state.ENDED))
@pytest.mark.parametrize("call", OF_AN_ATTEMPT)
def test_the_scripts_know_every_status_that_is_over(store, status, call):
    """Also one that no script of this release brings about; the ledger is written by hand here."""
    driver = Driver(store, deployed(store, CHAIN))
    driver.start(run_id="r")
    job = driver.fetch_one()
    with store.talking() as client:
        client.hset(store.keys.run("r"), "status", status)
    before = driver.log("r")

    assert CALLS[call](driver, job) == "ENDED"
    assert driver.log("r") == before
    assert hash_at(store, f"job:{job.id}") == {}
    assert members(store, "queue:f.a:active") == []
    with store.talking() as client:
        client.delete(store.keys.run("r"), store.keys.log("r"))
