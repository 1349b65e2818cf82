"""`renew`: only a lease that its token still has goes on."""

from __future__ import annotations

import pytest

from engine.store.queue import RENEW_CHUNK
from tests.support.books import contents
from tests.support.store import CHAIN, LEASE_MS, Driver, deployed, members, server_ms


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def test_a_lease_that_is_held_goes_on(store, driver):
    driver.start()
    job = driver.fetch_one()
    driver.expire(job)
    assert driver.renew(job) == ["kept"]

    with store.talking() as client:
        deadline = client.zscore(f"{store.keys.prefix}:queue:f.a:active", job.id)
    assert deadline > server_ms(store) + LEASE_MS - 5_000
    assert driver.sweep().lost == 0


def test_each_lease_has_its_own_word(store, driver):
    for _ in range(4):
        driver.start()
    settled, lost, kept, given_back = driver.fetch(room=4)
    driver.commit(settled)
    driver.lose(lost)
    driver.release(given_back)
    was = contents(store)

    assert driver.renew(settled, lost, given_back) == ["lost", "lost", "lost"]
    assert contents(store) == was
    assert driver.renew(settled, lost, kept, given_back) == ["lost", "lost", "kept", "lost"]


def test_a_lease_of_a_run_that_is_ending_goes_on_and_says_so(driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    failed, ending = driver.fetch(room=2)
    driver.fail(failed)
    driver.expire(ending)

    assert driver.renew(ending) == ["ending"]
    assert driver.sweep().lost == 0
    assert driver.commit(ending).word == "OK"


def test_the_lease_of_another_worker_is_not_mine_to_renew(store, driver):
    driver.start()
    frozen = driver.fetch_one()
    driver.lose(frozen)
    other = Driver(store, driver.plan, name="v")
    job = other.fetch_one()
    was = contents(store)

    assert driver.renew(frozen) == ["lost"]
    assert contents(store) == was
    assert other.renew(job) == ["kept"]


def test_a_full_chunk_is_renewed_in_one_call(store, driver):
    for _ in range(RENEW_CHUNK):
        driver.start()
    jobs = driver.fetch(room=RENEW_CHUNK)

    assert driver.renew(*jobs) == ["kept"] * RENEW_CHUNK
    assert len(members(store, "queue:f.a:active")) == RENEW_CHUNK
