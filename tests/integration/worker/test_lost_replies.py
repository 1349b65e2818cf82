"""Replies that never arrive: each call knows its second coming, so a run takes no notice."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from engine.events.types import LOG, STEP_LOST
from tests.support.wait import wait_until
from tests.support.worker import alone, assert_recorded_once, chain


def is_over_or_has_lost(shop, proxy, count):
    return proxy.has_lost(count) or not shop.unfinished()


@pytest.mark.parametrize("name", ["fetch", "commit", "BLPOP"])
def test_a_lost_reply_costs_a_run_nothing(shop, proxy, open_store, name):
    three = chain()
    shop.work(three, store=open_store(proxy.url), threads=2, lease_ms=3_000)
    for number in range(1, 7):
        already = len(proxy.lost)
        proxy.lose(name, number)
        ids: list[str] = []

        def is_lost(already=already, ids=ids):
            ids.append(shop.start(three, {"n": len(ids)}))
            shop.ended(ids[-1])
            return len(proxy.lost) > already

        wait_until(is_lost, saw=lambda: proxy.seen)
        for run_id in ids:
            assert shop.state(run_id).result["steps"] == 3
            events = shop.events(run_id)
            assert_recorded_once(events, "first#1", "second#1", "third#1")
            assert {event.attempt for event in events if event.step_id} == {1}
            assert shop.events(run_id, STEP_LOST) == []
    assert proxy.lost == [name] * 6


def test_a_lost_reply_to_a_report_costs_a_run_nothing(shop, proxy, open_store):
    def handler(job, ctx):
        already = len(proxy.lost)
        proxy.lose("report", job.data)
        lines = 0
        while len(proxy.lost) == already:
            ctx.logger.info(f"line {lines}")
            lines += 1
            threading.Event().wait(0.01)
        return lines

    slow = alone(handler)
    shop.work(slow, store=open_store(proxy.url), threads=2)
    for number in range(1, 6):
        run = shop.run(slow, number)
        messages = [event.data["message"] for event in shop.events(run.run_id, LOG)]
        assert messages == [f"line {n}" for n in range(run.result)]
        assert {event.attempt for event in shop.events(run.run_id) if event.step_id} == {1}
        assert_recorded_once(shop.events(run.run_id), "only#1")


def test_lost_replies_to_the_keeper_cost_a_run_nothing(shop, proxy, open_store):
    def handler(job, ctx):
        for name in ("renew", "heartbeat", "sweep", "promote", "renew"):
            already = len(proxy.lost)
            proxy.lose(name)
            wait_until(partial(proxy.has_lost, already + 1), saw=lambda: proxy.seen)

    slow = alone(handler)
    shop.work(slow, store=open_store(proxy.url), threads=1, lease_ms=1_200)
    run = shop.run(slow)
    assert run.status == "completed"
    assert {event.attempt for event in shop.events(run.run_id) if event.step_id} == {1}
    assert shop.events(run.run_id, STEP_LOST) == []


def test_a_lost_reply_to_a_release_gives_the_job_back_once(shop, proxy, open_store):
    begun, opened = threading.Semaphore(0), threading.Event()

    def handler(job, ctx):
        begun.release()
        assert opened.wait(20)

    slow = alone(handler)
    ids = shop.start_many(slow, 6)
    worker = shop.work(slow, store=open_store(proxy.url), threads=4, lease_ms=600_000)
    for _ in range(4):
        assert begun.acquire(timeout=10)
    wait_until(lambda: len(shop.leased()) == 5, saw=shop.leased)
    proxy.lose("release")
    opened.set()
    worker.stop(20_000)
    assert shop.leased() == []
    shop.work(slow, threads=4)
    for run in shop.all_ended(ids):
        assert {event.attempt for event in shop.events(run.run_id) if event.step_id} == {1}


def test_replies_lost_again_and_again_under_load_lose_nothing(shop, proxy, open_store):
    # Fetcher and committer may lose every try until their pauses are long: no lease must end meanwhile.
    three = chain()
    ids = shop.start_many(three, 200)
    shop.work(three, store=open_store(proxy.url), threads=8, lease_ms=600_000)
    for number, name in enumerate(("commit", "fetch") * 10, 1):
        proxy.lose(name)
        wait_until(partial(is_over_or_has_lost, shop, proxy, number))
    for run in shop.all_ended(ids):
        events = shop.events(run.run_id)
        assert run.status == "completed"
        assert_recorded_once(events, "first#1", "second#1", "third#1")
        assert {event.attempt for event in events if event.step_id} == {1}
    assert len(proxy.lost) > 5
