"""`flowengine run`: start a run, show it live, print its result."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

import click

from engine.compile.build import Built
from engine.compile.plan import Plan
from engine.control.announce import announce_update, command_here
from engine.control.deploy import changes_of, deploy, plan_in_force
from engine.control.start import start
from engine.errors import StoreError
from engine.store.connection import Store
from engine.store.index import RunIndex

from .completion import files, flows_or_files
from .failure import UsageError
from .found import pinned_plan
from .inputs import read_input
from .output import fit, say, to_json
from .project import Project, open_project, output_option, redis_option
from .session import Request, Session
from .streams import result_apart
from .target import as_file, declared, unknown_flow
from .watch import first_unserved, served_queues, unserved_sentence

#: Longest key; a longer one is not printed back in full.
_KEY_CHARS: Final = 256


@click.command("run")
@click.argument("flow", metavar="FLOW", shell_complete=flows_or_files)
@click.option(
    "-i", "pairs", metavar="KEY=VALUE", multiple=True, help="One field of the input; JSON if it parses."
)
@click.option(
    "--input",
    "source",
    metavar="FILE",
    shell_complete=files,
    help="The whole input: a file of JSON, or - for stdin.",
)
@click.option("--key", metavar="KEY", help="Start only once per key: a second start follows the first run.")
@click.option("--detach", is_flag=True, help="Print the run's id and leave; workers do the work.")
@click.option("--worker", is_flag=True, help="Work in this process too, on a Redis of your own.")
@click.option("--plain", is_flag=True, help="One line an event instead of a live table.")
@click.option("--threads", type=click.IntRange(min=1), help="Steps that this process runs at a time.")
@redis_option
@output_option
def command(
    *,
    flow: str,
    pairs: Sequence[str],
    source: str | None,
    key: str | None,
    detach: bool,
    worker: bool,
    plain: bool,
    threads: int | None,
    redis_url: str | None,
    style: str,
) -> int:
    """Start a run and show it live.

    FLOW is a flow file, or the name of a flow of the project. On the project's own
    server this process does the work too; on a Redis of yours, workers do.
    """
    if detach and worker:
        raise UsageError("--detach leaves the work to workers, --worker does it here; write only one of them")
    if key is not None and len(key) > _KEY_CHARS:
        raise UsageError(f"--key {fit(key, 40)}: a key has at most {_KEY_CHARS} characters")
    value = read_input(pairs, source)
    project = open_project(near=as_file(flow), redis_url=redis_url, threads=threads)
    works = worker or (project.settings.redis.is_embedded and not detach)
    # Only the result goes to stdout: what handlers print, also while they are imported, joins
    # the rest on stderr.
    with result_apart() as stdout:
        request = Request(flow, value, key, detach, works, plain, style == "json", stdout)
        built = declared(flow, project, imports=works)
        if built is None and (works or project.settings.redis.is_embedded):
            raise unknown_flow(flow, project)
        with project.open_store() as store:
            for warning in store.warnings:
                say(warning)
            return _run(request, project, store, built)


def _run(request: Request, project: Project, store: Store, built: Built | None) -> int:
    plan = _plan(request.target, project, store, built)
    if request.is_detached and project.settings.redis.is_embedded:
        _refuse_without_worker(project, store, plan)
    limit_bytes = project.settings.limits.payload_bytes
    started = start(store, plan, input=request.value, limit_bytes=limit_bytes, key=request.key)
    if not started.is_new:
        say(f"run {started.run_id} was started with this key before; this is that run")
        first = RunIndex(store).get(started.run_id)
        plan = pinned_plan(store, first.flow, first.version)
    if request.is_detached:
        _leave(request, project, plan, started.run_id)
        step = first_unserved(plan, served_queues(store)) if started.is_new else None
        if step is not None:
            advice = project.command("worker", file=as_file(request.target))
            say(unserved_sentence(step, plan.steps[step].queue, advice=advice))
        return 0
    session = Session(request, project, store, plan, built if request.works else None)
    return session.follow(started.run_id)


def _plan(target: str, project: Project, store: Store, built: Built | None) -> Plan:
    """The plan that the new run is pinned to, as it is in the store."""
    if built is None:
        return plan_in_force(store, target)
    plan = built.plans[0]
    # A run of a file on a shared Redis must not change what others start by name.
    is_own = project.settings.redis.is_embedded
    source = built.sources[built.files[plan.flow]]
    became = deploy(store, plan, source=source, mode="serve" if is_own else "store")
    # Nobody's work depends on being told.
    with suppress(StoreError):
        announce_update(store, by=command_here("run"), changes=changes_of(store, [(plan, became)]))
    return plan


def _refuse_without_worker(project: Project, store: Store, plan: Plan) -> None:
    step = first_unserved(plan, served_queues(store))
    if step is not None:
        raise UsageError(
            f"--detach: no live worker serves step `{step}` of flow `{plan.flow}`, so nobody would do "
            f"the work; start `{project.command('worker')}` in another terminal first, or leave --detach out"
        )


def _leave(request: Request, project: Project, plan: Plan, run_id: str) -> None:
    if request.is_json:
        told = {"runId": run_id, "flow": plan.flow, "version": plan.version, "status": "running"}
        click.echo(to_json(told), file=request.stdout)
    else:
        click.echo(run_id, file=request.stdout)
        say(f"see it with: {project.command(f'show {run_id}')}")
