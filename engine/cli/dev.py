"""`flowengine dev`: a worker that takes every saved change over at once."""

from __future__ import annotations

import os
import select
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Final

import click

from engine.app import open_worker
from engine.clock import now_ms
from engine.compile.build import Builder, Built
from engine.errors import StoreError
from engine.logs import configure_logs
from engine.reload.files import Files
from engine.reload.modules import Modules
from engine.reload.outcome import Outcome, Updated
from engine.reload.reloader import Reloader
from engine.reload.watcher import changes
from engine.store.connection import Store
from engine.store.index import RunIndex

from .diagnostics import render_text, summary
from .failure import INTERRUPTED
from .interrupt import Interrupts
from .output import format_clock, paint, say, wants_colour
from .project import Project, declaration_paths, open_project, redis_option
from .reloads import outcome_lines
from .serving import die, flow_table, how_to_stop, stop_in_order, who_works
from .streams import prints_optional

#: Seconds after which it is said that what was saved is still being loaded.
_SLOW_S: Final = 2.0

#: What a worker serves before the files have been looked at.
_NOTHING: Final = Built(plans=(), handlers={}, diagnostics=(), sources={}, files={})


@click.command("dev")
@click.option("--threads", type=click.IntRange(min=1), help="Steps that this process runs at a time.")
@redis_option
def command(threads: int | None, redis_url: str | None) -> int:
    """Serve the flows, and take saved changes over at once.

    Save a flow file or a module of its handlers, and new runs use it. Runs that are on
    their way finish on the version that they began with, and run the code that is there
    now. What is wrong with a save is told; until it is mended all stays as it was.
    """
    otherwise = "make one with `flowengine init DIR`"
    project = open_project(redis_url=redis_url, threads=threads, otherwise=otherwise)
    (flows,) = paths = declaration_paths(project, ())
    files = Files(project.root, flows)
    configure_logs()
    with prints_optional(), Modules(project.root).watched() as modules, project.open_store() as store:
        for warning in store.warnings:
            say(warning)
        is_own = project.settings.redis.is_embedded
        worker = open_worker(
            store, project.settings, _NOTHING, died=die, link=modules.link, serves_every_flow=is_own
        )
        reloader = Reloader(
            store,
            files=files,
            modules=modules,
            build=Builder(paths, root=project.root, link_handler=modules.link_new).build,
            swap=worker.swap,
            by=worker.worker_id,
            # A store that others use, too, has its versions in force for a reason.
            start_mode="deploy" if is_own else "serve",
        )
        with Interrupts().caught() as interrupts:
            try:
                say(who_works(project, worker.worker_id))
                desk = _Desk(project, store, reloader)
                # First, so that a job that waits is not fetched before there is code for it.
                desk.look(is_hint=True)
                worker.start()
                hints = changes(files.folders, is_over=lambda: interrupts.is_asked, blind=_say_blind)
                for is_hint in hints:
                    desk.look(is_hint=is_hint)
                stop_in_order(worker, project.settings.worker.grace_ms)
            except KeyboardInterrupt:
                return INTERRUPTED
    return 0


class _Desk:
    """Where it is told what became of a save, and where that can be asked."""

    def __init__(self, project: Project, store: Store, reloader: Reloader) -> None:
        """Nothing has been told yet."""
        self._project = project
        self._store = store
        self._reloader = reloader
        self._colour = wants_colour(sys.stderr)
        self._can_ask = sys.stdin is not None and sys.stdin.isatty()

    def look(self, *, is_hint: bool) -> None:
        """Look for changes, tell what became of them, and answer Enter."""
        is_first = self._reloader.built is None
        with _told_if_slow() if is_hint else nullcontext():
            outcome = self._reloader.look(is_hint=is_hint)
        if is_first and isinstance(outcome, Updated):
            self._introduce(outcome)
        elif outcome is not None:
            self._tell(outcome)
        if self._can_ask and _is_asked():
            self._tell_all()

    def _introduce(self, first: Updated) -> None:
        """What is served, and what to do with it."""
        for line in flow_table(first.built, first.later):
            say(line)
        if first.warnings:
            say("\n" + render_text(first.warnings, first.built.sources, colour=self._colour) + "\n")
        flow = first.built.plans[0].flow
        say(f"try, in another terminal: {self._project.command(f'run {flow}')}")
        enter = "; Enter shows what that is, or all that is wrong" if self._can_ask else ""
        say(f"what you save is in force at once{enter}")
        say(how_to_stop(self._project))

    def _tell(self, outcome: Outcome) -> None:
        happened, more = outcome_lines(
            outcome, pinned=self._pinned(), can_ask=self._can_ask, colour=self._colour
        )
        clock = paint(format_clock(now_ms())[:8], "dim", is_on=self._colour)
        for line in (*(f"{clock}  {line}" for line in happened), *more):
            say(line)

    def _pinned(self) -> set[tuple[str, str]]:
        try:
            return RunIndex(self._store).pinned()
        except StoreError:
            return set()

    def _tell_all(self) -> None:
        """All that is wrong now, or what is served where nothing is."""
        standing, built = self._reloader.standing, self._reloader.built
        if standing is not None:
            say(render_text(standing.diagnostics, standing.sources, colour=self._colour) + "\n")
            say(summary(standing.diagnostics, flows=len(standing.plans), imports=True))
        elif built is not None:
            for line in flow_table(built, {}):
                say(line)


@contextmanager
def _told_if_slow() -> Iterator[None]:
    """Say so where what was saved takes long to load: until it has, nothing else is looked at."""
    words = "still loading what was saved; what was in force stays so meanwhile (Ctrl-C twice leaves)"
    timer = threading.Timer(_SLOW_S, say, [words])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _say_blind(reason: str) -> None:
    say(f"the folders cannot be watched ({reason}); saved files are looked for instead, a little later")


def _is_asked() -> bool:
    """Whether somebody has pressed Enter; takes what was typed.

    In the background a read would stop the process (SIGTTIN), so nothing is read there. Nor is it once a
    handler has called `breakpoint()`: what is typed then is for the debugger.
    """
    if "pdb" in sys.modules:
        return False
    descriptor = sys.stdin.fileno()
    try:
        is_ours = os.tcgetpgrp(descriptor) == os.getpgrp()
        if not is_ours or not select.select([descriptor], [], [], 0)[0]:
            return False
        return bool(os.read(descriptor, 4_096))
    except OSError:
        return False
