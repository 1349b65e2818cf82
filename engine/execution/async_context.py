"""What an `async def` handler is given: a context whose reads are awaited."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from .context import StepContext, StepFlow, StepLogger, StepState


class AsyncStepContext:
    """The `AsyncContext` of one attempt. What waits for the store does so in a thread, never on the loop."""

    __slots__ = ("_context", "_flow", "_state")

    def __init__(self, context: StepContext) -> None:
        self._context = context
        self._state: AsyncStepState | None = None
        self._flow: AsyncStepFlow | None = None

    @property
    def logger(self) -> StepLogger:
        """Writes `log` events of the run."""
        return self._context.logger

    @property
    def state(self) -> AsyncStepState:
        """Values that the steps of the run share."""
        if self._state is None:
            self._state = AsyncStepState(self._context.state)
        return self._state

    @property
    def flow(self) -> AsyncStepFlow:
        """The run, and how to emit."""
        if self._flow is None:
            self._flow = AsyncStepFlow(self._context.flow)
        return self._flow

    @property
    def idempotency_key(self) -> str:
        """Names this piece of work, the same on every attempt."""
        return self._context.idempotency_key

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the step is, from 0 to 1."""
        self._context.progress(fraction, message)


class AsyncStepState:
    """Values that the steps of the run share; what this attempt changed is seen at once."""

    __slots__ = ("_counting", "_state")

    def __init__(self, state: StepState) -> None:
        self._state = state
        self._counting = asyncio.Lock()

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return await asyncio.to_thread(self._state.get, key, default)

    async def set(self, key: str, value: Any) -> None:
        """Set a key to a JSON-able value; None counts as absent when it is read."""
        self._state.set(key, value)

    async def delete(self, key: str) -> None:
        """Remove a key."""
        self._state.delete(key)

    async def incr(self, key: str, by: float = 1) -> Any:
        """Add to a number, 0 where there is none.

        Raises:
            PayloadError: `by` or the present value is not a number.
        """
        # One at a time: two tasks of one handler must not both count up from the value that both have read.
        async with self._counting:
            return await asyncio.to_thread(self._state.incr, key, by)


class AsyncStepFlow:
    """The run, and how to emit."""

    __slots__ = ("_flow",)

    def __init__(self, flow: StepFlow) -> None:
        self._flow = flow

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self._flow.run_id

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self._flow.name

    @property
    def input(self) -> Awaitable[Any]:
        """What the run was started with."""
        return asyncio.to_thread(lambda: self._flow.input)

    def emit(self, event: str, payload: Any = None) -> None:
        """Announce an event that the step declares."""
        self._flow.emit(event, payload)
