"""Fan-outs whose process dies, is cut off or gets no answer while it stages them or lays them out."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from engine.events.state import COMPLETED
from engine.events.types import EMIT, STEP_COMPLETED, STEP_LOST
from tests.support.wait import wait_until
from tests.support.worker import Step, assert_recorded_once, flow

WIDTH = 1_000


def spread(job, ctx):
    for n in range(WIDTH):
        ctx.flow.emit("item", n)


def wide(begin=spread):
    """Emits numbers, squares them, collects them."""
    return flow(
        "wide",
        {
            "spread": Step(begin, emits=("item",)),
            "square": Step(
                lambda job, ctx: ctx.flow.emit("done", job.data**2), on=("item",), emits=("done",)
            ),
            "gather": Step(lambda job, ctx: sorted(job.data), collect="done"),
        },
    )


def assert_exact(shop, run):
    """Every item once, in order, whoever laid it out."""
    assert run.status == COMPLETED
    assert run.result == [n**2 for n in range(WIDTH)]
    items = [event.data for event in shop.events(run.run_id, EMIT) if event.data["event"] == "item"]
    assert [item["payload"] for item in items] == list(range(WIDTH))
    assert [item["k"] for item in items] == list(range(1, WIDTH + 1))
    steps = ["spread#1", "gather#1", *(f"square#{n}" for n in range(1, WIDTH + 1))]
    assert_recorded_once(shop.events(run.run_id), *steps)
    [told] = [event for event in shop.events(run.run_id, STEP_COMPLETED) if event.step_id == "spread#1"]
    assert told.data["emits"] == WIDTH
    assert_nothing_is_left(shop)


def assert_nothing_is_left(shop):
    with shop.store.talking() as client:
        names = client.keys(f"{shop.store.keys.prefix}:stage:*")
        assert (names, client.smembers(f"{shop.store.keys.prefix}:unfolding")) == ([], set())


@pytest.mark.parametrize("name", ["stage", "commit", "unfold"])
@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_lost_reply_costs_a_fan_out_nothing(shop, proxy, open_store, name, number):
    fan = wide()
    run_id = shop.start(fan)
    proxy.lose(name, number)
    shop.work(fan, store=open_store(proxy.url))
    assert_exact(shop, shop.ended(run_id, timeout_s=30))
    assert proxy.lost == [name]
    assert shop.events(run_id, STEP_LOST) == []


def test_replies_that_are_lost_again_and_again_cost_a_fan_out_nothing(shop, proxy, open_store):
    fan = wide()
    run_id = shop.start(fan)
    proxy.lose("stage", 3)
    worker = shop.work(fan, store=open_store(proxy.url))
    for count, name in enumerate(["commit", "unfold"] * 4, 1):
        wait_until(partial(proxy.has_lost, count), saw=lambda: proxy.seen)
        proxy.lose(name, 2)
    assert_exact(shop, shop.ended(run_id, timeout_s=30))
    assert worker.failure is None
    assert shop.events(run_id, STEP_LOST) == []


@pytest.mark.parametrize("number", [1, 7, 19])
def test_a_fan_out_whose_worker_is_cut_off_in_the_middle_is_finished_by_another(
    shop, proxy, open_store, number
):
    fan = wide()
    proxy.freeze_at("unfold", number)
    shop.work(fan, store=open_store(proxy.url), lease_ms=1_500)
    run_id = shop.start(fan)
    wait_until(lambda: proxy.has_lost(1), saw=lambda: proxy.seen)
    shop.work(fan, lease_ms=1_500)
    run = shop.ended(run_id, timeout_s=40)
    assert_exact(shop, run)
    # What the first one still sends changes nothing any more.
    sent = proxy.seen["unfold"]
    proxy.thaw()
    wait_until(lambda: proxy.seen["unfold"] > sent, saw=lambda: proxy.seen)
    assert shop.state(run_id) == run


def test_a_fan_out_whose_worker_is_cut_off_before_its_settlement_is_emitted_again(shop, proxy, open_store):
    """What was staged is nobody's: another attempt stages its own."""
    attempts = []

    def begin(job, ctx):
        attempts.append(job.attempt)
        spread(job, ctx)

    fan = wide(begin)
    proxy.freeze_at("stage", 3)
    shop.work(fan, store=open_store(proxy.url), lease_ms=1_500)
    run_id = shop.start(fan)
    wait_until(lambda: proxy.has_lost(1), saw=lambda: proxy.seen)
    assert shop.state(run_id).emits == 0
    shop.work(fan, lease_ms=1_500)
    run = shop.ended(run_id, timeout_s=40)
    assert_exact(shop, run)
    assert attempts == [1, 2]
    proxy.thaw()
    committed = proxy.seen["commit"]
    wait_until(lambda: proxy.seen["commit"] > committed, saw=lambda: proxy.seen)
    assert shop.state(run_id) == run
    assert_nothing_is_left(shop)


