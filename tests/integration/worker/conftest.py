"""A workshop for each test: its workers are ended with it, and none of their vital threads may have died."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.worker import Workshop


@pytest.fixture
def workshop(store) -> Iterator[Workshop]:
    workshop = Workshop(store)
    yield workshop
    workshop.close()
    assert workshop.deaths == []


@pytest.fixture
def shop(workshop, proxy) -> Iterator[Workshop]:
    """The workshop, to be closed before the proxy."""
    yield workshop
    proxy.thaw()
    workshop.close()
