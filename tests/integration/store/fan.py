"""A flow that fans out, and its entry in hand: what the tests of staging and of laying out begin with."""

from __future__ import annotations

from engine.store.queue import LeasedJob
from tests.support.store import Driver

FAN = {
    "list": {"emits": ["item", "note"]},
    "work": {"subscribes": "item", "emits": ["done"]},
    "sum": {"subscribes": {"collect": "done"}},
}


def items(count: int, event: str = "item") -> list[tuple[str, int]]:
    """So many events, whose payloads are numbers."""
    return [(event, k) for k in range(count)]


def entry(driver: Driver) -> LeasedJob:
    """The entry of a new run `r`, leased."""
    driver.start(run_id="r")
    return driver.fetch_one()
