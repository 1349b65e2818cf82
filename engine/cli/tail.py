"""`flowengine tail`: the events of all runs and of the registry as they happen, one line an event."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Final

import click

from engine.errors import StoreUnavailable
from engine.events.codec import to_envelope
from engine.events.types import Event, RegistryEvent
from engine.store.connection import Store
from engine.store.feed import reference_bytes
from engine.store.follower import AnyEvent, Follower
from engine.store.log import EventLog

from .completion import flow_names
from .known import known_flow
from .lines import feed_line, what_happened
from .output import say, terminal_width, to_json_line, wants_colour
from .patience import ReaderPatience
from .project import open_project, output_option, redis_option
from .registry_lines import may_be_about, registry_line

#: How long one look waits for the next event.
_LOOK_MS: Final = 4_000

#: Columns of the flow's and the activation's name; longer ones push the words to the right.
_WHO_CHARS: Final = 24

#: Terminals with fewer columns get lines without milliseconds and without padding.
_WIDE_COLUMNS: Final = 100

_MOST: Final = 10_000

#: Makes a line of an event.
Teller = Callable[[AnyEvent], str]


@click.command("tail")
@click.option("--flow", metavar="FLOW", shell_complete=flow_names, help="Only what is about this flow.")
@click.option(
    "-n",
    "--last",
    "count",
    type=click.IntRange(0, _MOST),
    default=10,
    show_default=True,
    help="Begin with so many events that have happened already; 0 begins now.",
)
@redis_option
@output_option
def command(flow: str | None, count: int, redis_url: str | None, style: str) -> None:
    """Follow the events of all runs, and what comes into force.

    Goes on until Ctrl-C. With -o json, each event is a JSON object on a line of its own;
    data of more than 16 KiB is a reference there, which the log of the run has whole.
    """
    project = open_project(redis_url=redis_url)
    with project.open_store() as store:
        flow = None if flow is None else known_flow(flow, project, store)
        tell = _json_line if style == "json" else _text_line(store)
        for event in _events(store, flow=flow, count=count):
            click.echo(tell(event))


def _events(store: Store, *, flow: str | None, count: int) -> Iterator[AnyEvent]:
    """The last events and then, for ever, those that follow.

    Raises:
        StoreUnavailable: The store has been away for longer than is waited for.
    """

    def is_wanted(event: AnyEvent) -> bool:
        if flow is None:
            return True
        return event.flow_name == flow if isinstance(event, Event) else may_be_about(event, flow)

    follower, patience = Follower(store), ReaderPatience(store, say)
    yield from follower.last(count, is_wanted=None if flow is None else is_wanted)
    while True:
        try:
            followed = follower.wait(timeout_ms=_LOOK_MS)
        except StoreUnavailable as error:
            patience.bear(error)
            continue
        patience.relax()
        if followed.is_reset:
            say("events may be missing here: the feed no longer goes back to the last one above")
        yield from filter(is_wanted, followed.events)


def _json_line(event: AnyEvent) -> str:
    return to_json_line(to_envelope(event))


def _text_line(store: Store) -> Teller:
    width, colour = terminal_width(sys.stdout), wants_colour(sys.stdout)
    log = EventLog(store)

    def tell(event: AnyEvent) -> str:
        is_narrow = width < _WIDE_COLUMNS
        if isinstance(event, RegistryEvent):
            return registry_line(event, colour=colour, is_narrow=is_narrow)
        return feed_line(
            event,
            words=_words(log, event),
            who_width=_WHO_CHARS,
            colour=colour,
            is_narrow=is_narrow,
        )

    return tell


def _words(log: EventLog, event: Event) -> str:
    """What an event says; of large data the feed has no more than the size, so the log is asked."""
    size = reference_bytes(event)
    if size is None:
        return what_happened(event)
    try:
        whole = log.get(event.run_id, event.id)
    except StoreUnavailable:
        whole = None
    return f"{size // 1024:,} KiB of data" if whole is None else what_happened(whole)
