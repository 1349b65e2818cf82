"""`flowengine show`: one run with its steps and its result."""

from __future__ import annotations

import sys
from typing import Final

import click

from engine.clock import now_ms
from engine.compile.plan import Plan
from engine.events.fold import Activation, RunState

from .found import read_run
from .lines import error_text, short_value, short_version
from .outcome import error_lines, never_due, to_dict
from .output import (
    fit,
    format_date,
    format_duration,
    one_line,
    pretty,
    print_json,
    table,
    terminal_width,
)
from .project import open_project, output_option, redis_option
from .rows import NOT_REACHED, NOT_YET, took_ms

_HEADERS: Final = ("STEP", "STATE", "ATTEMPT", "TOOK", "RESULT")


@click.command("show")
@click.argument("run", metavar="RUN")
@redis_option
@output_option
def command(run: str, redis_url: str | None, style: str) -> None:
    """Show a run: its status, its steps and its result.

    RUN is a run's id, or so much of its beginning that only one run fits.
    """
    project = open_project(redis_url=redis_url)
    with project.open_store() as store:
        state, plan = read_run(store, run)
    if style == "json":
        print_json(to_dict(state, plan))
        return
    for line in describe(state, plan, now_ms=now_ms(), width=terminal_width(sys.stdout)):
        click.echo(line)


def describe(run: RunState, plan: Plan, *, now_ms: int, width: int) -> list[str]:
    """The run as lines; pure."""
    lasted = format_duration((run.ended_at_ms or now_ms) - run.started_at_ms)
    lines = [
        f"run      {run.run_id}",
        f"flow     {run.flow}@{short_version(run.version)}",
        f"status   {run.status}",
        f"started  {format_date(run.started_at_ms)}, took {lasted}"
        if run.is_over
        else f"started  {format_date(run.started_at_ms)}, {lasted} ago",
        fit(f"input    {short_value(run.input)}", width),
        "",
        *table(_HEADERS, _step_cells(run, plan, now_ms=now_ms), width=width),
    ]
    if run.error is not None:
        where = f" in step `{run.failed_step}`" if run.failed_step else ""
        lines += ["", f"error{where}", *(f"  {line}".rstrip() for line in error_lines(run.error))]
    if run.result is not None:
        lines += ["", "result", *(f"  {line}" for line in pretty(run.result).splitlines())]
    return lines


def _step_cells(run: RunState, plan: Plan, *, now_ms: int) -> list[tuple[str, ...]]:
    rows = [_activation_cells(activation, now_ms=now_ms) for activation in run.activations.values()]
    words = NOT_REACHED if run.is_over else NOT_YET
    return rows + [(name, words, "", "", "") for name in never_due(run, plan)]


def _activation_cells(activation: Activation, *, now_ms: int) -> tuple[str, ...]:
    took = took_ms([activation], now_ms=now_ms)
    told = "" if activation.result is None else short_value(activation.result)
    if activation.error is not None and activation.result is None:
        told = one_line(error_text(activation.error))
    return (
        activation.step_id,
        activation.state,
        str(activation.attempt) if activation.attempt else "",
        "" if took is None else format_duration(took),
        told,
    )
