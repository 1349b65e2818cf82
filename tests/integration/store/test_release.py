"""`release`: a job that was not started goes back to its place, and nobody pays for it."""

from __future__ import annotations

import pytest

from tests.support.books import contents
from tests.support.store import CHAIN, Driver, deployed, forget_run, hash_at, members, server_ms


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def test_a_job_goes_back_to_its_place(store, driver):
    for k in range(3):
        driver.start(run_id=f"r{k}")
    first, second = driver.fetch(room=2)
    driver.release(second)
    driver.release(first)

    assert members(store, "queue:f.a:wait") == ["r0/a#1", "r1/a#1", "r2/a#1"]
    assert members(store, "ready") == ["f.a"]


def test_it_costs_no_attempt_and_no_loss_and_leaves_no_event(driver):
    driver.start(run_id="r")
    for _ in range(5):
        driver.release(driver.fetch_one())
    job = driver.fetch_one()

    assert (job.attempt, job.losses) == (1, 0)
    assert driver.types("r") == ["flow.start"]


def test_a_release_sent_again_is_known_until_another_one_of_the_same_job(store, driver):
    driver.start(run_id="r")
    first = driver.fetch_one()
    assert driver.release(first).word == "OK"
    was = contents(store)
    assert driver.release(first).word == "DUP"
    assert contents(store) == was
    second = driver.fetch_one()
    assert driver.release(first).word == "DUP"
    driver.release(second)
    was = contents(store)
    assert driver.release(first).word == "FENCED"
    assert driver.release(second).word == "DUP"

    assert contents(store) == was


def test_a_job_that_another_has_cannot_be_given_back(store, driver):
    driver.start(run_id="r")
    frozen = driver.fetch_one()
    driver.lose(frozen)
    other = Driver(store, driver.plan, name="v").fetch_one()
    was = contents(store)
    assert driver.release(frozen).word == "FENCED"
    assert contents(store) == was
    driver.commit(other, emits=[("one", 1)])
    assert driver.release(frozen).word == "SETTLED"

    driver.commit(driver.fetch_one())
    assert driver.release(frozen).word == "ENDED"


def test_a_run_that_is_gone_is_not_written_to(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    forget_run(store, "r")

    assert driver.release(job, unroutable=b'{"reason":"x"}').word == "GONE"
    assert driver.log("r") == []
    assert hash_at(store, "run:r") == {}


def test_with_a_delay_it_waits_until_it_is_due(store, driver):
    driver.start(run_id="r")
    before = server_ms(store)
    job = driver.fetch_one()
    assert driver.release(job, delay_ms=30_000).word == "OK"

    assert driver.fetch(room=5) == []
    assert members(store, "queue:f.a:delayed") == ["r/a#1"]
    assert members(store, "timers") == ["d f.a"]
    assert driver.release(job, delay_ms=30_000).word == "DUP"
    with store.talking() as client:
        due = client.zscore(f"{store.keys.prefix}:queue:f.a:delayed", "r/a#1")
        assert client.zscore(f"{store.keys.prefix}:timers", "d f.a") == due
    assert before + 30_000 <= due <= server_ms(store) + 30_000


def test_a_timer_is_only_moved_forwards(store, driver):
    for delay_ms in (30_000, 10_000, 60_000):
        driver.start()
        driver.release(driver.fetch_one(), delay_ms=delay_ms)
    with store.talking() as client:
        due = client.zscore(f"{store.keys.prefix}:timers", "d f.a")

    assert due <= server_ms(store) + 10_000


def test_an_unroutable_job_leaves_an_event(driver):
    driver.start(run_id="r")
    driver.release(
        driver.fetch_one(),
        delay_ms=1_000,
        unroutable=b'{"worker":"w","release":"1","reason":"no such handler"}',
    )

    event = driver.log("r")[-1]
    assert (event.type, event.step_id, event.attempt) == ("step.unroutable", "a#1", 1)
    assert event.data == {"worker": "w", "release": "1", "reason": "no such handler"}
    assert driver.state("r").activations["a#1"].is_open


@pytest.mark.parametrize("delay_ms", [0, 1_000])
def test_a_job_of_a_run_that_fails_is_dropped_and_the_last_one_ends_it(store, driver, delay_ms):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2), ("one", 3)])
    first, second, third = driver.fetch(room=3)
    driver.fail(first)
    assert driver.release(second, delay_ms=delay_ms).word == "OK"
    assert driver.state("r").status == "failing"
    assert hash_at(store, f"job:{second.id}") == {}
    assert driver.release(second, delay_ms=delay_ms).word == "SETTLED"
    driver.release(third, delay_ms=delay_ms)

    run = driver.state("r")
    assert run.status == "failed"
    assert [run.activations[name].state for name in ("b#1", "b#2", "b#3")] == ["failed", "dropped", "dropped"]
    assert members(store, "queue:f.b:delayed") == members(store, "queue:f.b:wait") == []
