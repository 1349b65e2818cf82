"""Which queues a worker serves while plans come into force and go, and runs are pinned to what was before."""

from __future__ import annotations

import pytest

from engine.control.start import start
from engine.registry.pins import Pins
from engine.registry.plans import Registry
from engine.store.index import RunIndex
from engine.store.plans import Plans
from engine.worker.served import ServedQueues
from tests.support.store import deployed, plan_from


def handle(job, ctx):
    """Any handler."""


async def wait(job, ctx):
    """An asynchronous one."""


class Serving:
    """A registry, the queues that are served for it, and runs in the store."""

    def __init__(self, store, *, serves_every_flow=False):
        def link(path):
            raise AssertionError(f"`{path}` was looked up")

        self.store = store
        self.registry = Registry()
        pins = Pins(self.registry, Plans(store), link)
        self.served = ServedQueues(self.registry, pins, RunIndex(store), serves_every_flow=serves_every_flow)

    def swap(self, *plans, handler=handle):
        handlers = {step.handler: handler for plan in plans for step in plan.steps.values()}
        self.registry.swap(plans, handlers)
        self.served.refresh()

    def pin(self, *queues, flow="f"):
        """Start a run of a version with these queues."""
        plan = deployed(self.store, steps_in(*queues), flow=flow)
        start(self.store, plan, input=None, limit_bytes=100)

    @property
    def names(self):
        """All that are served, those of the loop with a mark."""
        return sorted([*self.served.now.threads, *(f"{name}*" for name in self.served.now.loop)])


def steps_in(*queues):
    """A step in each queue, one after the other."""
    return {
        f"s{n}": {"queue": name, "emits": [f"e{n}"]} | ({"subscribes": f"e{n - 1}"} if n else {})
        for n, name in enumerate(queues)
    }


def plan_in(*queues, flow="f"):
    return plan_from(steps_in(*queues), flow=flow)


@pytest.fixture
def serving(store):
    return Serving(store)


def test_queues_of_what_is_in_force_are_served_at_once(serving):
    assert serving.names == []
    serving.swap(plan_in("a", "b"))
    assert serving.names == ["a", "b"]
    assert "a" in serving.served
    serving.swap(plan_in("b", "c"), plan_in("d", flow="g"))
    assert "c" in serving.served
    assert "d" in serving.served


def test_a_queue_that_is_in_force_no_more_is_served_for_two_looks(serving):
    serving.swap(plan_in("a", "b"))
    serving.swap(plan_in("b"))
    assert serving.names == ["a", "b"]
    serving.served.look()
    assert serving.names == ["a", "b"]
    serving.served.look()
    assert serving.names == ["b"]
    assert "a" not in serving.served


def test_other_swaps_meanwhile_do_not_keep_a_queue_for_longer(serving):
    serving.swap(plan_in("a"))
    serving.swap(plan_in("b"))
    serving.served.look()
    serving.swap(plan_in("c"))
    serving.served.look()
    assert serving.names == ["b", "c"]
    serving.served.look()
    assert serving.names == ["c"]


def test_a_queue_that_comes_back_into_force_stays(serving):
    serving.swap(plan_in("a"))
    serving.swap(plan_in("b"))
    serving.swap(plan_in("a"))
    for _ in range(3):
        serving.served.look()
    assert serving.names == ["a"]


def test_a_queue_stays_as_long_as_a_run_is_pinned_to_a_version_that_has_it(serving):
    serving.swap(plan_in("a"))
    serving.pin("a")
    serving.swap(plan_in("b"))
    for _ in range(3):
        serving.served.look()
    assert serving.names == ["a", "b"]


def test_a_flow_that_is_gone_is_served_as_long_as_runs_of_it_are(serving):
    serving.swap(plan_in("a"))
    serving.pin("a", "other")
    serving.swap()
    for _ in range(3):
        serving.served.look()
    assert serving.names == ["a", "other"]


def test_a_flow_that_was_never_in_force_is_served_only_where_every_flow_is(store):
    for serves_every_flow, names in ((False, ["a"]), (True, ["a", "theirs"])):
        serving = Serving(store, serves_every_flow=serves_every_flow)
        serving.swap(plan_in("a"))
        serving.pin("theirs", flow="g")
        serving.served.look()
        assert serving.names == names


def test_a_version_that_a_later_release_wrote_is_passed_over(store):
    serving = Serving(store, serves_every_flow=True)
    serving.pin("later")
    with store.talking() as client:
        key = store.keys.plan("f", plan_in("later").version)
        ours = client.get(key)
        client.set(key, ours.replace(b'"format":', b'"format":9'))
        serving.pin("mine", flow="g")
        serving.served.look()
        assert serving.names == ["mine"]
        # Whoever checks the run afterwards reads the plan.
        client.set(key, ours)


def test_a_queue_goes_between_threads_and_loop_with_its_handlers(serving):
    serving.swap(plan_in("a"), handler=wait)
    assert serving.names == ["a*"]
    assert (serving.served.has_loop, serving.served.is_on_loop("a")) == (True, True)
    serving.swap(plan_in("a"))
    assert serving.names == ["a"]
    assert (serving.served.has_loop, serving.served.is_on_loop("a")) == (False, False)


def test_what_is_in_force_no_more_stays_where_it_was(serving):
    """A hundred waiting handlers would else share a few threads' room."""
    serving.swap(plan_in("a"), handler=wait)
    serving.pin("a", "unknown")
    serving.swap(plan_in("b"))
    for _ in range(3):
        assert "a*" in serving.names
        serving.served.look()
    assert serving.names == ["a*", "b", "unknown"]


def test_each_list_has_a_greater_number_than_those_before(serving):
    numbers = []
    for plans in ([plan_in("a")], [plan_in("a")], [plan_in("b")], [plan_in("a")]):
        serving.swap(*plans)
        numbers.append(serving.served.now.number)
    assert numbers == [1, 1, 2, 2]
    for _ in range(2):
        serving.served.look()
        numbers.append(serving.served.now.number)
    assert numbers[-2:] == [2, 3]
