"""`flowengine worker`: one process that serves flows until it is stopped."""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import click

from engine.app import open_worker
from engine.compile.build import Built, build
from engine.compile.plan import Plan
from engine.control.announce import announce_update
from engine.control.deploy import Deployed, changes_of, deploy
from engine.errors import StoreError
from engine.logs import configure_logs
from engine.store.connection import Store

from .failure import INTERRUPTED
from .interrupt import Interrupts
from .output import say
from .project import declaration_paths, open_project, redis_option
from .serving import die, flow_table, how_to_stop, stop_in_order, who_works
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
        deployed = serve(store, built)
        # Where the store is the project's own, so is every run in it, whatever has become of its file.
        worker = open_worker(
            store,
            project.settings,
            built,
            died=die,
            serves_every_flow=not paths and project.settings.redis.is_embedded,
        )
        with Interrupts().caught() as interrupts:
            try:
                worker.start()
                _announce(store, worker.worker_id, deployed)
                later = {plan.flow: became.in_force for plan, became in deployed if became.in_force}
                for line in (who_works(project, worker.worker_id), *flow_table(built, later)):
                    say(line)
                say(how_to_stop(project))
                while not interrupts.is_asked:
                    time.sleep(_LOOK_S)
                stop_in_order(worker, project.settings.worker.grace_ms)
            except KeyboardInterrupt:
                return INTERRUPTED
    return 0


def serve(store: Store, built: Built) -> list[tuple[Plan, Deployed]]:
    """Put each flow's version in force where it is new to the store."""
    sources = built.sources
    return [
        (plan, deploy(store, plan, source=sources[built.files[plan.flow]], mode="serve"))
        for plan in built.plans
    ]


def _announce(store: Store, worker_id: str, deployed: Iterable[tuple[Plan, Deployed]]) -> None:
    # Nobody's work depends on being told.
    with suppress(StoreError):
        announce_update(store, by=worker_id, changes=changes_of(store, deployed))
