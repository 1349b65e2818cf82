"""What the tests of whole processes share: who looks on, and projects whose processes end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.embedded.server import EmbeddedServer
from engine.store.connection import Store
from tests.acceptance.command import FLOW, HANDLERS
from tests.support.project import Mill
from tests.support.studio import Studio
from tests.support.worker import Workshop


@pytest.fixture
def shop(store: Store) -> Workshop:
    """Starts runs and reads what became of them; the workers are processes of their own."""
    return Workshop(store)


@pytest.fixture
def new_mill(tmp_path: Path, server: EmbeddedServer, prefix: str) -> Iterator[Callable[..., Mill]]:
    """Makes the mill of this test, with leases and threads of the test's choice."""
    mills: list[Mill] = []

    def make(*, lease: str, threads: int = 4) -> Mill:
        told = {
            "REDIS_URL": server.url,
            "REDIS_PREFIX": prefix,
            "WORKER_LEASE": lease,
            "WORKER_THREADS": str(threads),
        }
        mills.append(Mill(tmp_path, **{f"FLOWENGINE_{name}": value for name, value in told.items()}))
        return mills[-1]

    yield make
    for mill in mills:
        mill.close()


@pytest.fixture
def studio(tmp_path: Path) -> Iterator[Studio]:
    """The project `shop`, to be edited; its books are looked at when all is over."""
    studio = Studio(tmp_path)
    studio.write("flows/shop.yaml", FLOW)
    studio.write("handlers/shop.py", HANDLERS)
    yield studio
    studio.close()
