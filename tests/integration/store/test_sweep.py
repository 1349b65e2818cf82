"""`sweep`: what a dead worker held is taken back, and what a live one holds is not."""

from __future__ import annotations

import pytest

from engine.store import queue
from tests.support.books import contents
from tests.support.store import (
    CHAIN,
    LEASE_MS,
    Driver,
    deployed,
    forget_run,
    hash_at,
    logged,
    members,
    server_ms,
    started,
)


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def set_sweep(store, *, last, grace=0):
    with store.talking() as client:
        client.hset(f"{store.keys.prefix}:sweep", mapping={"last": last, "grace": grace})


def deadline_of(store, job):
    with store.talking() as client:
        return client.zscore(f"{store.keys.prefix}:queue:{job.queue}:active", job.id)


def set_deadline(store, job, at_ms):
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:queue:{job.queue}:active", {job.id: at_ms}, xx=True)


def test_a_lost_job_goes_back_to_its_place_and_counts_an_attempt_and_a_loss(store, driver):
    for k in range(3):
        driver.start(run_id=f"r{k}")
    lost = driver.fetch_one()
    driver.report(lost, [started(), *logged("on my way")])
    swept = driver.lose(lost)

    assert swept == ("SWEPT", 1, [])
    assert members(store, "queue:f.a:wait") == ["r0/a#1", "r1/a#1", "r2/a#1"]
    assert members(store, "ready") == ["f.a"]
    event = driver.log("r0")[-1]
    assert (event.type, event.step_id, event.attempt) == ("step.lost", "a#1", 1)
    assert event.data == {"worker": "w", "losses": 1}
    again = driver.fetch_one()
    assert (again.run_id, again.attempt, again.losses) == ("r0", 2, 1)
    assert driver.commit(again, events=[started()]).word == "OK"
    assert driver.state("r0").activations["a#1"].losses == 1


def test_a_lease_that_still_holds_is_left_alone(store, driver):
    driver.start()
    driver.fetch_one()
    driver.expire()
    was = {key: value for key, value in contents(store).items() if not key.endswith(":sweep")}

    assert driver.sweep() == ("SWEPT", 0, [])
    assert {key: value for key, value in contents(store).items() if not key.endswith(":sweep")} == was


