"""The tests of the store run on the embedded server and on the oldest Redis that is promised."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from engine.embedded.binary import find_server_binary
from engine.store.connection import Store
from tests.support.books import audit
from tests.support.server import redis_binary, serving


@pytest.fixture(params=["embedded", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the server of this test is."""
    found = request.getfixturevalue("server" if request.param == "embedded" else "debian_redis")
    return found if isinstance(found, str) else str(found.url)


@pytest.fixture
def store(url: str, open_store: Callable[..., Store]) -> Store:
    """The store of this test's prefix."""
    return open_store(url)


@pytest.fixture(params=["embedded", "redis"])
def own_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A server that no other test uses, so that its settings and connections may be changed."""
    with serving(redis_binary() if request.param == "redis" else str(find_server_binary())) as url:
        yield url


@pytest.fixture
def own_store(own_url: str, open_store: Callable[..., Store]) -> Iterator[Store]:
    """The store of this test's prefix on such a server."""
    store = open_store(own_url)
    yield store
    audit(store)
