"""A workshop for each test: its workers are ended with it, and none of their vital threads may have died."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.proxy import Proxy
from tests.support.worker import Workshop


@pytest.fixture
def workshop(store) -> Iterator[Workshop]:
    workshop = Workshop(store)
    yield workshop
    workshop.close()
    assert workshop.deaths == []


@pytest.fixture
def proxy(server, store) -> Iterator[Proxy]:
    """A way to the server on which replies get lost."""
    with Proxy(server.socket_path, store) as proxy:
        yield proxy


@pytest.fixture
def shop(workshop, proxy) -> Iterator[Workshop]:
    """The workshop, to be closed before the proxy."""
    yield workshop
    proxy.thaw()
    workshop.close()
