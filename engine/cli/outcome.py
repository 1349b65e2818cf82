"""A run as it stands, or as it ended: as data for programs, and the end of it for people."""

from __future__ import annotations

import sys
from typing import Any

from engine.compile.graph import Graph
from engine.compile.plan import Plan
from engine.events.codec import format_ts
from engine.events.fold import Activation, RunState
from engine.events.state import FAILED

from .lines import error_text
from .output import format_duration, one_line, paint, say, wants_colour


def to_dict(run: RunState, plan: Plan) -> dict[str, Any]:
    """A run as JSON-able data: what `-o json` prints.

    Args:
        run: The fold of its log.
        plan: The plan that it is pinned to; steps without an activation come last.
    """
    steps = [_activation_to_dict(activation) for activation in run.activations.values()]
    never_due = [name for name in Graph(plan.steps).in_order() if name not in run.created]
    steps += [{"step": name, "stepId": None, "state": None} for name in never_due]
    return {
        "runId": run.run_id,
        "flow": run.flow,
        "version": run.version,
        "status": run.status,
        "startedAt": format_ts(run.started_at_ms),
        "endedAt": None if run.ended_at_ms is None else format_ts(run.ended_at_ms),
        "duration": None if run.ended_at_ms is None else run.ended_at_ms - run.started_at_ms,
        "input": run.input,
        "result": run.result,
        "error": run.error,
        "failedStep": run.failed_step,
        "steps": steps,
    }


def _activation_to_dict(activation: Activation) -> dict[str, Any]:
    started, ended = activation.started_at_ms, activation.ended_at_ms
    return {
        "step": activation.step,
        "stepId": activation.step_id,
        "state": activation.state,
        "attempt": activation.attempt,
        "losses": activation.losses,
        "worker": activation.worker,
        "startedAt": None if started is None else format_ts(started),
        "endedAt": None if ended is None else format_ts(ended),
        "duration": None if started is None or ended is None else max(0, ended - started),
        "result": activation.result,
        "error": activation.error,
        "unroutable": activation.unroutable,
    }


def say_failure(run: RunState) -> None:
    """Say on stderr why a run failed: the step, the error, and the handler's own traceback."""
    colour = wants_colour(sys.stderr)
    say()
    say(paint(failure_sentence(run), "red", is_on=colour, is_bold=True))
    for line in error_lines(run.error):
        say(f"  {line}")


def failure_sentence(run: RunState) -> str:
    """One line: which run ended how, where, and after how long."""
    where = f" in step `{run.failed_step}`" if run.failed_step else ""
    failed = next((one for one in run.activations.values() if one.state == FAILED), None)
    attempt = f", attempt {failed.attempt}," if failed is not None and failed.attempt > 1 else ""
    lasted_ms = (run.ended_at_ms or run.started_at_ms) - run.started_at_ms
    return f"run {run.run_id} {run.status}{where}{attempt} after {format_duration(lasted_ms)}"


def error_lines(error: dict[str, Any] | None) -> list[str]:
    """An error as lines that are safe to print: its traceback, which ends with it, if there is one."""
    trace = str((error or {}).get("traceback") or "").rstrip()
    return [one_line(line) for line in trace.splitlines()] if trace else [one_line(error_text(error))]
