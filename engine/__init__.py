"""A declarative, event-driven workflow engine.

What a user's code needs stands here; everything else is the engine's own affair.
"""

from __future__ import annotations

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


def __getattr__(name: str) -> str:
    """Look the version up when it is asked for: that takes a third of the time of a short command."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("flowengine")
    except PackageNotFoundError:  # a checkout that was never installed
        return "0+unknown"
