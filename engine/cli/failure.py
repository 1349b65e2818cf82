"""What a failed command says, and the code that it leaves with."""

from __future__ import annotations

import sys
import traceback
from typing import Final

import click

from engine.errors import (
    EmbeddedServerError,
    FlowEngineError,
    FlowNotFound,
    PayloadError,
    RunNotFound,
    SettingsError,
    StoreError,
    VersionNotFound,
)

#: A run or a check failed.
FAILED: Final = 1
#: What was asked for makes no sense: arguments, settings, names of things that are not there.
USAGE: Final = 2
#: The store cannot be reached, refuses, or is unfit.
STORE: Final = 3
#: A bug of this engine.
BUG: Final = 70
#: Ctrl-C or SIGTERM before the end.
INTERRUPTED: Final = 130

#: Kind of error → exit code; the first that fits. Any other error of the engine is `FAILED`.
_CODES: Final[tuple[tuple[type[Exception], int], ...]] = (
    (StoreError, STORE),
    (EmbeddedServerError, STORE),
    (SettingsError, USAGE),
    (PayloadError, USAGE),
    (FlowNotFound, USAGE),
    (VersionNotFound, USAGE),
    (RunNotFound, USAGE),
)


#: What to do about a bug; more is above it.
BUG_SENTENCE: Final = "this is a bug of flowengine, not of your flow; please report it with the lines above"

#: What to do about an event loop that a handler blocks.
UNBLOCK: Final = (
    "write the handler as `def`, which runs in a thread of its own, or let it hand what takes long "
    "to `await asyncio.to_thread(…)`"
)


class UsageError(FlowEngineError):
    """The arguments ask for something that cannot be done; says which and what to write."""


class WorkEnded(FlowEngineError):
    """A handler has made the worker of this process unable to go on; says what to change and how to go on."""


def exit_code(error: Exception) -> int:
    """The code that a command leaves with when this error ends it."""
    if isinstance(error, click.ClickException | UsageError):
        return USAGE
    if not isinstance(error, FlowEngineError):
        return BUG
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def report(error: Exception) -> int:
    """Say on stderr what ended a command.

    Returns:
        The exit code.
    """
    code = exit_code(error)
    if isinstance(error, click.ClickException):
        complain(_click_sentence(error))
    elif code == BUG:
        traceback.print_exception(error, file=sys.stderr)
        complain(BUG_SENTENCE)
    else:
        complain(str(error))
    return code


def complain(sentence: str) -> None:
    """Say on stderr what is wrong."""
    click.echo(f"flowengine: {sentence}", err=True)


def _click_sentence(error: click.ClickException) -> str:
    sentence = error.format_message()
    context = getattr(error, "ctx", None)
    if context is None:
        return sentence
    return f"{sentence.rstrip('.')}; `{context.command_path} --help` tells more"
