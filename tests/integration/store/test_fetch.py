"""`fetch`: jobs are leased once, whatever becomes of its replies."""

from __future__ import annotations

import pytest

from engine.store import queue
from engine.store.queue import Served
from tests.support.books import contents
from tests.support.store import CHAIN, LEASE_MS, Driver, deployed, forget_run, hash_at, members, server_ms


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, CHAIN))


def markers(store, name):
    with store.talking() as client:
        return client.llen(store.keys.queue_wake(name))


def pop_marker(store, name):
    with store.talking() as client:
        client.lpop(store.keys.queue_wake(name))


def test_a_job_comes_with_all_that_a_worker_needs(store, driver):
    driver.start({"x": 1}, run_id="r")
    before = server_ms(store)
    job = driver.fetch_one()

    assert job == (
        "r", "a#1", "a", "f", driver.plan.version, "f.a", "w.1", 1, 0, "0", "", b'{"x":1}', False,
    )  # fmt: skip
    assert hash_at(store, "job:r/a#1").items() >= {"state": "active", "token": "w.1", "attempt": "1"}.items()
    assert hash_at(store, "run:r")["leased"] == "1"
    with store.talking() as client:
        deadline = client.zscore(f"{store.keys.prefix}:queue:f.a:active", "r/a#1")
    assert before + LEASE_MS <= deadline <= server_ms(store) + LEASE_MS


def test_it_says_the_servers_time(store, driver):
    before = server_ms(store)
    assert before <= driver.fetch_answer().rest[0] <= server_ms(store)


def test_a_fetch_whose_reply_was_lost_answers_the_same_jobs_again(store, driver):
    for _ in range(5):
        driver.start()
    jobs = driver.fetch(room=3)
    was = contents(store)

    assert driver.fetch(room=3, seq=driver.seq) == jobs
    assert contents(store) == was
    assert [job.attempt for job in jobs] == [1, 1, 1]
    assert len(driver.fetch(room=9)) == 2


def test_asked_again_it_leaves_out_what_is_no_longer_under_its_token(driver):
    for _ in range(4):
        driver.start()
    settled, given_back, lost, kept = driver.fetch(room=4)
    driver.commit(settled)
    driver.release(given_back)
    driver.lose(lost)

    assert driver.fetch(room=4, seq=kept_seq(kept)) == [kept]


def test_asked_again_it_leaves_out_jobs_of_a_run_that_was_removed(store, driver):
    for run_id in ("gone", "r"):
        driver.start(run_id=run_id)
    gone, kept = driver.fetch(room=2)
    forget_run(store, "gone")

    assert driver.fetch(room=2, seq=driver.seq) == [kept]
    assert driver.commit(gone).word == "GONE"


def test_asked_again_it_answers_jobs_of_a_run_that_fails_meanwhile_too(driver):
    """They are leased, so the run has to wait for them."""
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    first, second = driver.fetch(room=2)
    driver.fail(first)
    assert driver.state("r").status == "failing"

    assert driver.fetch(room=2, seq=driver.seq) == [second]


def kept_seq(job):
    return int(job.token.rpartition(".")[2])


def test_a_late_copy_of_an_older_fetch_takes_nothing(store, driver):
    driver.start()
    driver.seq = 7  # the fetch below is the eighth
    assert len(driver.fetch()) == 1
    driver.start()
    was = contents(store)

    assert driver.fetch_answer(seq=8).word == "OK"
    assert driver.fetch_answer(seq=3).word == "STALE"
    assert contents(store) == was


def test_a_worker_whose_keys_are_gone_is_told_to_register(store, driver):
    driver.start()
    with store.talking() as client:
        client.delete(store.keys.worker("w"), *store.keys.worker_queues("w"))
    was = contents(store)

    assert driver.fetch_answer().word == "REGISTER"
    assert contents(store) == was
    driver.register()
    assert len(driver.fetch()) == 1


