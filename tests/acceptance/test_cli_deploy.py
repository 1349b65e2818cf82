"""`flowengine deploy`: a version is in force when somebody says so, and who follows the store is told."""

from __future__ import annotations

import json
import re
import signal

import pytest

from engine.store.plans import Plans
from tests.acceptance.command import FLOW, LIMIT_S, shop
from tests.acceptance.test_cli_follow import interrupted, read_until, watching
from tests.acceptance.test_cli_redis import started_worker, stopped
from tests.support.proxy import Proxy
from tests.support.store import members
from tests.support.wait import wait_until

#: Another version of the flow, which has one more step.
FLOW_2 = FLOW + "  mail: {subscribes: order.taken, handler: handlers.shop:ship}\n"


@pytest.fixture
def project(tmp_path, server, prefix):
    """A project on a Redis that is not its own."""
    return shop(tmp_path / "one", FLOWENGINE_REDIS_URL=server.url, FLOWENGINE_REDIS_PREFIX=prefix)


def save(project, text, *, flow="shop"):
    project.write(f"flows/{flow}.yaml", text.replace("flow: shop", f"flow: {flow}"))


def deployed(project, *arguments):
    """What `deploy` has done with each flow, as its table says."""
    done = project.run("deploy", *arguments)
    assert done.returncode == 0, done.stderr
    head, *rows = done.stdout.splitlines()
    assert head == "FLOW  VERSION"
    return [re.split(" {2,}", row) for row in rows]


def version_in_force(store, flow="shop"):
    return Plans(store).version_in_force(flow)


def test_each_flow_is_told_with_what_has_become_of_it(project, store):
    [[_, first, *words]] = deployed(project)
    assert words == ["in force, the first"]
    assert version_in_force(store).startswith(first)

    save(project, FLOW_2)
    [[_, second, *words]] = deployed(project)
    assert words == [f"in force, for {first}", "mail added"]
    assert version_in_force(store).startswith(second)

    [[_, again, *words]] = deployed(project, "flows/shop.yaml")
    assert (again, words) == (second, ["was in force"])

    save(project, FLOW)
    [[_, back, *words]] = deployed(project)
    assert (back, words) == (first, [f"in force again, for {second}", "mail removed"])
    assert version_in_force(store).startswith(first)


def test_programs_are_told_too(project, store):
    [first] = project.json("deploy")
    assert first == {"flow": "shop", "version": version_in_force(store), "outcome": "new", "before": None}
    save(project, FLOW_2)
    [second] = project.json("deploy")
    assert (second["outcome"], second["before"]) == ("new", first["version"])
    save(project, FLOW)
    assert project.json("deploy") == [first | {"outcome": "back", "before": second["version"]}]
    assert project.json("deploy") == [first | {"outcome": "current"}]


def test_nothing_is_put_in_force_where_one_file_has_a_mistake(project, store):
    save(project, FLOW.replace("handlers.shop:ship", "handlers.shop:shp"), flow="broken")
    done = project.run("deploy")
    assert (done.returncode, done.stdout) == (1, "")
    assert "error[FE204]: there is no function `shp`" in done.stderr
    assert "1 error in 1 file" in done.stderr
    assert members(store, "versions:shop") == []


def test_no_worker_takes_the_pointer_back_and_no_run_loses_its_version(project, store):
    deployed(project)
    older = version_in_force(store)
    save(project, FLOW_2)
    with started_worker(project) as worker:
        newer = version_in_force(store)
        assert newer != older
        save(project, FLOW)
        deployed(project)
        stopped(worker)
    save(project, FLOW_2)
    with project.start("worker") as worker:
        wait_until(lambda: "in force is" in (line := worker.stderr.readline()) and older[:8] in line)
        stopped(worker)
    assert version_in_force(store) == older, "after the roll-back a worker of the newer release has started"
    deployed(project)
    save(project, FLOW)
    with started_worker(project) as worker:
        stopped(worker)
    assert version_in_force(store) == newer, "after the roll-forward one of the older release has"


def test_a_step_that_nobody_serves_is_named(project):
    done = project.run("deploy")
    assert done.stderr == (
        "no live worker serves step `take` (queue `shop.take`); start one with: flowengine worker\n"
    )
    save(project, FLOW, flow="other")
    done = project.run("deploy")
    assert done.stderr == (
        "no live worker serves all steps of other, shop; start one with: flowengine worker\n"
    )
    with started_worker(project) as worker:
        assert project.run("deploy").stderr == ""
        stopped(worker)


