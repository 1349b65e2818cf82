"""Events of the registry as lines, and whose flows they are about."""

from __future__ import annotations

import pytest

from engine.cli.registry_lines import may_be_about, registry_line, what_changed
from engine.events.types import RegistryEvent
from tests.unit.cli.sample import BEGIN_MS

OLD, NEW = "3f4eca37" + "0" * 56, "81bb02aa" + "0" * 56
WORKER = "1m86ad5kdh6afqfc0t4x"


def updated(*, added=(), removed=(), altered=(), **rest):
    flows = {"added": list(added), "removed": list(removed), "altered": list(altered)}
    return event("registry.updated", flows=flows, **rest)


def event(kind, **data):
    return RegistryEvent(id="1-0", ts_ms=BEGIN_MS, type=kind, data={"by": WORKER, **data})


def new(flow, *steps, **rest):
    return {"flow": flow, "version": NEW, "steps": list(steps), **rest}


def changed(flow="hello", *, added=(), removed=(), altered=(), **rest):
    steps = {"added": list(added), "removed": list(removed), "altered": list(altered)}
    return {"flow": flow, "before": OLD, "version": NEW, "steps": steps, **rest}


MISTAKE = {"code": "FE403", "message": "nobody emits it", "file": "flows/hello.yaml", "line": 3, "column": 5}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            updated(altered=[changed(altered=["greet"], added=["mail", "post"], removed=["old"])]),
            "hello 3f4eca37 → 81bb02aa: greet altered, mail, post added, old removed",
        ),
        (updated(altered=[changed()]), "hello 3f4eca37 → 81bb02aa: its labels altered"),
        (
            updated(added=[new("hello", "start", "greet")], removed=[{"flow": "gone", "version": OLD}]),
            "gone 3f4eca37 is gone; hello 81bb02aa is new: start, greet",
        ),
        (
            updated(modules=["handlers.hello", "handlers.mail"]),
            "loaded handlers.hello, handlers.mail anew",
        ),
        (
            updated(added=[new(f"f{n}", "a") for n in range(5)], moreFlows=995),
            "f0 81bb02aa is new: a; f1 81bb02aa is new: a; f2 81bb02aa is new: a; and 997 flows more",
        ),
        (
            updated(added=[new("wide", *"abcdefgh", moreSteps=2)]),
            "wide 81bb02aa is new: a, b, c, d, e, f and 4 more",
        ),
        (
            updated(altered=[changed(added="abcdefgh", altered="xyz", moreSteps={"added": 2})]),
            "hello 3f4eca37 → 81bb02aa: x, y, z altered, a, b, c, d, e, f and 4 more added",
        ),
        (updated(), "nothing has changed"),
        (
            event("registry.rejected", errors=2, diagnostics=[MISTAKE, MISTAKE]),
            "2 errors, first: flows/hello.yaml:3:5 [FE403] nobody emits it",
        ),
        (event("registry.rejected", errors=1), "1 error"),
    ],
)
def test_what_happens_to_the_registry_reads_as_a_sentence(said, words):
    assert what_changed(said) == f"{words} (worker 1m86ad5kdh6a)"


def test_a_command_that_is_no_worker_is_told_with_its_machine():
    said = event("registry.updated", modules=["a"])
    by_deploy = RegistryEvent(id=said.id, ts_ms=0, type=said.type, data={**said.data, "by": "deploy@build7"})
    assert what_changed(by_deploy) == "loaded a anew (deploy@build7)"


def test_a_type_of_a_newer_release_is_told_with_its_data():
    told = RegistryEvent(id="1-0", ts_ms=0, type="registry.frozen", data={"why": "x"})
    assert what_changed(told) == '{"why":"x"}'
    assert may_be_about(told, "hello")


def test_a_line_stands_under_those_of_runs_and_gives_way_on_a_narrow_terminal():
    said = updated(removed=[{"flow": "gone", "version": OLD}])
    wide = registry_line(said, colour=False, is_narrow=False)
    narrow = registry_line(said, colour=False, is_narrow=True)
    assert wide[12:] == f"{' ' * 16}registry.updated  gone 3f4eca37 is gone (worker 1m86ad5kdh6a)"
    assert narrow[8:] == "  registry.updated  gone 3f4eca37 is gone (worker 1m86ad5kdh6a)"
    assert "\x1b[36m" in registry_line(said, colour=True, is_narrow=False)


@pytest.mark.parametrize(
    ("said", "is_about"),
    [
        (updated(added=[new("hello", "a")]), True),
        (updated(removed=[{"flow": "hello", "version": OLD}]), True),
        (updated(altered=[changed()]), True),
        (updated(added=[new("other", "a")]), False),
        (updated(added=[new("other", "a")], moreFlows=9), True),
        (updated(modules=["handlers.shared"]), True),
        (event("registry.rejected", errors=1, flows=["hello"]), True),
        (event("registry.rejected", errors=1, flows=["other"]), False),
        (event("registry.rejected", errors=1, flows=[]), True),
    ],
)
def test_an_event_is_about_a_flow_that_it_names_or_leaves_unnamed(said, is_about):
    assert may_be_about(said, "hello") == is_about
