"""What a user's code may import, and nothing more by accident."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import engine
from engine import errors
from tests.house.tree import ROOT

#: For handlers. Adding a name is a decision; taking one away breaks somebody.
FOR_HANDLERS = {"AsyncContext", "Context", "Job"}

#: Errors that a user's code may have to catch; the others end a process or a command.
ERRORS = {
    "EmitNotDeclared",
    "FlowEngineError",
    "FlowNotFound",
    "HandlerError",
    "PayloadError",
    "RunNotFound",
    "SettingsError",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "StoreUnfit",
}


def test_the_public_names_are_these():
    assert set(engine.__all__) == FOR_HANDLERS | ERRORS | {"__version__"}


def test_every_public_name_is_there_and_documented():
    for name in engine.__all__:
        assert hasattr(engine, name), name
        if name != "__version__":
            assert inspect.getdoc(getattr(engine, name)), name


def test_public_names_are_listed_for_whoever_completes_them():
    assert set(engine.__all__) <= set(dir(engine))


@pytest.mark.parametrize("name", ["Contxt", "_Missing", "__wrapped__"])
def test_no_other_name_is_there(name):
    with pytest.raises(AttributeError, match=f"module 'engine' has no attribute '{name}'"):
        getattr(engine, name)
    with pytest.raises(ImportError, match=f"cannot import name '{name}'"):
        exec(f"from engine import {name}")


def test_a_type_checker_knows_each_public_name_and_no_other(tmp_path):
    """Though each is imported only when it is asked for."""
    program = tmp_path / "program.py"
    lines = [f"from engine import {', '.join(engine.__all__)}", "from engine import Contxt"]
    lines += [f"reveal_type({name})" for name in engine.__all__]
    program.write_text("\n".join(lines) + "\n")
    check = ["-m", "mypy", "--strict", "--cache-dir=/dev/null", "--config-file=", str(program)]
    told = subprocess.run(
        [sys.executable, *check], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout

    assert 'program.py:2: error: Module "engine" has no attribute "Contxt"' in told
    assert told.count("error: ") == 1
    types = re.findall(r'Revealed type is "(.*)"', told)
    assert len(types) == len(engine.__all__)
    assert [one for one in types if "engine." not in one] == ["str"]


def test_every_error_has_one_root():
    for name in error_names():
        assert issubclass(getattr(errors, name), errors.FlowEngineError)


def error_names():
    return {
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and thing.__module__ == errors.__name__
    }
