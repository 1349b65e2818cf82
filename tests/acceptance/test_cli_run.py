"""`flowengine run` in a process of its own, on the embedded store."""

from __future__ import annotations

import json
import signal

import pytest

from tests.acceptance.command import LIMIT_S, shop
from tests.acceptance.terminal import screen_of


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


def test_a_run_prints_its_result_on_stdout_and_its_events_on_stderr(project):
    done = project.run("run", "flows/shop.yaml", "-i", "n=3")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {"shipped": 3}
    kinds = [line.split()[1] for line in done.stderr.splitlines() if "." in line.split()[1]]
    assert kinds[0] == "flow.start"
    assert kinds[-1] == "flow.completed"
    assert "printed by a handler" in done.stderr


def test_a_flow_can_be_named(project):
    assert json.loads(project.run("run", "shop").stdout) == {"shipped": 0}


def test_json_output_is_one_object_and_nothing_else(project):
    done = project.run("run", "shop", "-i", "n=5", "-o", "json")
    told = json.loads(done.stdout)
    assert (told["flow"], told["status"], told["result"]) == ("shop", "completed", {"shipped": 5})
    assert [(step["step"], step["state"]) for step in told["steps"]] == [
        ("take", "completed"),
        ("ship", "completed"),
    ]
    assert "flow.start" not in done.stderr


def test_the_input_may_come_from_stdin(project):
    done = project.run("run", "shop", "--input", "-", stdin='{"n": 8}')
    assert json.loads(done.stdout) == {"shipped": 8}


def test_a_handler_that_raises_fails_the_run_with_its_own_traceback(project):
    done = project.run("run", "shop", "-i", "fail=true")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "failed in step `take`" in done.stderr
    assert "ValueError: no card" in done.stderr
    assert f'File "{project.root}/handlers/shop.py", line 9, in take' in done.stderr
    assert "engine/execution" not in done.stderr


def test_a_failed_run_as_json_leaves_with_1_too(project):
    done = project.run("run", "shop", "-i", "fail=true", "-o", "json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["status"], told["failedStep"], told["error"]["type"]) == ("failed", "take", "ValueError")


def test_a_broken_file_is_refused_with_its_place_before_anything_runs(project):
    project.write("flows/shop.yaml", "flow: shop\nsteps: {}\n")
    done = project.run("run", "shop")
    assert done.returncode == 1
    assert "--> flows/shop.yaml:2:" in done.stderr
    assert not (project.root / ".flowengine").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["flows/nope.yaml"], "flowengine: there is no file `flows/nope.yaml`"),
        (["nope"], "declares a flow `nope`; there is `shop`"),
        (["flows/"], "flowengine: `flows/` is a folder; name one flow file, or a flow"),
        (["shop", "-i", "n"], "flowengine: -i n: write a key and a value, such as -i name=Ada"),
        (["shop", "--input", "-", "-i", "n=1"], "write only one of them"),
        (["shop", "--detach"], "flowengine: --detach: no live worker serves step `take`"),
        (["shop", "--detach", "--worker"], "write only one of them"),
        (["shop", "--key", "k" * 300], "kkk…: a key has at most 256 characters"),
        (["shop", "--threads", "0"], "Invalid value for '--threads'"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_leaves_with_2(project, arguments, sentence):
    done = project.run("run", *arguments)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert len(done.stderr) < 200
    assert done.stdout == ""


def test_an_input_that_is_too_large_is_refused(project):
    project.write("big.json", json.dumps("x" * 2_000_000))
    done = project.run("run", "shop", "--input", "big.json")
    assert done.returncode == 2
    assert "limits.payload_bytes" in done.stderr


def test_a_file_may_lie_outside_of_the_working_directory(project, tmp_path_factory):
    elsewhere = shop(tmp_path_factory.mktemp("elsewhere"))
    project.root = tmp_path_factory.mktemp("nowhere")
    done = project.run("run", str(elsewhere.root / "flows" / "shop.yaml"), "-i", "n=2")
    assert json.loads(done.stdout) == {"shipped": 2}
    assert (elsewhere.root / ".flowengine").is_dir()


def test_advice_given_outside_of_the_project_works_there(project, tmp_path_factory):
    root, project.root = project.root, tmp_path_factory.mktemp("nowhere")
    flow = str(root / "flows" / "shop.yaml")
    done = project.run("run", flow, "--detach")
    assert f"start `(cd {root} && flowengine worker)` in another terminal first" in done.stderr
    with project.start("run", flow, "-i", f"gate={root}/gate") as process:
        project.wait_for_file(str(root / "gate.begun"))
        process.send_signal(signal.SIGINT)
        while "taking no more steps" not in process.stderr.readline():
            assert process.poll() is None
        project.write(str(root / "gate"), "")
        _, err = process.communicate(timeout=LIMIT_S)
    assert f"go on with: (cd {root} && flowengine worker flows/shop.yaml)" in err
    assert f"see it with: (cd {root} && flowengine show " in err


def test_a_name_that_two_files_declare_is_refused_as_validate_refuses_it(project):
    project.write("flows/other.yaml", (project.root / "flows/shop.yaml").read_text())
    done = project.run("run", "shop")
    assert done.returncode == 1
    assert "error[FE410]: flow `shop` is declared in two files" in done.stderr
    assert done.stderr == project.run("validate").stdout
    assert project.run("run", "flows/shop.yaml").returncode == 0


def test_a_key_starts_only_one_run(project):
    first = project.json("run", "shop", "--key", "k1", "-i", "n=1")
    second = project.json("run", "shop", "--key", "k1", "-i", "n=2")
    assert second["runId"] == first["runId"]
    assert second["result"] == {"shipped": 1}
    assert len(project.json("runs")) == 1


def test_ctrl_c_lets_the_running_step_end_and_a_worker_goes_on(project):
    with project.start("run", "shop", "-i", "n=4", "-i", "gate=gate") as process:
        project.wait_for_file("gate.begun")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "taking no more steps" not in process.stderr.readline():
            assert process.poll() is None
        project.write("gate", "")
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "go on with: flowengine worker" in err
    [run] = project.json("runs")
    states = {step["step"]: step["state"] for step in project.json("show", run["runId"])["steps"]}
    assert states == {"take": "completed", "ship": "waiting"}

    with project.start("worker") as worker:
        assert worker.stderr is not None
        worker.stderr.readline()
        assert project.json("run", "shop", "-i", "n=9")["status"] == "completed"
        worker.terminate()
        worker.communicate(timeout=LIMIT_S)
    assert worker.returncode == 0
    assert project.json("show", run["runId"])["result"] == {"shipped": 4}


def test_a_second_ctrl_c_leaves_at_once(project):
    with project.start("run", "shop", "-i", "gate=gate") as process:
        project.wait_for_file("gate.begun")
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "taking no more steps" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "go on with: flowengine worker" in err


@pytest.mark.parametrize("columns", [40, 80])
def test_a_terminal_gets_a_table_of_the_steps_and_then_the_result(project, columns):
    screen, code = screen_of(project, "run", "shop", "-i", "n=6", columns=columns)
    assert code == 0
    assert "✓ take" in screen
    assert "✓ ship" in screen
    assert '"shipped": 6' in screen
    assert screen.rindex("✓ ship") < screen.rindex('"shipped": 6')


def test_plain_is_one_line_an_event_on_a_terminal_too(project):
    screen, code = screen_of(project, "run", "shop", "--plain", columns=80)
    assert code == 0
    assert "✓" not in screen
    assert "flow.completed" in screen
