"""The tables of what `-o json` prints have every member and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator

from engine.cli import deploy, outcome, runs
from engine.cli.attempts import Attempts
from engine.cli.diagnostics import to_report
from engine.cli.show import with_attempts
from engine.control.deploy import Deployed
from engine.declare.diagnostic import Diagnostic
from engine.declare.span import Span
from engine.store.index import RunSummary
from tests.house.tree import ROOT
from tests.unit.cli.sample import FAILED, PLAN, folded

SUMMARY = RunSummary("run1", "shop", "v", "failed", 1, 2, {}, "charge")
MISTAKE = Diagnostic("error", "FE001", "there is no file", Span("a.yaml", 1, 1, 1, 2))


def rows(header: str) -> Iterator[tuple[list[str], str]]:
    """Members and second cell of each row of one table."""
    text = (ROOT / "docs" / "commands.md").read_text()
    _, _, table = text.partition(f"\n| member of {header} |")
    for line in table.split("\n\n")[0].splitlines()[2:]:
        _, members, second, *_ = line.split("|")
        yield re.findall(r"`(\w+)`", members), second


def members(header: str, *, printed_by: str = "") -> list[str]:
    return [name for names, second in rows(header) if printed_by in second for name in names]


def test_a_run_is_told_as_each_command_prints_it():
    told = outcome.to_dict(folded(FAILED), PLAN)
    assert members("a run", printed_by="`show`") == list(told)
    assert members("a run", printed_by="`run`") == list(told)
    assert set(members("a run", printed_by="`runs`")) == set(runs.to_dict(SUMMARY))


def test_activations_and_attempts_are_told_as_each_command_prints_them():
    attempts = Attempts()
    run = folded(list(attempts.noting(FAILED)))
    told = outcome.to_dict(run, PLAN)
    assert members("`steps`", printed_by="`run`") == list(told["steps"][0])
    with_attempts(told, run, attempts)
    assert members("`steps`", printed_by="`show`") == list(told["steps"][0])
    assert members("`steps`")[:3] == [name for name in told["steps"][-1] if name not in ("dueAt", "attempts")]
    assert members("`attempts`") == list(told["steps"][0]["attempts"][0])


def test_diagnostics_are_told_as_validate_prints_them():
    told = to_report([MISTAKE], flows=0)
    assert members("what `validate` prints") == list(told)
    assert members("`diagnostics`") == list(told["diagnostics"][0])


def test_what_became_of_a_version_is_told_as_deploy_prints_it():
    assert members("what `deploy` prints") == list(deploy.to_dict(PLAN, Deployed("new", None)))
