"""Runs pinned to versions that are not in force here: read from the store once, and linked."""

from __future__ import annotations

import pytest

from engine.errors import HandlerError, VersionNotFound
from engine.registry.pins import Pins
from engine.registry.plans import LinkedPlan, Registry
from engine.store.plans import Plans
from tests.support.store import CHAIN, deployed, plan_from


def handle(job, ctx):
    """Any handler."""


async def wait(job, ctx):
    """An asynchronous handler."""


@pytest.fixture
def linked():
    """The import paths that were looked up."""
    return []


@pytest.fixture
def registry():
    return Registry()


@pytest.fixture
def pins(store, registry, linked):
    def link(path):
        linked.append(path)
        if path == "handlers:gone":
            raise HandlerError(f"handler `{path}`: no such function")
        return wait if path == "handlers:wait" else handle

    return Pins(registry, Plans(store), link)


def test_the_version_in_force_is_not_read_from_the_store(store, registry, pins, linked):
    plan = plan_from({"a": {}})
    registry.swap([plan], {"handlers:a": handle})

    assert pins.get("f", plan.version, "a") is registry.in_force("f")
    assert linked == []


def test_another_version_is_read_and_linked_once(store, registry, pins, linked):
    pinned = deployed(store, CHAIN)
    registry.swap([plan_from({"a": {}})], {"handlers:a": handle})
    found = [pins.get("f", pinned.version, step) for step in ("a", "b", "a", "b")]

    assert [one.plan for one in found] == [pinned] * 4
    assert found[-1].handlers == {"a": handle, "b": handle}
    assert pins.get("f", pinned.version, "a") is found[-1]
    assert linked == ["handlers:a", "handlers:b"]


def test_a_flow_that_this_process_does_not_have_is_found_too(store, pins):
    pinned = deployed(store, CHAIN)
    assert pins.get("f", pinned.version, "a").plan == pinned


def test_a_version_that_is_nowhere_is_named(pins):
    with pytest.raises(VersionNotFound):
        pins.get("f", "0" * 64, "a")


def test_a_handler_that_is_gone_is_looked_for_again_next_time(store, pins, linked):
    pinned = deployed(store, {"a": {"handler": "handlers:gone"}})
    for _ in range(2):
        with pytest.raises(HandlerError):
            pins.get("f", pinned.version, "a")
    assert linked == ["handlers:gone", "handlers:gone"]


def test_a_handler_that_is_gone_does_not_keep_the_other_steps_from_running(store, pins):
    steps = {"a": {"emits": ["x"]}, "b": {"subscribes": "x", "handler": "handlers:gone"}}
    pinned = deployed(store, steps)

    assert pins.get("f", pinned.version, "a").handlers == {"a": handle}


def test_a_pinned_plan_knows_which_handlers_are_to_be_awaited(store, pins):
    steps = {"a": {"emits": ["x"]}, "b": {"subscribes": "x", "handler": "handlers:wait"}}
    pinned = deployed(store, steps)

    pins.get("f", pinned.version, "a")
    found = pins.get("f", pinned.version, "b")
    assert (found.is_async("a"), found.is_async("b")) == (False, True)


def test_what_was_linked_before_a_swap_is_linked_anew_after_it(store, pins, linked):
    pinned = deployed(store, CHAIN)
    pins.get("f", pinned.version, "a")
    pins.get("f", pinned.version, "b")
    pins.forget_handlers()
    with store.talking() as client:
        client.delete(store.keys.plan("f", pinned.version))

    # The plan itself is not read again.
    assert pins.get("f", pinned.version, "b").handlers == {"b": handle}
    assert linked == ["handlers:a", "handlers:b", "handlers:b"]


@pytest.mark.parametrize("times", [1, 3])
def test_a_function_that_was_looked_up_before_a_swap_and_comes_after_it_is_not_kept(store, registry, times):
    """A swap comes while a module of the user's is imported, which may take long."""
    pinned = deployed(store, CHAIN)
    looked_up = []

    def link(path):
        looked_up.append(path)
        if len(looked_up) > times:
            return wait
        these.forget_handlers()
        return handle

    these = Pins(registry, Plans(store), link)
    for _ in range(2):
        assert these.get("f", pinned.version, "a") == LinkedPlan(pinned, {"a": wait})
    assert len(looked_up) == times + 1
