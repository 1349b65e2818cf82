"""`flowengine logs`: the log of a run, one line an event."""

from __future__ import annotations

import sys

import click

from engine.events.codec import to_envelope
from engine.store.index import RunIndex
from engine.store.log import EventLog

from .found import find_run, pinned_plan
from .lines import event_line, who_width
from .output import format_date, to_json_line, wants_colour
from .project import open_project, output_option, redis_option


@click.command("logs")
@click.argument("run", metavar="RUN")
@redis_option
@output_option
def command(run: str, redis_url: str | None, style: str) -> None:
    """Print the log of a run.

    RUN is a run's id, or so much of its beginning that only one run fits. With -o json,
    each event is a JSON object on a line of its own.
    """
    project = open_project(redis_url=redis_url)
    with project.open_store() as store:
        summary = RunIndex(store).get(find_run(store, run))
        events = EventLog(store).read_all(summary.run_id)
        if style == "json":
            for event in events:
                click.echo(to_json_line(to_envelope(event)))
            return
        width = who_width(pinned_plan(store, summary.flow, summary.version))
        colour = wants_colour(sys.stdout)
        click.echo(
            f"run {summary.run_id} of {summary.flow}, {summary.status}, {format_date(summary.started_at_ms)}"
        )
        for event in events:
            click.echo(event_line(event, who_width=width, colour=colour))
