"""One attempt from the job in hand to its settlement.

Theory of operation:

1. `STAGES` is the table of contents. Each stage takes the `Execution` as it is and answers
   the next one; a stage that has nothing to do passes it on.
2. A stage that finds a fault raises; what it raised becomes the outcome. A handler's own
   exception is kept as it is, so that the traceback in the log is the user's.
3. What `execute` answers is a settlement: a call for the store that says all that follows.
   It does no I/O itself, but for what a join or a collect reads; whoever called hands the
   settlement over, before the exception goes on to Dramatiq's middleware.
4. Whatever happens in here ends as a settlement: an attempt is never left without one.
5. An `async def` handler goes through the same stages on the event loop: its own is awaited, and
   what waits for the store is done in a thread. Only a task that the process itself cancels
   answers none: that attempt is given back.
6. More emissions than one transition may record are staged before the settlement, and laid out
   after it by `unfold`.
"""

from __future__ import annotations

import asyncio
import threading
import traceback
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Final, NamedTuple

from engine.clock import monotonic_ms
from engine.compile.plan import Plan, StepPlan
from engine.errors import PayloadError
from engine.events.codec import as_text, decode_json, encode_json
from engine.events.record import BufferedEvent, Emitted, Routing
from engine.events.types import STEP_STARTED
from engine.handler import Job
from engine.registry.plans import Handler, LinkedPlan
from engine.store import ledger
from engine.store.connection import Call
from engine.store.queue import LeasedJob

from .async_context import AsyncStepContext
from .attempt import Attempt, Phase
from .capture import Capture
from .context import Services, StepContext
from .route import emissions, route

#: Longest traceback that is recorded, in characters; of a longer one the beginning and the end are kept.
MAX_TRACEBACK: Final = 20_000

#: Longest message of an error that is recorded, in characters.
MAX_MESSAGE: Final = 10_000

#: Bytes of the result and all payloads that one attempt may record.
MAX_COMMIT_BYTES: Final = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an attempt is to be settled.

    Attributes:
        make_call: Makes the store's call when it is sent, from the events that go with it and the
            number of the first.
        size: Bytes of the user's data in it.
        take: Token of the job that the answer may bring along, or ''.
        error: What the handler raised, or None.
        staged: Emissions that the store has to have before the call.
        unfold: Makes the call that lays a part of them out afterwards, from the number of those laid
            out before; None where none are staged.
    """

    make_call: Callable[[int, Sequence[BufferedEvent]], Call]
    size: int = 0
    take: str = ""
    error: BaseException | None = None
    staged: Sequence[Emitted] = ()
    unfold: Callable[[int], Call] | None = None


@dataclass(frozen=True, slots=True)
class Environment:
    """What executing needs to know of its process.

    Attributes:
        worker_id: Who executes.
        services: What contexts need.
        served: Queues that this process serves.
        next_token: A token for a job to take along, or '' when it takes none any more.
        lease_ms: Length of a lease.
    """

    worker_id: str
    services: Services
    served: Container[str]
    next_token: Callable[[], str]
    lease_ms: int


class Execution(NamedTuple):
    """What is known of an attempt on its way through the stages.

    Attributes:
        attempt: The attempt.
        linked: The plan that its run is pinned to.
        env: The process.
        step: Its step.
        handler: The step's function.
        job: What the handler is given.
        result: What it returned.
        result_json: The same, encoded.
    """

    attempt: Attempt
    linked: LinkedPlan
    env: Environment
    step: StepPlan
    handler: Handler
    job: Job | None = None
    result: Any = None
    result_json: bytes = b""


def record_start(execution: Execution) -> Execution:
    """Buffer `step.started`; it keeps the time at which it happened, however late it is sent."""
    attempt, env = execution.attempt, execution.env
    attempt.started_at_ms = env.services.clock.now_ms()
    attempt.begun_ms = monotonic_ms()
    data = b'{"worker":"%b"}' % env.worker_id.encode()
    attempt.events.append(BufferedEvent(STEP_STARTED, attempt.started_at_ms, data))
    attempt.thread = threading.current_thread()
    attempt.phase = Phase.RUNNING
    env.services.buffered(attempt)
    return execution


def read_input(execution: Execution) -> Execution:
    """Decode what the handler works on; what a join or a collect works on stands in the log."""
    leased, step = execution.attempt.job, execution.step
    message = leased.message
    if step.trigger != "any":
        message = execution.env.services.read_inputs(leased, step)
    return execution._replace(job=Job(leased.id, decode_json(message), leased.event, leased.attempt))


def call_handler(execution: Execution) -> Execution:
    """Run the user's function."""
    context = StepContext(execution.attempt, execution.step, execution.env.services)
    with Capture(context):
        return execution._replace(result=execution.handler(execution.job, context))


