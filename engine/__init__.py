"""A declarative, event-driven workflow engine.

What a user's code needs stands here; everything else is the engine's own affair. Each name is
imported when it is asked for: until a command has got to where it minds Ctrl-C, Python
answers one with a traceback.
"""

from __future__ import annotations

# Type checkers take it for true; `typing`, which has the name, takes longer to import than all the rest here.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from engine.errors import (
        EmitNotDeclared,
        FlowEngineError,
        FlowNotFound,
        HandlerError,
        PayloadError,
        RunNotFound,
        SettingsError,
        StoreError,
        StoreFull,
        StoreUnavailable,
        StoreUnfit,
    )
    from engine.handler import AsyncContext, Context, Job

    __version__: str

__all__ = [
    # Handlers
    "AsyncContext",
    "Context",
    "Job",
    # Errors
    "EmitNotDeclared",
    "FlowEngineError",
    "FlowNotFound",
    "HandlerError",
    "PayloadError",
    "RunNotFound",
    "SettingsError",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "StoreUnfit",
    # About
    "__version__",
]

_OF_HANDLERS = frozenset({"AsyncContext", "Context", "Job"})

if not TYPE_CHECKING:  # a type checker believes any name of a module that has this function

    def __getattr__(name: str) -> object:
        """Import a public name when it is first asked for."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        found = _version() if name == "__version__" else _imported(name)
        globals()[name] = found
        return found

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


def _imported(name: str) -> object:
    from importlib import import_module

    return getattr(import_module("engine.handler" if name in _OF_HANDLERS else "engine.errors"), name)


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("flowengine")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
