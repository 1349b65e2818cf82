"""A server that forgets scripts, cuts connections, or is away: work goes on where it stopped."""

from __future__ import annotations

import threading
from contextlib import suppress
from functools import partial

import pytest
import redis

from engine.errors import StoreFull
from engine.events.types import STEP_LOST
from tests.support.wait import wait_until
from tests.support.worker import Step, alone, assert_recorded_once, chain, flow


def call_quietly(client, *command):
    with suppress(redis.RedisError):
        client.execute_command(*command)


def is_busy(client):
    try:
        client.ping()
    except redis.RedisError as error:
        return "BUSY" in str(error)
    return False


def losses_of(shop, run_ids):
    return [event for run_id in run_ids for event in shop.events(run_id, STEP_LOST)]


def test_scripts_that_are_flushed_and_connections_that_are_killed_under_load_lose_nothing(workshop):
    three = chain()
    ids = workshop.start_many(three, 400)
    workshop.work(three, threads=8)
    rounds = 0
    with workshop.store.talking() as client:
        while left := workshop.unfinished():
            client.script_flush()
            client.client_kill_filter(_type="normal", skipme=True)
            rounds += 1
            wait_until(partial(workshop.has_at_most, left - 40))
    assert rounds > 5
    for run in workshop.all_ended(ids):
        events = workshop.events(run.run_id)
        assert run.status == "completed"
        assert_recorded_once(events, "first#1", "second#1", "third#1")
        assert {event.attempt for event in events if event.step_id} == {1}


def test_a_server_that_is_busy_with_a_script_is_waited_for(workshop):
    three = chain()
    ids = workshop.start_many(three, 200)
    with workshop.store.talking() as client:
        client.config_set("busy-reply-threshold", 50)
        workshop.work(three, threads=4)
        wait_until(partial(workshop.has_at_most, 150))
        endless = threading.Thread(target=call_quietly, args=(client, "EVAL", "while true do end", 0))
        endless.start()
        wait_until(lambda: is_busy(client))
        client.script_kill()
        endless.join()
        client.config_set("busy-reply-threshold", 5_000)
    for run in workshop.all_ended(ids):
        assert run.status == "completed"
        assert_recorded_once(workshop.events(run.run_id), "first#1", "second#1", "third#1")
    assert losses_of(workshop, ids) == []


def test_a_server_that_is_full_ends_what_it_has_admitted_and_refuses_the_rest(workshop):
    three = chain()
    ids = workshop.start_many(three, 200)
    with workshop.store.talking() as client:
        client.config_set("maxmemory", 1)
        try:
            with pytest.raises(StoreFull):
                workshop.start(three, {"n": 0})
            worker = workshop.work(three, threads=4)
            assert {run.status for run in workshop.all_ended(ids)} == {"completed"}
            worker.stop(2_000)
            assert workshop.leased() == []
        finally:
            client.config_set("maxmemory", 0)
    workshop.work(three)
    assert workshop.run(three, {"n": 0}).status == "completed"


def test_a_run_whose_keys_were_deleted_is_not_made_again_and_the_worker_goes_on(workshop, caplog):
    prefix = workshop.store.keys.prefix

    def keys_of(client, run_id):
        return list(client.scan_iter(f"{prefix}:*{run_id}*"))

    def handler(job, ctx):
        with workshop.store.talking() as client:
            client.delete(*keys_of(client, ctx.flow.run_id))
        ctx.state.set("k", 1)
        ctx.flow.emit("one", {"n": 1})

    three = chain()
    linked = type(three)(three.plan, {**three.handlers, "first": handler})
    workshop.work(linked, threads=1)
    run_id = workshop.start(three, {"n": 0})
    wait_until(lambda: "has no ledger any more" in caplog.text)
    fine = alone(lambda job, ctx: 1)
    workshop.work(fine)
    assert workshop.run(fine).status == "completed"
    with workshop.store.talking() as client:
        assert keys_of(client, run_id) == []
        # The indexes still name the run; a rebuild would drop it.
        for index in ("flows:chain", "runs:running"):
            client.zrem(f"{prefix}:{index}", run_id)
    assert workshop.leased() == []


def test_an_outage_longer_than_a_lease_costs_a_running_step_nothing(shop, proxy, open_store):
    begun, opened = threading.Event(), threading.Event()

    def handler(job, ctx):
        begun.set()
        return opened.wait(20)

    slow = alone(handler)
    worker = shop.work(slow, store=open_store(proxy.url), threads=1, lease_ms=1_000)
    run_id = shop.start(slow)
    assert begun.wait(10)
    proxy.freeze()
    shop.pass_time(3_000)
    proxy.thaw()
    renewed = proxy.seen["renew"]
    wait_until(lambda: proxy.seen["renew"] > renewed + 1)
    opened.set()
    assert shop.ended(run_id).result is True
    assert losses_of(shop, [run_id]) == []
    assert worker.failure is None


