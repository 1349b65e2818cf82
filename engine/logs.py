"""The shape of the engine's own log lines: one line of text each, on stderr.

What handlers log about their work is not here: those are events of a run.
"""

from __future__ import annotations

import logging
import sys
import time

#: Loggers that speak at INFO about what the engine itself reports better.
_QUIET_LOGGERS = ("dramatiq", "redis")

#: Prefix of the loggers whose lines name only the part of the engine that speaks.
_PACKAGE_PREFIX = "engine."

#: Attribute of a record that a handler made and that is an event of its run.
IN_STEP = "flowengine_in_step"


class TextFormatter(logging.Formatter):
    """Formats a record as `2026-01-31T12:00:00.123Z WARNING worker.leases: message`.

    Times are UTC, with milliseconds, as in the events of a run. A traceback follows
    its line.
    """

    converter = staticmethod(time.gmtime)

    def __init__(self) -> None:
        super().__init__(
            "{asctime}.{msecs:03.0f}Z {levelname} {part}: {message}",
            datefmt="%Y-%m-%dT%H:%M:%S",
            style="{",
        )

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Format one record's line."""
        record.part = record.name.removeprefix(_PACKAGE_PREFIX)
        return super().formatMessage(record)


def configure_logs(level: int = logging.INFO) -> None:
    """Send log lines to stderr; call once, at the edge of a process.

    Other libraries are heard from WARNING on. A second call replaces the first.

    Args:
        level: The least level of the engine's own lines.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter())
    handler.addFilter(lambda record: not getattr(record, IN_STEP, False))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old.formatter, TextFormatter):
            root.removeHandler(old)
    root.addHandler(handler)
    logging.getLogger("engine").setLevel(level)
    for name in _QUIET_LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
