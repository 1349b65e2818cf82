"""Runs that are pinned to a version which this worker has not loaded, or cannot serve."""

from __future__ import annotations

from functools import partial

import pytest

from engine.compile.plan import Plan
from engine.events.types import STEP_LOST, STEP_STARTED, STEP_UNROUTABLE
from engine.registry.plans import LinkedPlan
from tests.support.wait import wait_until
from tests.support.worker import Step, alone, assert_recorded_once, flow


def greet(job, ctx):
    return "served"


def two_versions() -> tuple[LinkedPlan, LinkedPlan]:
    """An old version, whose handler has another name, and a new one in the same queue."""
    old = flow("greeter", {"only": Step(greet, queue="greetings", emits=("old",))})
    new = flow("greeter", {"only": Step(greet, queue="greetings", emits=("new",))})
    return old, new


def renamed(linked: LinkedPlan) -> LinkedPlan:
    """The same flow, whose handler is one that other versions do not have."""
    data = linked.plan.to_dict()
    data["steps"]["only"]["handler"] = "handlers.gone:only"
    return LinkedPlan(Plan.from_dict(data, "0" * 64), linked.handlers)


def test_a_run_of_another_version_is_served_from_the_store(workshop):
    old, new = two_versions()
    run_id = workshop.start(old)
    workshop.work(new)
    run = workshop.ended(run_id)
    assert (run.result, run.version) == ("served", old.plan.version)
    assert workshop.run(new).version == new.plan.version


def test_a_run_whose_step_has_moved_to_another_queue_since_is_served_too(workshop):
    old = flow("greeter", {"only": Step(greet, queue="before")})
    new = flow("greeter", {"only": Step(greet, queue="after")})
    run_id = workshop.start(old)
    workshop.work(new)

    assert workshop.ended(run_id).result == "served"
    assert workshop.run(new).result == "served"


def test_what_cannot_be_served_here_is_told_once_put_off_and_served_by_another(workshop):
    old, new = two_versions()
    old = renamed(old)
    run_id = workshop.start(old)
    first = workshop.work(new)
    delayed = f"{workshop.store.keys.prefix}:queue:greetings:delayed"
    with workshop.store.talking() as client:
        due = wait_until(lambda: client.zscore(delayed, f"{run_id}/only#1"))
        # It comes back, and is put off again without another word.
        wait_until(lambda: (client.zscore(delayed, f"{run_id}/only#1") or 0) > due)
    [told] = workshop.events(run_id, STEP_UNROUTABLE)
    assert told.data["worker"] == first.worker_id
    assert "handlers.gone:only" in told.data["reason"]
    assert workshop.events(run_id, STEP_STARTED, STEP_LOST) == []
    first.stop(1000)
    second = workshop.work(old)
    run = workshop.ended(run_id)
    assert run.result == "served"
    [started] = workshop.events(run_id, STEP_STARTED)
    assert (started.attempt, started.data["worker"]) == (1, second.worker_id)
    assert_recorded_once(workshop.events(run_id), "only#1")


def test_a_version_that_is_not_in_the_store_is_put_off_too(workshop):
    old, new = two_versions()
    run_id = workshop.start(old)
    with workshop.store.talking() as client:
        client.delete(workshop.store.keys.plan("greeter", old.plan.version))
    workshop.work(new)
    wait_until(lambda: workshop.events(run_id, STEP_UNROUTABLE))
    workshop.start(old)
    assert workshop.ended(run_id).result == "served"


def test_a_job_that_is_put_off_holds_up_nobody(workshop):
    old, new = two_versions()
    stuck = [workshop.start(renamed(old)) for _ in range(20)]
    fine = [workshop.start(new) for _ in range(20)]
    workshop.work(new, threads=1)
    assert {run.status for run in workshop.all_ended(fine)} == {"completed"}
    for run_id in stuck:
        wait_until(partial(workshop.events, run_id, STEP_UNROUTABLE))
        assert len(workshop.events(run_id, STEP_UNROUTABLE)) == 1


@pytest.mark.parametrize("threads", [1, 4])
def test_a_worker_serves_no_queue_that_none_of_its_flows_has(workshop, threads):
    mine, theirs = alone(greet, "mine"), alone(greet, "theirs")
    run_id = workshop.start(theirs)
    workshop.work(mine, threads=threads)
    assert workshop.run(mine).result == "served"
    assert workshop.state(run_id).status == "running"
    workshop.work(theirs)
    assert workshop.ended(run_id).result == "served"
