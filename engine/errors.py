"""Every exception of the engine; this module imports nothing.

FlowEngineError
├── FlowNotFound          no such flow here or in the store
├── VersionNotFound       the flow is known, this version of it is not
├── RunNotFound           no such run in the store
├── PayloadError          an input, a result or a payload that cannot be recorded
│   └── EmitNotDeclared   a handler emitted an event that its step does not declare
├── HandlerError          a handler cannot be imported, or is no function that a step can call
├── WorkerLost            the workers that ran a step were lost, each time anew
├── StoreError            the store cannot do what it was asked
│   ├── StoreUnavailable  it cannot be reached at the moment: try again
│   ├── StoreUnfit        it can be reached, but work must not be trusted to it
│   ├── StoreFull         it is out of memory and refuses new work
│   └── CorruptEvent      an entry of a log that no engine can have written
├── EmbeddedServerError   the server of this project cannot be started or joined
└── SettingsError         a setting has a wrong name or a wrong value

The message of each is the sentence that a user reads: what was found, where,
what to do.
"""

from __future__ import annotations


class FlowEngineError(Exception):
    """The root of everything that the engine raises on purpose."""


class FlowNotFound(FlowEngineError):
    """There is no flow of this name."""


class VersionNotFound(FlowEngineError):
    """This flow has no such version in the store."""


class RunNotFound(FlowEngineError):
    """There is no run of this id in the store."""


class PayloadError(FlowEngineError):
    """An input, a result or a payload is not JSON, or is larger than a limit allows."""


class EmitNotDeclared(PayloadError):
    """A handler emitted an event that its step does not list under `emits`."""


class HandlerError(FlowEngineError):
    """A handler cannot be imported, or is no function that a step can call; says why."""


class WorkerLost(FlowEngineError):
    """A step was given out again and again, and each time its worker was lost."""


class StoreError(FlowEngineError):
    """The store cannot do what it was asked."""


class StoreUnavailable(StoreError):
    """The store cannot be reached at the moment; trying again may help."""


class StoreUnfit(StoreError):
    """The store answers, but is too old or is set up so that it would lose work."""


class StoreFull(StoreError):
    """The store is out of memory and refuses new work; running work goes on."""


class CorruptEvent(StoreError):
    """An entry of a log has no type, run or flow, or data that is not JSON."""


class EmbeddedServerError(FlowEngineError):
    """The server of this project directory cannot be started or joined."""


class SettingsError(FlowEngineError):
    """A setting has an unknown name or a value that does not fit; says which and whence."""
