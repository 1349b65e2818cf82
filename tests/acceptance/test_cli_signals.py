"""What a signal leaves behind: nothing that goes on without a reason."""

from __future__ import annotations

import fcntl
import os
import signal

import pytest

from tests.acceptance.command import LIMIT_S, shop
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
