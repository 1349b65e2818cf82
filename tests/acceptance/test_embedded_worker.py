"""The embedded server under its workers: killed while they work, it is brought back by one of them."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from engine.embedded.server import EmbeddedServer
from engine.errors import StoreUnavailable
from tests.acceptance.command import LIMIT_S
from tests.support.project import STEPS, Mill
from tests.support.wait import wait_until
from tests.support.worker import Workshop, assert_recorded_once


@pytest.fixture
def mill(tmp_path):
    mill = Mill(tmp_path, FLOWENGINE_WORKER_LEASE="2s", FLOWENGINE_WORKER_THREADS="4")
    yield mill
    mill.close()


def kill_server(root):
    os.kill(int((root / ".flowengine" / "server.pid").read_text()), signal.SIGKILL)


def test_a_server_that_is_killed_under_load_is_brought_back_by_its_workers(mill, open_store, prefix):
    mill.env["FLOWENGINE_REDIS_PREFIX"] = prefix
    workers = [mill.worker(), mill.worker()]
    with EmbeddedServer(mill.root) as own:
        shop = Workshop(open_store(own.url))
        ids = shop.start_many(mill.flow, 200)
        for left in (160, 80):
            wait_until(partial(shop.has_at_most, left), timeout_s=LIMIT_S)
            kill_server(mill.root)
            wait_until(lambda: answers(shop), timeout_s=LIMIT_S)
        for run in shop.all_ended(ids, timeout_s=LIMIT_S):
            assert run.status == "completed"
            assert_recorded_once(shop.events(run.run_id), *STEPS)
            assert run.handler_state == {"a_cut": 1, "b_mill": 1, "c_pack": 1}
        assert [worker.poll() for worker in workers] == [None, None]


def answers(shop):
    try:
        return shop.unfinished() >= 0
    except StoreUnavailable:
        return False


def test_a_run_command_outlives_its_server(mill):
    process = mill.start("run", "mill", "-i", 'b_mill={"gate":"opened"}')
    mill.workers.append(process)
    wait_until(lambda: list(mill.root.glob("marks/*.b_mill.1")), timeout_s=LIMIT_S)
    kill_server(mill.root)
    mill.write("opened", "")
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert out.strip() == "1"


def test_a_worker_killed_with_its_server_leaves_a_run_that_the_next_one_completes(mill):
    first = mill.worker()
    run_id = mill.run("run", "mill", "--detach", "-i", 'b_mill={"gate":"never"}').stdout.strip()
    mill.wait_for(run_id, "b_mill")
    first.kill()
    kill_server(mill.root)
    first.wait()
    mill.worker()
    wait_until(lambda: mill.json("show", run_id)["status"] == "completed", timeout_s=LIMIT_S)
    shown = mill.json("show", run_id)
    assert [(step["stepId"], step["attempt"], step["losses"]) for step in shown["steps"]] == [
        ("a_cut#1", 1, 0),
        ("b_mill#1", 2, 1),
        ("c_pack#1", 1, 0),
    ]


def test_a_worker_of_the_whole_project_ends_the_run_of_a_flow_whose_file_is_gone(mill):
    first = mill.worker()
    run_id = mill.run("run", "mill", "--detach", "-i", 'b_mill={"gate":"never"}').stdout.strip()
    mill.wait_for(run_id, "b_mill")
    first.kill()
    first.wait()
    (mill.root / "flows" / "mill.yaml").rename(mill.root / "mill.yaml")
    mill.write("flows/other.yaml", "flow: other\nsteps: {only: {role: entry, handler: handlers.mill:pack}}\n")
    mill.worker()
    wait_until(lambda: mill.json("show", run_id)["status"] == "completed", timeout_s=LIMIT_S)
