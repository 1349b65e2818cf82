"""The input of a run as the command line gives it: `-i key=value` or `--input FILE`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from .failure import UsageError


def read_input(pairs: Sequence[str], source: str | None) -> Any:
    """The input that the arguments say.

    Args:
        pairs: What stood after each `-i`; together they make an object, none an empty one.
        source: A file of JSON, `-` for stdin, or None.

    Raises:
        UsageError: Both were given, a pair is none, or the file has no JSON.
    """
    if source is None:
        return parse_pairs(pairs)
    if pairs:
        raise UsageError("-i and --input both give the run's input; write only one of them")
    name = "what came on stdin" if source == "-" else f"`{source}`"
    try:
        return orjson.loads(_read(source).decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"--input: {name} is not UTF-8 (byte {error.start + 1})") from error
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"--input: {name} is not JSON ({place}: {error.msg})") from error


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Make an object of `key=value` pairs; a value that is JSON counts as JSON, any other as text.

    Raises:
        UsageError: A pair has no `=`, no key, or other bytes than UTF-8, or a key comes twice.
    """
    values: dict[str, Any] = {}
    for pair in pairs:
        key, equals, text = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"-i {pair}: write a key and a value, such as -i name=Ada")
        if not _is_utf8(pair):
            raise UsageError(f"-i {pair!a}: this is not UTF-8; give it with --input")
        if key in values:
            raise UsageError(f"-i {key}=…: `{key}` is given twice")
        values[key] = parse_value(text)
    return values


def parse_value(text: str) -> Any:
    """The value that a text says: JSON if it parses, else the text itself."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    # A whole number above 64 bits would come back as a float that has lost its last
    # digits; an account number is better kept as text than kept wrong.
    if isinstance(value, float) and text.lstrip("-").isdigit():
        return text
    return value


def _is_utf8(text: str) -> bool:
    """Whether an argument was UTF-8; Python hands other bytes on as lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _read(source: str) -> bytes:
    if source == "-":
        return _read_stdin()
    try:
        return Path(source).read_bytes()
    except FileNotFoundError as error:
        raise UsageError(f"--input: there is no file `{source}`") from error
    except OSError as error:
        raise UsageError(f"--input: `{source}` cannot be read ({error.strerror})") from error


def _read_stdin() -> bytes:
    # Python has no stream for a descriptor that was closed when it began.
    if sys.stdin is None:
        raise UsageError("--input -: stdin is closed")
    try:
        return sys.stdin.buffer.read()
    except OSError as error:
        raise UsageError(f"--input -: stdin cannot be read ({error.strerror})") from error
