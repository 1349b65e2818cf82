"""Several processes on one store while files are saved, and a store that goes away."""

from __future__ import annotations

import itertools
import json
import os
import select
import signal
import subprocess
from pathlib import Path

import pytest

from engine.embedded.server import EmbeddedServer
from tests.acceptance.command import FLOW, HANDLERS, LIMIT_S
from tests.acceptance.test_outage_server import stop_server
from tests.support.studio import STOPPED, Studio
from tests.support.wait import wait_until
from tests.support.worker import assert_recorded_once

PACK = "  pack: {subscribes: order.taken, handler: handlers.shop:ship}\n"
SEND = "  send: {subscribes: order.taken, handler: handlers.shop:ship}\n"


def altered(studio):
    """What the registry's events say of changed flows: before and after, of each.

    Two who put the same in force at the same moment may both say so.
    """
    told = [
        (flow["flow"], flow["before"], flow["version"])
        for kind, data in studio.announced()
        if kind == "registry.updated"
        for flow in data["flows"]["altered"]
    ]
    return [change for change, _ in itertools.groupby(told)]


def have_looked_again(studio, devs):
    """Wait until each has looked at all files: at their settings they look last."""
    studio.write("flowengine.toml", f"# {studio.root}\n")
    for dev in devs:
        dev.hears("flowengine.toml has changed")


def test_two_in_one_folder_agree(studio):
    devs = [studio.dev(), studio.dev()]
    versions = [studio.version("shop")]
    for text in (FLOW + PACK, FLOW + SEND, FLOW + PACK + SEND, FLOW):
        studio.write("flows/shop.yaml", text)
        versions.append(studio.wait_for_version("shop"))
        for dev in devs:
            assert f"→ {versions[-1][:8]}: " in dev.hears("shop ")[-1]
    studio.write("handlers/shop.py", HANDLERS.replace("shipped", "sent"))
    for dev in devs:
        dev.hears("loaded handlers.shop anew")

    said = studio.announced()
    run_ids = [studio.begin("shop", {"n": n}) for n in range(20)]
    assert [studio.result_of(run_id) for run_id in run_ids] == [{"sent": n} for n in range(20)]
    for run_id in run_ids:
        assert_recorded_once(studio.shop.events(run_id), "take#1", "ship#1")
    assert altered(studio) == [("shop", *pair) for pair in itertools.pairwise(versions)]
    have_looked_again(studio, devs)
    assert studio.in_force("shop") == versions[-1]
    assert studio.announced() == said
    for dev in devs:
        code, rest = dev.stop()
        assert (code, rest[-1]) == (0, STOPPED)
        assert not any("error" in line or "Traceback" in line for line in dev.lines)


@pytest.fixture
def shared(server, prefix):
    """Where a store is that several projects use."""
    return {"FLOWENGINE_REDIS_URL": server.url, "FLOWENGINE_REDIS_PREFIX": prefix}


@pytest.fixture
def two(tmp_path, shared):
    """Two folders with a project each, on one store."""
    studios = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        studio = Studio(tmp_path / name, **shared)
        studio.write("flows/shop.yaml", FLOW)
        studio.write("handlers/shop.py", HANDLERS)
        studios.append(studio)
    yield studios
    for studio in studios:
        studio.close()


def test_two_with_the_same_flow_in_two_versions_do_not_fight(two):
    one, other = two
    other.write("flows/shop.yaml", FLOW + PACK)
    first, second = one.version("shop"), other.version("shop")
    dev_one = one.dev()
    dev_other = other.dev()
    assert one.in_force("shop") == second

    one.write("flows/shop.yaml", FLOW + SEND)
    third = one.wait_for_version("shop")
    assert dev_one.hears("shop ")[-1] == f"shop {first[:8]} → {third[:8]}: send added"
    for _ in range(5):
        assert one.result("shop", {"n": 1}) == {"send": {"shipped": 1}, "ship": {"shipped": 1}}
    have_looked_again(one, [dev_one])
    have_looked_again(other, [dev_other])
    assert one.in_force("shop") == third
    assert altered(one) == [("shop", first, second), ("shop", second, third)]


def test_one_that_starts_with_an_older_version_says_so_and_leaves_the_later_one_in_force(two):
    one, other = two
    dev = one.dev()
    first = one.version("shop")
    one.write("flows/shop.yaml", FLOW + PACK)
    later = one.wait_for_version("shop")
    dev.stop()

    started = other.begin_dev()
    [line] = [line for line in started.hears("Ctrl-C stops it") if line.startswith("shop ")]
    assert line.split(maxsplit=4)[1] == first[:8]
    assert line.endswith(f"in force is {later[:8]}, which came later")
    assert other.in_force("shop") == later


def test_two_with_flows_of_their_own_serve_each_its_own(two):
    one, other = two
    other.write("flows/shop.yaml", FLOW.replace("flow: shop", "flow: store"))
    devs = [one.dev(), other.dev()]

    for studio, flow, dev in ((one, "shop", devs[0]), (other, "store", devs[1])):
        for n in range(5):
            run_id = studio.begin(flow, {"n": n})
            assert studio.result_of(run_id) == {"shipped": n}
            assert dev.worker_id in studio.workers_of(run_id)


def test_beside_a_worker_that_has_the_old_code_every_run_ends(studio):
    worker = studio.start("worker", stderr=subprocess.DEVNULL)
    try:
        studio.dev()
        wait_until(lambda: studio.result("shop", {"n": 1}) == {"shipped": 1}, timeout_s=LIMIT_S)
        studio.write("flows/shop.yaml", FLOW + PACK)
        studio.wait_for_version("shop")
        for n in range(10):
            assert studio.result("shop", {"n": n}) == {"pack": {"shipped": n}, "ship": {"shipped": n}}
    finally:
        worker.kill()
        worker.communicate()


