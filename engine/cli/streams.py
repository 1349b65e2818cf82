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


class ReaderLeft(click.exceptions.Exit):
    """Nobody reads stdout any more, which is no news to who stopped reading: there is no more to do."""


# What is written in C is written once, whenever a signal raises: the layer below the buffers
# stays C's, since a method of ours there could be left after the system's call and before its
# count is noted, and the buffer would write the same again.


class _Needed(io.BufferedWriter):
    """The buffer of a descriptor that must take what is written.

    Attributes:
        code_if_left: What the command leaves with where nobody reads any more.

    Raises:
        OutputLost: It cannot be written.
        ReaderLeft: Nobody reads any more.
    """

    code_if_left: int = 0

    def write(self, data: Any, /) -> int:
        """Take it, and write what the buffer has no room for."""
        with self._must_succeed():
            return super().write(data)

    def flush(self) -> None:
        """Write what the buffer holds."""
        with self._must_succeed():
            super().flush()

    @contextlib.contextmanager
    def _must_succeed(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            _point_to_nowhere(self.fileno())
            if error.errno == errno.EPIPE:
                raise ReaderLeft(self.code_if_left) from error
            why = "it is closed" if error.errno == errno.EBADF else error.strerror
            raise OutputLost(f"what was asked for cannot be written to stdout: {why}") from error


class _Optional(io.BufferedWriter):
    """The buffer of a descriptor that takes what it can.

    Attributes:
        copies: Other descriptors that are this one at present, and are lost with it.
    """

    copies: tuple[int, ...] = ()

    def write(self, data: Any, /) -> int:
        """Take it, and write what the buffer has no room for, or forget it."""
        try:
            return super().write(data)
        except OSError:
            self._give_up()
            return len(data)

    def flush(self) -> None:
        """Write what the buffer holds, or forget it."""
        try:
            super().flush()
        except OSError:
            self._give_up()
            super().flush()

    def _give_up(self) -> None:
        for descriptor in (self.fileno(), *self.copies):
            _point_to_nowhere(descriptor)


def mend() -> None:
    """Put streams in their places that behave as this module says; call once, first of all."""
    _fill(_STDIN, os.O_RDONLY)
    # Opened for reading only: writing fails, as it does on a closed one.
    _fill(_STDOUT, os.O_RDONLY)
    _fill(_STDERR, os.O_WRONLY)
    sys.stdout = _text(_Needed(_descriptor(_STDOUT)), like=sys.stdout)
    sys.stderr = _text(_Optional(_descriptor(_STDERR)), like=sys.stderr)


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
    stream = _text(_Optional(_descriptor(_STDOUT)), like=sys.stdout)
    with contextlib.redirect_stdout(stream):
        try:
            yield
        finally:
            stream.flush()


@contextlib.contextmanager
def _moved(stdout: TextIO) -> Iterator[TextIO]:
    stdout.flush()
    kept = os.dup(_STDOUT)
    needed = _Needed(io.FileIO(kept, "w"))
    # A list that was read in part has done its work; the one result of a run has not been delivered.
    needed.code_if_left = FAILED
    result = _text(needed, like=stdout)
    os.dup2(_STDERR, _STDOUT)
    stderr = getattr(sys.stderr, "buffer", None)
    if isinstance(stderr, _Optional):
        stderr.copies = (_STDOUT,)
    try:
        yield result
    finally:
        if isinstance(stderr, _Optional):
            stderr.copies = ()
        os.dup2(kept, _STDOUT)
        result.close()


def _is_stdout(stream: TextIO) -> bool:
    try:
        return stream.fileno() == _STDOUT
    except (OSError, ValueError):
        return False


def _descriptor(number: int) -> io.FileIO:
    return io.FileIO(number, "w", closefd=False)


def _text(buffer: io.BufferedWriter, *, like: TextIO | None) -> TextIO:
    """A text stream; what its encoding lacks is written as escapes instead of failing half-way."""
    return io.TextIOWrapper(
        buffer,
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
