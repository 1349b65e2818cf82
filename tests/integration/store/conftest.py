"""The tests of the store run on the embedded server and on the oldest Redis that is promised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.store.connection import Store


@pytest.fixture(params=["embedded", "redis"])
def url(request: pytest.FixtureRequest) -> str:
    """Where the server of this test is."""
    found = request.getfixturevalue("server" if request.param == "embedded" else "debian_redis")
    return found if isinstance(found, str) else str(found.url)


@pytest.fixture
def store(url: str, open_store: Callable[..., Store]) -> Store:
    """The store of this test's prefix."""
    return open_store(url)
