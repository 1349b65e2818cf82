"""Bytes as text, offsets as places."""

from __future__ import annotations

import pytest

from engine.declare.diagnostic import Diagnostic
from engine.declare.document import MAX_FILE_BYTES, Places, decode
from engine.declare.span import Span

from .telling import told


def test_text_is_decoded_without_its_byte_order_mark():
    assert decode("f", "\ufeffflow: é".encode()) == "flow: é"


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (
            b"a: \xff\n",
            "FE003 1:4 this file is not UTF-8: byte 0xff at offset 3 does not fit = save it as UTF-8",
        ),
        (
            "a: é\nb: ".encode() + b"\xe9\n",
            "FE003 2:4 this file is not UTF-8: byte 0xe9 at offset 9 does not fit = save it as UTF-8",
        ),
        ("a: b".encode("utf-16"), "FE003 1:1 this file is in UTF-16 = save it as UTF-8"),
        (
            b"a: b\nc: \x00\n",
            "FE003 2:4 this file has a character that is not text, U+0000, at this place = remove it",
        ),
        (
            b"x" * (MAX_FILE_BYTES + 1),
            "FE002 1:1 this file is larger than 1,000,000 bytes, the most that a flow file may have",
        ),
    ],
)
def test_what_is_no_text_is_told_with_its_place(data, expected):
    found = decode("f", data)
    assert isinstance(found, Diagnostic)
    assert told([found]) == [expected]


def test_a_place_counts_lines_and_code_points_from_one():
    places = Places("f", "ab\né😀x\n")
    assert places.span(0, 2) == Span("f", 1, 1, 1, 3)
    assert places.span(4, 6) == Span("f", 2, 2, 2, 4)
    assert places.span(1, 5) == Span("f", 1, 2, 2, 3)


def test_a_place_never_ends_before_it_begins():
    assert Places("f", "abc").span(2, 1) == Span("f", 1, 3, 1, 3)