def test_of_two_who_deploy_at_once_both_are_told_the_truth(project, store, tmp_path):
    other = shop(tmp_path / "two", **project.env)
    save(other, FLOW_2)
    both = [one.start("deploy", "-o", "json") for one in (project, other)]
    told = []
    for process in both:
        out, err = process.communicate(timeout=LIMIT_S)
        assert process.returncode == 0, err
        told += json.loads(out)
    first, second = sorted(told, key=lambda it: it["before"] is not None)
    assert (first["before"], second["before"]) == (None, first["version"])
    assert version_in_force(store) == second["version"]
    assert members(store, "versions:shop") == [first["version"], second["version"]]


def test_a_store_that_goes_away_half_way_leaves_what_is_said(project, server, store):
    for flow in ("a", "b", "c"):
        save(project, FLOW, flow=flow)
    (project.root / "flows/shop.yaml").unlink()
    with Proxy(server.socket_path, store) as proxy:
        # Three are stored, one is in force, and of the next one the answer does not come.
        proxy.freeze_at("deploy", 5)
        with project.start("deploy", "--redis-url", proxy.url) as process:
            wait_until(lambda: proxy.has_lost(1), timeout_s=LIMIT_S)
            proxy.refuse()
            proxy.thaw()
            out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (3, "")
    said, why = err.splitlines()
    assert said == "in force by now: a; perhaps b; the same command goes on from there"
    assert why.startswith("flowengine: Redis at ")
    assert [words for _, _, words in deployed(project)] == ["was in force"] * 2 + ["in force, the first"]


def test_ctrl_c_half_way_leaves_what_is_said_too(project, server, store):
    with Proxy(server.socket_path, store) as proxy:
        proxy.freeze_at("deploy", 2)
        with project.start("deploy", "--redis-url", proxy.url) as process:
            wait_until(lambda: proxy.has_lost(1), timeout_s=LIMIT_S)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (130, "")
    # The line that a terminal's ^C is on is ended.
    assert err == "in force by now: none; perhaps shop; the same command goes on from there\n\n"


def test_a_store_that_goes_away_afterwards_takes_nothing_back(project, server, store):
    with Proxy(server.socket_path, store) as proxy:
        proxy.freeze_at("announce")
        with project.start("deploy", "--redis-url", proxy.url) as process:
            wait_until(lambda: proxy.has_lost(1), timeout_s=LIMIT_S)
            proxy.refuse()
            proxy.thaw()
            out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0
    assert out.splitlines()[1].endswith("in force, the first")
    assert err.startswith("these versions are in force, and who follows the registry was not told: Redis at ")


def test_who_follows_the_store_is_told(project):
    [first] = project.json("deploy")
    with watching(project, "tail", "-o", "json", "--flow", "shop") as process:
        [before] = read_until(process, "registry.updated")
        save(project, FLOW_2)
        [second] = project.json("deploy")
        save(project, FLOW, flow="other")
        project.run("deploy", "flows/other.yaml")
        project.run("run", "shop", "--worker")
        [event, *_] = read_until(process, "flow.completed")
        assert interrupted(process) == ("", "")
    assert set(before) == set(event) == {"id", "ts", "type", "data"}
    assert before["data"]["flows"]["added"] == [
        {"flow": "shop", "version": first["version"], "steps": ["take", "ship"]}
    ]
    assert event["data"]["by"].startswith("deploy@")
    assert event["data"]["flows"]["altered"] == [
        {
            "flow": "shop",
            "before": first["version"],
            "version": second["version"],
            "steps": {"added": ["mail"], "removed": [], "altered": []},
        }
    ]


def test_a_worker_tells_of_versions_that_come_into_force_by_its_start_and_of_no_others(project):
    ids = []
    for text in (FLOW, FLOW, FLOW_2):
        save(project, text)
        with project.start("worker") as worker:
            ids.append(worker.stderr.readline().split()[1])
            wait_until(lambda: "Ctrl-C stops it" in worker.stderr.readline(), timeout_s=LIMIT_S)
            stopped(worker)
    with watching(project, "tail") as process:
        lines = [process.stdout.readline() for _ in range(2)]
        interrupted(process)
    assert "is new: take, ship" in lines[0]
    assert lines[0].endswith(f"(worker {ids[0][:12]})\n")
    assert lines[1].endswith(f": mail added (worker {ids[2][:12]})\n")


def test_a_run_on_the_projects_own_server_tells_of_a_version_that_it_puts_in_force(tmp_path):
    project = shop(tmp_path)
    for _ in range(2):
        assert project.run("run", "shop").returncode == 0
    with watching(project, "tail", "-n", "1000", "-o", "json") as process:
        events = read_until(process, "flow.completed") + read_until(process, "flow.completed")
        interrupted(process)
    assert [event["data"]["by"][:4] for event in events if event["type"] == "registry.updated"] == ["run@"]
