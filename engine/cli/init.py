"""`flowengine init`: a project to begin with; its files stand in `template/`."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from engine.declare.shape import schema_text
from engine.errors import FlowEngineError

from .failure import UsageError
from .interrupt import held_back
from .output import one_line, pad, say

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_TEMPLATE: Final = Path(__file__).with_name("template")

#: The one file that is no part of the template: the engine reads it, too.
_SCHEMA: Final = "schemas/flow.schema.json"

#: File of a new project → what it is for, or '' where its name tells; in the order of telling.
FILES: Final[Mapping[str, str]] = {
    "flows/hello.yaml": "a flow: steps and their events",
    "handlers/hello.py": "what its steps do",
    "tests/test_hello.py": "a test of that",
    "tests/__init__.py": "",
    "flowengine.toml": "settings",
    _SCHEMA: "what editors know of flow files",
    ".vscode/settings.json": "",
    ".gitignore": "",
}


#: Columns that are left for what stands before a remark, at most.
_LEFT_CHARS: Final = 32


class NotMade(FlowEngineError):
    """The project cannot be made; says what of it, and why. Nothing of it is left."""


def _folders(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Folders, which the shell itself knows."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="dir")]


@click.command("init")
@click.argument("where", metavar="DIR", default="", shell_complete=_folders)
def command(where: str) -> None:
    """Make a project: a flow, its handlers and a test.

    DIR is made if it is not there. It may have other files; none is overwritten. So
    `flowengine init shop` makes a folder `shop`, and `flowengine init .` makes the project
    in this folder.
    """
    if not where:
        raise UsageError(
            "init where? `flowengine init shop` makes a folder `shop`, and `flowengine init .` "
            "makes the project in this folder"
        )
    directory = Path(where)
    _refuse_what_is_there(directory)
    contents = {name: _content(name) for name in FILES}
    # A Ctrl-C counts when all is there: between a file and the note of it nothing could take it away.
    with held_back():
        _make(directory, contents)
    for line in told(directory):
        say(line)


def told(directory: Path) -> list[str]:
    """What was made, and how to go on."""
    commands = {
        "flowengine dev": "# serves what you save",
        "flowengine run hello -i name=Ada": "# in another terminal",
        f"{_python()} -m unittest": "# runs the test",
    }
    is_here = os.path.samefile(directory, os.curdir)
    return [
        f"made in {'this folder' if is_here else one_line(str(directory))}:",
        *_beside(FILES),
        "",
        "go on with:",
        *([] if is_here else [f"  cd {shlex.quote(str(directory))}"]),
        *_beside(commands),
    ]


def _beside(remarks: Mapping[str, str]) -> list[str]:
    # One that is very long does not push the remarks of the others away.
    column = max(len(text) for text in remarks if len(text) <= _LEFT_CHARS)
    return [f"  {pad(text, column)}  {remark}".rstrip() for text, remark in remarks.items()]


def _python() -> str:
    """The Python that has the engine: its short name, where the shell finds that one by it."""
    here = Path(sys.executable)
    for name in ("python", "python3"):
        found = shutil.which(name)
        # Two environments may share one program: it is the folder that makes the difference.
        if found and Path(found).parent == here.parent and here.samefile(found):
            return name
    return shlex.quote(sys.executable)


def _refuse_what_is_there(directory: Path) -> None:
    """Refuse to overwrite anything.

    Raises:
        UsageError: Names what is in the way.
    """
    # Functions of os.path: what must not be looked at is told by making the project.
    for place in (directory, *directory.parents):
        if _is_no_folder(place):
            raise UsageError(f"`{place}` is no folder; name another one for the project")
    taken = [f"`{name}`" for name in FILES if os.path.lexists(directory / name)]
    folders = {str(Path(name).parent) for name in FILES}
    taken += [f"`{name}`, which is no folder," for name in sorted(folders) if _is_no_folder(directory / name)]
    if taken:
        raise UsageError(
            f"`{directory}` has {', '.join(taken)} already, and nothing is overwritten: "
            "name another folder, or move that away"
        )


def _is_no_folder(path: Path) -> bool:
    return os.path.lexists(path) and not os.path.isdir(path)


def _content(name: str) -> bytes:
    if name == _SCHEMA:
        return schema_text().encode()
    return (_TEMPLATE / name).read_bytes()


def _make(directory: Path, contents: Mapping[str, bytes]) -> None:
    """Write all of the files, or nothing.

    Raises:
        NotMade: One cannot be written.
    """
    with contextlib.ExitStack() as undo:
        for name, content in contents.items():
            path = directory / name
            try:
                _make_folder(path.parent, undo)
                _write(path, content, undo)
            except OSError as error:
                raise NotMade(
                    f"`{error.filename or path}` cannot be made: {error.strerror}; nothing of the project "
                    "is left behind, so mend that and try again, or name another folder"
                ) from error
        undo.pop_all()


def _make_folder(folder: Path, undo: contextlib.ExitStack) -> None:
    missing = [one for one in (folder, *folder.parents) if not os.path.isdir(one)]
    for one in reversed(missing):
        one.mkdir()
        undo.callback(_remove, one.rmdir)


def _write(path: Path, content: bytes, undo: contextlib.ExitStack) -> None:
    # Fails where something has come since it was looked for; such a file is not taken away.
    with path.open("xb") as file:
        undo.callback(_remove, path.unlink)
        file.write(content)


def _remove(remove: Callable[[], None]) -> None:
    """Take something away, unless somebody has put something of theirs into it."""
    with contextlib.suppress(OSError):
        remove()
