"""What has changed between two sets of plans."""

from __future__ import annotations

from typing import Any

import pytest

from engine.registry.changes import Changes, FlowChange, compare
from tests.support.store import plan_from

GREET: dict[str, dict[str, Any]] = {"start": {"emits": ["ready"]}, "greet": {"subscribes": "ready"}}


def change_of(before, after):
    """What has become of the one flow that is on both sides."""
    (change,) = compare([plan_from(before)], [plan_from(after)]).altered
    return change


def test_the_same_plans_have_not_changed():
    plans = [plan_from(GREET, flow="a"), plan_from(GREET, flow="b")]

    assert compare(plans, reversed(plans)) == Changes()
    assert compare([], []).is_empty


def test_flows_come_and_go_with_all_of_their_steps():
    plan = plan_from(GREET)

    assert compare([], [plan]) == Changes(
        added=(FlowChange("f", None, plan.version, ("start", "greet"), (), ()),)
    )
    assert compare([plan], []) == Changes(
        removed=(FlowChange("f", plan.version, None, (), ("start", "greet"), ()),)
    )
    assert not compare([plan], []).is_empty


def test_of_many_flows_only_those_that_changed_are_told_by_name():
    before = [plan_from(GREET, flow=flow) for flow in ("same", "gone", "second", "first")]
    changed = [plan_from({"start": {}}, flow=flow) for flow in ("second", "first")]
    changes = compare(before, [*changed, before[0], plan_from(GREET, flow="new")])

    assert [it.flow for it in changes.added] == ["new"]
    assert [it.flow for it in changes.removed] == ["gone"]
    assert [it.flow for it in changes.altered] == ["first", "second"]


def test_steps_are_told_in_the_order_in_which_they_run():
    before = {
        "start": {"emits": ["ready"]},
        "a_old": {"subscribes": "ready"},
        "greet": {"subscribes": "ready"},
    }
    after = {
        "start": {"emits": ["ready"]},
        "greet": {"subscribes": "ready", "emits": ["greeted"]},
        "z_first": {"subscribes": "greeted", "emits": ["told"]},
        "a_second": {"subscribes": "told"},
    }
    change = change_of(before, after)

    assert (change.before, change.after) == (plan_from(before).version, plan_from(after).version)
    assert (change.added, change.removed, change.altered) == (("z_first", "a_second"), ("a_old",), ("greet",))


@pytest.mark.parametrize(
    "declared",
    [
        {"handler": "handlers:other"},
        {"queue": "slow"},
        {"priority": 1},
        {"concurrency": 2},
        {"emits": ["greeted"]},
        {"subscribes": {"collect": "ready"}},
    ],
    ids=lambda declared: next(iter(declared)),
)
def test_whatever_is_declared_otherwise_alters_its_step(declared):
    change = change_of(GREET, {**GREET, "greet": {**GREET["greet"], **declared}})

    assert (change.added, change.removed, change.altered) == ((), (), ("greet",))


def test_what_only_follows_from_other_steps_alters_none():
    """A step before all others by name moves their indexes; a collect is in the books of all before it."""
    change = change_of(GREET, {**GREET, "a_report": {"subscribes": {"collect": "ready"}}})

    assert (change.added, change.removed, change.altered) == (("a_report",), (), ())


def test_a_flow_with_other_labels_has_another_version_and_no_altered_step():
    (change,) = compare([plan_from(GREET)], [plan_from(GREET, labels={"team": "shop"})]).altered

    assert (change.added, change.removed, change.altered) == ((), (), ())
