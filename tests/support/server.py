"""Servers that a test may treat as it likes."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.embedded.probe import server_state
from tests.support.wait import wait_until

#: The oldest Redis that the engine promises to work on.
OLDEST_REDIS = (7, 0)


def redis_binary() -> str:
    """The `redis-server` of the PATH; the test is skipped where there is none, and fails in CI."""
    binary = shutil.which("redis-server")
    version = _version(binary) if binary else None
    if binary is None or version is None or version < OLDEST_REDIS:
        notice = "no redis-server of version 7.0 or newer on the PATH (Debian: apt install redis-server)"
        if os.environ.get("CI"):
            pytest.fail(notice)
        pytest.skip(notice)
    return binary


def _version(binary: str) -> tuple[int, int] | None:
    said = subprocess.run([binary, "--version"], check=True, capture_output=True, text=True).stdout
    match = re.search(r"Redis server v=([0-9]+)\.([0-9]+)", said)
    return (int(match[1]), int(match[2])) if match else None


@contextmanager
def serving(binary: str, **settings: str) -> Iterator[str]:
    """Run a server in a folder of its own, and yield its URL; `_` in a setting's name stands for `-`."""
    with tempfile.TemporaryDirectory(prefix="flowengine-redis-") as name:
        folder = Path(name).resolve()
        socket = folder / "s"
        chosen = {"port": "0", "unixsocket": str(socket), "dir": str(folder), "save": ""}
        chosen |= {"appendonly": "yes", "maxmemory-policy": "noeviction"}
        chosen |= {key.replace("_", "-"): value for key, value in settings.items()}
        command = [binary, *(part for key, value in chosen.items() for part in (f"--{key}", value))]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            wait_until(lambda: server_state(socket, folder) == "ours", saw=(folder / "log").read_text)
            yield f"unix://{socket}"
        finally:
            process.terminate()
            process.wait()
