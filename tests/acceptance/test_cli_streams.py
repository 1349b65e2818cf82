"""Standard streams that are closed, full, or read by nobody."""

from __future__ import annotations

import json
import os
import pty
import subprocess

import pytest

from tests.acceptance.command import COMMAND, LIMIT_S, shop

HANDLERS = """\
import os
import subprocess


def take(job, ctx):
    print("printed")
    os.write(1, b"raw\\n")
    subprocess.run(["echo", "by a child"], check=True)
    ctx.flow.emit("order.taken", {"n": 1})


def ship(job, ctx):
    return {"shipped": job.data["n"]}
"""


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


def shell(project, line, *arguments):
    """What a line of shell makes of the command, which it calls `"$@"`."""
    script = ["sh", "-c", line, "sh", *COMMAND, *arguments]
    with project.start(program=script) as process:
        out, err = process.communicate(timeout=LIMIT_S)
    return subprocess.CompletedProcess(script, process.returncode, out, err)


def statuses(project):
    return [run["status"] for run in project.json("runs")]


@pytest.mark.parametrize("style", ["text", "json"])
def test_only_the_result_is_on_stdout_whatever_a_handler_writes_there(project, style):
    project.write("handlers/shop.py", HANDLERS)
    done = project.run("run", "shop", "-o", style)
    told = json.loads(done.stdout)
    assert (told if style == "text" else told["result"]) == {"shipped": 1}
    assert {"printed", "raw", "by a child"} <= set(done.stderr.splitlines())


@pytest.mark.parametrize(
    ("line", "why"),
    [('"$@" >/dev/full', "No space left on device"), ('"$@" >&-', "it is closed")],
)
@pytest.mark.parametrize("arguments", [["run", "shop"], ["runs", "-o", "json"], ["--help"]])
def test_a_result_that_cannot_be_written_is_one_sentence_and_leaves_with_1(project, line, why, arguments):
    done = shell(project, line, *arguments)
    assert done.returncode == 1
    assert done.stderr.endswith(f"flowengine: what was asked for cannot be written to stdout: {why}\n")
    assert "Traceback" not in done.stderr
    if "run" in arguments:
        assert statuses(project) == ["completed"]


@pytest.mark.parametrize("line", ['"$@" 2>&-', '"$@" 2>/dev/full', '"$@" <&- 2>&-'])
def test_a_run_that_nobody_can_watch_gets_done_and_gives_its_result(project, line):
    project.write("handlers/shop.py", HANDLERS)
    done = shell(project, line, "run", "shop")
    assert (done.returncode, done.stdout) == (0, '{"shipped": 1}\n')


def test_a_run_whose_terminal_is_gone_gets_done_and_gives_its_result(project):
    above, below = pty.openpty()
    process = project.start("run", "shop", "-i", "gate=gate", stderr=below)
    os.close(below)
    project.wait_for_file("gate.begun")
    os.close(above)
    project.write("gate", "")
    with process:
        out, _ = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (0, '{"shipped": 0}\n')


def test_a_run_whose_reader_left_gets_done(project):
    leave = "{ head -1; exec <&-; touch gate; }"
    done = shell(project, f'("$@"; echo $? >code) 2>&1 | {leave}', "run", "shop", "-i", "gate=gate")
    assert "flow.start" in done.stdout
    assert (project.root / "code").read_text() == "1\n"
    assert statuses(project) == ["completed"]


def test_a_step_of_a_worker_does_not_fail_for_what_it_cannot_print(project):
    with project.start(program=["sh", "-c", 'exec "$@" >/dev/full', "sh", *COMMAND, "worker"]) as worker:
        while "Ctrl-C stops it" not in worker.stderr.readline():
            assert worker.poll() is None
        project.run("run", "shop", "--detach")
        [run] = project.json("runs")
        while project.json("show", run["runId"])["status"] == "running":
            assert worker.poll() is None
        worker.terminate()
        worker.communicate(timeout=LIMIT_S)
    assert statuses(project) == ["completed"]


def test_an_input_from_a_closed_stdin_is_refused(project):
    done = shell(project, '"$@" <&-', "run", "shop", "--input", "-")
    assert (done.returncode, done.stderr) == (2, "flowengine: --input -: stdin is closed\n")
