from __future__ import annotations

import io
import sys

import pytest

from engine.cli.failure import UsageError
from engine.cli.inputs import parse_pairs, parse_value, read_input


def test_no_pair_makes_an_empty_object():
    assert parse_pairs([]) == {}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Ada", "Ada"),
        ("", ""),
        ("3", 3),
        ("-2.5", -2.5),
        ("true", True),
        ("null", None),
        ('{"a": [1]}', {"a": [1]}),
        ('"3"', "3"),
        ("007", "007"),
        ("NaN", "NaN"),
        ("a=b", "a=b"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("{broken", "{broken"),
    ],
)
def test_a_value_is_json_if_it_parses_and_text_if_not(text, value):
    assert parse_value(text) == value


def test_pairs_make_an_object():
    assert parse_pairs(["name=Ada", "n=3", "expr=a=b"]) == {"name": "Ada", "n": 3, "expr": "a=b"}


@pytest.mark.parametrize("pair", ["name", "=x", ""])
def test_a_pair_without_key_or_equals_sign_says_what_to_write(pair):
    with pytest.raises(UsageError, match="such as -i name=Ada"):
        parse_pairs([pair])


def test_a_key_that_comes_twice_is_refused():
    with pytest.raises(UsageError, match="`a` is given twice"):
        parse_pairs(["a=1", "a=2"])


def test_both_ways_at_once_are_refused(tmp_path):
    with pytest.raises(UsageError, match="only one of them"):
        read_input(["a=1"], str(tmp_path / "x.json"))


def test_a_file_gives_the_whole_input(tmp_path):
    path = tmp_path / "in.json"
    path.write_text("[1, 2]")
    assert read_input([], str(path)) == [1, 2]


def test_stdin_gives_the_whole_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b'"x"')))
    assert read_input([], "-") == "x"


def test_broken_json_is_named_with_its_place(tmp_path):
    path = tmp_path / "in.json"
    path.write_text('{"a":\n  oops}')
    with pytest.raises(UsageError, match=r"in\.json` is not JSON \(line 2, column 3"):
        read_input([], str(path))


def test_a_missing_file_is_named():
    with pytest.raises(UsageError, match=r"there is no file `nowhere\.json`"):
        read_input([], "nowhere.json")


def test_a_folder_is_no_input(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        read_input([], str(tmp_path))


def test_bytes_that_are_no_text_are_refused(tmp_path):
    with pytest.raises(UsageError, match="this is not UTF-8"):
        parse_pairs(["name=\udcff"])
    path = tmp_path / "in.json"
    path.write_bytes(b'"\xff"')
    with pytest.raises(UsageError, match=r"is not UTF-8 \(byte 2\)"):
        read_input([], str(path))
