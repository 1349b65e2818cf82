"""Whatever stands in a file, it is read or refused, and a flow is the same flow however it is written."""

from __future__ import annotations

import json
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from engine.compile.build import build
from engine.compile.planner import plan_of
from engine.declare.conform import conforms
from engine.declare.diagnostic import Diagnostic
from engine.declare.document import Document, decode
from engine.declare.parse import declared_handlers, parse
from engine.declare.read_toml import read_toml
from engine.declare.read_yaml import read_yaml
from engine.declare.shape import check_shape, flow_schema
from engine.validate.graph import check_graph

READERS = [read_yaml, read_toml]

#: Texts made of what the two languages consist of find more than texts of any letters.
PIECES = st.sampled_from(
    [
        *(
            "flow",
            "steps",
            "role",
            "entry",
            "handler",
            "subscribes",
            "emits",
            "any",
            "queue",
            "a:b",
            "true",
            "1",
        ),
        *(
            ": ",
            ":",
            " = ",
            "=",
            "\n",
            "\n  ",
            "\n    ",
            "\n- ",
            "- ",
            ", ",
            "[",
            "]",
            "{",
            "}",
            "[[",
            "]]",
            ".",
            " ",
        ),
        *(
            "'",
            '"',
            '"""',
            "'''",
            "\\",
            "&a ",
            "*a",
            "!t ",
            "!!str ",
            "|",
            ">",
            "%",
            "@",
            "`",
            "?",
            "? ",
            "#",
            "<<: ",
        ),
        *(
            "---",
            "...",
            "\n---\n",
            "\t",
            "\r\n",
            "é",
            "😀",
            "\u2028",
            "\x85",
            "~",
            "null",
            "1979-05-27",
            "\\u0041",
        ),
    ]
)
WRITTEN = st.lists(PIECES, max_size=40).map("".join)


@pytest.mark.parametrize("read", READERS)
@given(
    data=st.one_of(
        WRITTEN.map(str.encode),
        st.text(max_size=200).map(lambda t: t.encode("utf-8", "replace")),
        st.binary(max_size=100),
    )
)
@settings(max_examples=400)
def test_any_bytes_are_read_or_refused_with_a_place_inside_of_the_file(read, data):
    text = decode("f", data)
    if isinstance(text, Diagnostic):
        assert text.is_error
        return
    reading = read("f", text)
    diagnostics = [*reading.diagnostics]
    assert reading.document or diagnostics
    if reading.document:
        diagnostics += _all_that_is_said_of(reading.document)
    lines = text.split("\n")
    for diagnostic in diagnostics:
        span = diagnostic.span
        assert 1 <= span.line <= span.end_line <= len(lines)
        assert 1 <= span.column <= len(lines[span.line - 1]) + 1
        assert (span.line, span.column) <= (span.end_line, span.end_column)
        assert diagnostic.message
        assert "\n" not in diagnostic.message


def _all_that_is_said_of(document: Document) -> list[Diagnostic]:
    list(declared_handlers(document))
    of_shape = check_shape(document)
    return [*of_shape] if of_shape else [*check_graph(parse(document))]


NAMES = st.text(string.ascii_lowercase, min_size=1, max_size=4)
WRONG = st.one_of(
    st.none(), st.booleans(), st.integers(), st.just(""), st.just("a b"), st.just("x" * 70), NAMES
)
EVENTS = st.one_of(NAMES, st.lists(st.one_of(NAMES, WRONG), max_size=3), WRONG)
STEPS = st.dictionaries(
    st.sampled_from(
        ["role", "handler", "subscribes", "emits", "queue", "priority", "concurrency", "retry", "handlr"]
    ),
    st.one_of(
        EVENTS,
        st.dictionaries(st.sampled_from(["any", "all", "collect", "each"]), EVENTS, max_size=3),
        st.just("entry"),
        st.integers(-1, 10),
    ),
    max_size=5,
)
NEARLY_FLOWS = st.dictionaries(
    st.sampled_from(["flow", "steps", "labels", "description", "defaults", "flo"]),
    st.one_of(
        NAMES,
        WRONG,
        st.lists(WRONG, max_size=2),
        st.dictionaries(st.one_of(NAMES, st.just("queue")), st.one_of(STEPS, WRONG), max_size=3),
    ),
    max_size=6,
)


