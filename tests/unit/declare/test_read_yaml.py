"""YAML: values, places, mistakes and limits."""

from __future__ import annotations

import math

import pytest

from engine.declare.document import ListNode, MapNode, ScalarNode, plain
from engine.declare.read_yaml import read_yaml, resolve

from .telling import told


def read(text):
    reading = read_yaml("f.yaml", text)
    assert reading.document is not None, told(reading.diagnostics)
    return reading.document


def mistakes(text):
    return told(read_yaml("f.yaml", text).diagnostics)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("on", "on"),
        ("no", "no"),
        ("Yes", "Yes"),
        ("12:30", "12:30"),
        ("2024-01-01", "2024-01-01"),
        ("1_000", "1_000"),
        ("010", 10),
        ("0o10", 8),
        ("0x1F", 31),
        ("-7", -7),
        ("3.10", 3.1),
        ("1e3", 1000.0),
        (".inf", math.inf),
        ("-.INF", -math.inf),
        ("true", True),
        ("FALSE", False),
        ("tRuE", "tRuE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("a.b", "a.b"),
    ],
)
def test_an_unquoted_value_is_what_the_core_types_of_yaml_1_2_say(text, value):
    assert resolve(text) == value
    assert plain(read(f"key: {text}").root) == {"key": value}


def test_a_quoted_value_is_text():
    assert plain(read("a: '1'\nb: \"true\"\nc: !  5\n").root) == {"a": "1", "b": "true", "c": "5"}


def test_a_key_is_text_whatever_it_looks_like():
    assert list(read("on: 1\n1: 2\nnull: 3\n'x y': 4\n").root.entries) == ["on", "1", "null", "x y"]


def test_a_number_of_many_digits_is_read_without_an_exception():
    assert resolve("9" * 5000) == math.inf


def test_every_key_and_value_knows_its_place():
    document = read("flow: hi\nsteps:\n  a: {emits: [x, 'y z']}\n")
    steps = document.root.entries["steps"]
    assert isinstance(steps.value, MapNode)
    step = steps.value.entries["a"]
    assert isinstance(step.value, MapNode)
    emits = step.value.entries["emits"]
    assert isinstance(emits.value, ListNode)

    places = [
        (span.line, span.column, span.end_line, span.end_column)
        for span in (
            steps.key_span,
            step.key_span,
            emits.key_span,
            emits.value.span,
            emits.value.items[1].span,
        )
    ]
    assert places == [(2, 1, 2, 6), (3, 3, 3, 4), (3, 7, 3, 12), (3, 14, 3, 24), (3, 18, 3, 23)]


def test_columns_count_code_points():
    value = read('"é😀": x\n').root.entries["é😀"].value
    assert (value.span.line, value.span.column) == (1, 7)


def test_an_anchor_is_not_part_of_the_place_of_its_value():
    value = read("a: &anchor one\n").root.entries["a"].value
    assert (value.span.column, value.span.end_column) == (12, 15)


def test_a_block_ends_with_its_last_character():
    steps = read("a:\n  b: 1\n\n\nc: 2\n").root.entries["a"].value
    assert (steps.span.end_line, steps.span.end_column) == (2, 7)


def test_an_alias_repeats_a_value():
    assert plain(read("a: &one [1, 2]\nb: *one\n&key c: *key\n").root) == {"a": [1, 2], "b": [1, 2], "c": "c"}


def test_two_keys_of_one_name_are_told_with_both_places_and_the_first_one_counts():
    reading = read_yaml("f.yaml", "a: {x: 1, x: 2}\nb: 1\na: 3\n")
    assert told(reading.diagnostics) == [
        "FE020 1:11 `x` is defined a second time = rename or remove one of them @ 1:5 first defined here",
        "FE020 3:1 `a` is defined a second time = rename or remove one of them @ 1:1 first defined here",
    ]
    assert reading.document is not None
    assert plain(reading.document.root) == {"a": {"x": 1}, "b": 1}


