"""The command against a Redis that is not its own: submit, follow, work elsewhere."""

from __future__ import annotations

import json
import signal

import pytest

from tests.acceptance.command import LIMIT_S, redis_in, shop
from tests.support.wait import wait_until


@pytest.fixture
def project(tmp_path, server, prefix):
    return shop(tmp_path, FLOWENGINE_REDIS_URL=server.url, FLOWENGINE_REDIS_PREFIX=prefix)


def started_worker(project, *arguments):
    """A worker that has said what it serves."""
    worker = project.start("worker", *arguments)
    wait_until(lambda: "Ctrl-C stops it" in worker.stderr.readline(), timeout_s=LIMIT_S)
    return worker


def stopped(worker):
    worker.terminate()
    _, err = worker.communicate(timeout=LIMIT_S)
    assert worker.returncode == 0, err
    return err


def test_a_worker_says_what_it_serves_and_does_the_work(project):
    with project.start("worker", "--threads", "2") as worker:
        head = [worker.stderr.readline() for _ in range(3)]
        assert "with 2 threads" in head[0]
        assert head[2].split()[0] == "shop"
        assert project.json("run", "shop", "-i", "n=3")["result"] == {"shipped": 3}
        assert "stopped" in stopped(worker)


def test_a_detached_run_prints_its_id_and_goes_on(project):
    with started_worker(project) as worker:
        done = project.run("run", "shop", "--detach", "-i", "n=7")
        run_id = done.stdout.strip()
        assert done.returncode == 0
        assert f"flowengine show {run_id}" in done.stderr
        wait_until(lambda: project.json("show", run_id)["status"] == "completed", timeout_s=LIMIT_S)
        stopped(worker)


def test_a_step_that_nobody_serves_is_named_and_ctrl_c_detaches(project):
    with project.start("run", "flows/shop.yaml", "-i", "n=2") as process:
        line = ""
        while "no live worker serves" not in line:
            line = process.stderr.readline()
            assert process.poll() is None
        assert "step `take` (queue `shop.take`)" in line
        assert line.rstrip().endswith("start one with: flowengine worker flows/shop.yaml")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "goes on without this terminal" in err
    [run] = project.json("runs")
    assert run["status"] == "running"
    with started_worker(project) as worker:
        wait_until(lambda: project.json("show", run["runId"])["result"] == {"shipped": 2}, timeout_s=LIMIT_S)
        stopped(worker)


def test_a_detached_run_that_nobody_serves_is_recorded_and_says_how_to_get_it_done(project):
    done = project.run("run", "flows/shop.yaml", "--detach", "-o", "json")
    assert done.returncode == 0
    assert project.json("show", json.loads(done.stdout)["runId"])["status"] == "running"
    [note] = done.stderr.splitlines()
    assert note.startswith("no live worker serves step `take` (queue `shop.take`)")
    assert note.endswith("start one with: flowengine worker flows/shop.yaml")


def test_this_process_works_where_it_is_told_to(project):
    assert project.json("run", "shop", "--worker", "-i", "n=6")["result"] == {"shipped": 6}


def test_a_run_of_a_file_leaves_the_version_in_force_alone(project):
    with started_worker(project) as worker:
        stopped(worker)
    project.write("flows/shop.yaml", (project.root / "flows/shop.yaml").read_text() + "labels: {a: b}\n")
    other = project.json("run", "flows/shop.yaml", "--worker")["version"]
    (project.root / "flows/shop.yaml").unlink()
    done = project.run("run", "shop", "--detach")
    assert project.json("show", done.stdout.strip())["version"] != other


def test_a_flow_that_nobody_has_served_cannot_be_started_by_name(project):
    (project.root / "flows/shop.yaml").unlink()
    done = project.run("run", "shop")
    assert done.returncode == 2
    assert "start a worker that serves it" in done.stderr


@pytest.mark.parametrize("command", [["runs"], ["run", "shop"], ["worker"], ["show", "x"]])
def test_a_redis_that_cannot_be_reached_is_one_sentence_and_leaves_with_3(project, command):
    done = project.run(*command, "--redis-url", "redis://127.0.0.1:1/0")
    assert done.returncode == 3
    assert "Redis at redis://127.0.0.1:1/0 cannot be reached" in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_the_flag_wins_and_is_part_of_the_advice(project, server):
    project.env["FLOWENGINE_REDIS_URL"] = "redis://127.0.0.1:1/0"
    done = project.run("run", "shop", "--detach", "--redis-url", server.url)
    assert done.returncode == 0
    assert f"--redis-url {server.url}" in done.stderr


def test_a_redis_that_goes_away_and_comes_back_is_waited_for(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    project.env["FLOWENGINE_REDIS_URL"] = f"unix://{folder}/s"
    with redis_in(folder):
        process = project.start("run", "shop", "--worker", "-i", "n=3", "-i", "gate=gate", "-o", "json")
        project.wait_for_file("gate.begun")
    wait_until(lambda: "trying again for 30 s" in process.stderr.readline(), timeout_s=LIMIT_S)
    with redis_in(folder):
        project.write("gate", "")
        out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 0, err
    assert json.loads(out)["result"] == {"shipped": 3}


def test_a_worker_with_broken_flows_does_not_start(project):
    project.write("flows/broken.yaml", "flow: broken\n")
    done = project.run("worker")
    assert done.returncode == 1
    assert "--> flows/broken.yaml" in done.stderr


def test_a_second_signal_ends_a_worker_at_once(project):
    with started_worker(project) as worker:
        project.run("run", "shop", "--detach", "-i", "gate=gate")
        project.wait_for_file("gate.begun")
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: "taking no more steps" in worker.stderr.readline(), timeout_s=LIMIT_S)
        worker.send_signal(signal.SIGINT)
        worker.communicate(timeout=LIMIT_S)
        assert worker.returncode == 130