def server_of(studio):
    """The process of the project's own server."""
    with studio.store.talking() as client:
        return int(client.info("server")["process_id"])


def test_what_is_saved_while_the_server_is_killed_is_in_force_when_it_is_back(studio):
    dev = studio.dev()
    run_id = studio.begin("shop", {"gate": "gate", "n": 1})
    studio.wait_for_file("gate.begun")
    # What has been written outlives the process of the server, if not the machine.
    pid = server_of(studio)
    os.kill(pid, signal.SIGKILL)
    studio.write("flows/shop.yaml", FLOW + PACK)
    studio.write("handlers/shop.py", HANDLERS.replace("shipped", "sent"))
    dev.hears("loaded handlers.shop anew")

    wait_until(lambda: server_of(studio) != pid, timeout_s=LIMIT_S)
    studio.write("gate", "")
    assert studio.result_of(run_id) == {"sent": 1}
    studio.wait_for_version("shop")
    assert studio.result("shop", {"n": 2}) == {"pack": {"sent": 2}, "ship": {"sent": 2}}
    assert sum("pack added" in line for line in dev.lines) == 1
    assert sum("not in force yet" in line for line in dev.lines) <= 1
    assert not any("Traceback" in line for line in dev.lines)


@pytest.fixture
def redis_root(tmp_path_factory):
    """The folder of a server that the studio does not own."""
    return tmp_path_factory.mktemp("redis")


@pytest.fixture
def redis(redis_root):
    """The server, which comes back only when it is told to."""
    with EmbeddedServer(redis_root) as redis:
        yield redis


def test_what_is_saved_while_a_redis_is_away_is_told_once_and_in_force_when_it_answers(
    redis, redis_root, studio
):
    studio.env["FLOWENGINE_REDIS_URL"] = redis.url
    dev = studio.dev()
    first = studio.version("shop")
    run_id = studio.begin("shop", {"gate": "gate", "n": 1})
    studio.wait_for_file("gate.begun")
    stop_server(redis, redis_root, "killed")
    studio.write("flows/shop.yaml", FLOW + PACK)
    dev.hears("not in force yet: ")
    studio.write("flows/shop.yaml", FLOW + PACK.replace("order.taken", "order.token"))
    dev.hears("not in force; what was in force stays so")
    studio.write("flows/shop.yaml", FLOW + SEND)
    studio.write("handlers/shop.py", HANDLERS.replace("shipped", "sent"))
    redis.rejoin()

    [*_, line] = dev.hears("the store answers: ")
    second = studio.wait_for_version("shop")
    change = f"shop {first[:8]} → {second[:8]}: send added; runs on {first[:8]} finish on it"
    assert line == f"the store answers: mended: {change}"
    studio.write("gate", "")
    assert studio.result_of(run_id) == {"sent": 1}
    assert studio.result("shop", {"n": 2}) == {"send": {"sent": 2}, "ship": {"sent": 2}}
    assert altered(studio) == [("shop", first, second)]
    assert sum("not in force yet" in line for line in dev.lines) == 1
    assert not any("Traceback" in line for line in dev.lines)


def test_a_redis_may_be_named(two, shared):
    one, _ = two
    del one.env["FLOWENGINE_REDIS_URL"]
    dev = one.dev("--redis-url", shared["FLOWENGINE_REDIS_URL"])
    one.env |= shared

    assert one.result("shop", {"n": 1}) == {"shipped": 1}
    assert dev.stop()[0] == 0


@pytest.mark.parametrize("style", ["text", "json"])
def test_tail_shows_at_once_what_comes_into_force_and_what_is_refused(studio, style):
    dev = studio.dev()
    first = studio.version("shop")
    tail = studio.start("tail", "-n", "0", "-o", style, bufsize=1)
    try:
        assert tail.stdout is not None
        # Until it follows nothing is told, so runs are started until one is.
        wait_until(lambda: studio.result("shop", {"n": 1}) and _has_line(tail), timeout_s=LIMIT_S)
        studio.write("flows/shop.yaml", FLOW + PACK)
        second = studio.wait_for_version("shop")
        updated = next(line for line in tail.stdout if "registry." in line)
        studio.write("flows/shop.yaml", FLOW + PACK.replace("order.taken", "order.token"))
        rejected = next(line for line in tail.stdout if "registry." in line)
    finally:
        tail.kill()
        tail.communicate()

    if style == "text":
        assert f"registry.updated  shop {first[:8]} → {second[:8]}: pack added" in updated
        assert dev.worker_id[:8] in updated
        assert "registry.rejected" in rejected
        assert f"{Path('flows/shop.yaml')}:" in rejected
    else:
        told, refused = json.loads(updated), json.loads(rejected)
        assert (told["type"], told["data"]["by"]) == ("registry.updated", dev.worker_id)
        assert told["data"]["flows"]["altered"][0]["steps"] == {
            "added": ["pack"],
            "removed": [],
            "altered": [],
        }
        assert (refused["type"], refused["data"]["flows"]) == ("registry.rejected", ["shop"])


def _has_line(process):
    """Whether a process has written something."""
    return bool(select.select([process.stdout], [], [], 0)[0])


def test_changed_settings_are_told(studio):
    dev = studio.dev()
    studio.write("flowengine.toml", "[worker]\nthreads = 2\n")

    assert dev.hears("flowengine.toml")[-1] == (
        "flowengine.toml has changed: settings are read at the start, so start this again"
    )
