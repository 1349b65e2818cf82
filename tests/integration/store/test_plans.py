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


def deploy(plans, version, *, mode="serve", plan=None, queues=("q",), seen_ms=0):
    return plans.deploy(
        "f",
        version,
        plan=plan or {"v": version},
        source="text",
        mode=mode,
        seen_ms=seen_ms,
        queues=dict.fromkeys(queues),
    )


def deploy_as_seen(plans, version):
    """Put a version in force on purpose, from where the pointer is."""
    return deploy(plans, version, mode="deploy", seen_ms=plans.pointer("f", version).moved_ms)


def in_order(store):
    """The versions by when they came into force."""
    return members(store, "versions:f")


def test_a_version_that_is_new_to_the_store_is_in_force(store, plans):
    assert deploy(plans, "v1", queues=["q1", "q2"]) == ("new", None)
    assert plans.version_in_force("f") == "v1"
    assert plans.read("f", "v1") == {"v": "v1"}
    assert members(store, "queues") == ["q1", "q2"]
    assert deploy(plans, "v2") == ("new", "v1")
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


def test_a_version_is_put_in_force_on_purpose_whether_it_is_known_or_not(store, plans):
    assert deploy_as_seen(plans, "v1") == ("new", None)
    assert deploy_as_seen(plans, "v1") == ("current", None)
    assert deploy_as_seen(plans, "v2") == ("new", "v1")
    assert deploy_as_seen(plans, "v1") == ("back", "v2")
    assert plans.version_in_force("f") == "v1"
    assert in_order(store) == ["v2", "v1"]


def test_no_worker_takes_the_pointer_from_a_version_that_was_put_in_force_on_purpose(store, plans):
    deploy(plans, "v1")
    deploy(plans, "v2")
    deploy_as_seen(plans, "v1")
    assert deploy(plans, "v2") == ("old", "v1"), "a worker of the newer release, after the roll-back"
    deploy_as_seen(plans, "v2")
    assert deploy(plans, "v1") == ("old", "v2"), "a worker of the older release, after the roll-forward"
    assert in_order(store) == ["v1", "v2"]


def test_a_pointer_that_has_moved_since_it_was_seen_is_not_moved(store, plans):
    deploy(plans, "v1")
    seen = plans.pointer("f", "v3")
    assert (seen.in_force, seen.is_known) == ("v1", False)
    deploy(plans, "v2")
    was = contents(store)
    assert deploy(plans, "v3", mode="deploy", seen_ms=seen.moved_ms) == ("moved", None)
    assert contents(store) == was


def test_a_copy_that_comes_late_does_not_move_the_pointer_back(store, plans):
    deploy_as_seen(plans, "v1")
    seen = plans.pointer("f", "v2")
    late = {"mode": "deploy", "seen_ms": seen.moved_ms}
    assert deploy(plans, "v2", **late) == ("new", "v1")
    assert deploy(plans, "v2", **late) == ("current", None)
    # Back where it was when the call was made, which is not where the call saw it.
    deploy_as_seen(plans, "v1")
    was = contents(store)
    assert deploy(plans, "v2", **late) == ("moved", None)
    assert contents(store) == was


def test_what_is_in_force_is_the_newest_also_where_the_clock_was_set_back(store, plans):
    deploy(plans, "v1")
    with store.talking() as client:
        [(_, was_ms)] = client.zrange(store.keys.versions("f"), 0, -1, withscores=True)
        client.zadd(store.keys.versions("f"), {"v1": was_ms + 3_600_000})
    deploy(plans, "v2")
    assert in_order(store) == ["v1", "v2"]
    deploy_as_seen(plans, "v1")
    assert in_order(store) == ["v2", "v1"]
    assert plans.pointer("f", "v1").moved_ms == was_ms + 3_600_002


def test_a_plan_is_written_once(plans):
    deploy(plans, "v1", plan={"a": 1})
    deploy(plans, "v1", plan={"a": 2})

    assert plans.read("f", "v1") == {"a": 1}


def test_a_plan_may_be_stored_without_being_put_in_force(plans):
    deploy(plans, "v1")
    assert deploy(plans, "v2", mode="store") == ("stored", None)
    assert plans.version_in_force("f") == "v1"
    assert plans.read("f", "v2") == {"v": "v2"}
    assert deploy(plans, "v2") == ("new", "v1"), "it has never been in force"


def test_a_plan_that_was_only_stored_leaves_the_flow_unknown(plans):
    deploy(plans, "v1", mode="store")
    with pytest.raises(FlowNotFound, match="flow `f` is not in the store at here: start a worker"):
        plans.version_in_force("f")


def test_an_unknown_version_is_named(plans):
    with pytest.raises(VersionNotFound, match="version 0123456789ab of flow `f` is not in the store at here"):
        plans.read("f", "0123456789abcdef")


def test_the_history_of_versions_is_bounded(store, plans):
    deploy(plans, "old")
    for number in range(98):
        deploy(plans, f"v{number:03}")
    deploy_as_seen(plans, "old")
    for number in range(98, 150):
        deploy(plans, f"v{number:03}")
    assert in_order(store) == [f"v{number:03}" for number in range(51, 98)] + ["old"] + [
        f"v{number:03}" for number in range(98, 150)
    ]


def test_the_versions_of_two_flows_are_their_own(plans):
    deploy(plans, "v1")
    plans.deploy("g", "v2", plan={}, source="", mode="serve", queues={})

    assert (plans.version_in_force("f"), plans.version_in_force("g")) == ("v1", "v2")
