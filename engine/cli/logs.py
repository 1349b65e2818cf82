"""`flowengine logs`: the log of a run, one line an event."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final

import click

from engine.compile.plan import Plan
from engine.errors import RunNotFound, StoreUnavailable
from engine.events.codec import to_envelope
from engine.events.state import ENDED
from engine.events.types import ALL_TYPES, TERMINAL, Event
from engine.store.connection import Store
from engine.store.index import RunIndex
from engine.store.log import EventLog

from .completion import run_ids, step_names
from .failure import UsageError
from .found import find_run, pinned_plan
from .lines import event_line, who_width
from .output import count_of, format_date, say, to_json_line, wants_colour
from .patience import ReaderPatience
from .project import open_project, output_option, redis_option

#: How long one look waits for the next event.
_LOOK_MS: Final = 4_000

#: Says whether an event is wanted.
Wanted = Callable[[Event], bool]


@click.command("logs")
@click.argument("run", metavar="RUN", shell_complete=run_ids)
@click.option("-f", "--follow", "follows", is_flag=True, help="Go on until the run is over.")
@click.option(
    "--step",
    metavar="STEP",
    shell_complete=step_names,
    help="Only events of this step, or of one activation such as pack#2.",
)
@click.option(
    "--type", "kind", metavar="TYPE", type=click.Choice(sorted(ALL_TYPES)), help="Only events of this type."
)
@redis_option
@output_option
def command(
    run: str, *, follows: bool, step: str | None, kind: str | None, redis_url: str | None, style: str
) -> None:
    """Print the log of a run.

    RUN is a run's id, or so much of its beginning that only one run fits. With -o json,
    each event is a JSON object on a line of its own. Following ends with the run, and then
    leaves with 0 whatever became of the run; Ctrl-C leaves with 130.
    """
    project = open_project(redis_url=redis_url)
    with project.open_store() as store:
        summary = RunIndex(store).get(find_run(store, run))
        plan = pinned_plan(store, summary.flow, summary.version)
        is_wanted = _filter(plan, step, kind)
        # The one that is followed for may come yet.
        if step is not None and "#" in step and (not follows or summary.status in ENDED):
            _require_activation(store, summary.run_id, step)
        events = _follow(store, summary.run_id) if follows else EventLog(store).read_all(summary.run_id)
        if style == "json":
            for event in filter(is_wanted, events):
                click.echo(to_json_line(to_envelope(event)))
            return
        width, colour = who_width(plan), wants_colour(sys.stdout)
        click.echo(
            f"run {summary.run_id} of {summary.flow}, {summary.status}, {format_date(summary.started_at_ms)}"
        )
        for event in filter(is_wanted, events):
            click.echo(event_line(event, who_width=width, colour=colour))


def _filter(plan: Plan, step: str | None, kind: str | None) -> Wanted:
    """What the options ask for.

    Raises:
        UsageError: The flow has no such step.
    """
    if step is not None and step.partition("#")[0] not in plan.steps:
        names = ", ".join(f"`{name}`" for name in plan.steps)
        raise UsageError(f"--step: flow `{plan.flow}` has no step `{step}`; it has {names}")
    return lambda event: (
        (kind is None or event.type == kind) and (step is None or step in (event.step_name, event.step_id))
    )


def _require_activation(store: Store, run_id: str, step_id: str) -> None:
    """Refuse an activation that a run has not had.

    Raises:
        UsageError: It has not had it.
    """
    step, _, number = step_id.partition("#")
    made = RunIndex(store).activations(run_id, step)
    if number not in map(str, range(1, made + 1)):
        raise UsageError(
            f"--step: run {run_id} has no `{step_id}`; it has {count_of(made, 'activation')} of `{step}`"
        )


def _follow(store: Store, run_id: str) -> Iterator[Event]:
    """All events of a run, as they come, until its end.

    Raises:
        StoreUnavailable: The store has been away for longer than is waited for.
        RunNotFound: The run was removed meanwhile, or the store came back without it.
    """
    log, patience = EventLog(store), ReaderPatience(store, say)
    after = "0-0"
    while True:
        try:
            events = log.wait(run_id, after=after, timeout_ms=_LOOK_MS)
            last = None if events else log.last(run_id)
        except StoreUnavailable as error:
            patience.bear(error)
            continue
        patience.relax()
        if not events and last is None:
            raise RunNotFound(f"run {run_id} is no longer in the store")
        for event in events:
            yield event
            after = event.id
        # The last one may be known already, where the end of the log was lost with its server.
        newest = events[-1] if events else last
        if newest is not None and newest.type in TERMINAL:
            return