def test_it_renews_the_time_to_live_of_its_workers_keys(store, driver):
    driver.served = Served(("f.a",), ("f.b",))
    driver.register()
    keys = store.keys.worker("w"), *store.keys.worker_queues("w")
    with store.talking() as client:
        for key in keys:
            client.pexpire(key, 5_000)
        driver.fetch()
        assert all(LEASE_MS - 5_000 < client.pttl(key) <= LEASE_MS for key in keys)


def test_it_looks_only_at_queues_that_its_worker_serves(store, driver):
    other = Driver(store, deployed(store, CHAIN, flow="g"), name="v")
    driver.start()

    assert other.fetch(room=5) == []
    assert len(driver.fetch(room=5)) == 1


def test_two_workers_never_get_the_same_job(store, driver):
    other = Driver(store, driver.plan, name="v")
    ids = {driver.start().run_id for _ in range(7)}
    got = [job.run_id for job in driver.fetch(room=4) + other.fetch(room=4)]

    assert sorted(got) == sorted(ids)


def test_its_room_is_spread_over_the_queues(store, driver):
    for _ in range(6):
        driver.start()
    for job in driver.fetch(room=6)[:5]:
        driver.commit(job, emits=[("one", 1)])
    for _ in range(5):
        driver.start()

    jobs = driver.fetch(room=6)
    assert sorted(job.step for job in jobs) == ["a"] * 3 + ["b"] * 3


def test_a_marker_is_passed_on_while_work_is_left(store, driver):
    for _ in range(3):
        driver.start()
    pop_marker(store, "f.a")
    driver.fetch(room=1)
    assert markers(store, "f.a") == 1
    pop_marker(store, "f.a")
    driver.fetch(room=2)
    assert markers(store, "f.a") == 0
    assert members(store, "ready") == []


def test_a_fetch_without_room_puts_the_marker_back_and_takes_nothing(store, driver):
    driver.start()
    pop_marker(store, "f.a")

    assert driver.fetch(room=0) == []
    assert markers(store, "f.a") == 1


def test_never_more_than_one_marker(store, driver):
    for _ in range(5):
        driver.start()
    assert markers(store, "f.a") == 1


@pytest.mark.parametrize("is_over", [False, True])
def test_jobs_of_a_run_that_fails_are_dropped_as_they_are_met(store, driver, is_over):
    driver.start(run_id="bad")
    driver.commit(driver.fetch_one(), emits=[("one", k) for k in range(4)])
    first, second = driver.fetch(room=2)
    driver.fail(first)
    if is_over:
        driver.commit(second)
    driver.start(run_id="good")
    was = driver.log("bad")

    assert [job.run_id for job in driver.fetch(room=5)] == ["good"]
    assert driver.log("bad") == was
    assert members(store, "queue:f.b:wait") == members(store, "ready") == []
    if not is_over:
        driver.commit(second)
    assert driver.state("bad").status == "failed"


def test_an_id_without_a_job_is_passed_over(store, driver):
    driver.start(run_id="r")
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:queue:f.a:wait", {"nobody/a#1": 1})

    assert [job.run_id for job in driver.fetch()] == ["r"]


def test_an_id_of_a_job_that_somebody_has_is_passed_over(store, driver):
    driver.start(run_id="r")
    job = driver.fetch_one()
    with store.talking() as client:
        client.zadd(f"{store.keys.prefix}:queue:f.a:wait", {job.id: 1})
    driver.start(run_id="r2")

    assert [job.run_id for job in driver.fetch(room=5)] == ["r2"]
    assert driver.commit(job).word == "OK"


def test_a_call_drops_a_bounded_number_of_dead_ids(store, driver):
    driver.start(run_id="r")
    with store.talking() as client:
        dead = {f"nobody{k}/a#1": 1 for k in range(450)}
        client.zadd(f"{store.keys.prefix}:queue:f.a:wait", dead)

    calls = 1
    while not driver.fetch():
        assert members(store, "ready") == ["f.a"]
        calls += 1
    assert calls == 3


def test_a_worker_that_has_left_gets_nothing(store, driver):
    driver.start()
    name, args = queue.heartbeat("w", ttl_ms=0, served=Served((), ()), fields={})
    store.call(name, *args)

    assert driver.fetch_answer().word == "REGISTER"
