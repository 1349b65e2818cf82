"""The plans in force in this process."""

from __future__ import annotations

import pytest

from engine.errors import FlowNotFound
from engine.registry.plans import LinkedPlan, Registry
from tests.support.store import plan_from


def first(job, ctx):
    """A handler."""


def second(job, ctx):
    """Another handler."""


def test_a_plan_is_in_force_with_its_handlers():
    registry = Registry()
    plan = plan_from(
        {"a": {"emits": ["one"], "handler": "x:first"}, "b": {"subscribes": "one", "handler": "x:b"}}
    )
    registry.swap([plan], {"x:first": first, "x:b": second, "x:unused": second})

    assert registry.in_force("f").plan == plan
    assert registry.in_force("f").handlers == {"a": first, "b": second}
    assert [linked.plan for linked in registry.linked] == [plan]


async def third(job, ctx):
    """An asynchronous one."""


def test_a_linked_plan_knows_which_handlers_are_to_be_awaited():
    plan = plan_from({"a": {"emits": ["x"]}, "b": {"subscribes": "x"}, "c": {"subscribes": "x"}})
    linked = LinkedPlan(plan, {"a": first, "b": third})

    assert [linked.is_async(step) for step in plan.steps] == [False, True, False]
    assert linked == LinkedPlan(plan, {"a": first, "b": third})


def test_a_swap_puts_these_in_force_and_no_others():
    registry = Registry()
    registry.swap([plan_from({"a": {}}, flow="old")], {"handlers:a": first})
    registry.swap([plan_from({"a": {}}, flow="new")], {"handlers:a": second})

    assert registry.in_force("new").handlers == {"a": second}
    with pytest.raises(FlowNotFound, match="there is no flow `old` here; known are `new`"):
        registry.in_force("old")


def test_a_swap_that_fails_leaves_all_as_it_was():
    registry = Registry()
    plan = plan_from({"a": {}})
    registry.swap([plan], {"handlers:a": first})
    with pytest.raises(KeyError):
        registry.swap([plan_from({"a": {}}, flow="new"), plan_from({"b": {}})], {"handlers:a": first})

    assert registry.in_force("f").plan == plan


def test_an_empty_registry_says_so():
    with pytest.raises(FlowNotFound, match="there is no flow `f` here; known are none"):
        Registry().in_force("f")
