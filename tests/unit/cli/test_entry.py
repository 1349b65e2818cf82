from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import click
import pytest

from engine.cli.entry import COMMANDS, run_command
from engine.cli.failure import UsageError, exit_code, report
from engine.errors import (
    EmbeddedServerError,
    FlowNotFound,
    PayloadError,
    SettingsError,
    StoreFull,
    StoreUnavailable,
)

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_begins_with_its_line_in_the_list(name):
    command = importlib.import_module(f"engine.cli.{name}").command
    assert command.name == name
    assert command.help.splitlines()[0] == COMMANDS[name]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), 2),
        (SettingsError("x"), 2),
        (FlowNotFound("x"), 2),
        (PayloadError("x"), 2),
        (click.UsageError("x"), 2),
        (StoreUnavailable("x"), 3),
        (StoreFull("x"), 3),
        (EmbeddedServerError("x"), 3),
        (RuntimeError("x"), 70),
    ],
)
def test_each_kind_of_error_has_its_exit_code(error, code):
    assert exit_code(error) == code


def test_an_error_of_the_engine_is_one_sentence_without_a_traceback(capsys):
    assert report(StoreUnavailable("Redis is away")) == 3
    assert capsys.readouterr().err == "flowengine: Redis is away\n"


def test_a_bug_is_called_one_and_shows_where(capsys):
    assert report(RuntimeError("oops")) == 70
    err = capsys.readouterr().err
    assert "RuntimeError: oops" in err
    assert err.splitlines()[-1].startswith("flowengine: this is a bug of flowengine")


def test_an_unknown_command_is_a_usage_error(capsys):
    assert run_command(["nope"]) == 2
    assert "nope" in capsys.readouterr().err


def test_an_unknown_option_points_to_the_help(capsys):
    assert run_command(["runs", "--nope"]) == 2
    assert "`flowengine runs --help` tells more" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["-h"], ["--help"]])
def test_help_lists_every_command(capsys, arguments):
    assert run_command(arguments) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in COMMANDS)


@pytest.mark.parametrize("module", ["typing", "engine.cli.entry", "click", "engine.errors"])
def test_ctrl_c_while_the_command_line_is_imported_leaves_without_a_traceback(module):
    script = (
        "import signal, sys\n"
        "class PressesKey:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}:\n"
        "            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, PressesKey())\n"
        "from engine.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")
