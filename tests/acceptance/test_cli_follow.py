"""`flowengine logs -f` and `tail`: what happens while one watches."""

from __future__ import annotations

import contextlib
import json
import signal
from typing import Any

import pytest

from tests.acceptance.command import LIMIT_S, redis_in, shop
from tests.support.store import forget_run


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


@pytest.fixture
def shared(tmp_path, server, prefix):
    """A project on a Redis that is not its own."""
    return shop(tmp_path, FLOWENGINE_REDIS_URL=server.url, FLOWENGINE_REDIS_PREFIX=prefix)


@contextlib.contextmanager
def watching(project, *arguments):
    """A process that does not outlive the test."""
    process = project.start(*arguments)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def read_until(process, kind):
    """The events that a process prints, up to one of a type."""
    events: list[dict[str, Any]] = []
    while not events or events[-1]["type"] != kind:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        events.append(json.loads(line))
    return events


def interrupted(process):
    """What is left on the streams of a process that Ctrl-C has ended."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    # The line that a terminal's ^C is on is ended.
    return out, err.removesuffix("\n")


def log_of(project, run_id):
    return [json.loads(line) for line in project.run("logs", run_id, "-o", "json").stdout.splitlines()]


def test_a_log_is_followed_to_the_end_of_its_run(project):
    with watching(project, "run", "shop", "-i", "gate=gate") as run:
        project.wait_for_file("gate.begun")
        [started] = project.json("runs")
        with watching(project, "logs", "-f", started["runId"], "-o", "json") as process:
            events = read_until(process, "log")
            project.write("gate", "")
            events += read_until(process, "flow.completed")
            out, err = process.communicate(timeout=LIMIT_S)
        run.communicate(timeout=LIMIT_S)
    assert (process.returncode, out, err) == (0, "", "")
    assert events == log_of(project, started["runId"])


def test_following_leaves_with_0_also_where_the_run_failed(project):
    project.run("run", "shop", "-i", "fail=true")
    [run] = project.json("runs")
    done = project.run("logs", "-f", run["runId"])
    assert done.returncode == 0
    assert "flow.failed" in done.stdout.splitlines()[-1]
    assert done.stdout == project.run("logs", run["runId"]).stdout


def test_ctrl_c_ends_following_without_a_word(project):
    with watching(project, "run", "shop", "-i", "gate=gate") as run:
        project.wait_for_file("gate.begun")
        [started] = project.json("runs")
        with watching(project, "logs", "-f", started["runId"], "-o", "json") as process:
            read_until(process, "log")
            assert interrupted(process) == ("", "")
        project.write("gate", "")
        run.communicate(timeout=LIMIT_S)
    assert run.returncode == 0


def test_a_run_that_is_removed_is_not_waited_for(shared, store):
    shared.run("run", "shop", "--detach")
    [run] = shared.json("runs")
    with watching(shared, "logs", "-f", run["runId"], "-o", "json") as process:
        read_until(process, "flow.start")
        forget_run(store, run["runId"], flow="shop")
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 2
    assert err == f"flowengine: run {run['runId']} is no longer in the store\n"


def test_the_events_of_all_runs_are_followed(shared):
    shared.run("run", "shop", "--worker", "-i", "n=1")
    with watching(shared, "tail", "-o", "json", "-n", "2") as process:
        events = read_until(process, "flow.completed")
        assert [event["type"] for event in events] == ["step.completed", "flow.completed"]
        shared.run("run", "shop", "--worker", "-i", "fail=true")
        events = read_until(process, "flow.failed")
        assert interrupted(process) == ("", "")
    assert events == log_of(shared, shared.json("runs")[0]["runId"])


def test_one_flow_can_be_followed_alone(shared):
    other = (shared.root / "flows/shop.yaml").read_text().replace("flow: shop", "flow: other")
    shared.write("flows/other.yaml", other)
    for flow in ("other", "shop", "other"):
        shared.run("run", flow, "--worker")
    with watching(shared, "tail", "-n", "1000", "--flow", "shop", "-o", "json") as process:
        events = read_until(process, "flow.completed")
        interrupted(process)
    [run] = shared.json("runs", "--flow", "shop")
    assert events == log_of(shared, run["runId"])


def test_a_flow_that_neither_the_store_nor_the_project_knows_is_not_waited_for(shared):
    done = shared.run("tail", "--flow", "shp")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"flowengine: the store has no flow `shp`, and no file in `{shared.root / 'flows'}` declares a flow"
        " `shp`; there is `shop`\n"
    )


def test_a_line_of_the_feed_has_time_run_type_activation_and_words(shared):
    shared.run("run", "shop", "--worker", "-i", "n=3")
    with watching(shared, "tail") as process:
        lines = [process.stdout.readline() for _ in range(8)]
        interrupted(process)
    [run] = shared.json("runs")
    assert all(line.split()[1] == run["runId"][:12] for line in lines)
    assert lines[0].split()[2:4] == ["flow.start", "shop"]
    assert lines[-2].split()[2:4] == ["step.completed", "shop.ship#1"]
    assert lines[-2].endswith('result {"shipped":3}\n')


def test_of_large_data_the_feed_has_the_size_and_people_see_what_happened(shared):
    shared.run("run", "shop", "--worker", "-i", f"note={'x' * 20_000}")
    with watching(shared, "tail", "-n", "1000", "-o", "json") as process:
        start = read_until(process, "flow.start")[0]
        interrupted(process)
    assert start["data"]["ref"] > 20_000
    with watching(shared, "tail", "-n", "1000") as process:
        assert 'input {"note":"xxx' in process.stdout.readline()
        interrupted(process)


def test_a_reader_that_falls_behind_is_told(shared, store):
    shared.run("run", "shop", "--worker")
    with watching(shared, "tail", "-o", "json") as process:
        read_until(process, "flow.completed")
        process.send_signal(signal.SIGSTOP)
        shared.run("run", "shop", "--worker")
        with store.talking() as client:
            client.xtrim(store.keys.events, maxlen=2, approximate=False)
        process.send_signal(signal.SIGCONT)
        assert [event["type"] for event in read_until(process, "flow.completed")] == [
            "step.completed",
            "flow.completed",
        ]
        _, err = interrupted(process)
    assert err == "events may be missing here: the feed no longer goes back to the last one above\n"


def test_an_outage_is_outlived_and_nothing_is_lost_or_comes_twice(project, tmp_path_factory):
    folder = tmp_path_factory.mktemp("r")
    project.env["FLOWENGINE_REDIS_URL"] = f"unix://{folder}/s"
    with contextlib.ExitStack() as stack:
        with redis_in(folder):
            waiting = project.run("run", "shop", "--detach", "-o", "json")
            run_id = json.loads(waiting.stdout)["runId"]
            tail = stack.enter_context(watching(project, "tail", "-o", "json"))
            logs = stack.enter_context(watching(project, "logs", "-f", run_id, "-o", "json"))
            of_tail, of_logs = (read_until(process, "flow.start") for process in (tail, logs))
        for process in (tail, logs):
            assert process.stderr.readline().endswith("trying again for 30 s\n")
        with redis_in(folder):
            stack.enter_context(watching(project, "worker"))
            of_tail += read_until(tail, "flow.completed")
            of_logs += read_until(logs, "flow.completed")
            # The worker's start has put a version in force, which is in no log.
            assert [event["type"] for event in of_tail if "runId" not in event] == ["registry.updated"]
            assert [event for event in of_tail if "runId" in event] == of_logs == log_of(project, run_id)
            _, err = logs.communicate(timeout=LIMIT_S)
            assert (logs.returncode, err) == (0, "the store is back\n")
            assert interrupted(tail) == ("", "the store is back\n")