@given(data=NEARLY_FLOWS)
@settings(max_examples=400)
def test_the_quick_check_of_the_shape_and_the_validator_agree(data):
    schema = flow_schema()
    assert conforms(data, schema, schema) == Draft202012Validator(schema).is_valid(data)


@given(data=NEARLY_FLOWS)
@settings(max_examples=400)
def test_a_file_of_the_wrong_shape_always_has_something_said_of_it(data):
    document = read_yaml("f", json.dumps(data)).document
    if document is None:
        assert not data
        return
    is_valid = Draft202012Validator(flow_schema()).is_valid(data)
    assert (check_shape(document) == ()) == is_valid


@st.composite
def flows(draw):
    """A sound flow as plain data: each step hears events of steps before it."""
    names = draw(st.lists(NAMES, min_size=1, max_size=6, unique=True))
    steps: dict[str, dict[str, object]] = {}
    events: list[str] = []
    for number, name in enumerate(names):
        step: dict[str, object] = {"handler": f"{draw(NAMES)}:{draw(NAMES)}"}
        if number == 0:
            step["role"] = "entry"
        else:
            heard = draw(st.lists(st.sampled_from(events), min_size=1, max_size=3, unique=True))
            step["subscribes"] = heard[0] if len(heard) == 1 else {"any": heard}
        emits = draw(st.lists(NAMES, min_size=1, max_size=3, unique=True))
        step["emits"] = [f"of.{name}.{event}" for event in emits]
        events += [f"of.{name}.{event}" for event in emits]
        if draw(st.booleans()):
            step["queue"] = draw(NAMES)
        steps[name] = step
    flow: dict[str, object] = {"flow": draw(NAMES), "steps": steps}
    if draw(st.booleans()):
        flow["labels"] = draw(st.dictionaries(NAMES, st.text(string.printable, max_size=5), max_size=3))
    if draw(st.booleans()):
        flow["defaults"] = {"queue": draw(NAMES)}
    return flow


def shuffled(draw, value):
    """The same data with its keys, and its sets of events, in another order."""
    if isinstance(value, dict):
        return {key: shuffled(draw, value[key]) for key in draw(st.permutations(list(value)))}
    return draw(st.permutations(value)) if isinstance(value, list) else value


def as_toml(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    return json.dumps(value)


def plan(read, text):
    reading = read("f", text)
    assert reading.document is not None, reading.diagnostics
    assert check_shape(reading.document) == ()
    declaration = parse(reading.document)
    assert not [found for found in check_graph(declaration) if found.is_error]
    return plan_of(declaration)


@given(data=st.data(), flow=flows())
def test_a_flow_has_one_version_in_any_order_and_in_both_languages(data, flow):
    expected = plan(read_yaml, json.dumps(flow))
    other = shuffled(data.draw, flow)
    assert plan(read_yaml, json.dumps(other)) == expected
    assert plan(read_toml, "\n".join(f"{key} = {as_toml(value)}" for key, value in other.items())) == expected


@given(texts=st.lists(st.tuples(st.sampled_from(["yaml", "toml"]), WRITTEN), max_size=3))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_files_are_built_or_refused(tmp_path: Path, texts):
    paths = []
    for number, (suffix, text) in enumerate(texts):
        path = tmp_path / f"{number}.{suffix}"
        path.write_text(text, encoding="utf-8", newline="")
        paths.append(path)
    found = build(paths, root=tmp_path, import_handlers=False)
    assert found.is_sound == (len(found.plans) == len(paths))
