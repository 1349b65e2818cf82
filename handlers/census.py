"""Handlers of `flows/census.yaml`: a census of the Python standard library on this machine."""

from __future__ import annotations

import ast
import os
import platform
import sysconfig
from pathlib import Path
from typing import Any

from engine import Context, Job

#: Folders that are no part of the library proper: other people's packages, tests, an application.
SKIPPED_FOLDERS = frozenset(
    {
        "__pycache__",
        "dist-packages",
        "idle_test",
        "idlelib",
        "site-packages",
        "test",
        "tests",
        "turtledemo",
    }
)

#: Modules between two reports of progress.
PROGRESS_EVERY = 50

#: Modules that the report names.
LARGEST = 10


def list_modules(job: Job, ctx: Context) -> dict[str, Any]:
    """List the source files of the library; the payload names them relative to its folder."""
    folder = Path(sysconfig.get_path("stdlib"))
    files = []
    for place, folders, names in os.walk(folder):
        # Changed in place, so that `os.walk` does not even enter the others.
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS)
        files += [
            (Path(place) / name).relative_to(folder).as_posix() for name in names if name.endswith(".py")
        ]
    files.sort()
    ctx.logger.info(f"{len(files)} modules in {folder}")
    ctx.flow.emit("modules.listed", {"folder": str(folder), "files": files})
    return {"folder": str(folder), "modules": len(files)}


def analyse(job: Job, ctx: Context) -> dict[str, int]:
    """Parse every module; the payload has one short row for each, to stay small."""
    folder = Path(job.data["folder"])
    files = job.data["files"]
    rows, unreadable = [], []
    for number, file in enumerate(files, start=1):
        try:
            rows.append([file, *measure((folder / file).read_bytes())])
        except (SyntaxError, ValueError) as error:
            ctx.logger.warning(f"{file} does not parse: {error}")
            unreadable.append(file)
        if number % PROGRESS_EVERY == 0 or number == len(files):
            ctx.progress(number / len(files), f"{number} of {len(files)} modules")
    ctx.flow.emit("modules.analysed", {"rows": rows, "unreadable": unreadable})
    return {"analysed": len(rows), "unreadable": len(unreadable)}


def report(job: Job, ctx: Context) -> dict[str, Any]:
    """Add everything up; this is the result of the run."""
    rows = job.data["rows"]
    lines, functions, classes, documented = (sum(row[column] for row in rows) for column in range(1, 5))
    largest = sorted(rows, key=lambda row: (-row[1], row[0]))[:LARGEST]
    things = len(rows) + functions + classes
    ctx.logger.info(f"{len(rows)} modules, {lines:,} lines")
    return {
        "python": platform.python_version(),
        "modules": len(rows),
        "lines": lines,
        "functions": functions,
        "classes": classes,
        "docstrings": documented,
        "docstring_coverage": round(documented / things, 3) if things else None,
        "unreadable": job.data["unreadable"],
        "largest": [{"module": row[0], "lines": row[1]} for row in largest],
    }


def measure(source: bytes) -> tuple[int, int, int, int]:
    """Lines, functions, classes and docstrings of a module.

    Args:
        source: Its text, in the encoding that it declares.

    Raises:
        SyntaxError: It does not parse.
        ValueError: It holds a null byte.
    """
    tree = ast.parse(source)
    functions = classes = documented = 0
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            functions += 1
        elif isinstance(node, ast.ClassDef):
            classes += 1
        elif not isinstance(node, ast.Module):
            continue
        documented += ast.get_docstring(node, clean=False) is not None
    return len(source.splitlines()), functions, classes, documented
