"""`flowengine graph` in a process of its own."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from tests.acceptance.command import ROOT, Project, shop


@pytest.fixture
def project(tmp_path):
    return shop(tmp_path)


CHART = """\
flowchart LR
    accTitle: Flow shop
    s_take(["take"])
    s_ship["ship"]
    s_take -->|"order.taken"| s_ship
    classDef sink stroke-width:3px
    class s_ship sink
"""


@pytest.mark.parametrize("target", ["shop", "flows/shop.yaml"])
def test_a_flow_is_named_by_its_name_or_its_file(project, target):
    done = project.run("graph", target)

    assert (done.returncode, done.stdout, done.stderr) == (0, CHART, "")


def test_svg_is_a_file_to_be_looked_at(project):
    done = project.run("graph", "shop", "--format", "svg")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("</svg>\n")
    assert ElementTree.fromstring(done.stdout).get("role") == "img"


def test_no_server_is_started_and_no_handler_imported(project):
    project.write(
        "handlers/shop.py",
        "raise SystemExit('imported')\n\ndef take(job, ctx): ...\ndef ship(job, ctx): ...\n",
    )

    assert project.run("graph", "shop").stdout == CHART
    assert not (project.root / ".flowengine").exists()


def test_a_broken_file_is_told_like_everywhere(project):
    project.write(
        "flows/shop.yaml", "flow: shop\nsteps:\n  take: {role: entry, handlr: handlers.shop:take}\n"
    )
    done = project.run("graph", "shop")

    assert (done.returncode, done.stdout) == (1, "")
    assert "flows/shop.yaml:3:23" in done.stderr
    assert "did you mean `handler`?" in done.stderr


def test_a_flow_that_is_not_there_is_a_usage_error(project):
    done = project.run("graph", "shoq")

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("declares a flow `shoq`; there is `shop`\n")


def test_a_chart_that_github_would_refuse_comes_with_advice(project):
    steps = "".join(
        f"  w{number}: {{subscribes: order.taken, handler: handlers.shop:ship}}\n" for number in range(501)
    )
    project.write(
        "flows/shop.yaml",
        "flow: shop\nsteps:\n  take: {role: entry, handler: handlers.shop:take, emits: [order.taken]}\n"
        + steps,
    )
    done = project.run("graph", "shop")

    assert done.returncode == 0
    assert done.stdout.count("-->") == 501
    assert done.stderr == "flow `shop` is too large for GitHub to draw; `--format svg` draws it here\n"


def test_the_chart_in_the_papers_is_the_one_that_the_command_prints():
    paper = (ROOT / "docs" / "flows.md").read_text()

    assert f"```mermaid\n{Project(ROOT).run('graph', 'census').stdout}```\n" in paper
