"""`flowengine worker`: one process that serves flows until it is stopped."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from engine.app import open_worker
from engine.compile.build import Built, build
from engine.control.deploy import deploy
from engine.logs import configure_logs
from engine.store.connection import Store
from engine.worker.process import WorkerProcess
from engine.worker.vital import Death

from .failure import BUG, BUG_SENTENCE, INTERRUPTED, UNBLOCK, complain
from .interrupt import Interrupts
from .lines import short_version
from .output import count_of, format_duration, say, table
from .project import Project, declaration_paths, open_project, redis_option
from .streams import prints_optional
from .target import refuse_unsound

#: How often the process looks whether it was asked to stop.
_LOOK_S: Final = 0.1


@click.command("worker")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option("--threads", type=click.IntRange(min=1), help="Steps that this process runs at a time.")
@redis_option
def command(paths: tuple[Path, ...], threads: int | None, redis_url: str | None) -> int:
    """Serve the flows of the project until it is stopped.

    PATH is a file or a folder; without one, all flows of the project are served. Ctrl-C,
    SIGTERM or SIGHUP lets running steps end; a second one leaves at once.
    """
    near = paths[0] if paths else None
    project = open_project(near=near, redis_url=redis_url, threads=threads)
    built = build(declaration_paths(project, paths), root=project.root, import_handlers=True)
    refuse_unsound(built, project)
    configure_logs()
    with prints_optional(), project.open_store() as store:
        for warning in store.warnings:
            say(warning)
        later = serve(store, built)
        # Where the store is the project's own, so is every run in it, whatever has become of its file.
        worker = open_worker(
            store,
            project.settings,
            built,
            died=_die,
            serves_every_flow=not paths and project.settings.redis.is_embedded,
        )
        with Interrupts().caught() as interrupts:
            try:
                worker.start()
                for line in greeting(project, built, worker.worker_id, later):
                    say(line)
                return _work(worker, interrupts, project.settings.worker.grace_ms)
            except KeyboardInterrupt:
                return INTERRUPTED


def serve(store: Store, built: Built) -> dict[str, str]:
    """Put each flow's version in force where it is new to the store.

    Returns:
        By flow, the version that stays in force where that is a later one.
    """
    later = {}
    for plan in built.plans:
        deployed = deploy(store, plan, source=built.sources[built.files[plan.flow]], mode="serve")
        if deployed.in_force is not None:
            later[plan.flow] = deployed.in_force
    return later


def greeting(project: Project, built: Built, worker_id: str, later: Mapping[str, str]) -> list[str]:
    """What a worker says of itself when it starts."""
    settings = project.settings
    threads = count_of(settings.worker.threads, "thread")
    async_steps = count_of(settings.worker.async_steps, "async step")
    rows = []
    for plan in built.plans:
        in_force = later.get(plan.flow)
        note = f"in force is {short_version(in_force)}, which came later" if in_force else ""
        rows.append(
            (
                plan.flow,
                short_version(plan.version),
                count_of(len(plan.steps), "step"),
                built.files[plan.flow],
                note,
            )
        )
    return [
        f"worker {worker_id} on {settings.redis.address} with {threads}, {async_steps} at a time",
        *table(("FLOW", "VERSION", "", "FILE", ""), rows),
        f"Ctrl-C stops it; running steps then have {format_duration(settings.worker.grace_ms)} to end",
    ]


def _die(death: Death) -> None:
    """End the process without ceremony: what it holds is taken over when its leases are over."""
    complain(f"{UNBLOCK}; this process ends" if death.is_handlers else BUG_SENTENCE)
    os._exit(BUG)


def _work(worker: WorkerProcess, interrupts: Interrupts, grace_ms: int) -> int:
    while not interrupts.is_asked:
        time.sleep(_LOOK_S)
    say(
        f"taking no more steps; running ones have {format_duration(grace_ms)} to end "
        "(Ctrl-C again leaves at once)"
    )
    worker.stop(grace_ms)
    say("stopped")
    return 0
