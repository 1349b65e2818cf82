"""What a user's code may import, and nothing more by accident."""

from __future__ import annotations

import inspect

import engine
from engine import errors

#: For handlers. Adding a name is a decision; taking one away breaks somebody.
FOR_HANDLERS = {"AsyncContext", "Context", "Job"}

#: Errors that a user's code may have to catch; the others end a process or a command.
ERRORS = {
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
}


def test_the_public_names_are_these():
    assert set(engine.__all__) == FOR_HANDLERS | ERRORS | {"__version__"}


def test_every_public_name_is_there_and_documented():
    for name in engine.__all__:
        assert hasattr(engine, name), name
        if name != "__version__":
            assert inspect.getdoc(getattr(engine, name)), name


def test_every_error_has_one_root():
    for name in error_names():
        assert issubclass(getattr(errors, name), errors.FlowEngineError)


def error_names():
    return {
        name
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and thing.__module__ == errors.__name__
    }
