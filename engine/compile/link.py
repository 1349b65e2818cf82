"""Import paths into functions: the one place where the user's code is imported.

Call `put_project_first` once before: a project's folder comes first on the path of
imports, so that an installed package called `handlers` cannot win. `engine` itself
is imported by then, so a folder of the project's called `engine` cannot win either.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from engine.errors import HandlerError
from engine.validate.source import own_folder

#: What a step runs: `def f(job, ctx)` or `async def f(job, ctx)`.
Handler = Callable[..., Any]


def put_project_first(root: Path) -> None:
    """Make `root` the first folder in which modules are looked for."""
    folder = str(root.resolve())
    if sys.path[:1] == [folder]:
        return
    sys.path[:] = [folder, *(entry for entry in sys.path if entry != folder)]
    importlib.invalidate_caches()


def link(path: str, *, load: Callable[[str], ModuleType] = importlib.import_module) -> Handler:
    """Import the function that an import path names.

    Args:
        path: `module:function`.
        load: Gives the module of a name, or raises what importing it raised.

    Raises:
        HandlerError: It cannot be imported, or is no function of two arguments;
            what the user's code raised is the cause.
    """
    module_name, _, name = path.partition(":")
    try:
        _keep_own(module_name.partition(".")[0])
        module = load(module_name)
    except KeyboardInterrupt:
        raise
    # A module may raise anything.
    except BaseException as error:
        raise HandlerError(_failure(path, module_name, error)) from error
    handler = getattr(module, name, None)
    if handler is None:
        raise HandlerError(f"handler `{path}`: module `{module_name}` has no function `{name}`")
    if not callable(handler):
        raise HandlerError(f"handler `{path}` is a value, not a function; write `def {name}(job, ctx):`")
    if _is(inspect.isgeneratorfunction, handler) or _is(inspect.isasyncgenfunction, handler):
        raise HandlerError(
            f"handler `{path}` has a `yield`, so a call would not run it; "
            f"`return` its result, and emit events with `ctx.flow.emit`"
        )
    if not _takes_two(handler):
        define = "async def" if is_async(handler) else "def"
        raise HandlerError(
            f"handler `{path}` cannot be called with a job and a context; write `{define} {name}(job, ctx):`"
        )
    return handler  # type: ignore[no-any-return]


def is_async(handler: Handler) -> bool:
    """Whether a call of a handler gives something to await: an `async def`, also as the call of an object."""
    return _is(inspect.iscoroutinefunction, handler)


def _is(kind: Callable[[object], bool], handler: Handler) -> bool:
    while isinstance(handler, functools.partial):
        handler = handler.func
    # The call of an object is its class's.
    return kind(handler) or kind(type(handler).__call__)


def _keep_own(package: str) -> None:
    """Put the project's own folder where the import system would find an installed package."""
    if package not in sys.modules and (spec := own_folder(sys.path[0], package)):
        sys.modules[package] = importlib.util.module_from_spec(spec)


def _takes_two(handler: Handler) -> bool:
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        return False
    except ValueError:
        # Some functions written in C do not tell; calling them will.
        return True
    return True


def _failure(path: str, module_name: str, error: BaseException) -> str:
    if (
        isinstance(error, ModuleNotFoundError)
        and error.name
        and f"{module_name}.".startswith(f"{error.name}.")
    ):
        return f"handler `{path}`: there is no module `{error.name}`"
    where = _last_user_line(error)
    told = error.msg if isinstance(error, SyntaxError) else _words_of(error)
    what = f"{type(error).__name__}: {told}" if told else type(error).__name__
    return f"handler `{path}`: importing `{module_name}` raised {what}{where}"


def _words_of(error: BaseException) -> str:
    try:
        return str(error).partition("\n")[0]
    # An exception of the user's may fail to say what it is.
    except Exception:
        return ""


def _last_user_line(error: BaseException) -> str:
    """Where in the user's files it was raised: neither in the import system nor here."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    frames = traceback.extract_tb(error.__traceback__)
    ours = (__file__, importlib.__file__)
    users = [frame for frame in frames if not frame.filename.startswith("<") and frame.filename not in ours]
    return f" ({users[-1].filename}, line {users[-1].lineno})" if users else ""
