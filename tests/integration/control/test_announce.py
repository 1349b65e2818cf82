"""What those who follow the registry are told."""

from __future__ import annotations

import json

import pytest

from engine.control.announce import announce_rejection, announce_update
from engine.declare.diagnostic import Diagnostic
from engine.declare.span import Span
from engine.registry.changes import Changes, compare
from engine.store.registry_feed import RegistryFeed
from engine.store.stream import BEGIN
from tests.support.store import CHAIN, plan_from

GREET = plan_from({"start": {"emits": ["ready"]}, "greet": {"subscribes": "ready"}}, flow="hello")
MAIL = plan_from({"start": {"emits": ["ready"]}, "mail": {"subscribes": "ready"}}, flow="hello")
GONE, NEW = plan_from({"a": {}}, flow="gone"), plan_from(CHAIN, flow="new")


def mistake(number=1, *, severity="error", text="no step emits it"):
    span = Span("flows/hello.yaml", number, 5, number, 9)
    return Diagnostic(severity, "FE403", text, span, help="emit it")


@pytest.fixture
def told(store):
    """The events that were announced, as type and data."""
    return lambda: [(event.type, event.data) for event in RegistryFeed(store).read(after=BEGIN).events]


def data_of(told):
    ((_, data),) = told()
    assert len(json.dumps(data)) < 64 * 1024
    return data


def test_an_update_names_flows_and_steps(store, told):
    announce_update(store, by="w", changes=compare([GREET, GONE], [MAIL, NEW]))

    assert told() == [
        (
            "registry.updated",
            {
                "by": "w",
                "flows": {
                    "added": [{"flow": "new", "version": NEW.version, "steps": ["a", "b", "c"]}],
                    "removed": [{"flow": "gone", "version": GONE.version}],
                    "altered": [
                        {
                            "flow": "hello",
                            "before": GREET.version,
                            "version": MAIL.version,
                            "steps": {"added": ["mail"], "removed": ["greet"], "altered": []},
                        }
                    ],
                },
            },
        )
    ]


def test_where_nothing_has_changed_nothing_is_told(store, told):
    announce_update(store, by="w", changes=compare([GREET], [GREET]))

    assert told() == []


def test_modules_are_named_where_some_were_loaded_anew(store, told):
    announce_update(store, by="w", changes=Changes(), modules=["handlers.hello", "b\udce4d"])

    assert data_of(told) == {
        "by": "w",
        "flows": {"added": [], "removed": [], "altered": []},
        "modules": ["handlers.hello", "b\\udce4d"],
    }


def test_of_very_many_flows_it_is_said_how_many_more_there_are(store, told):
    plans = [plan_from({"a": {}}, flow=f"flow_{number:04}") for number in range(1_000)]
    announce_update(store, by="w", changes=compare([], plans), modules=["m" * 100] * 1_000)
    data = data_of(told)

    assert len(data["flows"]["added"]) > 100
    assert len(data["flows"]["added"]) + data["moreFlows"] == 1_000
    assert len(data["modules"]) + data["moreModules"] == 1_000


def test_of_very_many_steps_it_is_said_how_many_more_there_are(store, told):
    steps = {f"s{number:03}": {"subscribes": "ready"} for number in range(100)}
    wide, small = (
        plan_from({"start": {"emits": ["ready"]}, **steps}),
        plan_from({"start": {"emits": ["ready"]}}),
    )
    announce_update(store, by="w", changes=compare([], [wide]))
    announce_update(store, by="w", changes=compare([small], [wide]))
    (_, first), (_, second) = told()
    (added,), (altered,) = first["flows"]["added"], second["flows"]["altered"]

    assert (len(added["steps"]), added["moreSteps"]) == (20, 81)
    assert (len(altered["steps"]["added"]), altered["moreSteps"]) == (20, {"added": 80})


def test_a_rejection_says_what_is_wrong_and_where(store, told):
    found = [mistake(1, severity="warning"), mistake(2)]
    announce_rejection(store, by="w", diagnostics=found, flows=["hello"])

    assert told()[0][0] == "registry.rejected"
    told_of = {"code": "FE403", "message": "no step emits it", "help": "emit it", "file": "flows/hello.yaml"}
    assert data_of(told) == {
        "by": "w",
        "errors": 1,
        "warnings": 1,
        "flows": ["hello"],
        "diagnostics": [
            {"severity": "error", **told_of, "line": 2, "column": 5},
            {"severity": "warning", **told_of, "line": 1, "column": 5},
        ],
    }


@pytest.mark.parametrize(("text", "least"), [("short", 20), ("ä\x01\udce4" * 10_000, 5)])
def test_of_very_many_mistakes_the_first_are_told(store, told, text, least):
    found = [mistake(number, text=text) for number in range(1, 1_001)]
    announce_rejection(store, by="w", diagnostics=found, flows=[f"f{number:060}" for number in range(1_000)])
    data = data_of(told)

    assert (data["errors"], data["warnings"]) == (1_000, 0)
    assert least <= len(data["diagnostics"]) <= 20
    assert data["diagnostics"][0]["line"] == 1


def test_a_lost_reply_is_told_once(proxy, open_store, told):
    proxy.lose("announce")
    announce_update(open_store(proxy.url), by="w", changes=compare([], [NEW]))

    assert proxy.lost == ["announce"]
    assert len(told()) == 1
