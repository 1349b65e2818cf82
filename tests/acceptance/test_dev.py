"""`flowengine dev` as a process: what it says when it begins, how it is asked, and how it ends."""

from __future__ import annotations

import os
import pty
import select
import signal

import pytest

from tests.acceptance.command import COMMAND, LIMIT_S, Project
from tests.acceptance.test_cli_signals import has_server
from tests.support.studio import READY, STOPPED, Dev

BROKEN = "flow: shop\nsteps: {}\n"


def test_it_says_what_it_serves_and_what_to_try_and_does_the_runs_of_others(studio):
    dev = studio.begin_dev()
    [worker, head, shop, tip, save, _stop] = dev.hears(READY)

    assert worker.startswith(f"worker {dev.worker_id} on the embedded server with 8 threads")
    assert head.split() == ["FLOW", "VERSION", "FILE"]
    assert shop.split() == ["shop", studio.version("shop")[:8], "2", "steps", "flows/shop.yaml"]
    assert tip == "try, in another terminal: flowengine run shop"
    assert save == "what you save is in force at once"

    started = studio.run("run", "shop", "-i", "n=3", "--detach")
    run_id = started.stdout.strip()
    assert studio.result_of(run_id) == {"shipped": 3}
    assert studio.workers_of(run_id) == {dev.worker_id}


def test_a_run_that_is_followed_beside_it_gives_its_result(studio):
    studio.dev()
    done = studio.run("run", "shop", "-i", "n=4")

    assert (done.returncode, done.stdout) == (0, '{"shipped": 4}\n')


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_it_stops_in_order(studio, number):
    dev = studio.dev()
    run_id = studio.begin("shop", {"gate": "gate"})
    studio.wait_for_file("gate.begun")
    dev.process.send_signal(number)
    dev.hears("running ones have 30 s to end")
    studio.write("gate", "")

    assert dev.left() == (0, [STOPPED])
    states = {step["step"]: step["state"] for step in studio.json("show", run_id)["steps"]}
    assert states == {"take": "completed", "ship": "waiting"}


def test_a_second_signal_leaves_at_once_and_what_was_left_is_done_by_the_next_one(studio):
    studio.env["FLOWENGINE_WORKER_LEASE"] = "2s"
    first = studio.dev()
    run_id = studio.begin("shop", {"gate": "gate", "n": 5})
    studio.wait_for_file("gate.begun")
    first.process.send_signal(signal.SIGINT)
    first.hears("taking no more steps")
    code, rest = first.stop(signal.SIGINT)
    assert code == 130
    assert not any("Traceback" in line for line in rest)
    studio.write("gate", "")

    second = studio.dev()

    assert studio.result_of(run_id) == {"shipped": 5}
    assert studio.workers_of(run_id) == {first.worker_id, second.worker_id}


def test_the_last_one_out_stops_the_server(tmp_path):
    project = Project(tmp_path)
    project.write("flows/one.yaml", "flow: one\nsteps:\n  do: {role: entry, handler: handlers.one:do}\n")
    project.write("handlers/one.py", "def do(job, ctx):\n    return 1\n")
    dev = Dev(project.start("dev"))
    try:
        dev.hears(READY)
        assert has_server(project)
        assert dev.stop()[0] == 0
        assert not has_server(project)
    finally:
        dev.kill()


def test_what_is_broken_at_the_start_is_told_and_served_once_it_is_mended(studio):
    good = (studio.root / "flows/shop.yaml").read_text()
    studio.write("flows/shop.yaml", BROKEN)
    dev = studio.begin_dev()
    assert dev.hears("not in force")[-1].endswith("nothing new is served until it is mended")
    assert dev.hears("-->")[1].startswith("error[")
    assert studio.in_force("shop") is None

    studio.write("flows/shop.yaml", good)
    dev.hears(READY)
    assert studio.result("shop", {"n": 1}) == {"shipped": 1}


def test_where_there_is_no_project_it_is_said_how_to_make_one(tmp_path):
    done = Project(tmp_path).run("dev")

    assert done.returncode == 2
    assert "flowengine init" in done.stderr


def test_where_there_is_no_folder_of_flows_it_is_said_how_to_get_one(tmp_path):
    project = Project(tmp_path)
    project.write("flowengine.toml", "")
    done = project.run("dev")

    assert done.returncode == 2
    assert "flowengine init" in done.stderr


class Terminal:
    """Both ends of a terminal."""

    def __init__(self):
        self.above, self.below = pty.openpty()

    def options(self, **more):
        """What makes a process that is started the leader of a session on it."""
        return {"stdin": self.below, "start_new_session": True, "preexec_fn": self._own, **more}

    def _own(self):
        os.close(os.open(os.ttyname(self.below), os.O_RDWR))

    def press_enter(self):
        self.type("\n")

    def type(self, text):
        os.write(self.above, text.encode())

    def shows(self, text):
        """Wait until a text stands on it that did not when this was called last."""
        shown = b""
        while text not in shown:
            assert select.select([self.above], [], [], LIMIT_S)[0], shown
            shown += os.read(self.above, 1_000)

    def close(self):
        os.close(self.above)
        os.close(self.below)


@pytest.fixture
def terminal():
    terminal = Terminal()
    yield terminal
    terminal.close()


def test_enter_shows_what_is_served_or_all_that_is_wrong(studio, terminal):
    dev = studio.dev(**terminal.options())
    terminal.press_enter()
    assert dev.hears("flows/shop.yaml")[-1].split()[:2] == ["shop", studio.version("shop")[:8]]

    studio.edit("flows/shop.yaml", "subscribes: order.taken", "subscribes: order.token")
    dev.hears("1 error in 1 file")
    studio.edit("flows/shop.yaml", "handlers.shop:ship", "handlers.shop:shop")
    told = dev.hears("2 errors in 1 file")
    assert [line for line in told if line.startswith("error")] == [
        "error[FE204]: there is no function `shop` in handlers/shop.py"
    ]
    assert told[-1].endswith("(1 of them new; Enter shows all)")
    terminal.press_enter()
    shown = dev.hears("2 errors in 1 file")
    assert sorted(line.partition(":")[0] for line in shown if line.startswith("error")) == [
        "error[FE204]",
        "error[FE403]",
    ]


def test_in_the_background_it_reads_nothing_and_is_not_stopped(studio, terminal):
    script = ["sh", "-c", 'set -m; "$@" & echo $! >&2; wait', "sh", *COMMAND]
    dev = studio.dev(program=script, **terminal.options())
    terminal.press_enter()
    studio.edit("flows/shop.yaml", "emits: [order.taken]", "emits: [order.taken], priority: 1")
    heard = dev.hears("shop ")

    assert [line.split(": ")[-1] for line in heard] == ["take altered"]
    job = int(next(line for line in dev.lines if line.isdigit()))
    os.kill(job, signal.SIGTERM)
    assert dev.left()[1][-1] == STOPPED


def test_what_is_typed_at_a_breakpoint_is_for_the_debugger(studio, terminal):
    studio.edit("handlers/shop.py", '    return {"shipped"', '    breakpoint()\n    return {"shipped"')
    dev = studio.dev("--threads", "1", **terminal.options(stdout=terminal.below))
    run_id = studio.begin("shop", {"n": 6})
    terminal.shows(b"(Pdb) ")
    # What is typed ahead waits for longer than it takes until Enter is looked for.
    terminal.type('__import__("time").sleep(0.3)\njob.data["n"] = 7\ncontinue\n')

    assert studio.result_of(run_id) == {"shipped": 7}
    assert not any(line.startswith("FLOW") for line in dev.lines[3:])
