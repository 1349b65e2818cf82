"""The census, by real processes: its totals are those of a plain loop over the same files."""

from __future__ import annotations

import ast
import re
import shutil
import signal
import sysconfig
from pathlib import Path

import pytest

from engine.cli.watch import running_here
from engine.events.types import STEP_LOST, STEP_STARTED
from engine.store.workers import Workers
from tests.acceptance.command import LIMIT_S, ROOT, Project
from tests.acceptance.terminal import screen_of
from tests.support.wait import wait_until
from tests.support.worker import assert_recorded_once

#: Where there are no modules of the library.
ELSEWHERE = {
    "__pycache__",
    "dist-packages",
    "idle_test",
    "idlelib",
    "site-packages",
    "test",
    "tests",
    "turtledemo",
}

DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@pytest.fixture(scope="session")
def counted():
    """What a plain loop counts."""
    folder = Path(sysconfig.get_path("stdlib"))
    lines, unreadable, functions, classes, docstrings = {}, 0, 0, 0, 0
    for path in folder.rglob("*.py"):
        name = path.relative_to(folder)
        if not ELSEWHERE.isdisjoint(name.parts):
            continue
        source = path.read_bytes()
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError):
            unreadable += 1
            continue
        lines[name.as_posix()] = len(source.splitlines())
        docstrings += ast.get_docstring(tree, clean=False) is not None
        for node in ast.walk(tree):
            if isinstance(node, DEFINITIONS):
                functions += not isinstance(node, ast.ClassDef)
                classes += isinstance(node, ast.ClassDef)
                docstrings += ast.get_docstring(node, clean=False) is not None
    coverage = docstrings / (len(lines) + functions + classes)
    return {
        "modules": len(lines),
        "unreadable": unreadable,
        "lines": sum(lines.values()),
        "functions": functions,
        "classes": classes,
        "docstrings": docstrings,
        "docstring_coverage_percent": round(100 * coverage, 1),
        "largest": [
            {"module": name, "lines": lines[name]}
            for name in sorted(lines, key=lambda name: (-lines[name], name))[:10]
        ],
    }


def with_census(project):
    """The project, with the census as it is in the tree."""
    for name in ("flows/census.yaml", "handlers/census.py"):
        (project.root / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, project.root / name)
    return project


@pytest.fixture
def mill(new_mill):
    return with_census(new_mill(lease="1s"))


def assert_counted_right(shop, run_id, counted):
    """The run is over, has the totals of the plain loop, and has settled each of its steps once."""
    run = shop.ended(run_id, timeout_s=LIMIT_S)
    assert run.status == "completed"
    assert run.result.pop("python")
    assert run.result == counted
    files = counted["modules"] + counted["unreadable"]
    analyses = [f"analyse#{number}" for number in range(1, files + 1)]
    assert_recorded_once(shop.log.read_all(run_id), "list#1", *analyses, "report#1")


def test_one_process_counts_what_a_plain_loop_counts(tmp_path, counted):
    run = with_census(Project(tmp_path)).json("run", "census")
    assert (run["status"], len(run["steps"])) == ("completed", counted["modules"] + counted["unreadable"] + 2)
    assert run["result"].pop("python")
    assert run["result"] == counted


def test_a_terminal_shows_the_census_step_by_step_and_then_its_totals(tmp_path, counted):
    screen, code = screen_of(with_census(Project(tmp_path)), "run", "census", columns=80)
    assert code == 0
    files = counted["modules"] + counted["unreadable"]
    assert re.search(rf"● analyse  [━─]+ +[0-9]+ of {files}", screen)
    assert re.search(r"○ report   collects module.analysed .* so far", screen)
    assert f"✓ analyse  {files} completed" in screen
    table = screen[screen.rindex("✓ report") :].splitlines()
    assert [line.split()[1] for line in table if line.startswith("lines ")] == [str(counted["lines"])]
    largest = [line.split() for line in table[-len(counted["largest"]) :]]
    assert largest == [[row["module"], str(row["lines"])] for row in counted["largest"]]


def test_three_workers_count_what_a_plain_loop_counts(shop, mill, counted):
    for _ in range(3):
        mill.worker()
    run_id = mill.run("run", "census", "--detach").stdout.strip()
    assert_counted_right(shop, run_id, counted)
    assert len({event.data["worker"] for event in shop.events(run_id, STEP_STARTED)}) == 3


def kill_at_work(shop, worker, run_id):
    """Kill a worker that runs a step, once the first hundred have begun."""
    wait_until(lambda: len(shop.events(run_id, STEP_STARTED)) > 100, timeout_s=LIMIT_S)
    [worker_id] = [info.id for info in Workers(shop.store).list() if info.pid == worker.pid]

    def is_frozen_at_work():
        worker.send_signal(signal.SIGSTOP)
        if running_here(shop.state(run_id), worker_id):
            return True
        worker.send_signal(signal.SIGCONT)
        return False

    wait_until(is_frozen_at_work, timeout_s=LIMIT_S)
    worker.kill()
    worker.wait()


def test_three_workers_of_which_one_is_killed_count_what_a_plain_loop_counts(shop, mill, counted):
    victim, *_ = [mill.worker() for _ in range(3)]
    run_id = mill.run("run", "census", "--detach").stdout.strip()
    kill_at_work(shop, victim, run_id)
    assert_counted_right(shop, run_id, counted)
    assert {event.step_name for event in shop.events(run_id, STEP_LOST)} == {"analyse"}
