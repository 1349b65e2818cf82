"""What a handler is given: the concrete `Context`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from engine.clock import ServerClock
from engine.compile.plan import StepPlan
from engine.errors import EmitNotDeclared, PayloadError
from engine.events.codec import as_text, decode_json, encode_json
from engine.events.record import BufferedEvent, Change, Emitted
from engine.events.types import LOG
from engine.store.queue import LeasedJob

from .attempt import MAX_EVENTS, MAX_EVENTS_BYTES, MAX_MESSAGE, Attempt, Phase

#: Changes of the handler state that one attempt may make; they ride on its settlement.
MAX_CHANGES: Final = 200

#: What stands in the log instead of what an attempt logs beyond its bounds.
_FULL: Final = encode_json(
    {"level": "warning", "message": "too many log lines in one attempt: the rest is dropped"}
)


@dataclass(frozen=True, slots=True)
class Services:
    """What contexts need from the process that they live in.

    Attributes:
        clock: The server's time.
        buffered: Called after an event was buffered: it should be on its way within 10 ms.
        read_state: `(run_id, key)` → the committed value of the run's state, or None.
        read_input: `run_id` → what the run was started with.
        read_inputs: Reads what a step that joins or collects works on, as JSON.
        aside: Threads in which all of this is read for `async def` handlers.
        payload_bytes: Largest payload, result or value of the state.
        fan_out: Events that one attempt may emit.
        gather_bytes: Bytes of the payloads of all of them.
    """

    clock: ServerClock
    buffered: Callable[[Attempt], None]
    read_state: Callable[[str, str], Any]
    read_input: Callable[[str], Any]
    read_inputs: Callable[[LeasedJob, StepPlan], bytes]
    aside: Executor
    payload_bytes: int
    fan_out: int
    gather_bytes: int

    def encode(self, value: Any, what: str) -> bytes:
        """A value as JSON within the limit.

        Raises:
            PayloadError: It is not JSON, or too large; the message begins with `what`.
        """
        try:
            raw = encode_json(value)
        except PayloadError as error:
            raise PayloadError(f"{what} cannot be recorded: {error}") from error
        if len(raw) > self.payload_bytes:
            raise PayloadError(
                f"{what} has {len(raw):,} bytes, the limit is {self.payload_bytes:,}: "
                f"raise `limits.payload_bytes`, or pass a reference to what is kept elsewhere"
            )
        return raw


class StepContext:
    """The `Context` of one attempt; its parts are made when first asked for."""

    __slots__ = ("_attempt", "_flow", "_logger", "_services", "_state", "_step")

    def __init__(self, attempt: Attempt, step: StepPlan, services: Services) -> None:
        self._attempt = attempt
        self._step = step
        self._services = services
        self._logger: StepLogger | None = None
        self._state: StepState | None = None
        self._flow: StepFlow | None = None

    @property
    def logger(self) -> StepLogger:
        """Writes `log` events of the run."""
        if self._logger is None:
            self._logger = StepLogger(self._attempt, self._services)
        return self._logger

    @property
    def state(self) -> StepState:
        """Values that the steps of the run share."""
        if self._state is None:
            self._state = StepState(self._attempt, self._services)
        return self._state

    @property
    def flow(self) -> StepFlow:
        """The run, and how to emit."""
        if self._flow is None:
            self._flow = StepFlow(self._attempt, self._step, self._services)
        return self._flow

    @property
    def idempotency_key(self) -> str:
        """Names this piece of work, the same on every attempt."""
        job = self._attempt.job
        return f"{job.run_id}/{job.step}/{job.path}"

    def progress(self, fraction: float, message: str = "") -> None:
        """Say how far the step is, from 0 to 1."""
        bounded = min(1.0, max(0.0, float(fraction)))
        self.logger.log("info", message or f"{bounded:.0%}", {"progress": round(bounded, 4)})


class StepLogger:
    """Writes `log` events of the run."""

    __slots__ = ("_attempt", "_services")

    def __init__(self, attempt: Attempt, services: Services) -> None:
        self._attempt = attempt
        self._services = services

    def log(self, level: str, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of a level, with JSON-able data.

        Raises:
            PayloadError: The data is no mapping, not JSON or too large.
        """
        if data is not None and not isinstance(data, Mapping):
            raise PayloadError(
                f"the data of a log line is a mapping, not {type(data).__name__}: "
                f'write {{"name": value}}, or put the value into the message'
            )
        body: dict[str, Any] = {"level": level, "message": as_text(str(message))[:MAX_MESSAGE]}
        if data is not None:
            body["data"] = dict(data)
        raw = self._services.encode(body, "this log line")
        attempt = self._attempt
        if attempt.is_full:
            return
        attempt.events_bytes += len(raw)
        if len(attempt.events) == MAX_EVENTS or attempt.events_bytes > MAX_EVENTS_BYTES:
            attempt.is_full = True
            raw = _FULL
        attempt.events.append(BufferedEvent(LOG, self._services.clock.now_ms(), raw))
        self._services.buffered(attempt)

    def debug(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `debug`."""
        self.log("debug", message, data)

    def info(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `info`."""
        self.log("info", message, data)

    def warning(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `warning`."""
        self.log("warning", message, data)

    def error(self, message: str, data: Mapping[str, Any] | None = None) -> None:
        """Record a line of level `error`."""
        self.log("error", message, data)


class StepFlow:
    """The run, and how to emit."""

    __slots__ = ("_attempt", "_services", "_step")

    def __init__(self, attempt: Attempt, step: StepPlan, services: Services) -> None:
        self._attempt = attempt
        self._step = step
        self._services = services

    @property
    def run_id(self) -> str:
        """Id of the run."""
        return self._attempt.job.run_id

    @property
    def name(self) -> str:
        """Name of the flow."""
        return self._attempt.job.flow

    @property
    def input(self) -> Any:
        """What the run was started with."""
        job = self._attempt.job
        return decode_json(job.message) if not job.event else self._services.read_input(job.run_id)

    def emit(self, event: str, payload: Any = None) -> None:
        """Announce an event that the step declares."""
        attempt = _unsettled(self._attempt)
        if event not in self._step.emits:
            declared = ", ".join(f"`{name}`" for name in self._step.emits) or "none"
            attempt.fault = EmitNotDeclared(
                f"step `{self._step.name}` emitted `{event}`, which it does not declare; "
                f"its `emits` has {declared}"
            )
            raise attempt.fault
        services = self._services
        if len(attempt.emits) >= services.fan_out:
            raise self._too_much(
                f"{services.fan_out:,} events in one attempt: "
                f"raise `limits.fan_out`, or let one event stand for several items"
            )
        raw = services.encode(payload, f"the payload of `{event}`")
        if attempt.emits_bytes + len(raw) > services.gather_bytes:
            raise self._too_much(
                f"{services.gather_bytes:,} bytes of payload in one attempt: "
                f"raise `limits.gather_bytes`, or pass references to what is kept elsewhere"
            )
        attempt.emits_bytes += len(raw)
        attempt.emits.append(Emitted(services.clock.now_ms(), event, raw))

    def _too_much(self, limit: str) -> PayloadError:
        """A fault that fails the step even if the handler catches it: what it emitted is not whole."""
        self._attempt.fault = PayloadError(f"step `{self._step.name}` emitted more than {limit}")
        return self._attempt.fault


_MISSING: Final = object()


class StepState:
    """Values that the steps of the run share; what this attempt changed is seen at once."""

    __slots__ = ("_attempt", "_changed", "_services")

    def __init__(self, attempt: Attempt, services: Services) -> None:
        self._attempt = attempt
        self._services = services
        self._changed: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a key, or the default."""
        value = self._changed.get(key, _MISSING)
        if value is _MISSING:
            value = self._services.read_state(self._attempt.job.run_id, _checked(key))
            return default if value is None else value
        return default if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Set a key to a JSON-able value; None counts as absent when it is read."""
        raw = self._services.encode(value, f"the state `{key}`")
        self._record("set", key, raw, {"value": value})
        self._changed[key] = decode_json(raw)

    def delete(self, key: str) -> None:
        """Remove a key."""
        self._record("delete", key, b"", {})
        self._changed[key] = None

    def incr(self, key: str, by: float = 1) -> Any:
        """Add to a number, 0 where there is none.

        Raises:
            PayloadError: `by` or the present value is not a number.
        """
        present = self.get(key, 0)
        for value in (by, present):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise PayloadError(f"the state `{key}` cannot be counted up: {value!r} is not a number")
        self._record("incr", key, self._services.encode(by, f"the state `{key}`"), {"by": by})
        self._changed[key] = present + by
        return present + by

    def _record(self, op: str, key: str, value: bytes, data: dict[str, Any]) -> None:
        attempt = _unsettled(self._attempt)
        if len(attempt.changes) == MAX_CHANGES:
            attempt.fault = PayloadError(
                f"step `{attempt.job.step}` changed its state more than {MAX_CHANGES} times in one attempt: "
                f"keep what belongs together under one key"
            )
            raise attempt.fault
        body = encode_json({"op": op, "key": _checked(key), **data, "scope": "run"})
        attempt.changes.append(Change(op, key, value, self._services.clock.now_ms(), body))


def _unsettled(attempt: Attempt) -> Attempt:
    """The attempt, unless its settlement is handed over: a thread or task that a handler left behind."""
    if attempt.phase is Phase.SETTLING:
        raise RuntimeError(
            f"step `{attempt.job.step}` is over: emit and set before its handler returns, "
            f"and wait for the threads and tasks that it starts"
        )
    return attempt


def _checked(key: str) -> str:
    if not isinstance(key, str) or not 0 < len(key) <= 256:
        raise PayloadError(f"{key!r} is no key of the state: use a text of 1 to 256 characters")
    return key
