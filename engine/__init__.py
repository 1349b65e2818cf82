"""A declarative, event-driven workflow engine.

What a user's code needs stands here; everything else is the engine's own affair.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from engine.errors import (
    DeclarationError,
    EmitNotDeclared,
    FlowEngineError,
    FlowNotFound,
    HandlerError,
    PayloadError,
    RunFailed,
    RunNotFound,
    SettingsError,
    StoreError,
    StoreFull,
    StoreUnavailable,
    StoreUnfit,
)
from engine.handler import Context, Job

try:
    __version__ = version("flowengine")
except PackageNotFoundError:  # a checkout that was never installed
    __version__ = "0+unknown"

__all__ = [
    # Handlers
    "Context",
    "Job",
    # Errors
    "DeclarationError",
    "EmitNotDeclared",
    "FlowEngineError",
    "FlowNotFound",
    "HandlerError",
    "PayloadError",
    "RunFailed",
    "RunNotFound",
    "SettingsError",
    "StoreError",
    "StoreFull",
    "StoreUnavailable",
    "StoreUnfit",
    # About
    "__version__",
]
