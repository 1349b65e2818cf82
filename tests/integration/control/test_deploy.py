"""Putting versions into the store, and getting the one in force back whole."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine.control.deploy import Deployed, changes_of, deploy, plan_in_force, put
from engine.errors import FlowNotFound
from engine.registry.changes import Changes, compare
from engine.store.plans import Plans
from tests.support.books import keys_of
from tests.support.store import CHAIN, hash_at, members, plan_from


def test_the_plan_in_force_comes_back_whole(store):
    plan = plan_from(CHAIN, labels={"team": "shop"})
    assert deploy(store, plan, source="text", mode="serve") == Deployed("new", None)

    assert plan_in_force(store, "f") == plan
    assert members(store, "queues") == sorted(plan.queues)


def test_an_older_version_is_served_and_leaves_the_newer_one_in_force(store):
    older, newer = plan_from({"a": {}}), plan_from(CHAIN)
    deploy(store, older, source="", mode="serve")
    assert deploy(store, newer, source="", mode="serve") == Deployed("new", None, older.version)

    assert deploy(store, older, source="", mode="serve") == Deployed("old", newer.version)
    assert deploy(store, newer, source="", mode="serve") == Deployed("current", None)
    assert plan_in_force(store, "f") == newer


def test_a_plan_that_is_only_stored_is_there_for_its_runs(store):
    plan = plan_from(CHAIN)
    assert deploy(store, plan, source="", mode="store") == Deployed("stored", None)

    assert Plans(store).read("f", plan.version) == plan.to_dict()
    with pytest.raises(FlowNotFound):
        plan_in_force(store, "f")


def test_a_version_is_put_in_force_on_purpose_also_an_older_one(store):
    older, newer = plan_from({"a": {}}), plan_from(CHAIN)
    assert deploy(store, older, source="", mode="deploy") == Deployed("new", None)
    assert deploy(store, newer, source="", mode="deploy") == Deployed("new", None, older.version)
    assert deploy(store, older, source="", mode="deploy") == Deployed("back", None, newer.version)
    assert deploy(store, older, source="", mode="deploy") == Deployed("current", None)
    assert plan_in_force(store, "f") == older


def test_queues_keep_to_the_limits_of_the_version_that_is_put_in_force(store):
    free, limited = plan_from({"a": {}}), plan_from({"a": {"concurrency": 2}})
    caps = []
    for plan in (free, limited, free, limited):
        deploy(store, plan, source="", mode="deploy")
        caps.append(hash_at(store, "queue:f.a:conf").get("cap"))
    assert caps == [None, "2", None, "2"]


@pytest.mark.parametrize("known", [False, True])
def test_a_lost_reply_does_not_make_a_change_look_like_none(store, proxy, open_store, known):
    older, newer = plan_from({"a": {}}), plan_from(CHAIN)
    if known:
        deploy(store, newer, source="", mode="deploy")
    deploy(store, older, source="", mode="deploy")
    proxy.lose("deploy")
    deployed = deploy(open_store(proxy.url), newer, source="", mode="deploy")

    assert proxy.lost == ["deploy"]
    assert deployed == Deployed("back" if known else "new", None, older.version)
    assert plan_in_force(store, "f") == newer


def test_of_those_who_deploy_at_once_one_comes_last(store):
    plans = [plan_from({f"a{number}": {}}) for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda plan: deploy(store, plan, source="", mode="deploy"), plans))

    # Each came after another one, in one line: nobody has seen the same version before it.
    assert len({it.before for it in done}) == 8
    last = plan_in_force(store, "f").version
    assert {plan.version for plan in plans} - {it.before for it in done} == {last}
    assert members(store, "versions:f")[-1] == last


def test_a_plan_that_is_put_changes_nothing_else(store):
    put(store, plan_from({"a": {"concurrency": 2}}), source="")
    assert keys_of(store) == [f"{store.keys.prefix}:plan:f:{plan_from({'a': {'concurrency': 2}}).version}"]


def test_what_has_changed_is_told_by_the_plans_that_were_in_force_before(store):
    older, newer, other = plan_from({"a": {}}), plan_from(CHAIN), plan_from({"a": {}}, flow="g")
    deploy(store, older, source="", mode="serve")
    deploy(store, other, source="", mode="serve")
    plans = [newer, other, plan_from({"a": {}}, flow="h")]
    deployed = [(plan, deploy(store, plan, source="", mode="deploy")) for plan in plans]

    assert changes_of(store, deployed) == compare([older, other], plans)
    deployed = [(plan, deploy(store, plan, source="", mode="serve")) for plan in (older, other)]
    assert changes_of(store, deployed) == Changes()


def test_a_flow_whose_plan_before_is_gone_counts_as_new(store):
    older, newer = plan_from({"a": {}}), plan_from(CHAIN)
    deploy(store, older, source="", mode="serve")
    deployed = deploy(store, newer, source="", mode="deploy")
    with store.talking() as client:
        client.delete(store.keys.plan("f", older.version))

    assert changes_of(store, [(newer, deployed)]) == compare([], [newer])
