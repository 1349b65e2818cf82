"""The tests of the store run on the embedded server and on the oldest Redis that is promised."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from engine.store.connection import Store


@pytest.fixture(params=["embedded", "redis"])
def store(request: pytest.FixtureRequest, open_store: Callable[[str], Store]) -> Store:
    """The store of this test's prefix."""
    if request.param == "redis":
        url: str = request.getfixturevalue("debian_redis")
        return open_store(url)
    return open_store(request.getfixturevalue("server").url)
