"""Limits over the whole fleet, and priorities: what several workers may do at once, and what comes first."""

from __future__ import annotations

import asyncio
import threading
from functools import partial

import pytest

from engine.events.state import COMPLETED
from engine.events.types import STEP_LOST
from engine.registry.plans import LinkedPlan
from tests.support.proxy import Proxy
from tests.support.wait import wait_until
from tests.support.worker import Step, alone, assert_recorded_once, flow

#: No lease runs out while a test runs.
NEVER_MS = 600_000


class Turnstile:
    """Counts who is inside.

    Attributes:
        most: The most that were inside at once.
        passed: How many have come out.
    """

    def __init__(self):
        self.most = self.passed = 0
        self._now = 0
        self._lock = threading.Lock()

    def enter(self):
        with self._lock:
            self._now += 1
            self.most = max(self.most, self._now)

    def leave(self):
        with self._lock:
            self._now -= 1
            self.passed += 1

    def has_passed(self, count):
        return self.passed >= count


def emits_its_input(job, ctx):
    ctx.flow.emit("told", job.data)


def limited_flow(turnstile, kind, *, limit=2):
    """An entry without a limit, and behind it a step of which `limit` run at once."""

    def ordinary(job, ctx):
        turnstile.enter()
        threading.Event().wait(0.005)
        turnstile.leave()

    async def awaited(job, ctx):
        turnstile.enter()
        await asyncio.sleep(0.005)
        turnstile.leave()

    handler = {"ordinary": ordinary, "async": awaited}[kind]
    return flow(
        "limited",
        {
            "begin": Step(emits_its_input, emits=("told",)),
            "limited": Step(handler, on=("told",), options={"concurrency": limit}),
        },
    )


@pytest.mark.parametrize("kind", ["ordinary", "async"])
@pytest.mark.parametrize("limit", [1, 2, 5])
def test_three_workers_never_run_more_at_once_than_the_limit(workshop, kind, limit):
    turnstile = Turnstile()
    limited = limited_flow(turnstile, kind, limit=limit)
    ids = workshop.start_many(limited, 80)
    for _ in range(3):
        workshop.work(limited, threads=8)
    for run in workshop.all_ended(ids):
        assert run.status == COMPLETED
        assert_recorded_once(workshop.events(run.run_id), "begin#1", "limited#1")
    assert (turnstile.most, turnstile.passed) == (limit, 80)


def test_a_limit_holds_within_one_run_too(workshop):
    turnstile = Turnstile()

    def begin(job, ctx):
        for n in range(120):
            ctx.flow.emit("item", n)

    def work(job, ctx):
        turnstile.enter()
        threading.Event().wait(0.002)
        turnstile.leave()
        ctx.flow.emit("done", job.data)

    fan = flow(
        "fan",
        {
            "begin": Step(begin, emits=("item",)),
            "work": Step(work, on=("item",), emits=("done",), options={"concurrency": 3}),
            "gather": Step(lambda job, ctx: sorted(job.data), collect="done"),
        },
    )
    for _ in range(3):
        workshop.work(fan, threads=8)
    assert workshop.run(fan).result == list(range(120))
    assert (turnstile.most, turnstile.passed) == (3, 120)


@pytest.mark.parametrize("kind", ["ordinary", "async"])
def test_workers_that_come_and_go_leave_no_place_of_a_limit_taken(workshop, kind):
    turnstile = Turnstile()
    limited = limited_flow(turnstile, kind)
    ids = workshop.start_many(limited, 150)
    last = workshop.work(limited, threads=8, lease_ms=NEVER_MS)
    for passed in (20, 50, 90):
        wait_until(partial(turnstile.has_passed, passed), saw=lambda: turnstile.passed)
        new = workshop.work(limited, threads=8, lease_ms=NEVER_MS)
        last.stop(5_000)
        last = new
    assert {run.status for run in workshop.all_ended(ids)} == {COMPLETED}
    assert (turnstile.most, turnstile.passed) == (2, 150)
    assert workshop.leased() == []


def test_a_limited_step_is_not_starved_by_a_busy_one_without_a_limit(workshop):
    turnstile = Turnstile()

    def busy(job, ctx):
        threading.Event().wait(0.005)

    limited, unlimited = limited_flow(turnstile, "ordinary", limit=1), alone(busy, "unlimited")
    unlimited_ids = workshop.start_many(unlimited, 1_500)
    ids = workshop.start_many(limited, 15)
    workshop.work(limited, unlimited, threads=4)
    assert {run.status for run in workshop.all_ended(ids)} == {COMPLETED}
    assert workshop.unfinished() > 100
    workshop.all_ended(unlimited_ids)
    assert (turnstile.most, turnstile.passed) == (1, 15)


