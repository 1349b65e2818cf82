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
   what waits for the store is done in a thread. Only where the process has cancelled the handler,
   since it is to end, is none answered: that attempt is given back.
6. More emissions than one transition may record are staged before the settlement, and laid out
   after it by `unfold`.
"""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Final, NamedTuple

from engine.clock import monotonic_ms
from engine.compile.link import Handler
from engine.compile.plan import StepPlan
from engine.errors import FlowEngineError, PayloadError
from engine.events.codec import decode_json
from engine.events.record import BufferedEvent
from engine.events.types import STEP_STARTED
from engine.handler import Job
from engine.registry.plans import LinkedPlan

from .async_context import AsyncStepContext, Calls
from .attempt import Attempt, Phase
from .capture import Capture
from .context import StepContext
from .settlement import Environment, Settlement, completion, failure

#: Bytes of the result and all payloads that one attempt may record.
MAX_COMMIT_BYTES: Final = 16 * 1024 * 1024


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


async def read_input_aside(execution: Execution) -> Execution:
    """As `read_input`, in a thread beside the loop."""
    loop, aside = asyncio.get_running_loop(), execution.env.services.aside
    try:
        return await loop.run_in_executor(aside, read_input, execution)
    except FlowEngineError as error:
        # The frames of the thread say nothing to the user, whose code has not begun yet.
        raise error.with_traceback(None) from None


def call_handler(execution: Execution) -> Execution:
    """Run the user's function."""
    context = StepContext(execution.attempt, execution.step, execution.env.services)
    with Capture(context):
        return execution._replace(result=execution.handler(execution.job, context))


async def await_handler(execution: Execution) -> Execution:
    """As `call_handler`, for an `async def`."""
    context = StepContext(execution.attempt, execution.step, execution.env.services)
    calls = Calls()
    with Capture(context):
        try:
            told = AsyncStepContext(context, execution.env.services.aside, calls)
            result = await execution.handler(execution.job, told)
        finally:
            unawaited = calls.end()
    if unawaited is not None:
        # A change of the state must not be lost for a forgotten word.
        raise RuntimeError(f"`ctx.state.{unawaited}` was not awaited: write `await ctx.state.{unawaited}(…)`")
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
    return completion(attempt, linked.plan, env, result_json=execution.result_json)


async def execute_async(attempt: Attempt, linked: LinkedPlan, env: Environment) -> Settlement | None:
    """As `execute`, for an `async def` handler, on the event loop; None where the attempt was recalled."""
    try:
        execution = _begin(attempt, linked, env)
        for stage in STAGES:
            if stage is call_handler:
                execution = await await_handler(execution)
            elif stage is read_input and execution.step.trigger != "any":
                execution = await read_input_aside(execution)
            else:
                execution = stage(execution)
    except BaseException as error:
        # Whatever a handler makes of its cancellation, it is no failure of its step.
        return None if attempt.is_recalled else failure(attempt, env, error, cause="error")
    return completion(attempt, linked.plan, env, result_json=execution.result_json)


def _begin(attempt: Attempt, linked: LinkedPlan, env: Environment) -> Execution:
    step = linked.plan.steps[attempt.job.step]
    return Execution(attempt, linked, env, step, linked.handlers[step.name])