QUOTE = "is not closed on its line"
INDENT = "this line is indented like no line above that it could belong to = indent all keys of one map alike"
TAG = "is a tag, and tags are not read = remove it; if it is text, put it in quotes"
QUOTES = "put the value in quotes"
BELONGS = "belongs to nothing = put quotes around the whole value; inside of single quotes write ' twice"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Quotes and brackets: the place is the opening one.
        ('a: "b\nc: d\n', f'FE010 1:4 the quote " that opens here {QUOTE}'),
        ("a: 'b\nc: 'd'\n", f"FE010 1:4 the quote ' that opens here {QUOTE}"),
        ("a: [b, c\nd: e\n", "FE011 1:4 the `[` that opens here is not closed = close it with `]`"),
        ("a: {b: c\nd: e\n", "FE011 1:4 the `{` that opens here is not closed = close it with `}`"),
        ("a: {b: [c}\n", "FE011 1:8 the `[` that opens here is not closed = close it with `]`"),
        ("a: [b c: d e]\nf: [\n", "FE011 2:4 the `[` that opens here is not closed = close it with `]`"),
        ('a: ["b" c]\n', "FE011 1:9 a comma or `]` is missing before this"),
        ("a: [b]]\n", "FE011 1:7 this `]` closes nothing"),
        ("a: }\n", "FE011 1:4 `}` stands here with nothing before it that it could end"),
        # Indentation.
        ("a:\n  b: 1\n c: 2\n", f"FE012 3:2 {INDENT}"),
        ("a: b\n  c: d\n", f"FE012 2:3 {INDENT}"),
        (
            "a: 1\n- b\n",
            "FE012 2:1 a list item stands here among the keys of a map"
            " = indent it under the key that it belongs to",
        ),
        (
            "- a\nb: 1\n",
            "FE012 2:1 this line stands among the items of a list, but does not begin with `- `",
        ),
        (
            "a: - b\n",
            "FE012 1:4 a list cannot begin with `- ` on the line of its key"
            " = write `[a, b]`, or each `- item` on a line of its own",
        ),
        ("a:\n\tb: 1\n", "FE013 2:1 a tab stands where YAML allows only spaces = indent with spaces"),
        ("a: b\n\tc: d\n", "FE013 2:1 a tab stands where YAML allows only spaces = indent with spaces"),
        # Colons.
        (
            "a: b: c\n",
            "FE014 1:4 the value that begins here contains a colon and a space, which would make it a key"
            f" = {QUOTES}",
        ),
        ("a: 1\nb:c\n", "FE015 2:1 there is no space after the colon of `b` = write `b: c`"),
        ("a:b\nc: 1\n", "FE015 1:1 there is no space after the colon of `a` = write `a: b`"),
        (
            "a: 1\nb\nc: 2\n",
            "FE015 2:1 `b` is neither a key with its colon nor part of the value above = write `key: value`",
        ),
        # Special characters at the beginning.
        ("a: @b\n", f"FE016 1:4 a value cannot begin with `@` = {QUOTES}"),
        ("a: %b\n", f"FE016 1:4 a value cannot begin with `%` = {QUOTES}"),
        ("a: `b`\n", f"FE016 1:4 a value cannot begin with a back-tick = {QUOTES}"),
        ("a: *\n", f"FE016 1:4 a value cannot begin with `*` = {QUOTES}"),
        ("a: & b\n", f"FE016 1:4 a value cannot begin with `&` = {QUOTES}"),
        (
            "a: | b\n",
            f"FE016 1:4 after `|` the text begins on the next line = {QUOTES} if `|` is part of it",
        ),
        ("a: 'it's'\n", f"FE017 1:8 the value has ended before this, so `s'` {BELONGS}"),
        ('a: "b" c\n', f"FE017 1:8 the value has ended before this, so `c` {BELONGS}"),
        (
            'a: "\\d"\n',
            "FE017 1:5 this backslash begins no escape that YAML knows"
            " = write it twice, or use single quotes",
        ),
        (
            "%what\n---\na: 1\n",
            "FE017 1:6 this is not valid YAML: found unknown directive name while scanning a directive",
        ),
        # What a flow file does without.
        (
            "a: 1\n---\nb: 2\n",
            "FE021 2:1 a second document begins here; one file holds one flow = move it to a file of its own",
        ),
        (
            "a: 1\n...\nb: 2\n",
            "FE021 3:1 there is more text after the end of the document = one file holds one flow",
        ),
        ("", "FE022 1:1 this file is empty = begin with `flow: <name>`"),
        ("# nothing\n---\n", "FE022 1:1 this file is empty = begin with `flow: <name>`"),
        (
            "- a\n- b\n",
            "FE023 1:1 a flow file consists of keys and values, as in `flow: hello`, and this is none"
            " = begin with `flow: <name>`",
        ),
        (
            "# x\nflow:hello\n",
            "FE023 2:1 a flow file consists of keys and values, as in `flow: hello`, and this is none"
            " = put a space after the colon",
        ),
        (
            "a: *b\n",
            "FE027 1:4 `*b` refers to an anchor `&b` that is not defined above"
            " = if it is text, put it in quotes",
        ),
        ("a: &b [*b]\n", "FE027 1:8 `*b` stands inside of the value that it refers to"),
        (
            "<<: {a: 1}\n",
            "FE028 1:1 the merge key `<<` is not part of YAML 1.2 and is not read = write the keys out",
        ),
        ("a: !b c\n", f"FE029 1:4 `!b` {TAG}"),
        ("a: &x !b {}\n", f"FE029 1:7 `!b` {TAG}"),
        ("a: !b!c d\n", f"FE029 1:4 `!b!c` {TAG}"),
        ("a: !!python/object:os.system x\n", f"FE029 1:4 `!!python/object:os.system` {TAG}"),
        ("a: !!str 5\n", f"FE029 1:4 `!!str` {TAG}"),
        (
            "a: {{ b }}\n",
            "FE030 1:4 `{{` begins a map whose key is a map; there are no templates in a flow file"
            " = if it is text, put it in quotes",
        ),
        ("? [a]\n: b\n", "FE030 1:3 a key must be text"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_in_one_sentence(text, expected):
    assert mistakes(text) == [expected]
    assert read_yaml("f.yaml", text).document is None


def test_the_number_of_levels_is_limited():
    assert read("a: " + "[" * 63 + "]" * 63)
    assert mistakes("a: " + "[" * 64 + "]" * 64) == ["FE024 1:67 values are nested more than 64 deep here"]


def test_brackets_without_end_are_given_up_at_the_limit():
    assert mistakes("[" * 200_000) == ["FE024 1:65 values are nested more than 64 deep here"]


def test_an_alias_counts_with_the_depth_of_its_value():
    deep = "a: &a " + "[" * 60 + "]" * 60
    assert read(f"{deep}\nb: [[*a]]\n")
    assert mistakes(f"{deep}\nb: [[[[*a]]]]\n") == ["FE024 2:8 values are nested more than 64 deep here"]


def test_the_number_of_values_is_limited():
    assert mistakes("a:\n" + "- 1\n" * 100_000) == [
        "FE025 99999:3 this file has more than 100,000 keys and values"
    ]


def test_what_aliases_stand_for_is_limited():
    lines = ["a0: &a0 [1, 2, 3, 4, 5, 6, 7, 8, 9]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    assert mistakes("\n".join(lines)) == [
        "FE026 5:10 the aliases of this file stand for more than 10,000 values"
        " = write the values out, or split the file"
    ]


def test_a_scalar_is_a_scalar_and_points_at_itself():
    value = read("a: |\n  one\n  two\nb: 1\n").root.entries["a"]
    assert isinstance(value.value, ScalarNode)
    assert value.value.value == "one\ntwo\n"
    assert value.place == value.key_span
