"""`flowengine completion`: what a shell needs to complete the command, and what completes its arguments.

A completer answers within a second or not at all, says nothing when it fails, and starts no
server.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final

import click

from engine.errors import FlowEngineError

from .entry import COMPLETING
from .project import open_project

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from engine.declare.document import Document
    from engine.store.connection import Store

_SHELLS: Final = ("bash", "zsh", "fish")

#: How long a person who has pressed Tab waits for files to be read or a store to answer, in seconds.
_PATIENCE_S: Final = 1.0

#: Ids that are offered, at most.
_OFFERED: Final = 50


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
def command(shell: str) -> None:
    """Print the lines that let a shell complete the command.

    For bash, put this in ~/.bashrc: eval "$(flowengine completion bash)"

    For zsh, put this in ~/.zshrc, after compinit: eval "$(flowengine completion zsh)"

    For fish: flowengine completion fish > ~/.config/fish/completions/flowengine.fish
    """
    from click.shell_completion import get_completion_class

    made_for = get_completion_class(shell)
    assert made_for is not None, shell
    root = click.get_current_context().find_root()
    click.echo(made_for(root.command, {}, "flowengine", COMPLETING).source())


def flow_names(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The flows that the files of the project declare."""
    return _within_patience(lambda: _flow_names(incomplete))


def flows_or_files(
    ctx: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem[str]]:
    """The flows of the project; where none fits, files."""
    from click.shell_completion import CompletionItem

    names = flow_names(ctx, parameter, incomplete)
    return [CompletionItem(name) for name in names] or files(ctx, parameter, incomplete)


def files(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem[str]]:
    """Files, which the shell itself knows."""
    from click.shell_completion import CompletionItem

    return [CompletionItem(incomplete, type="file")]


def run_ids(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The newest runs."""
    redis_url = ctx.params.get("redis_url")
    return _within_patience(lambda: _run_ids(incomplete, redis_url))


def step_names(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    """The steps of the run that is named, or else those of all flows of the project."""
    # click gives up parsing at an option without its value, and has the arguments left over then.
    run = ctx.params.get("run") or next(iter(ctx.args), None)
    redis_url = ctx.params.get("redis_url")
    names = _within_patience(lambda: _steps_of_run(run, redis_url) if run else _steps_of_project())
    return sorted({name for name in names if name.startswith(incomplete)})


def _within_patience(ask: Callable[[], list[str]]) -> list[str]:
    """What a question is answered with, or nothing where it fails or takes too long."""
    answers: list[str] = []

    def answer() -> None:
        try:
            answers.extend(ask())
        except (FlowEngineError, OSError):
            return

    # A daemon: the process ends without it, whatever it waits for.
    thread = threading.Thread(target=answer, daemon=True)
    thread.start()
    thread.join(_PATIENCE_S)
    return list(answers)


def _flow_names(incomplete: str) -> list[str]:
    from engine.declare.parse import declared_name

    names = [declared_name(document) for document in _documents()]
    return sorted({name.text for name in names if name is not None and name.text.startswith(incomplete)})


def _run_ids(incomplete: str, redis_url: str | None) -> list[str]:
    from engine.store.index import RunIndex

    with _running_store(redis_url) as store:
        return [] if store is None else list(RunIndex(store).beginning_with(incomplete)[:_OFFERED])


def _steps_of_run(run: str, redis_url: str | None) -> list[str]:
    from engine.store.index import RunIndex

    from .found import find_run, pinned_plan

    with _running_store(redis_url) as store:
        if store is None:
            return []
        summary = RunIndex(store).get(find_run(store, run))
        return list(pinned_plan(store, summary.flow, summary.version).steps)


def _steps_of_project() -> list[str]:
    """The steps in files of any shape: nothing is checked, and no handler's source is read."""
    from engine.declare.document import MapNode

    steps = [document.root.get("steps") for document in _documents()]
    return [name for one in steps if isinstance(one, MapNode) for name in one.entries]


def _documents() -> list[Document]:
    from engine.declare.discover import discover

    project = open_project()
    files, _ = discover([project.root / project.settings.queue.dir])
    return [file.reading.document for file in files if file.reading.document is not None]


@contextlib.contextmanager
def _running_store(redis_url: str | None) -> Iterator[Store | None]:
    """The store, if it runs: nobody's completion starts or joins a server."""
    from engine.embedded.server import running_url
    from engine.store.connection import Store

    project = open_project(redis_url=redis_url)
    settings = project.settings
    url = running_url(project.root) if settings.redis.is_embedded else settings.redis.connection_url
    if url is None:
        yield None
        return
    store = Store(
        url,
        address=settings.redis.address,
        prefix=settings.redis.prefix,
        events_max_len=settings.event_store.trim_max_len,
    )
    try:
        yield store
    finally:
        store.close()
