"""Putting versions into the store, and getting the one in force back whole."""

from __future__ import annotations

import pytest

from engine.control.deploy import Deployed, deploy, plan_in_force
from engine.errors import FlowNotFound
from engine.store.plans import Plans
from tests.support.store import CHAIN, members, plan_from


def test_the_plan_in_force_comes_back_whole(store):
    plan = plan_from(CHAIN, labels={"team": "shop"})
    assert deploy(store, plan, source="text", mode="serve") == Deployed("new", None)

    assert plan_in_force(store, "f") == plan
    assert members(store, "queues") == sorted(plan.queues)


def test_an_older_version_is_served_and_leaves_the_newer_one_in_force(store):
    older, newer = plan_from({"a": {}}), plan_from(CHAIN)
    deploy(store, older, source="", mode="serve")
    deploy(store, newer, source="", mode="serve")

    assert deploy(store, older, source="", mode="serve") == Deployed("old", newer.version)
    assert deploy(store, newer, source="", mode="serve") == Deployed("current", None)
    assert plan_in_force(store, "f") == newer


def test_a_plan_that_is_only_stored_is_there_for_its_runs(store):
    plan = plan_from(CHAIN)
    assert deploy(store, plan, source="", mode="store") == Deployed("stored", None)

    assert Plans(store).read("f", plan.version) == plan.to_dict()
    with pytest.raises(FlowNotFound):
        plan_in_force(store, "f")
