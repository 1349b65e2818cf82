"""`flowengine runs`: list runs, the newest first."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, Final

import click

from engine.clock import now_ms
from engine.events.codec import format_ts
from engine.events.state import FAILED, FAILING, STATUSES
from engine.store.index import RunIndex, RunPage, RunSummary

from .completion import flow_names, run_ids
from .found import find_run
from .known import known_flow
from .lines import error_text, short_run_id, short_version
from .moment import moment
from .names import with_fitted_names
from .output import (
    count_of,
    fit,
    format_date,
    format_duration,
    one_line,
    print_json,
    say,
    table,
    terminal_width,
    width_of,
)
from .project import Project, open_project, output_option, redis_option

_HEADERS: Final = ("RUN", "FLOW", "VERSION", "STATUS", "STARTED", "TOOK")

#: Columns beside the others that are room enough for why a run failed.
_REASON_CHARS: Final = 30

#: Columns that the name of a flow keeps while there is room for the version, and on any terminal.
_FLOW_CHARS: Final = 12
_FLOW_CHARS_AT_LEAST: Final = 8

#: Characters of a date before its month.
_YEAR_CHARS: Final = len("2026-")

_MOST: Final = 1_000


@click.command("runs")
@click.option("--flow", metavar="FLOW", shell_complete=flow_names, help="Only runs of this flow.")
@click.option(
    "--status",
    "statuses",
    type=click.Choice(STATUSES),
    multiple=True,
    help="Only runs of this status; may be given several times.",
)
@click.option(
    "--since",
    "since_ms",
    type=moment,
    metavar="TIME",
    help="Only runs started since then: an age such as 2h or 7d, or a date such as 2026-11-24T18:30.",
)
@click.option("--until", "until_ms", type=moment, metavar="TIME", help="Only runs started before then.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="At most so many."
)
@click.option("--after", metavar="RUN", shell_complete=run_ids, help="The page that comes after this run.")
@redis_option
@output_option
def command(
    *,
    flow: str | None,
    statuses: tuple[str, ...],
    since_ms: int | None,
    until_ms: int | None,
    limit: int,
    after: str | None,
    redis_url: str | None,
    style: str,
) -> None:
    """List runs, the newest first.

    Where there are more runs than fit a page, the command for the next one is printed. A
    program gives the last runId that it got to --after, until it gets an empty list.
    """
    project = open_project(redis_url=redis_url)
    with project.open_store() as store:
        flow = None if flow is None else known_flow(flow, project, store)
        after = None if after is None else find_run(store, after)
        page = RunIndex(store).page(
            flow=flow, statuses=statuses, since_ms=since_ms, until_ms=until_ms, after=after, limit=limit
        )
    _print(page, style)
    if page.after is not None and (page.is_cut or style == "text"):
        words = _words(flow=flow, statuses=statuses, since_ms=since_ms, limit=limit, after=page.after)
        say(next_page(page, project, words))


def _print(page: RunPage, style: str) -> None:
    if style == "json":
        print_json([to_dict(summary) for summary in page.runs])
    elif page.runs:
        for line in lines(page.runs, now_ms=now_ms(), width=terminal_width(sys.stdout)):
            click.echo(line)
    elif not page.is_cut:
        say("no runs")


def _words(*, flow: str | None, statuses: Sequence[str], since_ms: int | None, limit: int, after: str) -> str:
    """The arguments for the next page; an age has become the time that it meant."""
    told = [("flow", flow), *(("status", status) for status in statuses), ("limit", limit), ("after", after)]
    told.append(("since", None if since_ms is None else format_ts(since_ms)))
    return "runs" + "".join(f" --{name} {value}" for name, value in told if value is not None)


def next_page(page: RunPage, project: Project, words: str) -> str:
    """How to go on after a page."""
    go_on = project.command(words)
    if page.is_cut:
        found = count_of(len(page.runs), "run") if page.runs else "no run"
        return f"{found} found so far, and there are many more to look at; go on with: {go_on}"
    return f"next page: {go_on}"


def lines(runs: Sequence[RunSummary], *, now_ms: int, width: int) -> list[str]:
    """Runs as a table; why one failed is a line of its own where there is no room for it beside."""
    headers, rows = _fitted(runs, now_ms=now_ms, width=width)
    taken = _columns(headers, rows)
    reasons = [_reason(one) for one in runs]
    if taken + _REASON_CHARS <= width or not any(reasons):
        whole = [(*row, why) for row, why in zip(rows, reasons, strict=True)]
        return table((*headers, ""), whole, width=width)
    told, *alone = table(headers, rows, width=width)
    below = ([fit(f"  {why}", width)] if why else [] for why in reasons)
    return [told, *(part for line, why in zip(alone, below, strict=True) for part in (line, *why))]


def _fitted(
    runs: Sequence[RunSummary], *, now_ms: int, width: int
) -> tuple[Sequence[str], list[tuple[str, ...]]]:
    """Headers and rows of a table that fits the terminal, as far as that can be.

    What goes first is what can be missed: the end of an id and the year, then the version.
    """
    place = _HEADERS.index("FLOW")
    for is_short in (False, True):
        rows = [_row(one, now_ms=now_ms, is_short=is_short) for one in runs]
        rows = with_fitted_names(place, _HEADERS, rows, width=width, least=_FLOW_CHARS)
        if _columns(_HEADERS, rows) <= width:
            return _HEADERS, rows
    rows = [_without_version(_row(one, now_ms=now_ms, is_short=True)) for one in runs]
    headers = _without_version(_HEADERS)
    return headers, with_fitted_names(place, headers, rows, width=width, least=_FLOW_CHARS_AT_LEAST)


def _columns(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns of the terminal that a table takes."""
    return max(width_of(line) for line in table(headers, rows))


def _without_version(row: tuple[str, ...]) -> tuple[str, ...]:
    place = _HEADERS.index("VERSION")
    return (*row[:place], *row[place + 1 :])


def _row(summary: RunSummary, *, now_ms: int, is_short: bool) -> tuple[str, ...]:
    """A run's cells; short ones leave out of the id what no command needs, and the year."""
    started = format_date(summary.started_at_ms)
    took_ms = (summary.ended_at_ms or now_ms) - summary.started_at_ms
    return (
        short_run_id(summary.run_id) if is_short else summary.run_id,
        summary.flow,
        short_version(summary.version),
        summary.status,
        started[_YEAR_CHARS:] if is_short else started,
        format_duration(took_ms),
    )


def _reason(summary: RunSummary) -> str:
    """Why a run failed, or ''."""
    if summary.status not in (FAILING, FAILED):
        return ""
    where = f"{summary.failed_step}: " if summary.failed_step else ""
    return one_line(f"{where}{error_text(summary.error)}")


def to_dict(summary: RunSummary) -> dict[str, Any]:
    """A run as JSON-able data."""
    ended = summary.ended_at_ms
    return {
        "runId": summary.run_id,
        "flow": summary.flow,
        "version": summary.version,
        "status": summary.status,
        "startedAt": format_ts(summary.started_at_ms),
        "endedAt": None if ended is None else format_ts(ended),
        "duration": None if ended is None else ended - summary.started_at_ms,
        "error": summary.error,
        "failedStep": summary.failed_step,
    }
