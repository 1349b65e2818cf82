"""The input of a run as the command line gives it: `-i key=value` or `--input FILE`."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import orjson

from .failure import UsageError
from .output import fit

#: The whole numbers that JSON is read into as they stand; others would become floats, which
#: lose their last digits.
_LEAST: Final = -(2**63)
_MOST: Final = 2**64 - 1

#: More digits are not even made a number of.
_MOST_DIGITS: Final = 20

#: Characters of a number or a key that a message shows.
_SHOWN_CHARS: Final = 40


class _Ambiguous(Exception):
    """JSON that would not be kept as it was written; says what is wrong."""


def read_input(pairs: Sequence[str], source: str | None) -> Any:
    """The input that the arguments say.

    Args:
        pairs: What stood after each `-i`; together they make an object, none an empty one.
        source: A file of JSON, `-` for stdin, or None.

    Raises:
        UsageError: Both were given, a pair is none, or the file has no JSON that can be kept as it is.
    """
    if source is None:
        return parse_pairs(pairs)
    if pairs:
        raise UsageError("-i and --input both give the run's input; write only one of them")
    name = "what came on stdin" if source == "-" else f"`{source}`"
    try:
        return _exact(_read(source).decode())
    except UnicodeDecodeError as error:
        raise UsageError(f"--input: {name} is not UTF-8 (byte {error.start + 1})") from error
    except orjson.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise UsageError(f"--input: {name} is not JSON ({place}: {error.msg})") from error
    except _Ambiguous as error:
        raise UsageError(f"--input: {name} has {error}") from error


def parse_pairs(pairs: Sequence[str]) -> dict[str, Any]:
    """Make an object of `key=value` pairs; a value that is JSON counts as JSON, any other as text.

    Raises:
        UsageError: A pair has no `=`, no key, other bytes than UTF-8, or a value of JSON that cannot be
            kept as it is, or a key comes twice.
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
        try:
            values[key] = parse_value(text)
        except _Ambiguous as error:
            raise UsageError(f"-i {key}=…: the value has {error}") from error
    return values


def parse_value(text: str) -> Any:
    """The value that a text says: JSON if it parses, else the text itself."""
    # A whole number above 64 bits is no mistake here: an account number is kept as text.
    if text.isascii() and text.removeprefix("-").isdigit() and not _is_kept(text):
        return text
    try:
        return _exact(text)
    except orjson.JSONDecodeError:
        return text


def _exact(text: str) -> Any:
    """What a text of JSON says.

    Raises:
        JSONDecodeError: It is none.
        _Ambiguous: A number would lose digits, or a value would replace another.
    """
    value = orjson.loads(text)
    try:
        json.loads(text, parse_int=_check_number, object_pairs_hook=_check_keys)
    except RecursionError:
        raise _Ambiguous("values nested too deeply; write it flatter") from None
    return value


def _check_number(digits: str) -> None:
    if not _is_kept(digits):
        raise _Ambiguous(f"the whole number {fit(digits, _SHOWN_CHARS)}, over 64 bits; write it as text")


def _is_kept(digits: str) -> bool:
    return len(digits) <= _MOST_DIGITS and _LEAST <= int(digits) <= _MOST


def _check_keys(pairs: list[tuple[str, Any]]) -> None:
    seen = set()
    for key, _ in pairs:
        if key in seen:
            raise _Ambiguous(f"the key {fit(json.dumps(key), _SHOWN_CHARS)} twice in one object")
        seen.add(key)


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
