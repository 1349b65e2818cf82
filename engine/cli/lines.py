"""An event as one line for people; pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from engine.compile.plan import Plan
from engine.events.types import (
    EMIT,
    FLOW_CANCELLED,
    FLOW_CANCELLING,
    FLOW_COMPLETED,
    FLOW_FAILED,
    FLOW_START,
    LOG,
    STATE,
    STEP_COMPLETED,
    STEP_FAILED,
    STEP_LOST,
    STEP_RETRY,
    STEP_SKIPPED,
    STEP_STARTED,
    STEP_UNROUTABLE,
    Event,
)

from .output import fit, format_clock, format_duration, one_line, pad, paint, to_json_line

#: Characters of a version that are shown; the whole hash is for machines.
SHORT_VERSION_CHARS: Final = 8

#: Characters of a run's id that are shown among other runs: its time in milliseconds, and some chance.
SHORT_RUN_CHARS: Final = 12

#: What `engine.clock` makes as ids.
_MADE_ID: Final = re.compile("[0-9a-hjkmnp-tv-z]{20}")

#: Longest JSON value on a line; `-o json` has all of it.
_VALUE_CHARS: Final = 160

#: Most columns that are kept free for the name of an activation.
_WHO_CHARS: Final = 24

#: Columns of the type of an event of a run.
TYPE_CHARS: Final = max(len(kind) for kind in (STEP_COMPLETED, FLOW_CANCELLING, STEP_UNROUTABLE))

_COLOURS: Final = {
    FLOW_COMPLETED: "green",
    STEP_COMPLETED: "green",
    FLOW_FAILED: "red",
    STEP_FAILED: "red",
    STEP_RETRY: "yellow",
    STEP_LOST: "yellow",
    STEP_UNROUTABLE: "yellow",
    FLOW_CANCELLING: "yellow",
    FLOW_CANCELLED: "yellow",
    STATE: "dim",
    EMIT: "dim",
    STEP_STARTED: "dim",
}

_LEVEL_COLOURS: Final = {"warning": "yellow", "error": "red", "critical": "red", "debug": "dim"}


def event_line(event: Event, *, who_width: int, colour: bool) -> str:
    """One line: time, type, activation, and what happened.

    Args:
        event: Any event, also of a type that this release does not know.
        who_width: Columns of the activation's name.
        colour: Whether to colour it.
    """
    tint = _tint(event)
    time = paint(format_clock(event.ts_ms), "dim", is_on=colour)
    kind = paint(pad(event.type, TYPE_CHARS), tint, is_on=colour)
    who = pad(event.step_id or "", who_width)
    return f"{time}  {kind}  {who}  {paint(what_happened(event), tint, is_on=colour)}".rstrip()


def feed_line(event: Event, *, words: str, who_width: int, colour: bool, is_narrow: bool) -> str:
    """One line among those of other runs: time, run, type, flow with activation, and words.

    Args:
        event: Any event.
        words: What happened.
        who_width: Columns of the flow's and the activation's name.
        colour: Whether to colour it.
        is_narrow: Whether to leave out what the line can do without.
    """
    tint = _tint(event)
    clock = format_clock(event.ts_ms)
    time = paint(clock[:8] if is_narrow else clock, "dim", is_on=colour)
    run = pad(short_run_id(event.run_id), SHORT_RUN_CHARS)
    kind = paint(pad(event.type, TYPE_CHARS), tint, is_on=colour)
    who = f"{event.flow_name}.{event.step_id}" if event.step_id else event.flow_name
    who = who if is_narrow else pad(who, who_width)
    return f"{time}  {run}  {kind}  {who}  {paint(words, tint, is_on=colour)}".rstrip()


def said_line(event: Event, *, who: str, colour: bool) -> str:
    """What a step said or met, shorter than `event_line`: time, activation, words.

    Args:
        event: What it said or met.
        who: What is shown of the activation's name, in the width of its column.
        colour: Whether to colour it.
    """
    time = paint(format_clock(event.ts_ms)[:8], "dim", is_on=colour)
    words = what_happened(event)
    if event.type == LOG:
        words = words.removeprefix("info").lstrip()
    return f"{time}  {paint(who, 'dim', is_on=colour)}  {paint(words, _tint(event), is_on=colour)}"


def _tint(event: Event) -> str:
    if event.type == LOG:
        return _LEVEL_COLOURS.get(str(event.data.get("level", "")).lower(), "")
    return _COLOURS.get(event.type, "")


def progress_of(event: Event) -> float | None:
    """How far a step says that it is, from 0 to 1; None for any other event.

    It is recorded as a log line of level `info` whose only data is `progress`, a number from 0 to 1.
    """
    data = event.data.get("data")
    if event.type != LOG or event.data.get("level") != "info" or not isinstance(data, dict):
        return None
    done = data.get("progress")
    if len(data) > 1 or isinstance(done, bool) or not isinstance(done, int | float):
        return None
    return float(done) if 0 <= done <= 1 else None


def who_width(plan: Plan) -> int:
    """Columns for the names of a plan's activations; longer ones push the words to the right."""
    return min(_WHO_CHARS, max(len(name) for name in plan.steps) + len("#1"))


