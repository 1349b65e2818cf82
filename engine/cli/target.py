"""What FLOW of `flowengine run FLOW` means: a file, or a flow's name."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Final

import click

from engine.compile.build import Built, build
from engine.declare.discover import discover, find_flow
from engine.declare.parse import declared_name
from engine.errors import FlowNotFound

from .diagnostics import count_of_each, render_text, summary
from .failure import FAILED, UsageError
from .output import count_of, say, wants_colour
from .project import Project

_SUFFIXES: Final = (".yaml", ".yml", ".toml")

#: Flows that a message names, at most.
_NAMED: Final = 10


def as_file(target: str) -> Path | None:
    """The file that FLOW says, or None where it is a name.

    Raises:
        UsageError: It is a path, and there is no file.
    """
    path = Path(target)
    if path.suffix not in _SUFFIXES and os.sep not in target and not path.is_file():
        return None
    if path.is_dir():
        raise UsageError(f"`{target}` is a folder; name one flow file, or a flow")
    if not path.is_file():
        raise UsageError(f"there is no file `{target}`")
    return path


def flow_name(target: str) -> str:
    """The name of the flow that FLOW means; a name need not be declared here.

    Raises:
        UsageError: It is a file that declares none.
    """
    path = as_file(target)
    if path is None:
        return target
    files, _ = discover([path])
    documents = (file.reading.document for file in files)
    name = next((declared_name(document) for document in documents if document is not None), None)
    if name is None:
        raise UsageError(f"`{target}` declares no flow; name a flow, or a file that declares one")
    return name.text


def declared(target: str, project: Project, *, imports: bool) -> Built | None:
    """Compile the flow that FLOW means.

    Args:
        target: A file, or a flow's name.
        project: Where a name is looked up.
        imports: Whether its handlers are imported, because this process will run them.

    Returns:
        None where no file of the project declares a flow of this name.

    Raises:
        Exit: It has mistakes; they have been printed on stderr.
    """
    path = as_file(target)
    # Files that declare the same name are built together: all are refused, since nobody
    # can tell which one is meant.
    paths = find_flow(project.root, project.settings.queue.dir, target) if path is None else [path]
    if not paths:
        return None
    built = build(paths, root=project.root, import_handlers=imports)
    refuse_unsound(built, project)
    return built


def refuse_unsound(built: Built, project: Project) -> None:
    """Print what is wrong with declarations; warnings in one line, since nothing is refused for them.

    Raises:
        Exit: There are errors; they have been printed on stderr.
    """
    if not built.is_sound:
        say(render_text(built.diagnostics, built.sources, colour=wants_colour(sys.stderr)) + "\n")
        say(summary(built.diagnostics, flows=len(built.plans)))
        raise click.exceptions.Exit(FAILED)
    _, warnings = count_of_each(built.diagnostics)
    if warnings:
        say(f"{count_of(warnings, 'warning')}: `{project.here('validate')}` shows more")


def unknown_flow(target: str, project: Project) -> FlowNotFound:
    """The error for a name that no file declares; it names the flows that there are."""
    folder = project.root / project.settings.queue.dir
    names = [plan.flow for plan in build([folder], root=project.root, import_handlers=False).plans]
    known = ", ".join(f"`{name}`" for name in names[:_NAMED])
    there_are = f"; there {'is' if len(names) == 1 else 'are'} {known}" if known else ""
    return FlowNotFound(f"no file in `{folder}` declares a flow `{target}`{there_are}")
