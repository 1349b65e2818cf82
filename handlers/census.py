"""Handlers of `flows/census.yaml`: a census of the Python standard library on this machine."""

from __future__ import annotations

import ast
import os
import platform
import sysconfig
import threading
from collections.abc import Iterator
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

#: Modules that the report names.
LARGEST = 10

#: Steps run in threads, and two that parse at once can fail each other: CPython counts the depth of the
#: trees that it builds for all threads together (gh-106905). They would wait for each other anyway.
_parsing = threading.Lock()


def list_modules(job: Job, ctx: Context) -> dict[str, Any]:
    """Emit one event for each source file of the library: each is a piece of work of its own."""
    folder = Path(sysconfig.get_path("stdlib"))
    modules = sorted(modules_in(folder))
    ctx.logger.info(f"{len(modules)} modules in {folder}")
    for module in modules:
        ctx.flow.emit("module.found", {"folder": str(folder), "module": module})
    return {"folder": str(folder), "modules": len(modules)}


def analyse(job: Job, ctx: Context) -> None:
    """Count what is in one module; that one cannot be read is a finding too, and no failure."""
    module = job.data["module"]
    try:
        counts = count(Path(job.data["folder"], module).read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        ctx.logger.warning(f"{module} cannot be read: {error}")
        ctx.flow.emit("module.analysed", {"module": module, "error": str(error)})
    else:
        ctx.flow.emit("module.analysed", {"module": module, **counts})


def report(job: Job, ctx: Context) -> dict[str, Any]:
    """Add everything up; `job.data` has what each module has emitted, and this is the result of the run."""
    read = [found for found in job.data if "error" not in found]
    totals = {name: sum(found[name] for found in read) for name in count(b"")}
    things = len(read) + totals["functions"] + totals["classes"]
    largest = sorted(read, key=lambda found: (-found["lines"], found["module"]))[:LARGEST]
    return {
        "python": platform.python_version(),
        "modules": len(read),
        "unreadable": len(job.data) - len(read),
        **totals,
        "docstring_coverage_percent": round(100 * totals["docstrings"] / things, 1) if things else None,
        "largest": [{"module": found["module"], "lines": found["lines"]} for found in largest],
    }


def modules_in(folder: Path) -> Iterator[str]:
    """The source files below a folder, relative to it."""
    for place, folders, names in os.walk(folder):
        # Changed in place, so that `os.walk` does not even enter the others.
        folders[:] = [name for name in folders if name not in SKIPPED_FOLDERS]
        for name in names:
            if name.endswith(".py"):
                yield (Path(place) / name).relative_to(folder).as_posix()


def count(source: bytes) -> dict[str, int]:
    """Lines, functions, classes and docstrings of a module.

    Args:
        source: Its text, in the encoding that it declares.

    Raises:
        SyntaxError: It does not parse.
        ValueError: It holds a null byte.
    """
    with _parsing:
        tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    classes = [node for node in nodes if isinstance(node, ast.ClassDef)]
    modules = [node for node in nodes if isinstance(node, ast.Module)]
    documented = [
        node for node in (*modules, *functions, *classes) if ast.get_docstring(node, clean=False) is not None
    ]
    return {
        "lines": len(source.splitlines()),
        "functions": len(functions),
        "classes": len(classes),
        "docstrings": len(documented),
    }
