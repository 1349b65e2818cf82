"""Dramatiq middleware that keeps a handler from running: the step is settled all the same."""

from __future__ import annotations

import pytest
from dramatiq import Middleware
from dramatiq.middleware import SkipMessage

from engine.events.types import STEP_FAILED, STEP_SKIPPED, STEP_STARTED
from tests.support.worker import Step, alone, assert_recorded_once, flow


class Skips(Middleware):
    def before_process_message(self, broker, message):
        raise SkipMessage("not today")


class Rejects(Middleware):
    def before_process_message(self, broker, message):
        message.fail()


class Raises(Middleware):
    def before_process_message(self, broker, message):
        raise ValueError("a fault of its own")


class RaisesAfter(Middleware):
    def after_process_message(self, broker, message, *, result=None, exception=None):
        raise ValueError("a fault of its own")


class Watches(Middleware):
    """Sees what handlers raise, as error trackers do."""

    def __init__(self) -> None:
        self.seen: list[object] = []

    def after_process_message(self, broker, message, *, result=None, exception=None):
        self.seen.append(exception)


def working_with(workshop, linked, middleware):
    worker = workshop.build(linked, threads=2)
    for broker in (worker._broker, worker._loop_broker):
        broker.add_middleware(middleware)
    worker.start()
    return worker


def two_steps(kind):
    async def begin(job, ctx):
        ctx.flow.emit("told")

    async def after(job, ctx):
        return 1

    ordinary = {"begin": lambda job, ctx: ctx.flow.emit("told"), "after": lambda job, ctx: 1}
    handlers = {"ordinary": ordinary, "async": {"begin": begin, "after": after}}[kind]
    return flow(
        "two",
        {
            "begin": Step(handlers["begin"], emits=("told",)),
            "after": Step(handlers["after"], on=("told",)),
        },
    )


@pytest.fixture(params=["ordinary", "async"])
def linked(request):
    """Two steps, of functions of either kind."""
    return two_steps(request.param)


def test_a_step_that_is_skipped_is_recorded_as_skipped(workshop, linked):
    working_with(workshop, linked, Skips())
    run = workshop.run(linked)
    assert (run.status, run.result) == ("completed", None)
    [skipped] = workshop.events(run.run_id, STEP_SKIPPED)
    assert (skipped.step_id, skipped.data["reason"]) == ("begin#1", "skipped by middleware")
    assert workshop.events(run.run_id, STEP_STARTED) == []
    assert_recorded_once(workshop.events(run.run_id), "begin#1")
    assert workshop.leased() == []


def test_a_step_that_is_rejected_has_failed(workshop, linked):
    working_with(workshop, linked, Rejects())
    run = workshop.run(linked)
    assert (run.status, run.failed_step) == ("failed", "begin")
    [failed] = workshop.events(run.run_id, STEP_FAILED)
    assert failed.data["cause"] == "rejected by middleware"
    assert workshop.leased() == []


@pytest.mark.parametrize("middleware", [Raises(), RaisesAfter()], ids=["before", "after"])
def test_middleware_that_is_broken_keeps_no_step_from_its_end(workshop, linked, middleware):
    working_with(workshop, linked, middleware)
    run = workshop.run(linked)
    assert run.status == "completed"
    assert_recorded_once(workshop.events(run.run_id), "begin#1", "after#1")


def test_middleware_sees_what_handlers_raise_and_nothing_is_tried_twice(workshop):
    error = ValueError("no card")

    def handler(job, ctx):
        raise error

    watches = Watches()
    linked = alone(handler)
    working_with(workshop, linked, watches)
    run = workshop.run(linked)
    assert run.status == "failed"
    assert watches.seen == [error]
    assert_recorded_once(workshop.events(run.run_id), "only#1")


def test_middleware_sees_no_more_of_async_steps_than_that_they_were_begun(workshop):
    async def handler(job, ctx):
        raise ValueError("no card")

    watches = Watches()
    linked = alone(handler)
    working_with(workshop, linked, watches)
    assert workshop.run(linked).status == "failed"
    assert watches.seen == [None]
