"""How an attempt is settled: what is recorded of one that completed, failed or was not to run."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Final

from engine.clock import monotonic_ms
from engine.compile.plan import Plan
from engine.errors import FlowEngineError
from engine.events.codec import as_text, encode_json
from engine.events.record import BufferedEvent, Emitted
from engine.store import ledger
from engine.store.connection import Call

from .attempt import MAX_MESSAGE, Attempt
from .context import Services
from .route import emissions, route

#: Longest traceback that is recorded, in characters; of a longer one the beginning and the end are kept.
MAX_TRACEBACK: Final = 20_000

#: Where the engine's own frames come from.
_ENGINE: Final = Path(__file__).parents[1]


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
        next_token: A token for a job that this attempt's settlement takes along, or '' when it takes none.
        lease_ms: Length of a lease.
    """

    worker_id: str
    services: Services
    served: Container[str]
    next_token: Callable[[Attempt], str]
    lease_ms: int


def completion(attempt: Attempt, plan: Plan, env: Environment, *, result_json: bytes) -> Settlement:
    """The settlement of an attempt whose handler returned."""
    step = attempt.job.step
    # Not the difference of two times of the server: what is known of its clock is corrected all the time.
    duration = int(monotonic_ms() - attempt.begun_ms)
    # As they are now: a thread that the handler has left behind may still add to them.
    emits, changes = tuple(attempt.emits), tuple(attempt.changes)
    # Not before what was emitted: that was stamped by an estimate of the server's clock that moves.
    emitted_at_ms = emits[-1].ts if emits else 0
    ended_at_ms = max(attempt.started_at_ms + duration, emitted_at_ms)
    routing = route(plan, step, dict.fromkeys(emitted.event for emitted in emits), served=env.served)
    is_wide = len(emits) > ledger.emits_a_part(routing) or attempt.emits_bytes > ledger.EMITS_BYTES
    take = env.next_token(attempt) if emits and not is_wide else ""
    counted = b',"emits":%d' % len(emits) if is_wide else b""
    commit = partial(
        ledger.commit,
        attempt.job,
        kind="completed",
        ts=ended_at_ms,
        data=b'{"duration":%d,"result":%b%b}' % (duration, result_json, counted),
        result=result_json if step in plan.sinks else b"",
        sinks=",".join(plan.sinks),
        take=take,
        lease_ms=env.lease_ms,
        changes=changes,
        emits=() if is_wide else emissions(attempt.job.path, emits),
        staged=len(emits) if is_wide else 0,
        routing=routing,
    )
    return Settlement(
        lambda first, events: commit(first=first, events=events),
        size=len(result_json) + attempt.emits_bytes,
        take=take,
        staged=emits if is_wide else (),
        unfold=partial(unfold, plan, attempt.job.run_id, attempt.job.step_id) if is_wide else None,
    )


def unfold(plan: Plan, run_id: str, step_id: str, cursor: int) -> Call:
    """The call that lays out a part of what an activation has staged, from the number laid out before.

    It takes no job along, so whoever serves what may make it.
    """
    step = plan.steps[step_id.rpartition("#")[0]]
    return ledger.unfold(
        run_id,
        step_id,
        flow=plan.flow,
        cursor=cursor,
        sinks=",".join(plan.sinks),
        routing=route(plan, step.name, step.emits, served=()),
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
    """An exception as `{type, message, traceback?}`; the traceback begins in the user's code.

    One of the engine's own sentences ends there, too: what raised it, and why there, says nothing more.
    """
    described = {"type": type(error).__name__, "message": as_text(_message(error))[:MAX_MESSAGE]}
    frames = _users_frames(error.__traceback__)
    if frames is not None:
        is_ours = isinstance(error, FlowEngineError)
        depth = _users_depth(frames) if is_ours else None
        lines = traceback.format_exception(type(error), error, frames, limit=depth, chain=not is_ours)
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
    """The traceback without the engine's own frames at its beginning."""
    while frames is not None and _is_engines(frames):
        frames = frames.tb_next
    return frames


def _users_depth(frames: TracebackType) -> int:
    """How many frames there are up to the user's last one."""
    return max(number for number, frame in enumerate(_each(frames), start=1) if not _is_engines(frame))


def _each(frames: TracebackType | None) -> Iterator[TracebackType]:
    while frames is not None:
        yield frames
        frames = frames.tb_next


def _is_engines(frame: TracebackType) -> bool:
    return _ENGINE in Path(frame.tb_frame.f_code.co_filename).parents
