"""Every Lua script says what it does before it does it."""

from __future__ import annotations

import re

import pytest

from tests.house.tree import texts

LUA = {path: text for path, text in texts().items() if path.suffix == ".lua"}

#: One operation each; what several of them share lies in a folder below.
SCRIPTS = {path: text for path, text in LUA.items() if path.parent.name == "scripts"}


def header_of(path):
    """The comment block at the top; a shebang may stand before it."""
    lines = LUA[path].splitlines()
    if lines and lines[0].startswith("#!"):
        lines = lines[1:]
    block = []
    for line in lines:
        if not line.startswith("--"):
            break
        block.append(line)
    return "\n".join(block)


def test_there_are_scripts():
    assert SCRIPTS
    assert all("engine/store/scripts" in path.parent.as_posix() for path in LUA)


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_a_script_begins_with_what_it_does_takes_and_returns(path):
    header = header_of(path)

    assert header.startswith(f"-- {path.stem}: ")
    for word in ("KEYS", "ARGV", "Returns"):
        assert re.search(rf"\b{word}\b", header, re.IGNORECASE), word


@pytest.mark.parametrize("path", LUA, ids=lambda path: path.name)
def test_what_scripts_share_says_what_it_is_too(path):
    assert header_of(path).startswith(f"-- {path.stem}: ")


@pytest.mark.parametrize("path", LUA, ids=lambda path: path.name)
def test_a_script_decodes_no_json(path):
    """What Python encoded passes through untouched."""
    assert "cjson" not in LUA[path]


@pytest.mark.parametrize("path", LUA, ids=lambda path: path.name)
def test_a_script_never_looks_through_all_keys(path):
    assert not re.search(r"""redis\.p?call\(\s*['"](KEYS|SCAN|FLUSH\w+)['"]""", LUA[path], re.IGNORECASE)
