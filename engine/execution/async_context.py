"""What an `async def` handler is given: a context whose reads are awaited."""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Executor
from types import CoroutineType
from typing import Any, Concatenate, Final, ParamSpec, TypeVar, cast

from .context import StepContext, StepFlow, StepLogger, StepState

P = ParamSpec("P")
T = TypeVar("T")

#: Calls of one handler that are remembered before those that have begun are forgotten.
_MOST_CALLS: Final = 64


class AsyncStepContext:
    """The `AsyncContext` of one attempt. What waits for the store does so in a thread, never on the loop."""

    __slots__ = ("_aside", "_calls", "_context", "_flow", "_state")

    def __init__(self, context: StepContext, aside: Executor, calls: Calls) -> None:
        self._context = context
        self._aside = aside
        self._calls = calls
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
            self._state = AsyncStepState(self._context.state, self._aside, self._calls)
        return self._state

    @property
    def flow(self) -> AsyncStepFlow:
        """The run, and how to emit."""
        if self._flow is None:
            self._flow = AsyncStepFlow(self._context.flow, self._aside)
        return self._flow

    @property
    def idempotency_key(self) -> str:
        """Names this piece of work, the same on every attempt."""
        return self._context.idempotency_key

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the step is, from 0 to 1."""
        self._context.progress(fraction, message)


class Calls:
    """The changes of the state that an `async def` handler has asked for, each of which is to be awaited."""

    __slots__ = ("_asked",)

    def __init__(self) -> None:
        self._asked: list[CoroutineType[Any, Any, Any]] = []

    def remember(self, call: CoroutineType[Any, Any, Any]) -> None:
        """Remember a call until it has begun."""
        self._asked.append(call)
        if len(self._asked) > _MOST_CALLS:
            self._asked = self._unawaited()

    def end(self) -> str | None:
        """Close what was never awaited, when the handler is over; answers the name of the first."""
        unawaited = self._unawaited()
        for call in unawaited:
            call.close()
        return unawaited[0].__name__ if unawaited else None

    def _unawaited(self) -> list[CoroutineType[Any, Any, Any]]:
        return [call for call in self._asked if inspect.getcoroutinestate(call) == inspect.CORO_CREATED]


def _remembered(
    ask: Callable[Concatenate[AsyncStepState, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[AsyncStepState, P], Coroutine[Any, Any, T]]:
    """A call that is remembered until it has begun."""

    @functools.wraps(ask)
    def remember(self: AsyncStepState, /, *args: P.args, **kwargs: P.kwargs) -> Coroutine[Any, Any, T]:
        call = ask(self, *args, **kwargs)
        self._calls.remember(cast("CoroutineType[Any, Any, Any]", call))
        return call

    return remember


class AsyncStepState:
    """Values that the steps of the run share; what this attempt changed is seen at once.

    One call at a time: of two tasks of one handler that change a key, the one must not count up from a
    value that the other has replaced meanwhile.
    """

    __slots__ = ("_aside", "_calls", "_one_at_a_time", "_state")

    def __init__(self, state: StepState, aside: Executor, calls: Calls) -> None:
        self._state = state
        self._aside = aside
        self._one_at_a_time = asyncio.Lock()
        self._calls = calls

    async def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        async with self._one_at_a_time:
            return await asyncio.get_running_loop().run_in_executor(
                self._aside, self._state.get, key, default
            )

    @_remembered
    async def set(self, key: str, value: Any) -> None:
        """Set a key to a JSON-able value; None counts as absent when it is read."""
        async with self._one_at_a_time:
            self._state.set(key, value)

    @_remembered
    async def delete(self, key: str) -> None:
        """Remove a key."""
        async with self._one_at_a_time:
            self._state.delete(key)

    @_remembered
    async def incr(self, key: str, by: float = 1) -> Any:
        """Add to a number, 0 where there is none.

        Raises:
            PayloadError: `by` or the present value is not a number.
        """
        async with self._one_at_a_time:
            return await asyncio.get_running_loop().run_in_executor(self._aside, self._state.incr, key, by)


class AsyncStepFlow:
    """The run, and how to emit."""

    __slots__ = ("_aside", "_flow")

    def __init__(self, flow: StepFlow, aside: Executor) -> None:
        self._flow = flow
        self._aside = aside

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
        return self._read_input()

    async def _read_input(self) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._aside, lambda: self._flow.input)

    def emit(self, event: str, payload: Any = None) -> None:
        """Announce an event that the step declares."""
        self._flow.emit(event, payload)
