"""Servers and namespaces: real servers, one a session; a prefix of keys for each test.

After each test with a prefix the books are checked: `fold(log) == ledger` for every run, and
every key has a TTL or is permanent. Then its keys are removed.
"""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from engine.embedded.server import EmbeddedServer
from engine.store.connection import Store
from tests.support.books import audit, keys_of
from tests.support.server import redis_binary, serving

# No test asserts a wall-clock time, and examples run on whatever else the machine does. In CI the
# same examples come every time; `pytest --hypothesis-profile=thorough` looks for new ones at length.
hypothesis.settings.register_profile("flowengine", deadline=None, derandomize=bool(os.environ.get("CI")))
hypothesis.settings.register_profile("thorough", deadline=None, max_examples=2_000)
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


@pytest.fixture
def open_store(prefix: str) -> Iterator[Callable[..., Store]]:
    """Opens the store of this test's prefix at a URL; closes it afterwards."""
    opened = []

    def open_one(url: str, *, events_max_len: int = 100_000) -> Store:
        store = Store(url, address="here", prefix=prefix, events_max_len=events_max_len)
        opened.append(store)
        return store

    yield open_one
    for store in opened:
        store.close()


@pytest.fixture
def store(server: EmbeddedServer, open_store: Callable[..., Store]) -> Store:
    """The store of this test's prefix on the session's server."""
    return open_store(server.url)


@pytest.fixture(autouse=True)
def _books_are_right(request: pytest.FixtureRequest) -> Iterator[None]:
    """Check what a test has left under its prefix, whoever wrote it, and remove it."""
    prefix = request.getfixturevalue("prefix") if "prefix" in request.fixturenames else None
    yield
    for name in {"server", "debian_redis"} & set(request.fixturenames) if prefix else ():
        found = request.getfixturevalue(name)
        url = found if isinstance(found, str) else found.url
        store = Store(url, address="here", prefix=prefix or "", events_max_len=100_000)
        try:
            audit(store)
        finally:
            with store.talking() as client:
                client.unlink(*keys_of(store), f"{prefix}:-")
            store.close()


@pytest.fixture(scope="session")
def debian_redis() -> Iterator[str]:
    """The URL of a Redis from the PATH, the oldest that the engine promises to work on."""
    with serving(redis_binary()) as url:
        yield url
