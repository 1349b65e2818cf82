"""The contract with user code: what a handler is given.

A handler is `def f(job, ctx)` or `async def f(job, ctx)`. It may emit the events that its
step declares, and what it returns is the step's result. What it emits and sets becomes real together with its
result, in one transition, or not at all; it may run more than once, so a side effect
outside should carry `ctx.idempotency_key`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Job:
    """What a handler works on.

    Attributes:
        id: `<runId>/<step>#<n>`, the same on every attempt.
        data: The run's input for the entry; the payload of the event; for `all` an object of the first
            payload of each event by name, for `collect` the list of all payloads in their order.
        event: The event that made this due, of several the last one; empty for the entry.
        attempt: Number of this attempt, from 1.
    """

    id: str
    data: Any
    event: str
    attempt: int


class Logger(Protocol):
    """Writes `log` events of the run."""

    def log(self, level: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of a level, with JSON-able data."""

    def debug(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `debug`."""

    def info(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `info`."""

    def warning(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `warning`."""

    def error(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `error`."""


class State(Protocol):
    """Values that the steps of a run share.

    Reading sees what is committed and what this attempt has changed; changes are committed
    with the step. Sums of `incr` are exact whoever else counts.
    """

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""

    def set(self, key: str, value: Any) -> None:
        """Set a key to a JSON-able value."""

    def delete(self, key: str) -> None:
        """Remove a key."""

    def incr(self, key: str, by: float = 1) -> Any:
        """Add to a number, 0 where there is none; answers this attempt's view of the sum."""


class Flow(Protocol):
    """The run that a handler works for."""

    @property
    def run_id(self) -> str:
        """Id of the run."""

    @property
    def name(self) -> str:
        """Name of the flow."""

    @property
    def input(self) -> Any:
        """What the run was started with; read from its log when first asked for."""

    def emit(self, event: str, payload: Any = None) -> None:
        """Announce an event that the step declares, with a JSON-able payload.

        Raises:
            EmitNotDeclared: The step does not declare it; the step fails even if this is caught.
            PayloadError: The payload is not JSON or is too large.
        """


class AsyncState(Protocol):
    """As `State`, for an `async def` handler."""

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""

    async def set(self, key: str, value: Any) -> None:
        """Set a key to a JSON-able value."""

    async def delete(self, key: str) -> None:
        """Remove a key."""

    async def incr(self, key: str, by: float = 1) -> Any:
        """Add to a number, 0 where there is none; answers this attempt's view of the sum."""


class AsyncFlow(Protocol):
    """As `Flow`, for an `async def` handler."""

    @property
    def run_id(self) -> str:
        """Id of the run."""

    @property
    def name(self) -> str:
        """Name of the flow."""

    @property
    def input(self) -> Awaitable[Any]:
        """What the run was started with: `await ctx.flow.input`."""

    def emit(self, event: str, payload: Any = None) -> None:
        """Announce an event that the step declares, with a JSON-able payload; nothing is waited for.

        Raises:
            EmitNotDeclared: The step does not declare it; the step fails even if this is caught.
            PayloadError: The payload is not JSON or is too large.
        """


class Context(Protocol):
    """What a handler can do besides returning a result."""

    @property
    def logger(self) -> Logger:
        """Writes `log` events of the run."""

    @property
    def state(self) -> State:
        """Values that the steps of the run share."""

    @property
    def flow(self) -> Flow:
        """The run, and how to emit."""

    @property
    def idempotency_key(self) -> str:
        """Names this piece of work, the same on every attempt: `<runId>/<step>/<path>`."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the step is, from 0 to 1; shown live and kept in the log."""


class AsyncContext(Protocol):
    """What an `async def` handler can do besides returning a result.

    Handlers of this kind share one event loop in each worker process: what blocks one blocks all.
    """

    @property
    def logger(self) -> Logger:
        """Writes `log` events of the run; nothing is waited for."""

    @property
    def state(self) -> AsyncState:
        """Values that the steps of the run share."""

    @property
    def flow(self) -> AsyncFlow:
        """The run, and how to emit."""

    @property
    def idempotency_key(self) -> str:
        """Names this piece of work, the same on every attempt: `<runId>/<step>/<path>`."""

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the step is, from 0 to 1; shown live and kept in the log."""