def test_one_sweep_in_an_interval_is_enough_for_a_fleet(store, driver):
    driver.start()
    job = driver.fetch_one()
    driver.expire()
    assert driver.sweep().word == "SWEPT"
    set_deadline(store, job, 1)
    was = contents(store)
    assert driver.sweep().word == "TOO-SOON"
    assert contents(store) == was

    set_sweep(store, last=server_ms(store) - LEASE_MS // 30 - 1)
    assert driver.sweep().lost == 1


def test_the_first_sweep_of_a_store_sweeps(driver):
    driver.start()
    assert driver.sweep().word == "SWEPT"


def test_after_an_outage_nothing_expires_for_one_lease(store, driver):
    driver.start()
    job = driver.fetch_one()
    set_deadline(store, job, 1)
    set_sweep(store, last=server_ms(store) - LEASE_MS)
    assert driver.sweep().word == "GRACE"
    grace = int(hash_at(store, "sweep")["grace"])
    assert server_ms(store) < grace <= server_ms(store) + LEASE_MS

    # The outage is over, and sweeps come again: the grace stays what it was.
    set_sweep(store, last=server_ms(store) - LEASE_MS // 4, grace=grace)
    assert driver.sweep().word == "GRACE"
    assert int(hash_at(store, "sweep")["grace"]) == grace
    assert driver.renew(job) == ["kept"]

    set_sweep(store, last=server_ms(store) - LEASE_MS // 4, grace=server_ms(store) - 1)
    assert driver.sweep() == ("SWEPT", 0, [])


def test_when_the_clock_went_back_nothing_expires_for_one_lease(store, driver):
    driver.start()
    job = driver.fetch_one()
    set_deadline(store, job, 1)
    set_sweep(store, last=server_ms(store) + 3_600_000, grace=server_ms(store) + 3_600_000)

    assert driver.sweep().word == "GRACE"
    kept = hash_at(store, "sweep")
    assert int(kept["last"]) <= server_ms(store)
    assert int(kept["grace"]) <= server_ms(store) + LEASE_MS
    assert driver.renew(job) == ["kept"]


def test_a_grace_that_was_given_for_a_longer_lease_is_cut_to_one_of_now(store, driver):
    now = server_ms(store)
    set_sweep(store, last=now - LEASE_MS // 4, grace=now + 3_600_000)

    assert driver.sweep().word == "GRACE"
    assert int(hash_at(store, "sweep")["grace"]) <= server_ms(store) + LEASE_MS


def test_a_deadline_far_ahead_is_brought_back(store, driver):
    driver.start()
    job = driver.fetch_one()
    driver.expire()
    set_deadline(store, job, server_ms(store) + 3_600_000)

    assert driver.sweep() == ("SWEPT", 0, [])
    assert deadline_of(store, job) <= server_ms(store) + LEASE_MS


def test_a_deadline_far_ahead_is_brought_back_during_grace_too(store, driver):
    driver.start()
    job = driver.fetch_one()
    set_deadline(store, job, server_ms(store) + 3_600_000)
    set_sweep(store, last=server_ms(store) + 3_600_000)

    assert driver.sweep().word == "GRACE"
    assert deadline_of(store, job) <= server_ms(store) + LEASE_MS


def test_a_job_that_was_lost_too_often_is_leased_to_the_sweeper_which_fails_it(store, driver):
    driver.start({"x": 1}, run_id="r")
    driver.lose(driver.fetch_one(), max_losses=2)
    second = driver.fetch_one()
    driver.expire(second)
    swept = driver.sweep(max_losses=2, token="keeper.1")

    assert (swept.word, swept.lost) == ("SWEPT", 1)
    (exhausted,) = swept.exhausted
    assert exhausted.token == "keeper.1"
    assert (exhausted.attempt, exhausted.losses) == (2, 2)
    assert (exhausted.run_id, exhausted.step_id, exhausted.queue) == ("r", "a#1", "f.a")
    assert (exhausted.flow, exhausted.version) == ("f", driver.plan.version)
    assert (exhausted.path, exhausted.message) == ("0", b'{"x":1}')
    assert driver.fetch(room=5) == []
    assert driver.commit(second).word == "FENCED"
    assert driver.renew(exhausted) == ["kept"]
    assert driver.fail(exhausted, message="the worker was lost 2 times").word == "OK"
    assert driver.types("r") == ["flow.start", "step.lost", "step.lost", "step.failed", "flow.failed"]


def test_exhausted_jobs_whose_answer_was_lost_come_again(driver):
    driver.start(run_id="r")
    driver.expire(driver.fetch_one())
    (unread,) = driver.sweep(max_losses=1).exhausted
    driver.expire(unread)
    (again,) = driver.sweep(max_losses=1).exhausted

    assert (again.step_id, again.losses) == ("a#1", 2)
    assert driver.fail(unread).word == "FENCED"
    assert driver.fail(again).word == "OK"
    assert driver.state("r").status == "failed"


def test_several_exhausted_jobs_are_settled_one_by_one_under_one_token(driver):
    for k in range(3):
        driver.start(run_id=f"r{k}")
    driver.expire(*driver.fetch(room=3))
    exhausted = driver.sweep(max_losses=1).exhausted

    assert {job.token for job in exhausted} == {exhausted[0].token}
    assert [driver.fail(job).word for job in exhausted] == ["OK"] * 3
    assert [driver.state(f"r{k}").status for k in range(3)] == ["failed"] * 3


def test_a_lost_job_of_a_run_that_fails_is_dropped_and_the_last_one_ends_it(store, driver):
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2), ("one", 3)])
    first, second, third = driver.fetch(room=3)
    driver.fail(first)
    assert driver.lose(second).lost == 1
    assert driver.state("r").status == "failing"
    assert hash_at(store, f"job:{second.id}") == {}
    driver.lose(third)

    run = driver.state("r")
    assert run.status == "failed"
    assert driver.types("r")[-3:] == ["step.lost", "step.lost", "flow.failed"]
    assert driver.commit(second).word == "ENDED"


def test_a_lost_job_that_was_brought_along_by_a_commit_goes_back_too(driver):
    driver.start(run_id="r")
    token = driver.token()
    job = driver.taken(driver.commit(driver.fetch_one(), emits=[("one", 1)], take=token), token)
    driver.lose(job)
    again = driver.fetch_one()

    assert (again.step_id, again.attempt, again.losses) == ("b#1", 2, 1)


def test_the_lease_of_a_job_that_is_gone_frees_its_slot(store, driver):
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:queue:f.a:active", {"nobody/a#1": 1})
    driver.expire()

    assert driver.sweep().lost == 1
    assert members(store, "queue:f.a:active") == []
    assert hash_at(store, "run:nobody") == hash_at(store, "job:nobody/a#1") == {}


def test_the_lease_of_a_run_that_is_gone_goes_with_its_job(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    forget_run(store, "r")
    driver.lose(job)

    assert driver.log("r") == []
    assert hash_at(store, f"job:{job.id}") == hash_at(store, "run:r") == {}


def test_one_call_takes_back_a_bounded_number(store, driver):
    for _ in range(5):
        driver.start()
    driver.expire(*driver.fetch(room=5))
    assert driver.sweep(limit=3).lost == 3
    assert len(members(store, "queue:f.a:active")) == 2
    driver.expire()

    assert driver.sweep(limit=3).lost == 2
    assert len(driver.fetch(room=9)) == 5


def test_the_leases_of_every_queue_in_use_are_looked_at(store, driver):
    other = Driver(store, deployed(store, CHAIN, flow="g"), name="v")
    driver.start()
    other.start()
    driver.expire(driver.fetch_one(), other.fetch_one())

    assert driver.sweep().lost == 2


def test_the_number_that_one_call_takes_back_is_that_of_all_queues(store, driver):
    other = Driver(store, deployed(store, CHAIN, flow="g"), name="v")
    for one in (driver, driver, other, other):
        one.start()
    driver.expire(*driver.fetch(room=5), *other.fetch(room=5))
    assert driver.sweep(limit=3).lost == 3
    driver.expire()

    assert driver.sweep(limit=3).lost == 1


def test_a_sweep_sent_again_takes_nothing_more(store, driver):
    driver.start()
    driver.expire(driver.fetch_one())
    call = queue.sweep(lease_ms=LEASE_MS, limit=10, max_losses=1, token="keeper.1")
    assert driver.send(call).word == "SWEPT"
    was = contents(store)

    assert driver.send(call).word == "TOO-SOON"
    assert contents(store) == was
