"""`flowengine deploy`: put the versions that files declare in force, on purpose."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import click

from engine.compile.build import Built, build
from engine.compile.plan import Plan
from engine.control.announce import announce_update, command_here
from engine.control.deploy import Deployed, changes_of, deploy, put
from engine.errors import StoreError
from engine.registry.changes import Changes
from engine.store.connection import Store

from .change_words import listed, step_words
from .lines import short_version
from .output import print_json, say, table, terminal_width
from .project import Project, declaration_paths, open_project, output_option, redis_option
from .target import refuse_unsound
from .watch import first_unserved, served_queues, unserved_sentence


@click.command("deploy")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@redis_option
@output_option
def command(paths: tuple[Path, ...], redis_url: str | None, style: str) -> None:
    """Put the versions that flow files declare in force.

    PATH is a file or a folder; without one, all flows of the project are deployed. All
    files are checked first, as `validate` does, and where one has a mistake nothing is
    put in force. New runs begin with these versions at once; runs that are on their way
    keep theirs. The code of handlers is what the workers have loaded.

    A version that has been in force before is put in force again, so the way back to an
    earlier release is: git checkout v41 flows && flowengine deploy
    """
    project = open_project(near=paths[0] if paths else None, redis_url=redis_url)
    built = build(declaration_paths(project, paths), root=project.root, import_handlers=False)
    refuse_unsound(built, project)
    with project.open_store() as store:
        for warning in store.warnings:
            say(warning)
        deployed = _deploy_all(store, built)
        changes = _announce(store, deployed)
        if style == "json":
            print_json([to_dict(plan, became) for plan, became in deployed])
        else:
            _print_table(deployed, changes)
        with suppress(StoreError):
            _say_what_nobody_serves(project, store, built)


def _deploy_all(store: Store, built: Built) -> list[tuple[Plan, Deployed]]:
    """Put every flow's version in force, once the plans of all are stored.

    Raises:
        StoreError: The store went away; what is in force by then has been said, as at Ctrl-C.
    """
    sources = {plan.flow: built.sources[built.files[plan.flow]] for plan in built.plans}
    for plan in built.plans:
        put(store, plan, source=sources[plan.flow])
    deployed: list[tuple[Plan, Deployed]] = []
    for plan in built.plans:
        try:
            deployed.append((plan, deploy(store, plan, source=sources[plan.flow], mode="deploy")))
        except (StoreError, KeyboardInterrupt):
            so_far = listed([done.flow for done, _ in deployed]) or "none"
            say(f"in force by now: {so_far}; perhaps {plan.flow}; the same command goes on from there")
            raise
    return deployed


def _announce(store: Store, deployed: Sequence[tuple[Plan, Deployed]]) -> Changes:
    """Tell who follows the registry what has changed; where the store is away, nobody is told of anything."""
    try:
        changes = changes_of(store, deployed)
        announce_update(store, by=command_here("deploy"), changes=changes)
    except StoreError as error:
        say(f"these versions are in force, and who follows the registry was not told: {error}")
        return Changes()
    return changes


def _print_table(deployed: Sequence[tuple[Plan, Deployed]], changes: Changes) -> None:
    words = {change.flow: step_words(change) for change in changes.altered}
    rows = [
        (plan.flow, short_version(plan.version), _outcome_words(became), words.get(plan.flow, ""))
        for plan, became in deployed
    ]
    for line in table(("FLOW", "VERSION", "", ""), rows, width=terminal_width(sys.stdout)):
        click.echo(line)


def _outcome_words(became: Deployed) -> str:
    if not became.is_change:
        return "was in force"
    words = "in force again" if became.outcome == "back" else "in force"
    return f"{words}, for {short_version(became.before)}" if became.before else f"{words}, the first"


def to_dict(plan: Plan, became: Deployed) -> dict[str, str | None]:
    """What became of one flow as JSON-able data."""
    return {"flow": plan.flow, "version": plan.version, "outcome": became.outcome, "before": became.before}


def _say_what_nobody_serves(project: Project, store: Store, built: Built) -> None:
    served = served_queues(store)
    unserved = [(plan, step) for plan in built.plans if (step := first_unserved(plan, served)) is not None]
    advice = project.command("worker")
    match unserved:
        case []:
            return
        case [(plan, step)]:
            say(unserved_sentence(step, plan.steps[step].queue, advice=advice))
        case _:
            flows = listed([plan.flow for plan, _ in unserved])
            say(f"no live worker serves all steps of {flows}; start one with: {advice}")
