from __future__ import annotations

import io
import re
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
        ("²", "²"),
        ("-", "-"),
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


AMBIGUOUS = [
    ('{"a": 12345678901234567890123}', "the whole number 12345678901234567890123, over 64 bits"),
    ("[[-9223372036854775809]]", "the whole number -9223372036854775809, over 64 bits"),
    ("[1" + "0" * 250 + "]", "the whole number 1000"),
    ('{"a": {"b": 1, "b": 2}}', 'the key "b" twice in one object'),
    ('{"a": 1, "\\u0061": 2}', 'the key "a" twice in one object'),
    ("[" * 1_010 + "]" * 1_010, "values nested too deeply"),
]


@pytest.mark.parametrize(("text", "sentence"), AMBIGUOUS)
def test_json_that_would_not_be_kept_as_it_is_written_is_refused(tmp_path, text, sentence):
    path = tmp_path / "in.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=re.escape(f"in.json` has {sentence}")) as refused:
        read_input([], str(path))
    assert len(str(refused.value)) < 250
    with pytest.raises(UsageError, match=re.escape(f"-i x=…: the value has {sentence}")):
        parse_pairs([f"x={text}"])


@pytest.mark.parametrize("number", [-(2**63), 2**63, 2**64 - 1])
def test_whole_numbers_of_64_bits_are_kept(tmp_path, number):
    path = tmp_path / "in.json"
    path.write_text(f"[{number}]")
    assert read_input([], str(path)) == [number]
    assert parse_value(str(number)) == number
