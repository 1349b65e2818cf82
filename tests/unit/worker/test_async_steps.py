"""The event loop by itself: whatever becomes of a task, its attempt is settled once or given back once."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.execution.attempt import Attempt, Phase
from engine.execution.settlement import Settlement
from engine.registry.plans import LinkedPlan
from engine.worker import async_steps
from engine.worker.async_steps import AsyncSteps
from engine.worker.items import LARGE_BYTES
from engine.worker.vital import Death
from tests.support.wait import wait_until
from tests.unit.execution.bench import PLAN, Bench


class Stage:
    """A loop, and what it has handed over.

    Attributes:
        settled: Attempts and their settlements.
        settled_by: The thread of each settlement.
        given_back: Attempts.
        died: Why the loop cannot go on.
    """

    def __init__(self) -> None:
        self.settled: list[tuple[Attempt, Settlement]] = []
        self.settled_by: list[str] = []
        self.given_back: list[Attempt] = []
        self.died: list[Death] = []
        self.bench = Bench(payload_bytes=1 << 20)
        self.loop = AsyncSteps(env=self.bench.env, settle=self._settle, give_back=self._give_back)
        self.loop.died = self.died.append
        self.loop.start()

    def _settle(self, attempt: Attempt, settlement: Settlement) -> None:
        attempt.phase = Phase.SETTLING
        self.settled_by.append(threading.current_thread().name)
        self.settled.append((attempt, settlement))

    def _give_back(self, attempt: Attempt) -> None:
        attempt.phase = Phase.SETTLING
        self.given_back.append(attempt)

    def schedule(self, handler: Callable[[Any, Any], Any]) -> Attempt:
        """Put an attempt at step `a` on the loop."""
        attempt = Attempt(self.bench.leased, lease_ends_ms=1e12, on_loop=True)
        attempt.phase = Phase.RUNNING
        self.loop.schedule(attempt, LinkedPlan(PLAN, dict.fromkeys("abc", handler)))
        return attempt

    def result(self) -> Settlement:
        """The one settlement that there will be."""
        wait_until(lambda: self.settled)
        [(_, settlement)] = self.settled
        return settlement


@pytest.fixture
def stage() -> Iterator[Stage]:
    stage = Stage()
    yield stage
    stage.loop.drain(0)
    stage.loop.join(10)
    assert not stage.loop.is_alive()
    assert stage.died == []


async def quick(job, ctx):
    return "done"


async def endless(job, ctx):
    await asyncio.sleep(3_600)


def test_a_handler_that_returns_is_settled_by_the_loop(stage):
    attempt = stage.schedule(quick)
    assert stage.result().error is None
    assert attempt.thread is stage.loop
    assert stage.settled_by == ["flowengine-loop"]


def test_a_large_settlement_which_may_have_to_wait_is_handed_over_beside_the_loop(stage):
    async def large(job, ctx):
        return "x" * LARGE_BYTES

    stage.schedule(large)
    assert stage.result().size >= LARGE_BYTES
    assert stage.settled_by != ["flowengine-loop"]


def test_an_ordinary_function_of_an_older_version_runs_beside_the_loop(stage):
    ran_in = []

    def ordinary(job, ctx):
        ran_in.append(threading.current_thread())

    stage.schedule(ordinary)
    assert stage.result().error is None
    assert ran_in[0] is not stage.loop
    assert ran_in[0].daemon


def test_a_fault_of_the_engine_fails_the_step_instead_of_leaving_it_open(stage, monkeypatch):
    def broken(*_):
        raise ZeroDivisionError("a fault")

    monkeypatch.setattr(async_steps, "execute_async", broken)
    stage.schedule(quick)
    name, args = stage.bench.call_of(stage.result())
    assert name == "fail"
    assert b'"cause":"bug of flowengine"' in args[9]


def test_what_still_waits_after_the_grace_is_given_back_once(stage):
    attempts = [stage.schedule(endless) for _ in range(50)]
    stage.loop.drain(0.01)
    assert sorted(stage.given_back, key=id) == sorted(attempts, key=id)
    assert stage.settled == []


def test_what_was_cancelled_before_its_first_step_is_given_back_too(stage):
    blocked, opened = threading.Event(), threading.Event()

    async def blocks(job, ctx):
        blocked.set()
        opened.wait(10)
        await asyncio.sleep(3_600)

    first = stage.schedule(blocks)
    assert blocked.wait(10)
    # Both are waiting for the loop when the cancellation is asked for: it comes between task and first step.
    second = stage.schedule(endless)
    stage.loop._tell(stage.loop._cancel)
    opened.set()
    wait_until(lambda: len(stage.given_back) == 2)
    assert set(stage.given_back) == {first, second}


def test_what_comes_after_the_end_is_given_back(stage):
    stage.loop.drain(0)
    late = stage.schedule(quick)
    assert stage.given_back == [late]
    assert stage.settled == []


def test_who_blocks_the_loop_is_named(stage):
    blocked, opened = threading.Event(), threading.Event()

    async def blocks(job, ctx):
        blocked.set()
        opened.wait(10)

    stage.schedule(blocks)
    assert blocked.wait(10)
    assert stage.loop.suspicion() == "the `async def` handler of r/a#1 has blocked the event loop"
    opened.set()
    stage.result()


def test_a_callback_that_a_handler_has_left_is_suspected_where_no_task_runs(stage):
    blocked, opened = threading.Event(), threading.Event()

    def blocks():
        blocked.set()
        opened.wait(10)

    async def leaves(job, ctx):
        asyncio.get_running_loop().call_soon(blocks)

    stage.schedule(leaves)
    assert blocked.wait(10)
    assert stage.loop.suspicion() == "a callback of a handler has blocked the event loop"
    opened.set()


def test_a_task_that_a_handler_has_started_is_not_called_by_the_name_of_a_step(stage):
    blocked, opened = threading.Event(), threading.Event()

    async def blocks():
        blocked.set()
        opened.wait(10)

    async def starts(job, ctx):
        await asyncio.create_task(blocks())

    stage.schedule(starts)
    assert blocked.wait(10)
    assert stage.loop.suspicion() == "a task of a handler has blocked the event loop"
    opened.set()
    stage.result()


def test_a_loop_that_waits_gives_signs_of_life(stage):
    first = stage.loop.beat_ms
    wait_until(lambda: stage.loop.beat_ms > first)


async def stops_the_loop(job, ctx):
    asyncio.get_running_loop().stop()


async def cancels_all_others(job, ctx):
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()


async def leaves_an_exit(job, ctx):
    def leave():
        raise SystemExit

    asyncio.get_running_loop().call_soon(leave)


@pytest.mark.parametrize("handler", [stops_the_loop, cancels_all_others, leaves_an_exit])
def test_whatever_a_handler_does_to_the_loop_it_goes_on(stage, handler):
    stage.schedule(handler)
    stage.result()
    beat_ms = stage.loop.beat_ms
    wait_until(lambda: stage.loop.beat_ms > beat_ms)
    stage.schedule(quick)
    wait_until(lambda: len(stage.settled) == 2)