async def await_handler(execution: Execution) -> Execution:
    """As `call_handler`, for an `async def`."""
    context = StepContext(execution.attempt, execution.step, execution.env.services)
    with Capture(context):
        result = await execution.handler(execution.job, AsyncStepContext(context))
    return execution._replace(result=result)


def look_for_faults(execution: Execution) -> Execution:
    """A fault that the handler caught still counts."""
    if execution.attempt.fault is not None:
        raise execution.attempt.fault
    return execution


def encode_result(execution: Execution) -> Execution:
    """Encode what it returned, within the limit."""
    what = f"the result of step `{execution.step.name}`"
    return execution._replace(result_json=execution.env.services.encode(execution.result, what))


def weigh(execution: Execution) -> Execution:
    """Refuse what is too much for one transition."""
    attempt = execution.attempt
    total = len(execution.result_json) + sum(len(change.data) for change in attempt.changes)
    if total > MAX_COMMIT_BYTES:
        raise PayloadError(
            f"step `{execution.step.name}` returned and set {total:,} bytes in all, "
            f"the limit is {MAX_COMMIT_BYTES:,}"
        )
    return execution


STAGES: Final = (record_start, read_input, call_handler, look_for_faults, encode_result, weigh)


def execute(attempt: Attempt, linked: LinkedPlan, env: Environment) -> Settlement:
    """Run one attempt and say how it is to be settled."""
    try:
        execution = _begin(attempt, linked, env)
        for stage in STAGES:
            execution = stage(execution)
    # A handler may raise anything, SystemExit included; nothing may leave the attempt unsettled.
    except BaseException as error:
        return failure(attempt, env, error, cause="error")
    return completion(execution)


async def execute_async(attempt: Attempt, linked: LinkedPlan, env: Environment) -> Settlement:
    """As `execute`, for an `async def` handler, on the event loop.

    Raises:
        asyncio.CancelledError: The task was cancelled from outside.
    """
    try:
        execution = _begin(attempt, linked, env)
        for stage in STAGES:
            if stage is call_handler:
                execution = await await_handler(execution)
            elif stage is read_input and execution.step.trigger != "any":
                execution = await asyncio.to_thread(stage, execution)
            else:
                execution = stage(execution)
    except BaseException as error:
        task = asyncio.current_task()
        if isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling():
            raise
        return failure(attempt, env, error, cause="error")
    return completion(execution)


def _begin(attempt: Attempt, linked: LinkedPlan, env: Environment) -> Execution:
    step = linked.plan.steps[attempt.job.step]
    return Execution(attempt, linked, env, step, linked.handlers[step.name])


