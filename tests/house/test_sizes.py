"""Modules stay small enough to be read in one go."""

from __future__ import annotations

from tests.house.tree import ROOT, tracked

MAX_LINES = 320

#: Modules that are longer, each with the reason why it is still one.
LONGER: dict[str, str] = {}

#: Names that say nothing of what is inside; such modules grow for ever.
EMPTY_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "base", "manager", "misc"}


def modules():
    return [path for path in tracked() if path.parts[0] == "engine" and path.suffix in {".py", ".lua"}]


def test_no_module_is_too_long():
    lengths = {str(path): len((ROOT / path).read_text().splitlines()) for path in modules()}
    too_long = {path for path, lines in lengths.items() if lines > MAX_LINES}

    assert too_long == set(LONGER), {path: lengths[path] for path in too_long}


def test_no_module_has_an_empty_name():
    assert [str(path) for path in modules() if path.stem in EMPTY_NAMES] == []


def test_every_module_says_what_it_is():
    """ruff checks the docstrings of all but empty files."""
    assert [str(path) for path in modules() if not (ROOT / path).read_text().strip()] == []
