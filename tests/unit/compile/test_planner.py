"""Declarations into plans; the docstring of each test is the flow file."""

from __future__ import annotations

import json

import pytest

from engine.compile.plan import Plan, StepPlan
from engine.compile.planner import plan_of
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.errors import VersionNotFound


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
    assert set(found.queues) == {"slow", "order.pack", "order.start"}
    assert (found.joins, found.collects) == ((), {})


def test_joins_collects_priorities_and_limits_are_planned(source):
    """
    flow: census
    steps:
      list: {role: entry, handler: x:list, emits: [module.found], priority: 0}
      analyse: {subscribes: module.found, handler: x:analyse, emits: [module.analysed], concurrency: 5}
      report: {subscribes: {collect: module.analysed}, handler: x:report, emits: [reported]}
      check: {subscribes: {collect: module.found}, handler: x:check, emits: [checked]}
      close: {subscribes: {all: [reported, checked]}, handler: x:close}
    """
    found = plan(source)
    steps = found.steps

    assert {name: step.trigger for name, step in steps.items()} == {
        "analyse": "any",
        "check": "collect",
        "close": "all",
        "list": "any",
        "report": "collect",
    }
    assert {name: step.priority for name, step in steps.items() if step.priority != 5} == {"list": 0}
    assert {name: step.concurrency for name, step in steps.items() if step.concurrency} == {"analyse": 5}
    assert [step.name for step in found.joins] == ["close"]
    assert steps["close"].subscribes == ("checked", "reported")
    assert found.collects == {"check": 1, "report": 1}
    assert (steps["list"].covers, steps["list"].arms) == (("check", "report"), ("check", "report"))
    assert (steps["analyse"].covers, steps["analyse"].arms) == (("report",), ("report",))
    assert (found.sinks, found.subscribers["module.found"]) == (("close",), ("analyse", "check"))


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
      start: {role: entry, handler: shop:start, emits: [placed], priority: 9}
      pack: {subscribes: placed, handler: shop:pack, emits: [packed], concurrency: 2}
      ship: {subscribes: {collect: packed}, handler: shop:ship, emits: [shipped]}
      close: {subscribes: {all: [packed, shipped]}, handler: shop:close}
    """
    found = plan(source)
    again = Plan.from_dict(json.loads(json.dumps(found.to_dict(), sort_keys=True)), found.version)
    assert again == found
    assert list(again.collects) == list(found.collects)


def test_a_plan_of_a_later_release_is_refused_in_a_sentence(source):
    """
    flow: order
    steps:
      start: {role: entry, handler: shop:start}
    """
    data = {**plan(source).to_dict(), "format": 3}
    with pytest.raises(VersionNotFound, match="of flow `order` was compiled by a later release"):
        Plan.from_dict(data, "0" * 64)


def test_a_plan_of_the_first_format_is_read(source):
    """
    flow: order
    steps:
      start: {role: entry, handler: shop:start, emits: [order.paid]}
      pack: {subscribes: order.paid, handler: shop:pack}
    """
    found = plan(source)
    data = json.loads(json.dumps(found.to_dict()))
    old = ("index", "handler", "queue", "subscribes", "emits")
    data["steps"] = {name: {key: step[key] for key in old} for name, step in data["steps"].items()}
    del data["collects"]

    assert Plan.from_dict({**data, "format": 1}, found.version) == found
