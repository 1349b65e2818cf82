"""The standard streams: what they are good for once they are closed, full or gone.

stdout carries results: that one cannot be written is an error of the command. stderr
carries what is said about them: a run must not fail because nobody listens any more. A
stream that failed is pointed to nowhere, so that nothing fails for it a second time.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from collections.abc import Iterator
from typing import Any, Final, TextIO

import click

from engine.errors import FlowEngineError

from .failure import FAILED

_STDIN: Final = 0
_STDOUT: Final = 1
_STDERR: Final = 2


class OutputLost(FlowEngineError):
    """The result cannot be written to stdout; says why."""


class _Needed(io.FileIO):
    """A descriptor that must take what is written."""

    def write(self, data: Any, /) -> int:
        """Write some of it.

        Raises:
            OutputLost: It cannot be written.
            Exit: Nobody reads any more, which is no news to who stopped reading.
        """
        try:
            return super().write(data)
        except OSError as error:
            _point_to_nowhere(self.fileno())
            if error.errno == errno.EPIPE:
                raise click.exceptions.Exit(FAILED) from error
            why = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputLost(f"what was asked for cannot be written to stdout: {why}") from error


class _Optional(io.FileIO):
    """A descriptor that takes what it can.

    Attributes:
        copies: Other descriptors that are this one at present, and are lost with it.
    """

    copies: tuple[int, ...] = ()

    def write(self, data: Any, /) -> int:
        """Write some of it, or forget it."""
        try:
            return super().write(data)
        except OSError:
            for descriptor in (self.fileno(), *self.copies):
                _point_to_nowhere(descriptor)
            return len(data)


def mend() -> None:
    """Put streams in their places that behave as this module says; call once, first of all."""
    _fill(_STDIN, os.O_RDONLY)
    # Opened for reading only: writing fails, as it does on a closed one.
    _fill(_STDOUT, os.O_RDONLY)
    _fill(_STDERR, os.O_WRONLY)
    sys.stdout = _text(_Needed(_STDOUT, "w", closefd=False), like=sys.stdout)
    sys.stderr = _text(_Optional(_STDERR, "w", closefd=False), like=sys.stderr)


@contextlib.contextmanager
def result_apart() -> Iterator[TextIO]:
    """Keep stdout for the result: whatever else is written there meanwhile goes to stderr.

    Also what a process that a handler starts writes: it inherits the descriptor.
    """
    with contextlib.ExitStack() as stack:
        result = stack.enter_context(_moved(sys.stdout)) if _is_stdout(sys.stdout) else sys.stdout
        stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        yield result


@contextlib.contextmanager
def prints_optional() -> Iterator[None]:
    """Let what handlers print be lost where stdout is, instead of failing their steps."""
    if not _is_stdout(sys.stdout):
        yield
        return
    stream = _text(_Optional(_STDOUT, "w", closefd=False), like=sys.stdout)
    with contextlib.redirect_stdout(stream):
        try:
            yield
        finally:
            stream.flush()


@contextlib.contextmanager
def _moved(stdout: TextIO) -> Iterator[TextIO]:
    stdout.flush()
    kept = os.dup(_STDOUT)
    result = _text(_Needed(kept, "w"), like=stdout)
    os.dup2(_STDERR, _STDOUT)
    raw = getattr(getattr(sys.stderr, "buffer", None), "raw", None)
    if isinstance(raw, _Optional):
        raw.copies = (_STDOUT,)
    try:
        yield result
    finally:
        if isinstance(raw, _Optional):
            raw.copies = ()
        os.dup2(kept, _STDOUT)
        result.close()


def _is_stdout(stream: TextIO) -> bool:
    try:
        return stream.fileno() == _STDOUT
    except (OSError, ValueError):
        return False


def _text(raw: io.FileIO, *, like: TextIO | None) -> TextIO:
    """A text stream; what its encoding lacks is written as escapes instead of failing half-way."""
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding="utf-8" if like is None else like.encoding,
        errors="backslashreplace",
        line_buffering=getattr(like, "line_buffering", True) or getattr(like, "write_through", False),
    )


def _fill(descriptor: int, flags: int) -> None:
    """Open a standard descriptor that is closed: whatever is opened next would get its number."""
    try:
        os.fstat(descriptor)
    except OSError:
        opened = os.open(os.devnull, flags)
        os.dup2(opened, descriptor)
        if opened != descriptor:
            os.close(opened)
        os.set_inheritable(descriptor, True)


def _point_to_nowhere(descriptor: int) -> None:
    """Let a descriptor swallow what is still in the buffers above it (Python's manual, SIGPIPE)."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor, inheritable=descriptor <= _STDERR)
    os.close(nowhere)
