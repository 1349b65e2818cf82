"""The one place where objects meet; importing it does nothing."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from engine.embedded.server import EmbeddedServer
from engine.settings import Settings
from engine.store.connection import Store
from engine.store.fitness import check

if TYPE_CHECKING:
    from engine.compile.build import Built
    from engine.compile.link import Handler
    from engine.worker.process import WorkerProcess
    from engine.worker.vital import Death


@contextmanager
def open_store(settings: Settings, root: Path) -> Iterator[Store]:
    """The store that the settings name, looked at once; the project's own server where they name none.

    Raises:
        EmbeddedServerError: The project's server cannot be started or joined.
        StoreUnavailable: The named server cannot be reached.
        StoreUnfit: Work must not be trusted to it.
    """
    if settings.redis.is_embedded:
        with EmbeddedServer(root) as server, _checked(settings, server.url, server.rejoin) as store:
            yield store
    else:
        with _checked(settings, settings.redis.connection_url, None) as store:
            yield store


@contextmanager
def _checked(settings: Settings, url: str, on_lost: Callable[[], None] | None) -> Iterator[Store]:
    store = Store(
        url,
        address=settings.redis.address,
        prefix=settings.redis.prefix,
        events_max_len=settings.event_store.trim_max_len,
        on_lost=on_lost,
    )
    try:
        store.warnings = check(store)
        yield store
    finally:
        store.close()


def open_worker(
    store: Store,
    settings: Settings,
    built: Built,
    *,
    died: Callable[[Death], None],
    link: Callable[[str], Handler] | None = None,
    serves_every_flow: bool = False,
) -> WorkerProcess:
    """A worker for the flows that were built with their handlers; not started.

    From here on, log records that handlers make are `log` events of their runs, and so is what
    they print where the settings say so.

    Args:
        store: Where the work is.
        settings: Threads, lease and limits.
        built: The flows.
        died: Told once why the worker cannot go on, when that has been logged.
        link: Finds the functions of older versions by import path, or raises `HandlerError`; imports
            them where nothing else is said.
        serves_every_flow: Whether running runs of all flows are served, also of those that no file
            declares any more: where all that is in the store is this project's.
    """
    # Imported here, since Dramatiq takes longer to import than most commands to run.
    from engine import __version__
    from engine.compile.link import link as import_handler
    from engine.registry.pins import Pins
    from engine.registry.plans import Registry
    from engine.store.plans import Plans
    from engine.worker.limits import Limits
    from engine.worker.process import WorkerProcess

    registry = Registry()
    registry.swap(built.plans, built.handlers)
    _capture(settings)
    return WorkerProcess(
        store,
        registry=registry,
        pins=Pins(registry, Plans(store), link or import_handler),
        limits=Limits(
            threads=settings.worker.threads,
            async_steps=settings.worker.async_steps,
            lease_ms=settings.worker.lease_ms,
            max_deliveries=settings.worker.max_deliveries,
            payload_bytes=settings.limits.payload_bytes,
            fan_out=settings.limits.fan_out,
            gather_bytes=settings.limits.gather_bytes,
            release=__version__,
        ),
        died=died,
        serves_every_flow=serves_every_flow,
    )


def _capture(settings: Settings) -> None:
    from engine.execution.capture import PrintsToLog, RecordsToLog

    root = logging.getLogger()
    if not any(isinstance(handler, RecordsToLog) for handler in root.handlers):
        # The first of all: it marks what the engine's own lines leave out.
        root.handlers.insert(0, RecordsToLog())
    if settings.worker.log_prints and not isinstance(sys.stdout, PrintsToLog):
        sys.stdout = PrintsToLog(sys.stdout)
