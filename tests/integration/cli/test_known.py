"""Which flows are known where runs are asked for by flow."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli.known import known_flow
from engine.cli.project import open_project
from engine.control.deploy import deploy
from engine.errors import FlowNotFound
from tests.support.store import Driver, deployed, plan_from

ONE: dict[str, dict[str, str]] = {"a": {}}


@pytest.fixture
def project(tmp_path, monkeypatch):
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "here.yaml").write_text("flow: here\nsteps:\n  a: {role: entry, handler: math:hypot}\n")
    monkeypatch.chdir(tmp_path)
    return open_project()


def test_a_flow_is_known_that_a_file_of_the_project_declares(project, store):
    assert known_flow("here", project, store) == "here"


def test_a_flow_is_known_that_is_served(project, store):
    deployed(store, ONE, flow="served")
    assert known_flow("served", project, store) == "served"


def test_a_flow_is_known_that_has_a_run(project, store):
    plan = plan_from(ONE, flow="ran")
    deploy(store, plan, source="", mode="store")
    Driver(store, plan).start()
    assert known_flow("ran", project, store) == "ran"


def test_the_flow_of_a_file_is_known_wherever_the_file_is(project, store, tmp_path):
    file = tmp_path / "elsewhere.yaml"
    file.write_text("flow: elsewhere\n")
    assert known_flow(str(file), project, store) == "elsewhere"


def test_a_flow_that_nobody_knows_is_refused_with_those_of_the_project(project, store):
    with pytest.raises(FlowNotFound) as caught:
        known_flow("her", project, store)
    assert str(caught.value) == (
        f"the store has no flow `her`, and no file in `{Path.cwd() / 'flows'}` declares a flow `her`;"
        " there is `here`"
    )
