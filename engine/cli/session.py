"""One run that `flowengine run` follows, with the worker of this process where it works too."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TextIO

import click

from engine.app import open_worker
from engine.compile.build import Built
from engine.compile.plan import Plan
from engine.errors import StoreUnavailable
from engine.events.state import COMPLETED
from engine.logs import configure_logs
from engine.store.connection import Store
from engine.worker.process import WorkerProcess
from engine.worker.vital import Death

from .failure import FAILED, INTERRUPTED, UNBLOCK, WorkEnded
from .interrupt import Interrupts
from .outcome import say_failure, to_dict
from .output import count_of, format_duration, pretty, say, terminal_width, to_json
from .plain import PlainView
from .project import Project
from .result import result_lines
from .target import as_file
from .watch import Unserved, View, Watcher, drain, follow, running_here

#: A worker that takes longer to stop waits for handlers.
_SOON_MS: Final = 500

#: How often it is looked whether the worker has stopped, where nothing is shown meanwhile.
_PAUSE_S: Final = 0.05

_AGAIN: Final = "Ctrl-C again leaves at once"


@dataclass(frozen=True, slots=True)
class Request:
    """What the arguments ask for.

    Attributes:
        target: FLOW.
        value: The run's input.
        key: Key of an idempotent start, or None.
        is_detached: Leave as soon as the run is recorded.
        works: Whether this process runs steps.
        is_plain: One line an event, also on a terminal.
        is_json: Print one JSON object and nothing else on stdout.
        stdout: Where the result goes; handlers print elsewhere.
    """

    target: str
    value: Any
    key: str | None
    is_detached: bool
    works: bool
    is_plain: bool
    is_json: bool
    stdout: TextIO


class Session:
    """One run that is followed, and the worker of this process, if it has one."""

    def __init__(
        self, request: Request, project: Project, store: Store, plan: Plan, built: Built | None
    ) -> None:
        """Prepare to follow; nothing is begun.

        Args:
            request: What the arguments ask for.
            project: Where the settings are.
            store: Where the run is.
            plan: What the run is pinned to.
            built: The flow with its handlers, where this process works.
        """
        self._request = request
        self._project = project
        self._store = store
        self._plan = plan
        self._built = built
        self._worker: WorkerProcess | None = None
        self._stopping: threading.Thread | None = None
        self._grace_ms = project.settings.worker.grace_ms

    def follow(self, run_id: str) -> int:
        """Follow the run to its end, or until Ctrl-C.

        Returns:
            The exit code.
        """
        with Interrupts().caught() as interrupts:
            try:
                with self._view(run_id) as view:
                    watcher = Watcher(self._store, run_id, view)
                    self._watch(run_id, watcher, view, interrupts)
                code = self._tell(watcher, run_id)
            except KeyboardInterrupt:
                self._stop_at_once()
                say(self._how_to_go_on(run_id))
                return INTERRUPTED
            except StoreUnavailable as error:
                self._stop_at_once()
                raise StoreUnavailable(f"{error}\n{self._how_to_go_on(run_id)}") from error
            except BaseException:
                self._stop_at_once()
                raise
        # Everything has been told: here the first signal is one too many.
        with contextlib.suppress(KeyboardInterrupt):
            self._stop(self._grace_ms, leave="Ctrl-C leaves at once", note=say, meanwhile=_pause)
        return code

    def _watch(self, run_id: str, watcher: Watcher, view: View, interrupts: Interrupts) -> None:
        configure_logs(level=logging.WARNING)
        self._begin_to_work()
        unserved = Unserved(self._store, self._plan, view, advice=self._worker_command())

        def check() -> None:
            if self._worker is not None:
                self._refuse_dead(self._worker, run_id)
            else:
                unserved.look(watcher.tally)

        follow(watcher, interrupts, between=check)
        if watcher.is_over or self._worker is None:
            return
        self._worker.stop_taking()
        view.note(_stopping(running_here(watcher.run, self._worker.worker_id), self._grace_ms))
        left_ms = drain(watcher, self._worker.worker_id, grace_ms=self._grace_ms)
        self._stop(int(left_ms), leave=_AGAIN, note=view.note, meanwhile=watcher.look)
        while watcher.look(timeout_ms=1):
            pass

    def _begin_to_work(self) -> None:
        """Start a worker, after the view: what handlers print goes through both."""
        if self._built is None:
            return
        # The loop that follows the run says why it died; the view is put in order first.
        self._worker = open_worker(self._store, self._project.settings, self._built, died=_say_nothing)
        self._worker.start()

    def _refuse_dead(self, worker: WorkerProcess, run_id: str) -> None:
        """Go no further where the worker cannot; the log has said why.

        Raises:
            WorkEnded: A handler is to blame.
        """
        death = worker.failure
        if death is None:
            return
        if death.is_handlers:
            raise WorkEnded(f"{UNBLOCK}\n{self._how_to_go_on(run_id)}")
        raise RuntimeError(f"the worker of this process died: {death.why}")

    def _stop(
        self, grace_ms: int, *, leave: str, note: Callable[[str], None], meanwhile: Callable[[], object]
    ) -> None:
        """Stop the worker, if that has not been done, and say what it waits for where it has to wait.

        Args:
            grace_ms: What running steps have to end; those of this run have ended, or have nothing left.
            leave: How to leave at once.
            note: Is told.
            meanwhile: Called again and again while it waits.
        """
        # One that died has threads that no longer answer; its leases end by themselves.
        if self._worker is None or self._worker.failure is not None or self._stopping is not None:
            return
        self._stopping = threading.Thread(target=self._worker.stop, args=(grace_ms,), daemon=True)
        self._stopping.start()
        self._stopping.join(_SOON_MS / 1000)
        if self._stopping.is_alive() and grace_ms > _SOON_MS:
            left = format_duration(grace_ms - _SOON_MS)
            note(f"steps of other runs have up to {left} to end ({leave})")
        while self._stopping.is_alive():
            meanwhile()

    def _stop_at_once(self) -> None:
        if self._worker is not None and self._worker.failure is None and self._stopping is None:
            self._worker.stop(0)

    @contextlib.contextmanager
    def _view(self, run_id: str) -> Iterator[View]:
        if _can_be_drawn_on(sys.stderr) and not self._request.is_plain:
            from .live import LiveView

            with LiveView(self._plan, see_all=self._project.command(f"logs {run_id}")) as live:
                yield live
        else:
            shows_events = self._request.is_plain or not self._request.is_json
            yield PlainView(self._plan, shows_events=shows_events)

    def _tell(self, watcher: Watcher, run_id: str) -> int:
        """Print how the run ended, or how to go on with it."""
        run = watcher.run
        if run is not None and self._request.is_json:
            click.echo(to_json(to_dict(run, self._plan)), file=self._request.stdout)
        if run is None or not run.is_over:
            say(self._how_to_go_on(run_id))
            return INTERRUPTED
        if run.status != COMPLETED:
            say_failure(run)
            return FAILED
        if not self._request.is_json:
            self._print_result(run.result)
        return 0

    def _print_result(self, result: Any) -> None:
        """Print it as JSON where a program may read it, and for people where it is their terminal."""
        stdout = self._request.stdout
        lines = pretty(result).splitlines()
        if stdout.isatty() and not self._request.is_plain:
            lines = result_lines(result, width=terminal_width(stdout))
        click.echo("\n".join(lines), file=stdout)

    def _how_to_go_on(self, run_id: str) -> str:
        see = f"see it with: {self._project.command(f'show {run_id}')}"
        if self._built is None:
            return f"run {run_id} goes on without this terminal\n{see}"
        return f"run {run_id} is not over\ngo on with: {self._worker_command()}\n{see}"

    def _worker_command(self) -> str:
        return self._project.command("worker", file=as_file(self._request.target))


def _stopping(running: int, grace_ms: int) -> str:
    if not running:
        return f"taking no more steps; {_AGAIN}"
    steps = count_of(running, "running step")
    return f"taking no more steps; {steps} may take {format_duration(grace_ms)} to end ({_AGAIN})"


def _pause() -> None:
    time.sleep(_PAUSE_S)


def _say_nothing(_death: Death) -> None:
    """Leave it to `WorkerProcess.failure`."""


def _can_be_drawn_on(stream: TextIO) -> bool:
    return stream.isatty() and os.environ.get("TERM") != "dumb"
