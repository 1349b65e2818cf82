"""`flowengine validate` in a process of its own."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.command import LIMIT_S, ROOT, shop


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


MISSPELT = """\
flow: shop
steps:
  take: {role: entry, handler: handlers.shop:take, emits: [order.takn]}
  ship:
    subscribes: order.taken
    handler: handlers.shop:ship
"""

UNHEARD = """\
flow: shop
steps:
  take: {role: entry, handler: handlers.shop:take, emits: [order.taken, order.lost]}
  ship: {subscribes: order.taken, handler: handlers.shop:ship}
"""


def test_sound_flows_are_counted(project):
    done = project.run("validate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 flow, no problems\n", "")


def test_a_mistake_is_shown_with_its_line_a_caret_and_help(project):
    project.write("flows/shop.yaml", MISSPELT)
    done = project.run("validate")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "error[FE403]: step `ship` subscribes to `order.taken`, which no step emits",
        " --> flows/shop.yaml:5:17",
        "  |",
        "5 |     subscribes: order.taken",
        "  |                 ^^^^^^^^^^^",
        "3 |   take: {role: entry, handler: handlers.shop:take, emits: [order.takn]}",
        f"  | {' ' * 59}---------- `order.takn` is emitted here",
        "  = help: did you mean `order.takn`?",
        "",
        "1 error in 1 file",
    ]


def test_warnings_fail_only_when_strict(project):
    project.write("flows/shop.yaml", UNHEARD)
    assert project.run("validate").returncode == 0
    strict = project.run("validate", "--strict")
    assert strict.returncode == 1
    assert strict.stdout.splitlines()[-1] == "1 warning in 1 file"


def test_the_json_report_is_one_object(project):
    project.write("flows/shop.yaml", MISSPELT)
    done = project.run("validate", "--format", "json")
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert (report["version"], report["errors"]) == (1, 1)
    assert report["diagnostics"][0]["line"] == 5


def test_annotations_are_one_line_each(project):
    project.write("flows/shop.yaml", MISSPELT)
    done = project.run("validate", "--format", "github")
    [line] = done.stdout.splitlines()
    assert line.startswith("::error file=flows/shop.yaml,line=5,")


def test_handlers_are_imported_only_on_request(project):
    project.write("handlers/shop.py", (project.root / "handlers/shop.py").read_text() + "\n1 / 0\n")
    assert project.run("validate").returncode == 0
    done = project.run("validate", "--import")
    assert done.returncode == 1
    assert "ZeroDivisionError" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["validate", "worker"])
def test_a_missing_file_is_named(project, command):
    done = project.run(command, "flows/nope.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "flowengine: there is no file or folder `flows/nope.yaml`\n"


def test_mistakes_count_however_much_of_them_is_read(project):
    project.write("flows/shop.yaml", "flow: shop\nsteps: {}\n")
    process = project.start("validate")
    process.stdout.close()
    _, err = process.communicate(timeout=LIMIT_S)
    assert (process.returncode, err) == (1, "")


def test_no_store_is_started(project):
    project.run("validate")
    assert not (project.root / ".flowengine").exists()


def test_the_example_flows_are_sound(project):
    done = project.run("validate", "--strict", str(ROOT / "flows"))
    assert done.returncode == 0, done.stdout
