"""Standard log records and prints of a handler, turned into `log` events of its run."""

from __future__ import annotations

import logging
from contextvars import ContextVar
from typing import Any, TextIO

from engine.logs import IN_STEP

from .attempt import MAX_MESSAGE
from .context import StepContext

#: The handler that `logging` and `print` belong to: of this thread, of this task, and of what they start
#: with their context.
_current: ContextVar[Capture | None] = ContextVar("_current", default=None)


class Capture:
    """Says whose `logging` and `print` are, for as long as a handler runs.

    Attributes:
        context: The handler's context.
        line: What it has printed without an end of line.
    """

    __slots__ = ("_token", "context", "line")

    def __init__(self, context: StepContext) -> None:
        self.context = context
        self.line = ""

    def __enter__(self) -> None:
        self._token = _current.set(self)

    def __exit__(self, *_: object) -> None:
        _current.reset(self._token)
        if self.line:
            self.context.logger.log("info", self.line, {"stream": "stdout"})


class RecordsToLog(logging.Handler):
    """Turns standard log records made inside a step into its `log` events."""

    def emit(self, record: logging.LogRecord) -> None:
        """Record it, if a handler made it."""
        capture = _current.get()
        if capture is None:
            return
        setattr(record, IN_STEP, True)
        try:
            capture.context.logger.log(record.levelname.lower(), self.format(record), {"logger": record.name})
        except Exception:
            self.handleError(record)


class PrintsToLog:
    """A text stream whose lines become `log` events where a handler writes them."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or record every whole line."""
        capture = _current.get()
        if capture is None:
            return self._stream.write(text)
        *lines, rest = (capture.line + text).split("\n")
        capture.line = rest[:MAX_MESSAGE]
        for line in lines:
            capture.context.logger.log("info", line, {"stream": "stdout"})
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