def completion(execution: Execution) -> Settlement:
    """The settlement of an attempt whose handler returned."""
    attempt, env, plan = execution.attempt, execution.env, execution.linked.plan
    # Not the difference of two times of the server: what is known of its clock is corrected all the time.
    duration = int(monotonic_ms() - attempt.begun_ms)
    # Not before what was emitted: that was stamped by an estimate of the server's clock that moves.
    emits = attempt.emits
    emitted_at_ms = emits[-1].ts if emits else 0
    ended_at_ms = max(attempt.started_at_ms + duration, emitted_at_ms)
    is_wide = len(emits) > ledger.EMITS_A_PART or attempt.emits_bytes > ledger.EMITS_BYTES
    routing = route(
        plan, execution.step.name, dict.fromkeys(emitted.event for emitted in emits), served=env.served
    )
    take = env.next_token() if emits and not is_wide else ""
    counted = b',"emits":%d' % len(emits) if is_wide else b""
    commit = partial(
        ledger.commit,
        attempt.job,
        kind="completed",
        ts=ended_at_ms,
        data=b'{"duration":%d,"result":%b%b}' % (duration, execution.result_json, counted),
        result=execution.result_json if execution.step.name in plan.sinks else b"",
        sinks=",".join(plan.sinks),
        take=take,
        lease_ms=env.lease_ms,
        changes=attempt.changes,
        emits=() if is_wide else emissions(attempt.job.path, emits),
        staged=len(emits) if is_wide else 0,
        routing=routing,
    )
    return Settlement(
        lambda first, events: commit(first=first, events=events),
        size=len(execution.result_json) + attempt.emits_bytes,
        take=take,
        staged=emits if is_wide else (),
        unfold=partial(unfold, attempt.job, plan, routing) if is_wide else None,
    )


def unfold(job: LeasedJob, plan: Plan, routing: Routing, cursor: int) -> Call:
    """The call that lays out a part of what an activation has staged."""
    return ledger.unfold(
        job.run_id, job.step_id, flow=job.flow, cursor=cursor, sinks=",".join(plan.sinks), routing=routing
    )


def skip(attempt: Attempt, plan: Plan, env: Environment, reason: str) -> Settlement:
    """The settlement of an attempt whose handler was not to run."""
    commit = partial(
        ledger.commit,
        attempt.job,
        kind="skipped",
        ts=env.services.clock.now_ms(),
        data=encode_json({"reason": reason}),
        result=b"",
        sinks=",".join(plan.sinks),
        take="",
        lease_ms=env.lease_ms,
        changes=(),
        emits=(),
        staged=0,
        routing=route(plan, attempt.job.step, (), served=env.served),
    )
    return Settlement(lambda first, events: commit(first=first, events=events))


def failure(attempt: Attempt, env: Environment, error: BaseException, *, cause: str) -> Settlement:
    """The settlement of an attempt that failed: what it emitted and set is discarded, its logs stay."""
    described = describe(error)
    fail = partial(
        ledger.fail,
        attempt.job,
        ts=env.services.clock.now_ms(),
        data=encode_json({"error": described, "cause": cause}),
        error=encode_json({"type": described["type"], "message": described["message"]}),
    )
    return Settlement(lambda first, events: fail(first=first, events=events), error=error)


def describe(error: BaseException) -> dict[str, str]:
    """An exception as `{type, message, traceback?}`; the traceback begins in the user's code."""
    described = {"type": type(error).__name__, "message": as_text(_message(error))[:MAX_MESSAGE]}
    frames = _users_frames(error.__traceback__)
    if frames is not None:
        lines = traceback.format_exception(type(error), error, frames)
        described["traceback"] = _both_ends(as_text("".join(lines)), MAX_TRACEBACK)
    return described


def _message(error: BaseException) -> str:
    # A user's `__str__` may raise too, whatever it likes; the failure must be recorded all the same.
    try:
        return str(error)
    except BaseException as fault:
        return f"(its text cannot be shown: `__str__` raised {type(fault).__name__})"


def _both_ends(text: str, limit: int) -> str:
    """A text of at most `limit` characters: the end of a traceback may be one endless message."""
    if len(text) <= limit:
        return text
    gap = "\n  [...]\n"
    half = (limit - len(gap)) // 2
    return f"{text[:half]}{gap}{text[-half:]}"


def _users_frames(frames: TracebackType | None) -> TracebackType | None:
    """The traceback without the frames of this room at its beginning."""
    here = Path(__file__).parent
    while frames is not None and Path(frames.tb_frame.f_code.co_filename).parent == here:
        frames = frames.tb_next
    return frames