def test_after_an_outage_longer_than_a_lease_waiting_jobs_are_begun_at_once(shop, proxy, open_store):
    three = chain()
    shop.work(three, store=open_store(proxy.url), threads=2, lease_ms=1_000)
    shop.run(three, {"n": 0})
    proxy.freeze()
    ids = shop.start_many(three, 10)
    shop.pass_time(2_000)
    proxy.thaw()
    assert {run.status for run in shop.all_ended(ids)} == {"completed"}
    assert losses_of(shop, ids) == []


def test_a_settlement_that_waits_out_an_outage_is_recorded_once_and_the_run_goes_on(shop, proxy, open_store):
    begun, opened = threading.Event(), threading.Event()

    def first(job, ctx):
        begun.set()
        assert opened.wait(20)
        ctx.flow.emit("one", {"n": 1})

    three = chain()
    three = type(three)(three.plan, {**three.handlers, "first": first})
    shop.work(three, store=open_store(proxy.url), threads=1, lease_ms=1_000)
    run_id = shop.start(three, {"n": 0})
    assert begun.wait(10)
    proxy.freeze()
    opened.set()
    shop.pass_time(2_000)
    proxy.thaw()
    assert shop.ended(run_id).status == "completed"
    assert_recorded_once(shop.events(run_id), "first#1", "second#1", "third#1")
    assert losses_of(shop, [run_id]) == []


def test_a_handler_that_reads_while_the_store_is_away_waits_for_it(shop, proxy, open_store):
    begun, opened = threading.Event(), threading.Event()

    def begin(job, ctx):
        ctx.state.set("k", 1)
        ctx.flow.emit("told")

    def after(job, ctx):
        begun.set()
        assert opened.wait(20)
        return [ctx.state.get("k"), ctx.state.incr("k"), ctx.flow.input]

    reading = flow("reading", {"begin": Step(begin, emits=("told",)), "after": Step(after, on=("told",))})
    shop.work(reading, store=open_store(proxy.url), threads=1, lease_ms=5_000)
    run_id = shop.start(reading, "input")
    assert begun.wait(10)
    proxy.refuse()
    opened.set()
    # The driver's own patience with a store that is away is shorter.
    shop.pass_time(1_500)
    proxy.let_in()
    assert shop.ended(run_id).result == [1, 2, "input"]


def test_a_worker_cut_off_for_longer_than_a_lease_is_replaced_and_its_result_is_discarded(
    shop, proxy, open_store
):
    begun, opened, keys = threading.Semaphore(0), threading.Event(), []

    def handler(job, ctx):
        keys.append((job.attempt, ctx.idempotency_key))
        begun.release()
        if job.attempt == 1:
            assert opened.wait(20)
        ctx.flow.emit("said", job.attempt)
        return job.attempt

    slow = alone(handler, emits=["said"])
    shop.work(slow, store=open_store(proxy.url), threads=1, lease_ms=1_000)
    run_id = shop.start(slow)
    assert begun.acquire(timeout=10)
    proxy.freeze()
    shop.work(slow, threads=1, lease_ms=1_000)
    run = shop.ended(run_id)
    assert run.result == 2
    sent = proxy.seen["commit"]
    proxy.thaw()
    opened.set()
    wait_until(lambda: proxy.seen["commit"] > sent)
    assert keys == [(1, f"{run_id}/only/0"), (2, f"{run_id}/only/0")]
    assert shop.state(run_id) == run
    assert_recorded_once(shop.events(run_id), "only#1")
    assert [event.attempt for event in losses_of(shop, [run_id])] == [1]


def test_a_job_whose_lease_was_over_before_it_began_is_left_to_others(shop, proxy, open_store):
    begun, opened, runs = threading.Semaphore(0), threading.Event(), []

    def handler(job, ctx):
        runs.append((job.id, job.attempt))
        begun.release()
        if job.data == "long":
            assert opened.wait(20)
        return job.attempt

    slow = alone(handler)
    blockers = [shop.start(slow, "long") for _ in range(4)]
    waiting = shop.start(slow, "short")
    shop.work(slow, store=open_store(proxy.url), threads=4, lease_ms=1_000)
    for _ in blockers:
        assert begun.acquire(timeout=10)
    wait_until(lambda: len(shop.leased()) == 5, saw=shop.leased)
    proxy.freeze()
    other = shop.build(slow, threads=8, lease_ms=1_000)
    other.start()
    assert shop.ended(waiting).result == 2
    opened.set()
    proxy.thaw()
    for blocker in blockers:
        shop.ended(blocker)
    assert (f"{waiting}/only#1", 1) not in runs
