"""`flowengine runs`, `show` and `logs` in processes of their own."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.acceptance.command import COMMAND, shop


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project with a run that completed and, after it, one that failed."""
    one = shop(tmp_path_factory.mktemp("project"))
    one.run("run", "shop", "-i", "n=1")
    one.run("run", "shop", "-i", "fail=true")
    return one


def beginning(run, other):
    """So much of a run's id that the other one does not begin so."""
    ids = (run["runId"], other["runId"])
    return ids[0][: next(n for n in range(1, 21) if ids[0][:n] != ids[1][:n])]


def test_runs_lists_the_newest_first(project):
    failed, completed = project.json("runs")
    assert (failed["status"], failed["failedStep"]) == ("failed", "take")
    assert completed["status"] == "completed"
    lines = project.run("runs").stdout.splitlines()
    assert lines[0].split() == ["RUN", "FLOW", "VERSION", "STATUS", "STARTED", "TOOK"]
    assert lines[1].split()[:4] == [failed["runId"], "shop", failed["version"][:8], "failed"]
    assert "take: ValueError: no card" in lines[1]


def test_runs_can_be_picked(project):
    assert [run["status"] for run in project.json("runs", "--status", "completed")] == ["completed"]
    assert [run["status"] for run in project.json("runs", "--limit", "1")] == ["failed"]
    assert len(project.json("runs", "--status", "completed", "--status", "failed")) == 2
    assert len(project.json("runs", "--flow", "flows/shop.yaml")) == 2
    assert project.json("runs", "--status", "cancelled") == []
    assert project.run("runs", "--status", "cancelled").stderr == "no runs\n"
    unknown = project.run("runs", "--flow", "other")
    assert (unknown.returncode, unknown.stdout) == (2, "")
    assert "the store has no flow `other`" in unknown.stderr


def test_runs_come_by_page_and_the_command_for_the_next_one_is_printed(project):
    newest, oldest = project.json("runs")
    first = project.run("runs", "--limit", "1")
    assert newest["runId"] in first.stdout
    [line] = first.stderr.splitlines()
    assert line == f"next page: flowengine runs --limit 1 --after {newest['runId']}"
    second = project.run(*line.split()[3:])
    assert oldest["runId"] in second.stdout
    assert second.stderr == ""


def test_the_next_page_is_of_the_same_runs(project):
    page = project.run("runs", "--limit", "1", "--status", "failed", "--status", "completed")
    words = page.stderr.rpartition("flowengine ")[2].split()
    assert words[:5] == ["runs", "--status", "failed", "--status", "completed"]
    assert [run["status"] for run in project.json(*words)] == ["completed"]


def test_a_file_that_declares_no_flow_means_none(project):
    done = project.run("runs", "--flow", "handlers/shop.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("flowengine: `handlers/shop.py` declares no flow;")


def test_a_program_pages_with_the_last_id_until_a_list_is_empty(project):
    ids: list[str] = []
    after: list[str] = []
    while page := project.json("runs", "--limit", "1", *after):
        ids.append(page[-1]["runId"])
        after = ["--after", ids[-1]]
    assert ids == [run["runId"] for run in project.json("runs")]


def test_runs_can_be_picked_by_when_they_started(project):
    newest, oldest = project.json("runs")
    assert project.json("runs", "--since", newest["startedAt"]) == [newest]
    assert project.json("runs", "--until", newest["startedAt"]) == [oldest]
    assert len(project.json("runs", "--since", "1h")) == 2
    assert project.json("runs", "--until", "1h") == []
    wrong = project.run("runs", "--since", "soon")
    assert wrong.returncode == 2
    assert "`soon` is neither an age" in wrong.stderr


def test_a_page_after_a_run_that_is_not_there_is_refused(project):
    done = project.run("runs", "--after", "nope")
    assert done.returncode == 2
    assert done.stderr.startswith("flowengine: there is no run `nope`")


def test_the_page_after_a_run_is_found_by_the_beginning_of_its_id_too(project):
    newest, oldest = project.json("runs")
    assert project.json("runs", "--after", beginning(newest, oldest)) == [oldest]


def test_show_tells_steps_and_result(project):
    run_id = project.json("runs", "--status", "completed")[0]["runId"]
    text = project.run("show", run_id).stdout
    assert f"run      {run_id}" in text
    assert "take#1" in text
    assert '"shipped": 1' in text
    assert "█ running" in text
    assert project.json("show", run_id)["result"] == {"shipped": 1}


def test_show_tells_why_a_run_failed(project):
    run_id = project.json("runs", "--status", "failed")[0]["runId"]
    text = project.run("show", run_id).stdout
    assert "error in step `take`" in text
    assert "ValueError: no card" in text
    assert "not reached" in text


def test_the_beginning_of_an_id_is_enough(project):
    failed, completed = project.json("runs")
    assert project.json("show", beginning(failed, completed)) == project.json("show", failed["runId"])
    ambiguous = project.run("show", failed["runId"][0])
    assert ambiguous.returncode != 0
    assert completed["runId"] in ambiguous.stderr


def test_logs_prints_every_event_in_order(project):
    run_id = project.json("runs", "--status", "completed")[0]["runId"]
    events = [json.loads(line) for line in project.run("logs", run_id, "-o", "json").stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[0] == "flow.start"
    assert kinds[-1] == "flow.completed"
    assert {"type", "runId", "flowName", "id", "ts"} <= events[0].keys()
    lines = project.run("logs", run_id).stdout.splitlines()
    assert [line.split()[1] for line in lines[1:]] == kinds


def test_logs_can_be_picked_by_step_and_type(project):
    run_id = project.json("runs", "--status", "completed")[0]["runId"]

    def kinds(*options):
        return [line.split()[1] for line in project.run("logs", run_id, *options).stdout.splitlines()[1:]]

    assert kinds("--step", "ship") == ["step.started", "step.completed"]
    assert kinds("--step", "ship#1", "--type", "step.completed") == ["step.completed"]
    assert kinds("--type", "log") == ["log"]
    wrong = project.run("logs", run_id, "--step", "shp")
    assert wrong.returncode == 2
    assert wrong.stderr == "flowengine: --step: flow `shop` has no step `shp`; it has `ship`, `take`\n"


@pytest.mark.parametrize("options", [[], ["-f"], ["-o", "json"]])
def test_an_activation_that_the_run_has_not_had_is_one_sentence(project, options):
    run_id = project.json("runs", "--status", "completed")[0]["runId"]
    done = project.run("logs", run_id, "--step", "ship#2", *options)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"flowengine: --step: run {run_id} has no `ship#2`; it has 1 activation of `ship`\n"


@pytest.mark.parametrize("command", ["show", "logs"])
def test_a_run_that_is_not_there_is_one_sentence(project, command):
    done = project.run(command, "nope")
    assert done.returncode == 2
    assert done.stderr.startswith("flowengine: there is no run `nope`")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("command", ["show", "logs"])
def test_an_empty_id_means_no_run(project, command):
    done = project.run(command, "")
    assert done.returncode == 2
    assert done.stderr == "flowengine: RUN is empty; write a run's id, or the beginning of one\n"


def test_a_reader_that_leaves_early_is_no_error(project):
    run_id = project.json("runs")[0]["runId"]
    process = project.start("logs", run_id)
    process.stdout.close()
    _, err = process.communicate(timeout=40)
    assert (process.returncode, err) == (0, "")


def test_without_a_project_the_command_says_where_to_go(tmp_path):
    done = subprocess.run([*COMMAND, "runs"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "there is no project here" in done.stderr
    assert "--redis-url" in done.stderr
