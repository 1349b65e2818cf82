"""Events by hand, for what folds and shows them."""

from __future__ import annotations

from typing import Any

from engine.events.types import Event


def event(
    kind: str, step_id: str | None = None, *, number: int = 1, ts_ms: int = 1_000, **data: Any
) -> Event:
    """An event of the run `r` of the flow `f`; its step is read off its step id."""
    return Event(
        id=f"{number}-0",
        ts_ms=ts_ms,
        type=kind,
        run_id="r",
        flow_name="f",
        step_name=step_id and step_id.rpartition("#")[0],
        step_id=step_id,
        attempt=1 if step_id else None,
        data=data,
    )


def begun(*to: str) -> Event:
    """The first event of a run; without names, the entry is `a`."""
    return event("flow.start", version="v", input={"x": 1}, to=list(to or ["a#1"]))


def error(message: str = "no") -> dict[str, str]:
    """An error as events have it."""
    return {"type": "ValueError", "message": message}
