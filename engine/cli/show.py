"""`flowengine show`: one run with its steps, when they ran, and its result."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import click

from engine.clock import now_ms
from engine.compile.plan import Plan
from engine.events.codec import format_ts
from engine.events.fold import Activation, RunState
from engine.events.state import FAILED

from .attempts import Attempts
from .completion import run_ids
from .found import read_run
from .lines import error_text, short_value, short_version
from .names import with_fitted_names
from .outcome import error_lines, to_dict
from .output import (
    NO_LIMIT,
    fit,
    format_date,
    format_duration,
    one_line,
    pretty,
    print_json,
    table,
    terminal_width,
    wants_colour,
)
from .project import open_project, output_option, redis_option
from .rows import StepRow, step_rows, took_ms
from .tally import counting
from .timeline import Row, timeline

_HEADERS: Final = ("STEP", "STATE", "ATTEMPT", "AT", "TOOK", "RESULT")

#: Activations of a step that get a row each; more are one row with counts.
_EACH: Final = 5

#: Failed ones among many that get a row of their own.
_FAILED_SHOWN: Final = 3


@click.command("show")
@click.argument("run", metavar="RUN", shell_complete=run_ids)
@redis_option
@output_option
def command(run: str, redis_url: str | None, style: str) -> None:
    """Show a run: its status, its steps and its result.

    RUN is a run's id, or so much of its beginning that only one run fits. A step with
    many activations is one row here; -o json has each of them, with all their attempts.
    """
    project = open_project(redis_url=redis_url)
    attempts, emitted = Attempts(), Counter[str]()
    with project.open_store() as store:
        state, plan = read_run(store, run, noting=lambda events: attempts.noting(counting(events, emitted)))
    if style == "json":
        print_json(with_attempts(to_dict(state, plan), state, attempts))
        return
    width, colour = terminal_width(sys.stdout), wants_colour(sys.stdout)
    for line in describe(state, plan, attempts, emitted, now_ms=now_ms(), width=width, colour=colour):
        click.echo(line)


def with_attempts(told: dict[str, Any], run: RunState, attempts: Attempts) -> dict[str, Any]:
    """A run as JSON-able data, and for each activation when it became due and what was tried."""
    for step in told["steps"]:
        activation = run.activations.get(step["stepId"])
        step["dueAt"] = None if activation is None else format_ts(activation.created_at_ms)
        step["attempts"] = [
            {
                "attempt": one.number,
                "startedAt": format_ts(one.started_at_ms),
                "endedAt": None if one.ended_at_ms is None else format_ts(one.ended_at_ms),
                "endedBy": one.ended_by,
            }
            for one in attempts.of(step["stepId"])
        ]
    return told


def describe(
    run: RunState,
    plan: Plan,
    attempts: Attempts,
    emitted: Mapping[str, int],
    *,
    now_ms: int,
    width: int = NO_LIMIT,
    colour: bool = False,
) -> list[str]:
    """The run as lines; pure.

    Args:
        run: The run.
        plan: The plan that it is pinned to.
        attempts: The attempts of the run.
        emitted: How many events of each name it has emitted.
        now_ms: Wall-clock time.
        width: Columns of the terminal.
        colour: Whether to colour it.
    """
    rows = _rows(run)
    steps = step_rows(run, plan, emitted, now_ms=now_ms)
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
        *_table(run, rows, steps, now_ms=now_ms, width=width),
        "",
        *timeline(run, rows, attempts, now_ms=now_ms, width=width, colour=colour),
    ]
    if run.error is not None:
        where = f" in step `{run.failed_step}`" if run.failed_step else ""
        lines += ["", f"error{where}", *(f"  {line}".rstrip() for line in error_lines(run.error))]
    if run.result is not None:
        lines += ["", "result", *(f"  {line}" for line in pretty(run.result).splitlines())]
    return lines


def _rows(run: RunState) -> list[Row]:
    """The activations by step, in the order in which the steps became due; many of a step are one row."""
    by_step: dict[str, list[Activation]] = {}
    for activation in run.activations.values():
        by_step.setdefault(activation.step, []).append(activation)
    rows: list[Row] = []
    for step, together in by_step.items():
        if len(together) > _EACH:
            rows.append(Row(f"{step} ×{len(together):,}", together))
        else:
            rows += [Row(activation.step_id, [activation]) for activation in together]
    return rows


def _table(run: RunState, rows: list[Row], steps: Sequence[StepRow], *, now_ms: int, width: int) -> list[str]:
    together = {step.step: step for step in steps}
    cells: list[tuple[str, ...]] = []
    for row in rows:
        if len(row.activations) == 1:
            cells.append(_cells(run, row.activations[0], now_ms=now_ms))
        else:
            cells += _cells_of_many(run, row, together[row.activations[0].step], now_ms=now_ms)
    cells += [
        (step.step, step.words, "", "", "", step.note) for step in steps if step.step not in run.created
    ]
    headers: tuple[str, ...] = _HEADERS
    if all(one.attempt <= 1 for one in run.activations.values()):
        headers, *cells = (_without_attempt(line) for line in (headers, *cells))
    # A long result leaves names what they have in the timeline.
    cells = with_fitted_names(0, headers, cells, width=width, least=max(1, width // 3))
    return table(headers, cells, width=width)


def _without_attempt(line: tuple[str, ...]) -> tuple[str, ...]:
    """A line of the table of a run in which nothing was tried twice."""
    place = _HEADERS.index("ATTEMPT")
    return line[:place] + line[place + 1 :]


def _cells_of_many(run: RunState, row: Row, step: StepRow, *, now_ms: int) -> list[tuple[str, ...]]:
    """One line for all of a step, and one for each of the first that failed."""
    starts = [one.started_at_ms for one in row.activations if one.started_at_ms is not None]
    lines: list[tuple[str, ...]] = [
        (
            row.name,
            step.words,
            str(step.attempt) if step.attempt else "",
            _after(run, min(starts, default=None)),
            "" if step.took_ms is None else format_duration(step.took_ms),
            "",
        )
    ]
    failed = [one for one in row.activations if one.state == FAILED]
    for one in failed[:_FAILED_SHOWN]:
        name, *rest = _cells(run, one, now_ms=now_ms)
        lines.append((f"  {name}", *rest))
    if len(failed) > _FAILED_SHOWN:
        lines.append((f"  and {len(failed) - _FAILED_SHOWN:,} more", FAILED, "", "", "", ""))
    return lines


def _cells(run: RunState, activation: Activation, *, now_ms: int) -> tuple[str, ...]:
    took = took_ms([activation], now_ms=now_ms)
    told = "" if activation.result is None else short_value(activation.result)
    if activation.error is not None and activation.result is None:
        told = one_line(error_text(activation.error))
    if activation.unroutable is not None and activation.is_open:
        told = f"cannot be served: {one_line(activation.unroutable)}"
    return (
        activation.step_id,
        activation.state,
        str(activation.attempt) if activation.attempt else "",
        _after(run, activation.started_at_ms),
        "" if took is None else format_duration(took),
        told,
    )


def _after(run: RunState, at_ms: int | None) -> str:
    """How long after the start of the run a time is."""
    return "" if at_ms is None else f"+{format_duration(at_ms - run.started_at_ms)}"
