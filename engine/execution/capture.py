"""Standard log records and prints of a handler, turned into `log` events of its run."""

from __future__ import annotations

import logging
import threading
from typing import Any, TextIO

from engine.logs import IN_STEP

from .context import MAX_MESSAGE, StepContext

_current = threading.local()


class Capture:
    """Sets the context that `logging` and `print` of this thread belong to, for as long as a handler runs."""

    __slots__ = ("_context",)

    def __init__(self, context: StepContext) -> None:
        self._context = context

    def __enter__(self) -> None:
        _current.context = self._context
        _current.line = ""

    def __exit__(self, *_: object) -> None:
        _current.context = None
        if _current.line:
            self._context.logger.log("info", _current.line, {"stream": "stdout"})


class RecordsToLog(logging.Handler):
    """Turns standard log records made inside a step into its `log` events."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record it, if this thread runs a handler."""
        context: StepContext | None = getattr(_current, "context", None)
        if context is None:
            return
        setattr(record, IN_STEP, True)
        try:
            context.logger.log(record.levelname.lower(), self.format(record), {"logger": record.name})
        except Exception:
            self.handleError(record)


class PrintsToLog:
    """A text stream whose lines become `log` events where the writing thread runs a handler."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or record every whole line."""
        context: StepContext | None = getattr(_current, "context", None)
        if context is None:
            return self._stream.write(text)
        *lines, rest = (_current.line + text).split("\n")
        _current.line = rest[:MAX_MESSAGE]
        for line in lines:
            context.logger.log("info", line, {"stream": "stdout"})
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
