"""The commands of the Makefile and of CI are what the papers say they are."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib

from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_ci_calls_what_a_person_would_call():
    script = (ROOT / ".ci" / "run").read_text()

    assert os.access(ROOT / ".ci" / "run", os.X_OK)
    assert "make check" in script
    assert "make test" in script
    assert "set -euo pipefail" in script


def test_the_scripts_of_the_shell_are_well_formed():
    subprocess.run(["bash", "-n", str(ROOT / ".ci" / "run")], check=True)
    subprocess.run(
        ["make", "--dry-run", "--silent", "check"], cwd=ROOT, check=True, stdout=subprocess.DEVNULL
    )


def test_every_ignored_lint_rule_has_a_reason():
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("[tool.ruff.lint]") : text.index("[tool.ruff.lint.pydocstyle]")]
    ignored = [line for line in block.splitlines() if re.match(r'\s+"[A-Z]+[0-9]*",', line)]

    assert ignored
    assert [line for line in ignored if not re.search(r"#\s*\w", line)] == []


def test_every_dependency_is_pinned():
    """Its own dependencies are too, but only an installation shows those."""
    pinned = {
        re.split("==", line)[0].lower().replace("_", "-")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if not line.startswith("#")
    }
    named = list(PROJECT["project"]["dependencies"])
    for extra in PROJECT["project"]["optional-dependencies"].values():
        named += extra
    names = {re.split(r"[\[<>=~]", one)[0].lower().replace("_", "-") for one in named} - {"flowengine"}

    assert names - pinned == set()
