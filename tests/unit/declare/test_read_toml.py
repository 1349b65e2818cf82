"""TOML: the same documents as YAML, with places of their own."""

from __future__ import annotations

import pytest

from engine.declare.document import MapNode, plain
from engine.declare.read_toml import read_toml

from .telling import told

RENAME = "= rename or remove one of them"

FLOW = """\
flow = "order"

[steps.start]
role = "entry"
emits = [
    "order.placed",  # one
    'order.paid',
]

[steps."charge"]
handler = "shop:charge"
subscribes = { any = ["order.placed"] }
"""


def read(text):
    reading = read_toml("f.toml", text)
    assert reading.document is not None, told(reading.diagnostics)
    return reading.document.root


def mistakes(text):
    reading = read_toml("f.toml", text)
    assert reading.document is None
    return told(reading.diagnostics)


def places(node, path=""):
    """Where each key and its value stand, by the path."""
    found = {}
    for key, entry in node.entries.items():
        name = f"{path}{key}"
        key_span, span = entry.key_span, entry.value.span
        found[name] = (
            f"{key_span.line}:{key_span.column}-{key_span.end_column} "
            f"{span.line}:{span.column}-{span.end_line}:{span.end_column}"
        )
        if isinstance(entry.value, MapNode):
            found |= places(entry.value, f"{name}/")
    return found


def test_every_key_and_value_knows_its_place():
    root = read(FLOW)
    assert places(root) == {
        "flow": "1:1-5 1:8-1:15",
        "steps": "3:2-7 3:2-3:7",
        "steps/start": "3:8-13 3:8-3:13",
        "steps/start/role": "4:1-5 4:8-4:15",
        "steps/start/emits": "5:1-6 5:9-8:2",
        "steps/charge": "10:8-16 10:8-10:16",
        "steps/charge/handler": "11:1-8 11:11-11:24",
        "steps/charge/subscribes": "12:1-11 12:14-12:40",
        "steps/charge/subscribes/any": "12:16-19 12:22-12:38",
    }


def test_items_of_a_list_know_their_places():
    emits = read(FLOW).entries["steps"].value.entries["start"].value.entries["emits"].value
    assert [(item.value, item.span.line, item.span.column) for item in emits.items] == [
        ("order.placed", 6, 5),
        ("order.paid", 7, 5),
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.b = 1\na.c = 2\n", {"a": "1:1-2 1:1-1:2", "a/b": "1:3-4 1:7-1:8", "a/c": "2:3-4 2:7-2:8"}),
        ('"\\u0041 b" = 1\n', {"A b": "1:1-11 1:14-1:15"}),
        ('a = """x\ny""""\nb = 2\n', {"a": "1:1-2 1:5-2:6", "b": "3:1-2 3:5-3:6"}),
        ("a = '''it's'''\r\nb = 2\r\n", {"a": "1:1-2 1:5-1:15", "b": "2:1-2 2:5-2:6"}),
        ("a = 1979-05-27 07:32:00 # then\n", {"a": "1:1-2 1:5-1:24"}),
        ("[[a]]\nb = 1\n[[a]]\n[a.c]\nd = 2\n", {"a": "1:3-4 1:3-1:4"}),
    ],
)
def test_the_other_ways_to_write_keys_and_values_have_places_too(text, expected):
    assert places(read(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ["FE022 1:1 this file is empty = begin with `flow: <name>`"]),
        ("a = hello\n", ["FE018 1:5 this is no value of TOML; put text in quotes"]),
        ('a = "b\n', ['FE010 1:5 the quote " that opens here is not closed on its line']),
        (
            "a = [1,\nb = 2\n",
            [
                "FE011 1:5 the `[` that opens here is not closed, or a comma is missing in it"
                " = close it with `]`"
            ],
        ),
        (
            "a = [[1, 2]\n",
            [
                "FE011 1:5 the `[` that opens here is not closed, or a comma is missing in it"
                " = close it with `]`"
            ],
        ),
        (
            "a = {b = 1,\n",
            [
                "FE011 1:5 the `{` that opens here is not closed, or a comma is missing in it"
                " = close it with `}` on the same line"
            ],
        ),
        ("a\n", ["FE018 1:2 a `=` is missing after the key"]),
        ("= 1\n", ["FE018 1:1 this line is neither `key = value` nor `[table]`"]),
        ('a = "b" c\n', ["FE018 1:9 something follows the value on its line; put text in quotes"]),
        ('a = "\\q"\n', ["FE018 1:8 this backslash begins no escape that TOML knows"]),
        ("a = " + "9" * 5000, ["FE018 1:5005 a number of this file has too many digits"]),
        (
            "a = 1\nb = {c = 1, c = 2}\na = 3\n",
            [
                f"FE020 2:13 `c` is defined a second time {RENAME} @ 2:6 first defined here",
                f"FE020 3:1 `a` is defined a second time {RENAME} @ 1:1 first defined here",
            ],
        ),
        (
            "[a.b]\n[a]\n[a.b]\n",
            [f"FE020 3:4 `b` is defined a second time {RENAME} @ 1:4 first defined here"],
        ),
        ("a = " + "[" * 100_000, ["FE024 1:68 values are nested more than 64 deep here"]),
        (".".join("a" * 200_000) + " = 1", ["FE024 1:130 values are nested more than 64 deep here"]),
        ("a = [" + "1," * 100_000 + "]", ["FE025 1:200004 this file has more than 100,000 keys and values"]),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence_each(text, expected):
    assert mistakes(text) == expected


def test_values_are_those_of_toml():
    assert plain(read("a = 1\nb = true\nc = [1.5, 'x']\nd = {e = ''}\n")) == {
        "a": 1,
        "b": True,
        "c": [1.5, "x"],
        "d": {"e": ""},
    }
