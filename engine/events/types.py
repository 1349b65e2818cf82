"""The kinds of event that a run's log and the registry's stream hold, and events as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

FLOW_START: Final = "flow.start"
FLOW_CANCELLING: Final = "flow.cancelling"
FLOW_COMPLETED: Final = "flow.completed"
FLOW_FAILED: Final = "flow.failed"
FLOW_CANCELLED: Final = "flow.cancelled"

STEP_STARTED: Final = "step.started"
STEP_COMPLETED: Final = "step.completed"
STEP_FAILED: Final = "step.failed"
STEP_SKIPPED: Final = "step.skipped"
STEP_RETRY: Final = "step.retry"
STEP_LOST: Final = "step.lost"
STEP_UNROUTABLE: Final = "step.unroutable"

LOG: Final = "log"
EMIT: Final = "emit"
STATE: Final = "state"

#: What happens to the registry, and so is in the log of no run.
REGISTRY_UPDATED: Final = "registry.updated"
REGISTRY_REJECTED: Final = "registry.rejected"

#: Events after which nothing more is written to a run's log.
TERMINAL: Final = frozenset({FLOW_COMPLETED, FLOW_FAILED, FLOW_CANCELLED})

#: Events that settle an activation: it is never handed out again.
SETTLING: Final = frozenset({STEP_COMPLETED, STEP_FAILED, STEP_SKIPPED})

#: Every type that this release writes; readers keep types that they do not know.
ALL_TYPES: Final = (
    TERMINAL
    | SETTLING
    | {
        FLOW_START,
        FLOW_CANCELLING,
        STEP_STARTED,
        STEP_RETRY,
        STEP_LOST,
        STEP_UNROUTABLE,
        LOG,
        EMIT,
        STATE,
    }
)

#: The same of the registry.
REGISTRY_TYPES: Final = frozenset({REGISTRY_UPDATED, REGISTRY_REJECTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One entry of a run's log.

    Attributes:
        id: Redis stream id, `<ms>-<n>`; ids order events, times do not.
        ts_ms: When it happened by Redis's clock, in milliseconds since the epoch.
        type: One of `ALL_TYPES`, or a type of a newer release.
        run_id: The run.
        flow_name: The run's flow.
        step_name: The step, or None for an event of the run itself.
        step_id: The activation, `<step>#<n>`, or None.
        attempt: Number of the attempt, from 1, or None.
        data: What the type says, as in `docs/events.md`.
    """

    id: str
    ts_ms: int
    type: str
    run_id: str
    flow_name: str
    step_name: str | None = None
    step_id: str | None = None
    attempt: int | None = None
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryEvent:
    """One entry of the registry's stream.

    Attributes:
        id: Redis stream id, `<ms>-<n>`.
        ts_ms: When it was announced, by Redis's clock, in milliseconds since the epoch.
        type: One of `REGISTRY_TYPES`, or a type of a newer release.
        data: What the type says, as in `docs/events.md`.
    """

    id: str
    ts_ms: int
    type: str
    data: Mapping[str, Any] = field(default_factory=dict)


def order_of(event_id: str) -> tuple[int, int]:
    """What orders event ids, which as texts would not sort so."""
    ms, _, number = event_id.partition("-")
    return int(ms), int(number)
