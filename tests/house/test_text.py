"""The tree speaks of itself alone: nothing unfinished, nothing of one machine."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.house.tree import texts

# Spelled in pieces, so that this file does not hold what it looks for.
UNFINISHED = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "XX" + "X", "HA" + "CK"]) + r")\b")
HOME = re.compile(r"/(?:home|Users|root)/\w")

FILES = texts()


def lines_with(pattern):
    found = []
    for path, text in FILES.items():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                found.append(f"{path}:{number}: {line.strip()}")
    return found


def test_nothing_is_marked_as_unfinished():
    assert lines_with(UNFINISHED) == []


def test_no_path_of_somebodys_machine():
    assert lines_with(HOME) == []


@pytest.mark.parametrize("path", FILES, ids=str)
def test_text_ends_with_a_line_break_and_has_no_tabs_where_spaces_are_meant(path):
    text = FILES[path]

    assert not text or text.endswith("\n")
    assert "\r" not in text
    if path.name != "Makefile":
        assert not re.search(r"^ *\t", text, re.MULTILINE)


def test_constraints_name_plain_releases():
    """No addresses: the file must serve whichever index a machine has."""
    lines = FILES[Path("constraints.txt")].splitlines()

    assert [one for one in lines if not re.fullmatch(r"#.*|[\w.-]+==[\w.]+", one)] == []
