"""What the value of each setting may be, whichever source it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from engine.errors import SettingsError

_REDIS_SCHEMES = ("redis", "rediss", "unix")
_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

#: Turns a value into what the dataclass holds; the second argument names it in messages.
Reader = Callable[[object, str], object]


def _text(value: object, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise SettingsError(f"{where}: {value!r} is not a text.")
    return value


def _secret(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{where}: this is not a text; write it in quotes.")
    return value


def _switch(value: object, where: str) -> bool:
    words = {"true": True, "1": True, "yes": True, "on": True}
    words |= {"false": False, "0": False, "no": False, "off": False}
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    raise SettingsError(f"{where}: {value!r} is neither true nor false.")


def _number(least: int, most: int) -> Reader:
    def read(value: object, where: str) -> int:
        if isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,18}", value):
            value = int(value)
        if not isinstance(value, int) or isinstance(value, bool):
            raise SettingsError(f"{where}: {value!r} is not a whole number.")
        if not least <= value <= most:
            raise SettingsError(f"{where}: {value} is not between {least} and {most}.")
        return value

    return read


def _duration(least_ms: int) -> Reader:
    def read(value: object, where: str) -> int:
        match = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h|d)", value) if isinstance(value, str) else None
        if match is None:
            raise SettingsError(
                f'{where}: {value!r} is not a duration; write a number and a unit: "500ms", "15s", "2m".'
            )
        duration_ms = int(match[1]) * _UNIT_MS[match[2]]
        if duration_ms < least_ms:
            raise SettingsError(f"{where}: {value} is less than {least_ms} ms.")
        return duration_ms

    return read


def _redis_url(value: object, where: str) -> str:
    url = _secret(value, where)
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.path.strip("/") if parts.scheme == "unix" else parts.hostname)
        is_good = parts.scheme in _REDIS_SCHEMES and is_complete and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        # The value is not repeated: it may hold a password.
        raise SettingsError(
            f"{where}: this is not the URL of a Redis server; "
            f"write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket."
        )
    return url


def _key_prefix(value: object, where: str) -> str:
    prefix = _text(value, where)
    plain = r"[A-Za-z0-9_.-]+"
    if len(prefix) > 64 or not re.fullmatch(rf"{plain}(:{plain})*|\{{{plain}\}}", prefix):
        raise SettingsError(
            f"{where}: {prefix!r} cannot begin a key; "
            f"write at most 64 letters, digits, `_`, `.` and `-`, with `:` between parts, "
            f"or such a name in braces, {{nq}}, for a cluster."
        )
    return prefix


@dataclass(frozen=True, slots=True)
class Kind:
    """How a setting is read, and the unit that its attribute ends with."""

    read: Reader
    suffix: str = ""


#: Every setting by its dotted name, in the order of the document.
KINDS: Mapping[str, Kind] = {
    "queue.dir": Kind(_text),
    "redis.url": Kind(_redis_url),
    "redis.host": Kind(_text),
    "redis.port": Kind(_number(1, 65_535)),
    "redis.db": Kind(_number(0, 100_000)),
    "redis.username": Kind(_text),
    "redis.password": Kind(_secret),
    "redis.tls": Kind(_switch),
    "redis.prefix": Kind(_key_prefix),
    "event_store.trim.max_len": Kind(_number(1_000, 100_000_000)),
    "worker.threads": Kind(_number(1, 1_000)),
    "worker.lease": Kind(_duration(500), "_ms"),
    "worker.grace": Kind(_duration(0), "_ms"),
    "worker.max_deliveries": Kind(_number(1, 1_000)),
    "worker.log_prints": Kind(_switch),
    "limits.payload_bytes": Kind(_number(1_024, 16 * 1_048_576)),
}
