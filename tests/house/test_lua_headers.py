"""The header of a script is its contract: what it guarantees, takes and answers, and how Python calls it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from engine.store import ledger, queue, registry_feed
from engine.store.fitness import FORMAT
from engine.store.keys import LUA_NAMES
from engine.store.plans import Plans
from engine.store.script import NAMES, source
from tests.house.tree import ROOT

#: What an attempt is named by, in every script about one.
HEAD = ["run", "step_id", "step", "flow", "queue", "token", "attempt"]

#: The function that makes the call of each script.
WRAPPERS: dict[str, Callable[..., Any]] = {
    "start": ledger.start,
    "commit": ledger.commit,
    "fail": ledger.fail,
    "report": ledger.report,
    "stage": ledger.stage,
    "unfold": ledger.unfold,
    "fetch": queue.fetch,
    "release": queue.release,
    "renew": queue.renew,
    "sweep": queue.sweep,
    "promote": queue.promote,
    "heartbeat": queue.heartbeat,
    "knock": queue.knock,
    "deploy": Plans.deploy,
    "announce": registry_feed.announce,
}

#: Parameters that a wrapper makes others of: a function takes what is natural, a script what is flat.
MEANING: dict[str, dict[str, list[str]]] = {
    "renew": {"jobs": []},
    "fetch": {"room": ["threads", "loop", "free"]},
    "heartbeat": {"served": ["number", "threads", "loop"], "fields": []},
    # Lists follow what is numbered, and the routing is made of such lists.
    "commit": {"routing": []},
    # How long emissions wait, and how many of them a call lays out, the ledger says itself.
    "stage": {"emits": ["ttl_ms", "emits"]},
    "unfold": {"step_id": ["step_id", "step"], "sinks": ["limit", "limit_bytes", "sinks"], "routing": []},
    # Plan and source travel as one JSON object.
    "deploy": {"source": []},
}


def header_of(name: str) -> str:
    """The comment at the top as one text, without its dashes."""
    lines = [line for line in source(name).splitlines() if not line.startswith("#!")]
    block = []
    for line in lines:
        if not line.startswith("--") or line.startswith("---"):
            break
        block.append(line[2:].strip())
    return " ".join(block)


def section(name: str, begin: str, end: str) -> str:
    found = re.search(rf"{begin}(.*?){end}", header_of(name))
    assert found, f"{name}: nothing between {begin} and {end}"
    return found[1]


def numbered(text: str) -> list[tuple[int, str]]:
    """The `<number> <name> (` of a list."""
    return [(int(number), name) for number, name in re.findall(r"(?:^|\s)(\d+) (\w+) \(", text)]


def parameters(name: str) -> list[str]:
    """What the wrapper's parameters say, in the header's words."""
    found: list[str] = []
    for parameter in inspect.signature(WRAPPERS[name]).parameters:
        if parameter not in ("store", "self"):
            found += HEAD if parameter == "job" else MEANING.get(name, {}).get(parameter, [parameter])
    return found


def test_every_script_has_its_function():
    assert set(WRAPPERS) == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_header_has_its_parts_in_order(name):
    header = header_of(name)
    places = [
        header.find(part)
        for part in (f"{name}: ", "Guarantee: ", "KEYS 1 prefix (string)", "ARGV 1 ", "Returns: ")
    ]
    assert -1 not in places
    assert places == sorted(places)
    assert "Reads and writes: " in header


@pytest.mark.parametrize("name", NAMES)
def test_arguments_are_numbered_from_one_with_their_types(name):
    found = numbered(section(name, "ARGV", "Reads and writes: "))
    assert [number for number, _ in found] == list(range(1, len(found) + 1))


@pytest.mark.parametrize("name", NAMES)
def test_the_functions_parameters_are_the_headers_arguments_in_order(name):
    expected = [argument for _, argument in numbered(section(name, "ARGV", "Reads and writes: "))]
    assert parameters(name) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_script_takes_as_many_arguments_as_its_header_says(name):
    """What is read beyond the numbered ones belongs to the lists that follow."""
    last = numbered(section(name, "ARGV", "Reads and writes: "))[-1][0]
    body = source(name)
    used = [int(number) for number in re.findall(r"ARGV\[(\d+)\]", body)]
    assert not used or max(used) <= last


@pytest.mark.parametrize("name", NAMES)
def test_every_answer_that_is_made_is_in_the_header(name):
    body = source(name).partition("--- include")[2]
    returned = set(re.findall(r"return (?:\{ |stop\()'([A-Za-z-]+)'", body))
    if "refusal(" in body:
        returned |= {"SETTLED", "FENCED", "ENDED", "GONE", "DUP"}
    listed = section(name, "Returns: ", "$")
    assert {word for word in returned if f"'{word}'" not in listed} == set()


@pytest.mark.parametrize("name", NAMES)
def test_every_key_that_is_written_down_is_touched_and_the_other_way_round(name):
    """The header lists what a script builds from the prefix."""
    listed = section(name, "Reads and writes: ", "Returns: ")
    body = source(name)
    for word, lua in {
        "timers": "TIMERS",
        "sweep": "SWEEP",
        "plan": "PLAN",
        "once": "ONCE",
        "versions": "VERSIONS",
        "workers": "WORKERS",
        "worker hash": "WORKER",
        "state": "STATE",
        "flows": "FLOWS",
        "stage": "STAGE",
        "unfolding": "UNFOLDING",
        "registry": "REGISTRY",
    }.items():
        is_listed = re.search(rf"\b{word}\b", listed) is not None
        assert is_listed == (re.search(rf"\b{lua}\b", body) is not None), word


REDIS = (ROOT / "docs" / "redis.md").read_text()


def test_the_document_of_redis_has_every_script():
    rows = re.findall(r"^\| ((?:`[a-z]+`(?:, )?)+) \|", REDIS, re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"[a-z]+", row)}

    assert told >= set(NAMES)


@pytest.mark.parametrize("end", LUA_NAMES.values())
def test_the_document_of_redis_has_every_key(end):
    assert f"`nq:{end}<" in REDIS if end.endswith(":") else f"`nq:{end}`" in REDIS


def test_the_document_of_redis_has_every_field_of_the_ledger():
    """As the docstring of `store/ledger` lists them."""
    listed = re.findall(r"`([a-z]+(?::<\w+>)*)`", (ledger.__doc__ or "").replace("<stepId>", "<step>"))
    _, _, section = REDIS.partition("### The ledger")
    told = re.findall(r"`([a-z]+(?::[^`]+)?)`", section.partition("## Transitions")[0].replace("#<n>", ""))

    assert "u:<step>" in listed
    assert set(listed) - set(told) == set()


def test_the_document_of_redis_counts_as_the_engine_does():
    assert f"lays {ledger.EMITS_A_PART} of them out" in REDIS
    assert f"Up to {ledger.EMITS_A_PART} events" in REDIS
    assert f"staged first, {ledger.EMITS_A_STAGE} a call" in REDIS
    assert f"this release writes {FORMAT}," in REDIS
