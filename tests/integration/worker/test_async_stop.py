"""How `async def` handlers end with their process: recorded, or given back and done elsewhere."""

from __future__ import annotations

import asyncio
import threading

import pytest

from engine.events.state import COMPLETED, FAILED
from engine.events.types import LOG, STEP_COMPLETED, STEP_LOST, STEP_STARTED
from tests.support.wait import wait_until
from tests.support.worker import Step, alone, assert_recorded_once, flow

#: No lease runs out while a test runs: what is free again was given back.
NEVER_MS = 600_000


async def until(condition):
    """Wait on the loop for what happens elsewhere."""
    while not condition():
        await asyncio.sleep(0.005)


class Gate:
    """An `async def` handler that waits until it is opened.

    Attributes:
        begun: Released by each that has begun.
        opened: Lets all of them through.
    """

    def __init__(self):
        self.begun = threading.Semaphore(0)
        self.opened = threading.Event()

    async def wait(self):
        self.begun.release()
        await until(self.opened.is_set)

    def flow(self):
        async def handler(job, ctx):
            ctx.logger.info("before")
            await self.wait()
            return "through"

        return alone(handler)

    def wait_for(self, count):
        for _ in range(count):
            assert self.begun.acquire(timeout=10)


@pytest.fixture
def gate():
    return Gate()


def attempts_of(workshop, run_id):
    return [event.attempt for event in workshop.events(run_id, STEP_STARTED)]


def test_handlers_that_end_within_the_grace_are_recorded(workshop, gate):
    slow = gate.flow()
    ids = workshop.start_many(slow, 20)
    worker = workshop.work(slow, threads=1, lease_ms=NEVER_MS)
    gate.wait_for(20)
    stopping = threading.Thread(target=worker.stop, args=(20_000,))
    stopping.start()
    gate.opened.set()
    stopping.join(20)
    assert not stopping.is_alive()
    assert workshop.leased() == []
    for run_id in ids:
        run = workshop.state(run_id)
        assert (run.status, run.result) == (COMPLETED, "through")
        assert attempts_of(workshop, run_id) == [1]


def test_handlers_that_do_not_end_are_cancelled_and_done_elsewhere(workshop, gate):
    """It costs them neither an attempt nor a loss, and what they logged stays."""
    slow = gate.flow()
    ids = workshop.start_many(slow, 20)
    first = workshop.work(slow, threads=1, lease_ms=NEVER_MS)
    gate.wait_for(20)
    first.stop(50)
    assert workshop.leased() == []
    gate.opened.set()
    second = workshop.work(slow, threads=1, lease_ms=NEVER_MS)
    for run in workshop.all_ended(ids):
        events = workshop.events(run.run_id)
        assert run.result == "through"
        assert_recorded_once(events, "only#1")
        started = [event for event in events if event.type == STEP_STARTED]
        assert [event.data["worker"] for event in started] == [first.worker_id, second.worker_id]
        assert [event.attempt for event in started] == [1, 1]
        assert [event.data["message"] for event in events if event.type == LOG] == ["before", "before"]
        assert [event for event in events if event.type == STEP_LOST] == []


def test_what_a_cancelled_handler_logs_last_is_recorded_and_what_it_emitted_and_set_is_not(workshop, gate):
    async def handler(job, ctx):
        if gate.opened.is_set():
            return await ctx.state.get("k", "nothing")
        ctx.flow.emit("said", 1)
        await ctx.state.set("k", 1)
        try:
            await gate.wait()
        finally:
            ctx.logger.warning("interrupted")

    slow = alone(handler, emits=["said"])
    run_id = workshop.start(slow)
    first = workshop.work(slow, lease_ms=NEVER_MS)
    gate.wait_for(1)
    first.stop(50)
    assert workshop.leased() == []
    gate.opened.set()
    workshop.work(slow, lease_ms=NEVER_MS)
    run = workshop.ended(run_id)
    assert (run.result, run.emits, run.handler_state) == ("nothing", 0, {})
    assert [event.data["message"] for event in workshop.events(run_id, LOG)] == ["interrupted"]


def test_a_handler_that_makes_another_exception_of_its_cancellation_has_not_failed(workshop, gate):
    async def handler(job, ctx):
        try:
            await gate.wait()
        except asyncio.CancelledError:
            raise ConnectionError("closed while waiting") from None
        return "through"

    slow = alone(handler)
    run_id = workshop.start(slow)
    first = workshop.work(slow, lease_ms=NEVER_MS)
    gate.wait_for(1)
    first.stop(50)
    assert workshop.leased() == []
    gate.opened.set()
    workshop.work(slow, lease_ms=NEVER_MS)
    assert workshop.ended(run_id).result == "through"
    assert attempts_of(workshop, run_id) == [1, 1]


