"""`flowengine validate`: the mistakes of all files, at once, each with its place."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from engine.compile.build import Built, build

from .diagnostics import render_text, summary, to_annotation, to_report
from .failure import FAILED
from .output import print_json, wants_colour
from .project import declaration_paths, open_project
from .streams import ReaderLeft


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATH]...", type=click.Path(path_type=Path))
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json", "github"]),
    default="text",
    show_default=True,
    help="How to report.",
)
@click.option("--strict", is_flag=True, help="Fail on warnings too.")
@click.option("--import", "imports", is_flag=True, help="Import the handlers instead of looking them up.")
def command(paths: tuple[Path, ...], style: str, strict: bool, imports: bool) -> int:
    """Check flow files and point at their mistakes.

    PATH is a file or a folder; without one, all flows of the project are checked. No
    store is needed, and no code of yours is run unless --import is given. How the steps
    hang together is looked at once a file has no wrong key or value; the last line says
    where more may come.
    """
    project = open_project(near=paths[0] if paths else None, otherwise="name the flow files to read")
    built = build(declaration_paths(project, paths), root=project.root, import_handlers=imports)
    # What was found counts, however much of it is read.
    with contextlib.suppress(ReaderLeft):
        _print(built, style, imports=imports)
    if not built.is_sound or (strict and built.diagnostics):
        return FAILED
    return 0


def _print(built: Built, style: str, *, imports: bool) -> None:
    if style == "json":
        print_json(to_report(built.diagnostics, flows=len(built.plans)))
    elif style == "github":
        for diagnostic in built.diagnostics:
            click.echo(to_annotation(diagnostic))
    else:
        if built.diagnostics:
            click.echo(render_text(built.diagnostics, built.sources, colour=wants_colour(sys.stdout)) + "\n")
        click.echo(summary(built.diagnostics, flows=len(built.plans), imports=imports))
