from __future__ import annotations

import json

import pytest

from engine.cli.output import (
    count_of,
    fit,
    format_duration,
    one_line,
    paint,
    pretty,
    table,
    to_json,
    wants_colour,
    width_of,
)


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (-5, "0 ms"),
        (0, "0 ms"),
        (0.4, "0 ms"),
        (999, "999 ms"),
        (1_000, "1.0 s"),
        (6_473, "6.5 s"),
        (9_949, "9.9 s"),
        (9_950, "10 s"),
        (30_000, "30 s"),
        (60_000, "1m 00s"),
        (125_000, "2m 05s"),
        (3_600_000, "1h 00m"),
        (5_025_000, "1h 24m"),
        (90_000_000, "1d 1h"),
    ],
)
def test_a_duration_is_told_in_two_units_at_most(duration_ms, text):
    assert format_duration(duration_ms) == text


@pytest.mark.parametrize(
    ("duration_ms", "text"),
    [
        (999.9, "999 ms"),
        (59_499, "59 s"),
        (59_500, "1m 00s"),
        (3_599_499, "59m 59s"),
        (3_599_500, "1h 00m"),
        (86_370_000, "1d 0h"),
    ],
)
def test_a_duration_that_is_rounded_up_to_the_next_unit_is_told_in_it(duration_ms, text):
    assert format_duration(duration_ms) == text


def test_line_breaks_and_escapes_cannot_rewrite_the_terminal():
    assert one_line("a\nb\tc\x1b[2J\u202e") == "a\\nb c\\x1b[2J\\u202e"


def test_wide_and_combining_characters_are_counted_as_columns():
    assert width_of("日本") == 4
    assert width_of("e\u0301") == 1


def test_a_text_is_cut_to_its_columns():
    assert fit("abcdef", 4) == "abc…"
    assert fit("日本語", 4) == "日…"
    assert fit("abc", 3) == "abc"
    assert fit("abc", 0) == ""


def test_columns_of_a_table_line_up_under_wide_characters():
    lines = table(("A", "B"), [("日本", "x"), ("y", "z")])
    assert lines == ["A     B", "日本  x", "y     z"]


def test_a_table_is_cut_at_the_right_edge():
    assert table(("A", "B"), [("x", "long text")], width=8) == ["A  B", "x  long…"]


def test_no_colour_where_it_is_off():
    assert paint("x", "red", is_on=False) == "x"
    assert paint("x", "red", is_on=True) == "\x1b[31mx\x1b[0m"


def test_colour_is_not_for_pipes(capsys):
    import sys

    assert not wants_colour(sys.stdout)


def test_counts_agree_with_their_noun():
    assert count_of(1, "flow") == "1 flow"
    assert count_of(0, "flow") == "0 flows"
    assert count_of(1_200, "flow") == "1,200 flows"


def test_json_is_indented_and_keeps_unicode():
    assert to_json({"a": "é"}) == '{\n  "a": "é"\n}'


def test_json_for_people_breaks_only_what_does_not_fit_a_line():
    value = {"small": {"a": [1, 2]}, "large": [{"name": "x" * 30, "n": 1}, {"name": "é" * 30, "n": 2}]}
    text = pretty(value, width=60)
    assert json.loads(text) == value
    assert text.splitlines() == [
        "{",
        '  "small": {"a": [1, 2]},',
        '  "large": [',
        '    {"name": "' + "x" * 30 + '", "n": 1},',
        '    {"name": "' + "é" * 30 + '", "n": 2}',
        "  ]",
        "}",
    ]
    assert pretty({"greeting": "Hello"}) == '{"greeting": "Hello"}'
    assert pretty(None) == "null"
    assert pretty([]) == "[]"
