"""Declarations into plans; the docstring of each test is the flow file."""

from __future__ import annotations

from engine.compile.plan import Plan, StepPlan
from engine.compile.planner import plan_of
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml


def plan(text):
    document = read_yaml("f", text).document
    assert document is not None
    return plan_of(parse(document))


def test_a_plan_has_everything_in_the_order_of_names(source):
    """
    flow: order
    labels: {zone: eu, team: shop}
    steps:
      start: {role: entry, handler: shop:start, emits: [placed, paid]}
      pack: {subscribes: {any: [placed, paid]}, handler: shop:pack, emits: [packed]}
      bill: {subscribes: paid, handler: shop:bill, queue: slow}
    """
    found = plan(source)

    assert (found.flow, found.entry, list(found.labels)) == ("order", "start", ["team", "zone"])
    assert list(found.steps.values()) == [
        StepPlan("bill", 0, "shop:bill", "slow", ("paid",), ()),
        StepPlan("pack", 1, "shop:pack", "order.pack", ("paid", "placed"), ("packed",)),
        StepPlan("start", 2, "shop:start", "order.start", (), ("paid", "placed")),
    ]
    assert found.subscribers == {"paid": ("bill", "pack"), "placed": ("pack",)}
    assert list(found.subscribers) == ["paid", "placed"]
    assert found.sinks == ("bill", "pack")
    assert found.queues == {"slow", "order.pack", "order.start"}


def test_the_default_queue_is_that_of_all_steps_that_name_none(source):
    """
    flow: order
    defaults: {queue: slow}
    steps:
      start: {role: entry, handler: shop:start, emits: [placed]}
      pack: {subscribes: placed, handler: shop:pack, queue: fast}
    """
    assert {name: step.queue for name, step in plan(source).steps.items()} == {
        "pack": "fast",
        "start": "slow",
    }


def test_a_flow_of_one_step_is_entry_and_sink():
    found = plan("flow: a\nsteps: {s: {role: entry, handler: x:y}}\n")
    assert (found.entry, found.sinks, found.subscribers) == ("s", ("s",), {})


def test_a_plan_comes_back_from_its_data(source):
    """
    flow: order
    steps:
      start: {role: entry, handler: shop:start, emits: [placed]}
      pack: {subscribes: placed, handler: shop:pack}
    """
    found = plan(source)
    assert Plan.from_dict(found.to_dict(), found.version) == found
