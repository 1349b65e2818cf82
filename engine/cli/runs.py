"""`flowengine runs`: list runs, the newest first."""

from __future__ import annotations

import sys
from typing import Any, Final

import click

from engine.clock import now_ms
from engine.events.codec import format_ts
from engine.events.state import FAILED, FAILING, STATUSES
from engine.store.index import RunIndex, RunSummary

from .lines import error_text
from .output import format_date, format_duration, one_line, print_json, say, table, terminal_width
from .project import open_project, output_option, redis_option

_HEADERS: Final = ("RUN", "FLOW", "STATUS", "STARTED", "TOOK", "")

_MOST: Final = 1_000


@click.command("runs")
@click.option("--flow", metavar="FLOW", help="Only runs of this flow.")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs of this status.")
@click.option(
    "--limit", type=click.IntRange(1, _MOST), default=50, show_default=True, help="At most so many."
)
@redis_option
@output_option
def command(flow: str | None, status: str | None, limit: int, redis_url: str | None, style: str) -> None:
    """List runs, the newest first."""
    project = open_project(redis_url=redis_url)
    with project.open_store() as store:
        found = RunIndex(store).list(flow=flow, status=status, limit=limit)
    if style == "json":
        print_json([to_dict(summary) for summary in found])
    elif not found:
        say("no runs")
    else:
        now = now_ms()
        for line in table(
            _HEADERS, [to_row(one, now_ms=now) for one in found], width=terminal_width(sys.stdout)
        ):
            click.echo(line)


def to_row(summary: RunSummary, *, now_ms: int) -> tuple[str, ...]:
    """A run as the cells of its row."""
    took_ms = (summary.ended_at_ms or now_ms) - summary.started_at_ms
    why = ""
    if summary.status in (FAILING, FAILED):
        where = f"{summary.failed_step}: " if summary.failed_step else ""
        why = one_line(f"{where}{error_text(summary.error)}")
    return (
        summary.run_id,
        summary.flow,
        summary.status,
        format_date(summary.started_at_ms),
        format_duration(took_ms),
        why,
    )


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
