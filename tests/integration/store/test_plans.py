"""`deploy` and the plans: immutable, and an old version never takes the pointer back."""

from __future__ import annotations

import pytest

from engine.errors import FlowNotFound, VersionNotFound
from engine.store.plans import Plans
from tests.support.books import contents
from tests.support.store import members


@pytest.fixture
def plans(store):
    return Plans(store)


def deploy(plans, version, *, mode="serve", plan=None, queues=("q",)):
    return plans.deploy(
        "f", version, plan=plan or {"v": version}, source="text", mode=mode, queues=dict.fromkeys(queues)
    )


def test_a_version_that_is_new_to_the_store_is_in_force(store, plans):
    assert deploy(plans, "v1", queues=["q1", "q2"]) == ("new", None)
    assert plans.version_in_force("f") == "v1"
    assert plans.read("f", "v1") == {"v": "v1"}
    assert members(store, "queues") == ["q1", "q2"]
    assert deploy(plans, "v2") == ("new", None)
    assert plans.version_in_force("f") == "v2"


def test_a_deploy_sent_again_changes_nothing(store, plans):
    deploy(plans, "v1")
    was = contents(store)
    assert deploy(plans, "v1") == ("current", None)
    assert contents(store) == was


def test_a_worker_of_an_older_release_does_not_take_the_pointer_back(plans):
    deploy(plans, "v1")
    deploy(plans, "v2")

    assert deploy(plans, "v1") == ("old", "v2")
    assert plans.version_in_force("f") == "v2"


def test_a_plan_is_written_once(plans):
    deploy(plans, "v1", plan={"a": 1})
    deploy(plans, "v1", plan={"a": 2})

    assert plans.read("f", "v1") == {"a": 1}


def test_a_plan_may_be_stored_without_being_put_in_force(plans):
    deploy(plans, "v1")
    assert deploy(plans, "v2", mode="store") == ("stored", None)
    assert plans.version_in_force("f") == "v1"
    assert plans.read("f", "v2") == {"v": "v2"}
    assert deploy(plans, "v2") == ("new", None), "it has never been in force"


def test_a_plan_that_was_only_stored_leaves_the_flow_unknown(plans):
    deploy(plans, "v1", mode="store")
    with pytest.raises(FlowNotFound, match="flow `f` is not in the store at here: start a worker"):
        plans.version_in_force("f")


def test_an_unknown_version_is_named(plans):
    with pytest.raises(VersionNotFound, match="version 0123456789ab of flow `f` is not in the store at here"):
        plans.read("f", "0123456789abcdef")


def test_the_history_of_versions_is_bounded(store, plans):
    for number in range(105):
        deploy(plans, f"v{number:03}")
    assert len(members(store, "versions:f")) == 100


def test_the_versions_of_two_flows_are_their_own(plans):
    deploy(plans, "v1")
    plans.deploy("g", "v2", plan={}, source="", mode="serve", queues={})

    assert (plans.version_in_force("f"), plans.version_in_force("g")) == ("v1", "v2")
