from __future__ import annotations

import json

import pytest

from engine.cli.result import result_lines

CENSUS = {
    "python": "3.11.2",
    "modules": 653,
    "docstring_coverage_percent": 43.3,
    "unreadable": [],
    "empty": None,
    "largest": [{"module": "pydoc_data/topics.py", "lines": 15711}, {"module": "typing.py", "lines": 351}],
}


def test_totals_and_short_lists_are_a_table():
    assert result_lines(CENSUS, width=80) == [
        "python                      3.11.2",
        "modules                     653",
        "docstring_coverage_percent  43.3",
        "unreadable                  []",
        "empty                       null",
        "largest",
        "  module                lines",
        "  pydoc_data/topics.py  15711",
        "  typing.py               351",
    ]


def test_what_is_json_on_one_line_stays_so():
    assert result_lines({"greeting": "Hello, Ada!"}, width=40) == ['{"greeting": "Hello, Ada!"}']
    assert result_lines("a", width=40) == ['"a"']
    assert result_lines(None, width=40) == ["null"]
    assert result_lines({}, width=40) == ["{}"]


def test_results_of_several_sinks_stand_under_the_names_of_their_steps():
    result = {"invoice": {"number": "2026-117", "total": 119.5}, "mail": {"sent": True}, "note": "x" * 60}
    assert result_lines(result, width=80) == [
        "invoice",
        "  number  2026-117",
        "  total   119.5",
        "mail",
        "  sent  true",
        f"note     {'x' * 60}",
    ]


def test_a_list_of_equal_objects_is_a_table_too():
    rows = [{"name": "a" * 40, "n": 1, "ok": True}, {"name": "b", "n": None, "ok": False}]
    assert result_lines(rows, width=80) == [
        f"name{' ' * 36}     n  ok",
        f"{'a' * 40}     1  true",
        f"b{' ' * 39}  null  false",
    ]


@pytest.mark.parametrize(
    "result",
    [
        {"deep": {"in": {"side": 1}}, "text": "x" * 80},
        {"rows": [{"a": 1}, {"b": 1}], "text": "x" * 80},
        {"rows": [{"a": [1]}, {"a": [2]}], "text": "x" * 80},
        {"rows": [{}, {}], "text": "x" * 80},
        {"rows": [1, {"a": 1}], "text": "x" * 80},
        {"rows": list(range(51))},
        ["x" * 60, "y" * 60],
        {"text": "x" * 200},
    ],
)
def test_what_is_no_table_or_does_not_fit_is_json(result):
    lines = result_lines(result, width=100)
    assert len(lines) > 1
    assert json.loads("\n".join(lines)) == result


def test_names_and_texts_cannot_rewrite_the_terminal():
    lines = result_lines({"a\x1b[2J": "b\nc", "d": "x" * 80}, width=100)
    assert lines[0].split() == ["a\\x1b[2J", "b\\nc"]