def test_a_handler_that_returns_when_it_is_cancelled_is_recorded(workshop, gate):
    async def handler(job, ctx):
        try:
            await gate.wait()
        except asyncio.CancelledError:
            await asyncio.sleep(0.01)
            ctx.flow.emit("said", "half")
            return "half done"

    slow = alone(handler, emits=["said"])
    run_id = workshop.start(slow)
    worker = workshop.work(slow, lease_ms=NEVER_MS)
    gate.wait_for(1)
    worker.stop(50)
    run = workshop.ended(run_id)
    assert (run.result, run.emits) == ("half done", 1)
    assert workshop.leased() == []


def test_a_handler_that_does_not_heed_its_cancellation_is_left_to_its_lease(workshop, gate, caplog):
    async def handler(job, ctx):
        while not gate.opened.is_set():
            try:
                await gate.wait()
            except asyncio.CancelledError:
                continue
        return "through"

    slow = alone(handler)
    run_id = workshop.start(slow)
    first = workshop.work(slow, lease_ms=1_000)
    gate.wait_for(1)
    first.stop(50)
    assert f"left unfinished, to be run again when the lease is over: {run_id}/only#1" in caplog.text
    gate.opened.set()
    workshop.work(slow, lease_ms=1_000)
    assert workshop.ended(run_id).result == "through"
    assert attempts_of(workshop, run_id) == [1, 2]
    assert len(workshop.events(run_id, STEP_LOST)) == 1


def test_a_handler_whose_thread_goes_on_is_done_elsewhere_at_once(workshop, gate):
    async def handler(job, ctx):
        if not gate.opened.is_set():
            gate.begun.release()
            await asyncio.to_thread(gate.opened.wait, 30)
        return "through"

    slow = alone(handler)
    run_id = workshop.start(slow)
    first = workshop.work(slow, lease_ms=NEVER_MS)
    gate.wait_for(1)
    first.stop(50)
    assert workshop.leased() == []
    gate.opened.set()
    workshop.work(slow, lease_ms=NEVER_MS)
    assert workshop.ended(run_id).result == "through"


def test_a_run_that_is_failing_is_ended_by_the_last_handler_that_is_given_back(workshop, gate):
    async def waits(job, ctx):
        await gate.wait()

    async def fails(job, ctx):
        await until(lambda: gate.now_fail)
        raise ValueError("no")

    gate.now_fail = False
    both = flow(
        "both",
        {
            "begin": Step(lambda job, ctx: ctx.flow.emit("told"), emits=("told",)),
            "waits": Step(waits, on=("told",)),
            "fails": Step(fails, on=("told",)),
        },
    )
    run_id = workshop.start(both)
    worker = workshop.work(both, lease_ms=NEVER_MS)
    gate.wait_for(1)
    gate.now_fail = True
    wait_until(lambda: workshop.state(run_id).status == "failing")
    worker.stop(50)
    assert workshop.state(run_id).status == FAILED
    assert workshop.leased() == []


@pytest.mark.parametrize("moment", range(6))
def test_a_stop_under_load_leaves_nothing_leased_and_nothing_lost(workshop, moment):
    async def first(job, ctx):
        await asyncio.sleep(0.01)
        ctx.flow.emit("one", job.data["n"])

    async def second(job, ctx):
        await asyncio.sleep(0.01)
        ctx.flow.emit("two", job.data)

    three = flow(
        "three",
        {
            "first": Step(first, emits=("one",)),
            "second": Step(second, on=("one",), emits=("two",)),
            "third": Step(lambda job, ctx: job.data, on=("two",)),
        },
    )
    ids = workshop.start_many(three, 100)
    worker = workshop.work(three, threads=2, async_steps=20, lease_ms=NEVER_MS)
    ended = f"{workshop.store.keys.prefix}:runs:ended"
    with workshop.store.talking() as client:
        wait_until(lambda: client.zcard(ended) >= 3 * moment)
    worker.stop(0 if moment % 2 else 20_000)
    assert workshop.leased() == []
    workshop.work(three, threads=2, async_steps=20, lease_ms=NEVER_MS)
    for n, run in enumerate(workshop.all_ended(ids)):
        events = workshop.events(run.run_id)
        assert (run.status, run.result) == (COMPLETED, n)
        assert_recorded_once(events, "first#1", "second#1", "third#1")
        assert {event.attempt for event in events if event.step_id} == {1}
        assert [event for event in events if event.type == STEP_LOST] == []
        assert len([event for event in events if event.type == STEP_COMPLETED]) == 3