def test_a_job_of_a_limited_queue_does_not_wait_behind_a_busy_worker_while_another_is_idle(workshop):
    turnstile, begun, opened = Turnstile(), threading.Semaphore(0), threading.Event()

    def blocks(job, ctx):
        begun.release()
        assert opened.wait(30)

    limited, blocked = limited_flow(turnstile, "ordinary"), alone(blocks, "blocked")
    blocked_ids = workshop.start_many(blocked, 8)
    workshop.work(limited, blocked, threads=8, lease_ms=NEVER_MS)
    for _ in blocked_ids:
        assert begun.acquire(timeout=10)
    ids = workshop.start_many(limited, 10)
    workshop.work(limited, threads=2, lease_ms=NEVER_MS)
    assert {run.status for run in workshop.all_ended(ids)} == {COMPLETED}
    assert not any(workshop.state(run_id).is_over for run_id in blocked_ids)
    assert turnstile.most <= 2
    opened.set()
    workshop.all_ended(blocked_ids)


def test_places_of_a_worker_that_was_cut_off_are_free_once_its_leases_are_over(workshop, server, open_store):
    turnstile, begun, opened = Turnstile(), threading.Semaphore(0), threading.Event()

    def holds(job, ctx):
        begun.release()
        assert opened.wait(30)

    def passes(job, ctx):
        turnstile.enter()
        threading.Event().wait(0.005)
        turnstile.leave()

    limited = flow("limited", {"only": Step(holds, options={"concurrency": 2})})
    ids = workshop.start_many(limited, 20)
    with Proxy(server.socket_path, workshop.store) as proxy:
        cut_off = workshop.work(limited, store=open_store(proxy.url), threads=8, lease_ms=1_500)
        for _ in range(2):
            assert begun.acquire(timeout=10)
        proxy.freeze()
        workshop.work(LinkedPlan(limited.plan, {"only": passes}), threads=8, lease_ms=1_500)
        assert {run.status for run in workshop.all_ended(ids)} == {COMPLETED}
        opened.set()
        proxy.thaw()
        cut_off.stop(2_000)
    assert (turnstile.most, turnstile.passed) == (2, 20)
    assert sum(len(workshop.events(run_id, STEP_LOST)) for run_id in ids) == 2
    assert not begun.acquire(blocking=False)


class Order:
    """Handlers that note when they ran; the first waits until it is told to go on."""

    def __init__(self):
        self.seen = []
        self.begun, self.opened = threading.Event(), threading.Event()

    def block(self, job, ctx):
        self.begun.set()
        assert self.opened.wait(20)

    def note(self, job, ctx):
        self.seen.append((ctx.flow.name, job.data["n"]))

    async def note_async(self, job, ctx):
        self.note(job, ctx)


def prioritised(order, name, priority, **options):
    handler = order.note_async if options.pop("is_async", False) else order.note
    return flow(name, {"only": Step(handler, options={"priority": priority, **options})})


@pytest.mark.parametrize("options", [{}, {"queue": "shared"}], ids=["queues of their own", "one queue"])
def test_the_lowest_number_is_done_first_and_within_one_who_came_first(workshop, options):
    order = Order()
    blocker = alone(order.block, "blocker")
    flows = {number: prioritised(order, f"p{number}", number, **options) for number in (9, 5, 0, 1)}
    workshop.work(blocker, *flows.values(), threads=1)
    ids = [workshop.start(blocker)]
    assert order.begun.wait(10)
    for linked in flows.values():
        ids += workshop.start_many(linked, 6)
    order.opened.set()
    workshop.all_ended(ids)
    assert order.seen == [(f"p{number}", n) for number in (0, 1, 5, 9) for n in range(6)]


def test_steps_on_the_loop_are_begun_by_priority_too(workshop):
    order = Order()

    async def block(job, ctx):
        order.begun.set()
        while not order.opened.is_set():
            await asyncio.sleep(0.005)

    blocker = alone(block, "blocker")
    flows = {number: prioritised(order, f"p{number}", number, is_async=True) for number in (9, 5, 0)}
    workshop.work(blocker, *flows.values(), threads=1, async_steps=1)
    ids = [workshop.start(blocker)]
    assert order.begun.wait(10)
    for linked in flows.values():
        ids += workshop.start_many(linked, 6)
    order.opened.set()
    workshop.all_ended(ids)
    assert order.seen == [(f"p{number}", n) for number in (0, 5, 9) for n in range(6)]


def test_a_job_that_is_given_back_keeps_its_place(workshop):
    """A worker that stops has taken the first jobs of a queue: they come before those behind them."""
    order = Order()
    noted = prioritised(order, "noted", 5)
    blocker = flow("blocker", {"only": Step(order.block, options={"priority": 0})})
    ids = workshop.start_many(blocker, 4) + workshop.start_many(noted, 8)
    first = workshop.work(blocker, noted, threads=4, lease_ms=NEVER_MS)
    wait_until(lambda: len(workshop.leased()) > 4, saw=workshop.leased)
    stopping = threading.Thread(target=first.stop, args=(20_000,))
    stopping.start()
    order.opened.set()
    stopping.join(20)
    already = list(order.seen)
    workshop.work(noted, threads=1, lease_ms=NEVER_MS)
    workshop.all_ended(ids)
    assert order.seen == [("noted", n) for n in range(8)]
    assert len(already) < 8
    assert [workshop.events(run_id, STEP_LOST) for run_id in ids] == [[]] * len(ids)