def test_a_fan_out_that_was_settled_just_before_its_worker_was_cut_off_is_laid_out_by_another(
    shop, proxy, open_store
):
    fan = wide()
    proxy.freeze_at("commit")
    shop.work(fan, store=open_store(proxy.url), lease_ms=1_500)
    run_id = shop.start(fan)
    wait_until(lambda: proxy.has_lost(1), saw=lambda: proxy.seen)
    assert shop.state(run_id).emits == 0
    shop.work(fan, lease_ms=1_500)
    assert_exact(shop, shop.ended(run_id, timeout_s=40))
    assert shop.events(run_id, STEP_LOST) == []


def test_a_worker_that_is_stopped_lays_out_what_it_has_settled(shop, proxy, open_store):
    begun = threading.Event()

    def begin(job, ctx):
        begun.set()
        spread(job, ctx)

    fan = wide(begin)
    run_id = shop.start(fan)
    worker = shop.work(fan, lease_ms=600_000)
    assert begun.wait(10)
    worker.stop(20_000)
    assert_nothing_is_left(shop)
    assert shop.leased() == []
    assert len([e for e in shop.events(run_id, EMIT) if e.data["event"] == "item"]) == WIDTH
    shop.work(fan, lease_ms=600_000)
    assert_exact(shop, shop.ended(run_id, timeout_s=30))


def test_a_wide_fan_out_waits_for_a_store_that_is_full_and_holds_nobody_up(workshop):
    """Staging is refused whole; narrow steps of other runs go on."""
    begun, opened = threading.Event(), threading.Event()

    def begin(job, ctx):
        begun.set()
        assert opened.wait(20)
        spread(job, ctx)

    fan, quick = wide(begin), flow("quick", {"only": Step(lambda job, ctx: job.data["n"])})
    worker = workshop.work(fan, quick, threads=2)
    run_id = workshop.start(fan)
    assert begun.wait(10)
    ids = workshop.start_many(quick, 200)
    with workshop.store.talking() as client:
        try:
            client.config_set("maxmemory", 1)
            opened.set()
            workshop.all_ended(ids)
            workshop.pass_time(300)
            assert workshop.state(run_id).emits == 0
        finally:
            client.config_set("maxmemory", 0)
    assert_exact(workshop, workshop.ended(run_id, timeout_s=30))
    assert worker.failure is None
    assert workshop.events(run_id, STEP_LOST) == []


def test_a_staged_list_that_somebody_has_deleted_fails_its_run(shop, proxy, open_store):
    """It is primary data: nothing can bring it back, and the run must not hang."""
    fan = wide()
    proxy.freeze_at("unfold", 3)
    shop.work(fan, store=open_store(proxy.url), lease_ms=1_500)
    run_id = shop.start(fan)
    wait_until(lambda: proxy.has_lost(1), saw=lambda: proxy.seen)
    with shop.store.talking() as client:
        assert client.delete(f"{shop.store.keys.prefix}:stage:{run_id}/spread#1") == 1
    shop.work(fan, lease_ms=1_500)
    run = shop.ended(run_id, timeout_s=40)
    assert run.status == "failed"
    assert run.error is not None
    assert run.error["message"] == "the staged events of spread#1 were deleted from the store"


@pytest.mark.parametrize("kind", ["a join's", "a collect's"])
def test_what_hears_a_wide_fan_out_of_a_dead_worker_is_told_all_of_it(shop, proxy, open_store, kind):
    """Joins and collects that listen to the staged events themselves."""
    hears = {"all": ("item", "late")} if kind == "a join's" else {"collect": "item"}

    def begin(job, ctx):
        spread(job, ctx)
        ctx.flow.emit("late", "last of all")

    fan = flow(
        "fan", {"begin": Step(begin, emits=("item", "late")), "end": Step(lambda job, _: job.data, **hears)}
    )
    proxy.freeze_at("unfold", 4)
    shop.work(fan, store=open_store(proxy.url), lease_ms=1_500)
    run_id = shop.start(fan)
    wait_until(lambda: proxy.has_lost(1), saw=lambda: proxy.seen)
    shop.work(fan, lease_ms=1_500)
    run = shop.ended(run_id, timeout_s=40)
    expected = {"item": 0, "late": "last of all"} if kind == "a join's" else list(range(WIDTH))
    assert run.result == expected
