"""What Tab offers: commands, options, flows, files and runs, without starting anything."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

import pytest

from tests.acceptance.command import COMMAND, LIMIT_S, ROOT, shop
from tests.acceptance.test_cli_signals import has_server
from tests.support.wait import wait_until

OTHER = """\
flow: other
steps:
  pack: {role: entry, handler: handlers.shop:ship}
"""


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


def offered(project, *words):
    """What bash would offer for the last word."""
    project.env |= {
        "_FLOWENGINE_COMPLETE": "bash_complete",
        "COMP_WORDS": shlex.join(["flowengine", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = project.run()
    for name in ("_FLOWENGINE_COMPLETE", "COMP_WORDS", "COMP_CWORD"):
        del project.env[name]
    assert (done.returncode, done.stderr) == (0, "")
    return [line.removeprefix("plain,") for line in done.stdout.splitlines() if line]


def test_commands_and_options_are_offered(project):
    assert offered(project, "ru") == ["run", "runs"]
    assert offered(project, "runs", "--s") == ["--status", "--since"]
    assert offered(project, "runs", "--status", "ca") == ["cancelling", "cancelled"]
    assert "--version" in offered(project, "--")


def test_flows_of_the_project_are_offered(project):
    project.write("flows/ship.toml", 'flow = "ship"\n')
    project.write("flows/broken.yaml", "flow: [")
    assert offered(project, "runs", "--flow", "") == ["ship", "shop"]
    assert offered(project, "tail", "--flow", "sho") == ["shop"]


def test_the_value_of_an_option_is_offered_behind_an_equals_sign_too(project):
    """bash hands the sign over as a word of its own, zsh and fish as a part of the option's."""
    assert offered(project, "runs", "--flow", "=", "sh") == ["shop"]
    assert offered(project, "runs", "--flow", "=") == ["shop"]
    assert offered(project, "runs", "--flow=sh") == ["shop"]
    assert offered(project, "graph", "shop", "--format", "=", "s") == ["svg"]
    assert offered(project, "run", "shop", "-i", "n", "=", "1", "--det") == ["--detach"]


def test_files_are_offered_where_files_are_meant(project):
    assert offered(project, "run", "--input", "in") == ["file,in"]
    assert offered(project, "run", "shop", "--input", "./") == ["file,./"]
    assert offered(project, "run", "flows/") == ["file,flows/"]
    assert offered(project, "validate", "flows/") == ["file,flows/"]


def test_steps_of_all_flows_are_offered_before_a_run_is_named(project):
    assert offered(project, "logs", "--step", "") == ["ship", "take"]
    assert offered(project, "logs", "--step", "ta") == ["take"]
    project.write("flows/half.yaml", "flow: half\nsteps:\n  wrap: {role: entyr}\n")
    assert offered(project, "logs", "--step", "") == ["ship", "take", "wrap"]
    assert not (project.root / ".flowengine").exists()


def test_runs_are_offered_only_where_a_server_runs_and_none_is_started(project):
    assert offered(project, "show", "") == []
    assert not (project.root / ".flowengine").exists()
    project.run("run", "shop")
    [run] = project.json("runs")
    assert offered(project, "show", "") == []
    assert not has_server(project)
    with project.start("worker") as worker:
        wait_until(lambda: "Ctrl-C stops it" in worker.stderr.readline(), timeout_s=LIMIT_S)
        for words in (["show", ""], ["logs", "-f", run["runId"][:4]], ["runs", "--after", ""]):
            assert offered(project, *words) == [run["runId"]]
        assert offered(project, "show", "x") == []
        project.write("flows/other.yaml", OTHER)
        assert offered(project, "logs", run["runId"], "--step", "") == ["ship", "take"]
        assert offered(project, "logs", "x", "--step", "") == []
        assert offered(project, "logs", "--step", "") == ["pack", "ship", "take"]
        worker.terminate()
        worker.communicate(timeout=LIMIT_S)
    assert not has_server(project)


def test_a_store_that_cannot_be_asked_offers_nothing_and_says_nothing(project):
    assert offered(project, "show", "--redis-url", "redis://127.0.0.1:1/0", "") == []
    project.write("flowengine.toml", "nonsense = 1\n")
    assert offered(project, "show", "") == []
    assert offered(project, "runs", "--flow", "") == []


def test_outside_of_a_project_nothing_is_offered(tmp_path):
    project = shop(tmp_path / "project")
    project.root = tmp_path
    assert offered(project, "show", "") == offered(project, "runs", "--flow", "") == []


def test_bash_completes_with_the_lines_that_the_command_prints(project):
    """The words are as bash gives them to the function that the lines define."""
    shim = project.write("bin/flowengine", f'#!/bin/sh\nexec {shlex.join(COMMAND)} "$@"\n')
    shim.chmod(0o755)
    script = """
        eval "$(flowengine completion bash)"
        complete -p flowengine
        COMP_WORDS=(flowengine run); COMP_CWORD=1
        _flowengine_completion flowengine
        echo "${COMPREPLY[@]}"
    """
    env = os.environ | {"PATH": f"{shim.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=project.root,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "complete -o nosort -F _flowengine_completion flowengine",
        "run runs",
    ]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_lines_of_their_own(project, shell):
    done = project.run("completion", shell)
    assert done.returncode == 0
    assert f"_FLOWENGINE_COMPLETE={shell}_complete" in done.stdout


def test_a_shell_that_is_not_known_is_refused(project):
    done = project.run("completion", "tcsh")
    assert done.returncode == 2
    assert "tcsh" in done.stderr


def test_completing_a_command_imports_none_of_them(project):
    script = (
        "import sys; from engine.cli.entry import run_command\n"
        "try: run_command([])\n"
        "finally: sys.exit(any(name in sys.modules for name in ('redis', 'dramatiq', 'engine.cli.runs')))"
    )
    words = {"_FLOWENGINE_COMPLETE": "bash_complete", "COMP_WORDS": "flowengine ", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "plain,tail" in done.stdout.splitlines()
