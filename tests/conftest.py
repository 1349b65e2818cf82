"""Servers and namespaces: real servers, one a session; a prefix of keys for each test.

Fixtures that make stores, and the checks after each test (every key has a TTL or is
permanent; `fold(log) == ledger`), are built on `server` and `prefix`.
"""

from __future__ import annotations

import itertools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

from engine.embedded.probe import server_state
from engine.embedded.server import EmbeddedServer
from tests.support.wait import wait_until

# No test asserts a wall-clock time, and examples run on whatever else the machine does.
hypothesis.settings.register_profile("flowengine", deadline=None)
hypothesis.settings.load_profile("flowengine")

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[EmbeddedServer]:
    """An embedded server of this session alone."""
    with (
        tempfile.TemporaryDirectory(prefix="flowengine-tests-") as folder,
        EmbeddedServer(Path(folder)) as one,
    ):
        yield one


@pytest.fixture
def prefix() -> str:
    """First part of the keys of this test: no other test has it."""
    return f"t{next(_numbers)}"


@pytest.fixture(scope="session")
def debian_redis() -> Iterator[str]:
    """The URL of a Redis from the PATH, the oldest that the engine promises to work on."""
    binary = shutil.which("redis-server")
    version = _redis_version(binary) if binary else None
    if binary is None or version is None or version < (7, 0):
        notice = "no redis-server of version 7.0 or newer on the PATH (Debian: apt install redis-server)"
        if os.environ.get("CI"):
            pytest.fail(notice)
        pytest.skip(notice)
    with tempfile.TemporaryDirectory(prefix="flowengine-redis-") as name:
        folder = Path(name).resolve()
        socket = folder / "s"
        settings = ["--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--save", ""]
        settings += ["--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen([binary, *settings], stdout=log, stderr=log)
        try:
            wait_until(lambda: server_state(socket, folder) == "ours", saw=(folder / "log").read_text)
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait()


def _redis_version(binary: str) -> tuple[int, int] | None:
    said = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout
    match = re.search(r"Redis server v=([0-9]+)\.([0-9]+)", said)
    return (int(match[1]), int(match[2])) if match else None
