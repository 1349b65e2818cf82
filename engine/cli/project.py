"""Which project a command is about, and with which settings."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from engine.declare.discover import find_project
from engine.settings import Settings, load_settings

from .failure import UsageError
from .interrupt import held_back

if TYPE_CHECKING:
    from engine.store.connection import Store

#: Folder that the embedded server keeps in a project; it marks one that has nothing else.
_STORE_FOLDER: Final = ".flowengine"

#: What stands for a password in an address that may be shown.
_HIDDEN: Final = "***"


@dataclass(frozen=True, slots=True)
class Project:
    """What a command works on.

    Attributes:
        root: The project's folder.
        settings: What is set, flags included.
        flagged_url: The store's URL where it stood on the command line, else None.
    """

    root: Path
    settings: Settings
    flagged_url: str | None

    @contextlib.contextmanager
    def open_store(self) -> Iterator[Store]:
        """The store, for as long as the block lasts.

        Signals wait while it is opened and closed: a process that ends between the two halves
        of joining or leaving its own server would leave that without members, for ever.
        """
        from engine.app import open_store

        stack = contextlib.ExitStack()
        try:
            with held_back():
                store = stack.enter_context(open_store(self.settings, self.root))
            yield store
        finally:
            with held_back():
                stack.close()

    def command(self, words: str, *, file: Path | None = None) -> str:
        """A command line that works from here on the same store, for messages.

        Args:
            words: The command and its arguments.
            file: A last argument that is a file, named from here.
        """
        options = ""
        if self.flagged_url is not None:
            # A message may end up in a log: a password is left for the reader to fill in.
            address = self.settings.redis.address
            options = f" --redis-url {address if _HIDDEN in address else self.flagged_url}"
        return self.here(words, file=file, options=options)

    def here(self, words: str, *, file: Path | None = None, options: str = "") -> str:
        """A command line that works from here on the same project, for messages."""
        root = self.root.resolve()
        if (_find_root(None) or Path.cwd()).resolve() == root:
            place = f" {shlex.quote(str(file))}" if file else ""
            return f"flowengine {words}{place}{options}"
        place = f" {shlex.quote(str(_from(root, file.resolve())))}" if file else ""
        return f"(cd {shlex.quote(str(root))} && flowengine {words}{place}{options})"


def open_project(
    *,
    near: Path | None = None,
    redis_url: str | None = None,
    threads: int | None = None,
    otherwise: str = "say which Redis with --redis-url",
) -> Project:
    """Find the project and read its settings.

    Args:
        near: A file or a folder that the command was given, or None.
        redis_url: The value of `--redis-url`.
        threads: The value of `--threads`.
        otherwise: What to do where there is no project, for the message.

    Raises:
        UsageError: There is no project, and the command needs one.
        SettingsError: A setting is unknown or does not fit.
    """
    flags: dict[str, str | int | bool] = {}
    if redis_url is not None:
        flags["redis.url"] = redis_url
    if threads is not None:
        flags["worker.threads"] = threads
    root = _find_root(near)
    settings = load_settings(root, flags=flags, environ=os.environ)
    if root is None and settings.redis.is_embedded:
        raise UsageError(
            f"there is no project here: neither {Path.cwd()} nor a folder above it has a `flows` folder "
            f"or a `flowengine.toml`; go to one, or {otherwise}"
        )
    return Project(root or Path.cwd(), settings, redis_url)


def declaration_paths(project: Project, paths: Sequence[Path]) -> list[Path]:
    """The files and folders to read: those that were named, or the project's flows.

    The project's own directory stands for its flows: it has files of other kinds, too.

    Raises:
        UsageError: One is not there.
    """
    for path in paths:
        try:
            path.lstat()
        except FileNotFoundError as error:
            raise UsageError(f"there is no file or folder `{path}`") from error
        except OSError:
            # Reading it tells why, with whatever else is wrong.
            continue
    folder = project.root / project.settings.queue.dir
    root = project.root.resolve()
    if paths:
        return [folder if path.resolve() == root else path for path in paths]
    if not folder.is_dir():
        raise UsageError(
            f"there is no folder `{folder}`; name the flow files to read, "
            f"or make a project with `flowengine init DIR`"
        )
    return [folder]


def redis_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `--redis-url` to a command."""
    return click.option(
        "--redis-url",
        metavar="URL",
        help="The store, such as redis://localhost:6379/0; without one, the project's own server.",
    )(function)


def output_option(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add `-o` to a command."""
    return click.option(
        "-o",
        "--output",
        "style",
        type=click.Choice(["text", "json"]),
        default="text",
        help="How to print: for people, or as JSON for programs.",
    )(function)


def _find_root(near: Path | None) -> Path | None:
    here = Path.cwd()
    found = find_project(here)
    if found is not None:
        return found
    if near is not None:
        folder = (near if near.is_dir() else near.parent).absolute()
        return find_project(folder) or (folder.parent if folder.name == "flows" else folder)
    return next((folder for folder in (here, *here.parents) if (folder / _STORE_FOLDER).is_dir()), None)


def _from(root: Path, path: Path) -> Path:
    return path.relative_to(root) if path.is_relative_to(root) else path
