"""One attempt from the job in hand to its settlement.

Theory of operation:

1. `STAGES` is the table of contents. Each stage takes the `Execution` as it is and answers
   the next one; a stage that has nothing to do passes it on.
2. A stage that finds a fault raises; what it raised becomes the outcome. A handler's own
   exception is kept as it is, so that the traceback in the log is the user's.
3. What `execute` answers is a settlement: a call for the store that says all that follows.
   It does no I/O itself; whoever called hands the settlement over, before the exception goes
   on to Dramatiq's middleware.
4. Whatever happens in here ends as a settlement: an attempt is never left without one.
"""

from __future__ import annotations

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
from engine.events.record import BufferedEvent, Emission
from engine.events.types import STEP_STARTED
from engine.handler import Job
from engine.registry.plans import Handler, LinkedPlan
from engine.store import ledger
from engine.store.connection import Call

from .attempt import Attempt, Phase
from .capture import Capture
from .context import Services, StepContext
from .route import route

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
    """

    make_call: Callable[[int, Sequence[BufferedEvent]], Call]
    size: int = 0
    take: str = ""
    error: BaseException | None = None


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
        emissions: Where its events go.
    """

    attempt: Attempt
    linked: LinkedPlan
    env: Environment
    step: StepPlan
    handler: Handler
    job: Job | None = None
    result: Any = None
    result_json: bytes = b""
    emissions: tuple[Emission, ...] = ()


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
    """Decode what the handler works on."""
    leased = execution.attempt.job
    return execution._replace(job=Job(leased.id, decode_json(leased.message), leased.event, leased.attempt))


def call_handler(execution: Execution) -> Execution:
    """Run the user's function; a fault that it caught still counts."""
    context = StepContext(execution.attempt, execution.step, execution.env.services)
    with Capture(context):
        result = execution.handler(execution.job, context)
    if execution.attempt.fault is not None:
        raise execution.attempt.fault
    return execution._replace(result=result)


def encode_result(execution: Execution) -> Execution:
    """Encode what it returned, within the limit."""
    what = f"the result of step `{execution.step.name}`"
    return execution._replace(result_json=execution.env.services.encode(execution.result, what))


def route_emits(execution: Execution) -> Execution:
    """Decide where its events go."""
    attempt = execution.attempt
    total = len(execution.result_json) + sum(len(payload) for _, _, payload in attempt.emits)
    total += sum(len(change.data) for change in attempt.changes)
    if total > MAX_COMMIT_BYTES:
        raise PayloadError(
            f"step `{execution.step.name}` returned, emitted and set {total:,} bytes in all, "
            f"the limit is {MAX_COMMIT_BYTES:,}"
        )
    emissions = route(execution.linked.plan, attempt.job.path, attempt.emits, served=execution.env.served)
    return execution._replace(emissions=tuple(emissions))


STAGES: Final = (record_start, read_input, call_handler, encode_result, route_emits)


def execute(attempt: Attempt, linked: LinkedPlan, env: Environment) -> Settlement:
    """Run one attempt and say how it is to be settled."""
    try:
        step = linked.plan.steps[attempt.job.step]
        execution = Execution(attempt, linked, env, step, linked.handlers[step.name])
        for stage in STAGES:
            execution = stage(execution)
    # A handler may raise anything, SystemExit included; nothing may leave the attempt unsettled.
    except BaseException as error:
        return failure(attempt, env, error, cause="error")
    return completion(execution)


def completion(execution: Execution) -> Settlement:
    """The settlement of an attempt whose handler returned."""
    attempt, env, plan = execution.attempt, execution.env, execution.linked.plan
    # Not the difference of two times of the server: what is known of its clock is corrected all the time.
    duration = int(monotonic_ms() - attempt.begun_ms)
    # Not before what was emitted: that was stamped by an estimate of the server's clock that moves.
    emitted_at_ms = attempt.emits[-1][0] if attempt.emits else 0
    ended_at_ms = max(attempt.started_at_ms + duration, emitted_at_ms)
    take = env.next_token() if execution.emissions else ""
    commit = partial(
        ledger.commit,
        attempt.job,
        kind="completed",
        ts=ended_at_ms,
        data=b'{"duration":%d,"result":%b}' % (duration, execution.result_json),
        result=execution.result_json if execution.step.name in plan.sinks else b"",
        sinks=",".join(plan.sinks),
        take=take,
        lease_ms=env.lease_ms,
        changes=attempt.changes,
        emits=execution.emissions,
    )
    size = len(execution.result_json) + sum(len(emission.data) for emission in execution.emissions)
    return Settlement(lambda first, events: commit(first=first, events=events), size=size, take=take)


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