def what_happened(event: Event) -> str:
    """What an event says, in words."""
    tell = _TELLERS.get(event.type)
    if tell is None:
        return short_value(event.data) if event.data else ""
    return one_line(tell(event))


def short_value(value: Any) -> str:
    """A JSON value on one line, cut when it is long."""
    # Cut twice, since looking at every character of a large one would take long.
    return fit(one_line(to_json_line(value)[: 4 * _VALUE_CHARS]), _VALUE_CHARS)


def short_run_id(run_id: str) -> str:
    """So much of a run's id as tells it from others, if the engine has made it; any other id whole."""
    return run_id[:SHORT_RUN_CHARS] if _MADE_ID.fullmatch(run_id) else run_id


def short_version(version: str) -> str:
    """The first characters of a version."""
    return version[:SHORT_VERSION_CHARS]


def error_text(error: Mapping[str, Any] | None) -> str:
    """An error as `Type: message`."""
    if not error:
        return "no reason was recorded"
    kind, message = error.get("type"), error.get("message")
    return f"{kind}: {message}" if kind and message else str(kind or message)


def _start(event: Event) -> str:
    version = short_version(event.data.get("version", ""))
    return f"{event.flow_name}@{version} run {event.run_id}, input {short_value(event.data.get('input'))}"


def _started(event: Event) -> str:
    return f"attempt {event.attempt}"


def _completed(event: Event) -> str:
    result, wide = event.data.get("result"), event.data.get("emits")
    parts = [_took(event)]
    if wide is not None:
        parts.append(f"emits {wide:,} events, which follow")
    if result is not None:
        parts.append(f"result {short_value(result)}")
    return ", ".join(parts) + _made_due(event)


def _failed(event: Event) -> str:
    return error_text(event.data.get("error"))


def _failed_step(event: Event) -> str:
    return _failed(event) + _made_due(event)


def _retry(event: Event) -> str:
    data = event.data
    following = f"attempt {data.get('attempt', 0) + 1} of {data.get('maxAttempts', '?')}"
    return f"{_failed(event)}; {following} in {format_duration(data.get('delay', 0))}"


def _lost(event: Event) -> str:
    # Whether the step runs again is not known here: the next event of it says so.
    return f"attempt {event.attempt} was lost with its worker"


def _reason(event: Event) -> str:
    return str(event.data.get("reason") or "")


def _skipped(event: Event) -> str:
    return _reason(event) + _made_due(event)


def _made_due(event: Event) -> str:
    """The activations that a settlement set off: those that waited for its branch to end."""
    to = event.data.get("to")
    return f" → {', '.join(to)}" if to else ""


def _log(event: Event) -> str:
    level, data = event.data.get("level", "info"), event.data.get("data")
    message = event.data.get("message", "")
    done = progress_of(event)
    extra = "" if data is None else f" {short_value(data)}"
    if done is not None:
        # Without a message of its own, progress is recorded with its percentage for one.
        extra = "" if message == f"{done:.0%}" else f" ({done:.0%})"
    return f"{level:<7} {message}{extra}"


def _emit(event: Event) -> str:
    number = event.data.get("k")
    name = event.data.get("event") if number is None else f"{event.data.get('event')} ({number:,})"
    # Nothing due is nothing to be told: a join or a collect that hears it may not be complete yet.
    return f"{name}{_made_due(event)}"


def _state(event: Event) -> str:
    op, key = event.data.get("op"), event.data.get("key")
    if op == "incr":
        return f"{key} += {short_value(event.data.get('by'))}"
    return f"{key} deleted" if op == "delete" else f"{key} = {short_value(event.data.get('value'))}"


def _flow_completed(event: Event) -> str:
    return _took(event)


def _flow_failed(event: Event) -> str:
    step = event.data.get("step")
    where = f"in step `{step}` " if step else ""
    return f"{where}after {_took(event)}: {_failed(event)}"


def _took(event: Event) -> str:
    return format_duration(event.data.get("duration") or 0)


_TELLERS: Final[Mapping[str, Callable[[Event], str]]] = {
    FLOW_START: _start,
    FLOW_COMPLETED: _flow_completed,
    FLOW_FAILED: _flow_failed,
    FLOW_CANCELLING: _reason,
    FLOW_CANCELLED: _reason,
    STEP_STARTED: _started,
    STEP_COMPLETED: _completed,
    STEP_FAILED: _failed_step,
    STEP_RETRY: _retry,
    STEP_LOST: _lost,
    STEP_SKIPPED: _skipped,
    STEP_UNROUTABLE: _reason,
    LOG: _log,
    EMIT: _emit,
    STATE: _state,
}
