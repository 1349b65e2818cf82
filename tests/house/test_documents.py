"""What the papers claim about files, commands and links is so."""

from __future__ import annotations

import fnmatch
import re
import tomllib
from typing import get_args

import pytest

import engine
from engine.declare.declaration import Trigger
from engine.declare.parse import parse
from engine.declare.read_yaml import read_yaml
from engine.declare.shape import check_shape, flow_schema
from engine.events.state import ACTIVATION, STATUSES
from engine.events.types import ALL_TYPES, REGISTRY_TYPES
from engine.validate.graph import check_graph
from engine.validate.queues import check_queues
from tests.house.tree import ROOT, texts, tracked

PAPERS = {path: text for path, text in texts().items() if path.suffix == ".md"}

#: Files of the tree, and the folders that they are in: an empty folder is none.
PATHS = {part.as_posix() for path in tracked() for part in (path, *path.parents)}

#: Beginnings of paths that name something of this tree when a paper has them in code quotes.
PLACES = ("engine/", "tests/", "docs/", "bench/", "flows/", "handlers/", "schemas/", ".ci/")


def quoted(text):
    """What stands in code quotes, outside of code blocks."""
    return re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def code_blocks(text, language):
    """Blocks of code in one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_files_that_a_paper_names_exist(paper):
    missing = []
    for word in quoted(PAPERS[paper]):
        path = word.split(":")[0]
        if not path.startswith(PLACES) or re.search(r"[\s<>…]|NNNN", path):
            continue
        if not fnmatch.filter(PATHS, path.rstrip("/")):
            missing.append(word)

    assert missing == []


def test_papers_that_code_names_exist():
    """In docstrings, comments and messages."""
    named = {
        (name, path)
        for path, text in texts().items()
        for name in re.findall(r"\bdocs/[a-z0-9/-]+\.md\b", text)
    }

    assert {(name, str(path)) for name, path in named if not (ROOT / name).exists()} == set()


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_links_of_a_paper_lead_somewhere(paper):
    """Links into the tree only: others are not this project's to keep."""
    broken = []
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"```.*?```", "", PAPERS[paper], flags=re.DOTALL)):
        file, _, _ = target.partition("#")
        if re.match(r"[a-z]+:", target) or not file:
            continue
        if not (ROOT / paper.parent / file).exists():
            broken.append(target)

    assert broken == []


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_flows_that_a_paper_shows_are_sound(paper):
    told = []
    for text in code_blocks(PAPERS[paper], "yaml"):
        if re.search(r"^flow:", text, re.MULTILINE):
            reading = read_yaml(str(paper), text)
            assert reading.document is not None, reading.diagnostics
            told += [*reading.diagnostics, *check_shape(reading.document)]
            if not told:
                flow = parse(reading.document)
                told += [*check_graph(flow), *check_queues([flow])]

    assert told == []


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_handlers_that_a_paper_shows_are_python(paper):
    for text in code_blocks(PAPERS[paper], "python"):
        compile(text, str(paper), "exec")


@pytest.mark.parametrize("paper", PAPERS, ids=str)
def test_make_targets_that_a_paper_names_exist(paper):
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"^(?:.*`|\s*(?:\$ )?)make ([a-z]+)\b", PAPERS[paper], re.MULTILINE))

    assert {target for target in named if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_the_map_of_the_architecture_has_every_room_and_no_other():
    text = (ROOT / "docs" / "architecture.md").read_text()
    _, _, code_map = text.partition("```text\nengine/\n")
    code_map, _, _ = code_map.partition("```")
    told = {line.split()[0].rstrip("/") for line in code_map.splitlines() if re.match(r"  \S", line)}
    there = {path.parts[1] for path in tracked() if path.parts[0] == "engine"}

    assert told == there - {"py.typed"}


def test_decisions_are_numbered_without_gaps():
    numbers = [int(path.name[:4]) for path in tracked() if path.parent.as_posix() == "docs/decisions"]

    assert numbers == list(range(1, len(numbers) + 1))


def test_the_version_is_one():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert engine.__version__ == project["version"]


def test_the_document_of_events_has_every_type_and_no_other():
    rows = re.findall(r"^\| `([a-z.]+)` \|", (ROOT / "docs" / "events.md").read_text(), re.MULTILINE)

    assert set(rows) - {"id", "ts", "type", "data"} == ALL_TYPES | REGISTRY_TYPES


def test_the_document_of_flows_has_every_key_of_a_step():
    text = (ROOT / "docs" / "flows.md").read_text()
    step = flow_schema()["$defs"]["step"]["properties"]
    rows = re.findall(r"^\| `steps\.<step>\.([a-z_]+)` \|", text, re.MULTILINE)

    assert rows == list(step)
    assert {word for word in get_args(Trigger) if f"{{{word}: " not in text} == set()


def test_the_glossary_has_every_status_and_every_state():
    text = (ROOT / "docs" / "glossary.md").read_text()

    assert {word for word in {*STATUSES, *ACTIVATION} if f"`{word}`" not in text} == set()
