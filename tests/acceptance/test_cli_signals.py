"""What a signal leaves behind: nothing that goes on without a reason."""

from __future__ import annotations

import fcntl
import os
import signal

import pytest

from tests.acceptance.command import LIMIT_S, redis_in, shop
from tests.support.wait import wait_until


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


def has_server(project) -> bool:
    """Whether the project's own server lives: it holds a lock for as long."""
    lock = os.open(project.root / ".flowengine" / "server.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(lock)
    return False


@pytest.mark.parametrize("file", ["start.lock", "server.lock", "socket", "members.lock"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_comes_while_the_server_starts_leaves_none_behind(project, file, number):
    with project.start("worker") as process:
        project.wait_for_file(f".flowengine/{file}")
        process.send_signal(number)
        _, err = process.communicate(timeout=LIMIT_S)
    # The signal may still be late enough to be asked in order.
    assert process.returncode in (0, 130)
    assert "Traceback" not in err
    assert not has_server(project)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_worker_stops_in_order(project, number):
    with project.start("worker") as worker:
        wait_until(lambda: "Ctrl-C stops it" in worker.stderr.readline(), timeout_s=LIMIT_S)
        worker.send_signal(number)
        _, err = worker.communicate(timeout=LIMIT_S)
    assert worker.returncode == 0
    assert "stopped" in err
    assert not has_server(project)


def test_a_closed_terminal_lets_the_running_step_of_a_run_end(project):
    with project.start("run", "shop", "-i", "gate=gate") as process:
        project.wait_for_file("gate.begun")
        process.send_signal(signal.SIGHUP)
        wait_until(lambda: "taking no more steps" in process.stderr.readline(), timeout_s=LIMIT_S)
        project.write("gate", "")
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    [run] = project.json("runs")
    states = {step["step"]: step["state"] for step in project.json("show", run["runId"])["steps"]}
    assert states == {"take": "completed", "ship": "waiting"}
    assert not has_server(project)


@pytest.fixture
def with_another(tmp_path):
    """A project on a server of its own in which a run waits for a worker, and for the file `other`."""
    folder = tmp_path / "redis"
    folder.mkdir()
    with redis_in(folder):
        project = shop(tmp_path, FLOWENGINE_REDIS_URL=f"unix://{folder}/s")
        project.run("run", "shop", "--detach", "-i", "gate=other")
        yield project


def reads(process, words):
    """Wait for a line on stderr."""
    for line in process.stderr:
        if words in line:
            return line
    raise AssertionError(f"left with {process.wait()}")


def test_a_run_that_is_left_says_that_it_waits_for_steps_of_other_runs(with_another):
    with with_another.start("run", "shop", "--worker", "-i", "gate=gate") as process:
        for name in ("gate", "other"):
            with_another.wait_for_file(f"{name}.begun")
        process.send_signal(signal.SIGINT)
        assert "1 running step may take 30 s to end" in reads(process, "taking no more steps")
        with_another.write("gate", "")
        assert "steps of other runs have up to" in reads(process, "(Ctrl-C again leaves at once)")
        with_another.write("other", "")
        process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    steps = [with_another.json("show", run["runId"])["steps"] for run in with_another.json("runs")]
    assert [step[0]["state"] for step in steps] == ["completed", "completed"]


def test_steps_of_other_runs_that_are_waited_for_may_be_left_at_once(with_another):
    with with_another.start("run", "shop", "--worker", "-i", "gate=gate") as process:
        for name in ("gate", "other"):
            with_another.wait_for_file(f"{name}.begun")
        process.send_signal(signal.SIGINT)
        reads(process, "taking no more steps")
        with_another.write("gate", "")
        reads(process, "steps of other runs have up to")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_S)
    assert process.returncode == 130
    assert "is not over" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("leaves", [False, True])
def test_a_run_that_is_over_says_that_it_waits_for_steps_of_other_runs(with_another, leaves):
    with with_another.start("run", "shop", "--worker", "-i", "n=1", "-i", "gate=gate") as process:
        for name in ("gate", "other"):
            with_another.wait_for_file(f"{name}.begun")
        with_another.write("gate", "")
        reads(process, "steps of other runs have up to")
        if leaves:
            process.send_signal(signal.SIGINT)
        else:
            with_another.write("other", "")
        out, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, out) == (0, '{"shipped": 1}\n')
    assert "Traceback" not in err
