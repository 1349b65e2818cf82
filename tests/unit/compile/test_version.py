"""What changes the version of a flow, and what does not."""

from __future__ import annotations

import pytest

from engine.compile.planner import plan_of
from engine.compile.version import version_of
from engine.declare.parse import parse
from engine.declare.read_toml import read_toml
from engine.declare.read_yaml import read_yaml

FLOW = """\
flow: order
labels: {team: shop, zone: eu}
steps:
  start: {role: entry, handler: shop:start, emits: [placed, paid]}
  pack: {subscribes: {any: [placed, paid]}, handler: shop:pack}
"""


def version(text, read=read_yaml):
    document = read("f", text).document
    assert document is not None
    return plan_of(parse(document)).version


def test_a_version_has_64_hexadecimal_digits_and_is_that_of_its_plan():
    document = read_yaml("f", FLOW).document
    assert document is not None
    plan = plan_of(parse(document))
    assert len(plan.version) == 64
    assert set(plan.version) <= set("0123456789abcdef")
    assert version_of(plan) == plan.version


def test_the_version_of_this_flow_is_the_same_in_every_release():
    # Runs are pinned to it: a change of the canonical form must come with a new PLAN_FORMAT.
    assert version(FLOW) == "3656884eb061da7e96743483de11b2ea21c6a199ffc2c64f7986d88d45d85d97"


@pytest.mark.parametrize(
    "text",
    [
        f"# A comment.\n{FLOW}",
        f"description: For people.\n{FLOW}",
        FLOW.replace("[placed, paid]", "[paid, placed]"),
        FLOW.replace("{team: shop, zone: eu}", "{zone: eu, team: shop}"),
        FLOW.replace("  start:", "\n\n  start:").replace("shop:pack", '"shop:pack"'),
        FLOW.replace("subscribes:", "role: step, subscribes:"),
        FLOW.replace("subscribes:", "priority: 5, subscribes:"),
    ],
)
def test_what_is_only_written_differently_is_the_same_version(text):
    assert version(text) == version(FLOW)


def test_the_same_flow_in_toml_is_the_same_version():
    text = """
flow = "order"
labels = {team = "shop", zone = "eu"}
[steps.pack]
handler = "shop:pack"
subscribes.any = ["placed", "paid"]
[steps.start]
role = "entry"
handler = "shop:start"
emits = ["placed", "paid"]
"""
    assert version(text, read_toml) == version(FLOW)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("order", "order2"),
        ("zone: eu", "zone: us"),
        ("shop:pack", "shop:pack2"),
        ("  pack:", "  wrap:"),
        ("any: [placed, paid]", "any: [placed]"),
        ("any: [placed, paid]", "all: [placed, paid]"),
        ("{any: [placed, paid]}", "{collect: placed}"),
        ("shop:pack", "shop:pack, priority: 4"),
        ("shop:pack", "shop:pack, concurrency: 4"),
        ("emits: [placed, paid]", "emits: [placed, paid, more]"),
        ("flow: order", "flow: order\ndefaults: {queue: slow}"),
    ],
)
def test_what_the_engine_would_do_differently_is_another_version(old, new):
    assert old in FLOW
    assert version(FLOW.replace(old, new, 1)) != version(FLOW)
