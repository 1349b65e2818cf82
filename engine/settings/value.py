"""What the value of each setting may be, whichever source it comes from."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from engine.errors import SettingsError

_REDIS_SCHEMES = ("redis", "rediss", "unix")

#: What may follow the `?` of a URL, and what it looks like. All else is the engine's own affair.
_QUERY = {"db": "[0-9]{1,6}", "username": ".+", "password": ".*"}
_TLS_QUERY = {
    "ssl_ca_certs": ".+",
    "ssl_ca_path": ".+",
    "ssl_certfile": ".+",
    "ssl_keyfile": ".+",
    "ssl_cert_reqs": "none|optional|required",
    "ssl_check_hostname": "(?i:true|false|yes|no|1|0)",
}

_UNIT_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

#: Turns a value into what the dataclass holds; the second argument names it in messages.
Reader = Callable[[object, str], object]


def _text(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{where}: {value!r} is not a text; write it in quotes.")
    if not value:
        raise SettingsError(f"{where}: this is empty; give it a value, or leave it out.")
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
    """A URL whose every part the driver understands; it is never repeated, since it may hold a password."""
    url = _secret(value, where)
    try:
        parts = urlsplit(url)
        is_complete = bool(parts.path.strip("/") if parts.scheme == "unix" else parts.hostname)
        is_good = parts.scheme in _REDIS_SCHEMES and is_complete and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good or parts.fragment:
        raise SettingsError(
            f"{where}: this is not the URL of a Redis server; "
            f"write redis://host:6379/0, rediss://host:6379/0 or unix:///path/to/socket."
        )
    if parts.scheme != "unix" and not re.fullmatch(r"/?|/[0-9]{1,6}", parts.path):
        raise SettingsError(
            f"{where}: what follows the server in the URL is not the number of a database; "
            f"write redis://host:6379/0."
        )
    _check_query(parts, where)
    return url


def _check_query(parts: SplitResult, where: str) -> None:
    allowed = _QUERY | (_TLS_QUERY if parts.scheme == "rediss" else {})
    seen = set()
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in allowed:
            raise SettingsError(
                f"{where}: the URL cannot set `{key}`; after the `?` it may have {', '.join(allowed)}."
            )
        if key in seen or not re.fullmatch(allowed[key], text):
            raise SettingsError(f"{where}: the URL has a wrong value for `{key}`, or several.")
        seen.add(key)


def _key_prefix(value: object, where: str) -> str:
    if value == "":
        raise SettingsError(
            f"{where}: a prefix is the first part of every key, so it cannot be empty; the usual one is `nq`."
        )
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
    "worker.async_steps": Kind(_number(1, 100_000)),
    "worker.lease": Kind(_duration(500), "_ms"),
    "worker.grace": Kind(_duration(0), "_ms"),
    "worker.max_deliveries": Kind(_number(1, 1_000)),
    "worker.log_prints": Kind(_switch),
    "limits.payload_bytes": Kind(_number(1_024, 16 * 1_048_576)),
    "limits.fan_out": Kind(_number(1, 1_000_000)),
    "limits.gather_bytes": Kind(_number(1_024, 1_024 * 1_048_576)),
}
