"""What the tests of several rooms share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.proxy import Proxy


@pytest.fixture
def proxy(server, store) -> Iterator[Proxy]:
    """A way to the server on which replies get lost."""
    with Proxy(server.socket_path, store) as proxy:
        yield proxy
