"""Where values come from, and which of two wins."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine.errors import SettingsError

from .model import (
    EventStoreSettings,
    LimitsSettings,
    QueueSettings,
    RedisSettings,
    Settings,
    WorkerSettings,
)
from .value import KINDS

#: How alike a name and one of its section have to be to be called a slip, and how alike two whole
#: names; as difflib counts, from 0 to 1.
_LIKE = 0.65
_NEARLY_SAME = 0.85

FILE_NAME = "flowengine.toml"
ENV_PREFIX = "FLOWENGINE_"

#: Variables of that prefix that are no settings: tests end a process at a chosen place with it.
_NO_SETTINGS = frozenset({"FLOWENGINE_CRASH_AT"})

_SECTIONS = frozenset(name.rpartition(".")[0] for name in KINDS) | {"event_store"}
_SERVER_PARTS = tuple(f"redis.{part}" for part in ("host", "port", "db", "username", "password", "tls"))


@dataclass(frozen=True, slots=True)
class _Given:
    """A value and where it was found; of two with one name the higher rank wins."""

    value: object
    origin: str
    rank: int


def load_settings(
    root: Path | None, *, flags: Mapping[str, str | int | bool] | None = None, environ: Mapping[str, str]
) -> Settings:
    """Read all settings.

    Args:
        root: The project, whose `flowengine.toml` is read if it has one; None for no project.
        flags: What the command line says, by dotted name.
        environ: The environment; a variable that is empty counts as not set.

    Raises:
        SettingsError: A name is unknown, or a value does not fit; names it and where it came from.
    """
    given: dict[str, _Given] = {}
    for rank, source in enumerate((_from_file(root), _from_environ(environ), _from_flags(flags or {}))):
        for name, raw, origin in source:
            # Read also where a higher source has the say: a mistake is best told before that one goes away.
            given[name] = _Given(KINDS[name].read(raw, f"{name} ({origin})"), origin, rank)
    sections: dict[str, dict[str, Any]] = {}
    for name, one in _one_server(given).items():
        section, _, rest = name.partition(".")
        sections.setdefault(section, {})[rest.replace(".", "_") + KINDS[name].suffix] = one.value
    return Settings(
        queue=QueueSettings(**sections.get("queue", {})),
        redis=_redis(sections.get("redis", {})),
        event_store=EventStoreSettings(**sections.get("event_store", {})),
        worker=WorkerSettings(**sections.get("worker", {})),
        limits=LimitsSettings(**sections.get("limits", {})),
    )


def env_name(name: str) -> str:
    """The environment variable of a setting, `FLOWENGINE_WORKER_LEASE` of `worker.lease`."""
    return ENV_PREFIX + name.upper().replace(".", "_")


def _from_flags(flags: Mapping[str, str | int | bool]) -> Iterator[tuple[str, object, str]]:
    for name, value in flags.items():
        if name not in KINDS:
            raise _unknown(f"setting `{name}` on the command line", name, KINDS)
        yield name, value, "command line"


def _from_environ(environ: Mapping[str, str]) -> Iterator[tuple[str, object, str]]:
    names = {env_name(name): name for name in KINDS}
    for variable, value in sorted(environ.items()):
        if not variable.startswith(ENV_PREFIX) or variable in _NO_SETTINGS or not value:
            continue
        if variable not in names:
            raise _unknown(f"setting `{variable}` in the environment", variable, names)
        yield names[variable], value, f"environment variable {variable}"


def _from_file(root: Path | None) -> Iterator[tuple[str, object, str]]:
    if root is None:
        return
    path = root / FILE_NAME
    if not path.exists():
        return
    import tomllib

    try:
        tables = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"{path} is not text in UTF-8; save it as such in your editor.") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path} is not TOML: {error}.") from error
    for name, value in _flatten(tables, ""):
        if name in _SECTIONS:
            raise SettingsError(f"{name} ({path}): this is a section, `[{name}]`, not a single value.")
        if name not in KINDS:
            raise _unknown(f"setting `{name}` in {path}", name, KINDS)
        yield name, value, str(path)


def _flatten(table: Mapping[str, object], above: str) -> Iterator[tuple[str, object]]:
    """Dotted names and values of a TOML document; a table is a value where a setting is meant."""
    for key, value in table.items():
        name = above + key
        if isinstance(value, dict) and name not in KINDS and (value or name in _SECTIONS):
            yield from _flatten(value, f"{name}.")
        else:
            yield name, value


def _unknown(what: str, name: str, known: Iterable[str]) -> SettingsError:
    """An unknown name, with the known one that is surely meant, if one is."""
    meant = _meant(name, known)
    hint = f"Did you mean `{meant}`?" if meant else "docs/settings.md lists the settings."
    return SettingsError(f"Unknown {what}. {hint}")


def _meant(name: str, known: Iterable[str]) -> str | None:
    """The name of the same section that is like this one, or the one that is nearly the same as a whole."""
    import difflib

    section, dot, rest = name.partition(".")
    in_section = {one.partition(".")[2]: one for one in known if dot and one.startswith(f"{section}.")}
    if near := difflib.get_close_matches(rest, in_section, n=1, cutoff=_LIKE):
        return in_section[near[0]]
    # The prefix that all variables share would make all of them alike.
    wholes = {one.removeprefix(ENV_PREFIX): one for one in known}
    if near := difflib.get_close_matches(name.removeprefix(ENV_PREFIX), wholes, n=1, cutoff=_NEARLY_SAME):
        return wholes[near[0]]
    without_section = [one for one in known if one.endswith(f".{name}")]
    return without_section[0] if len(without_section) == 1 else None


def _one_server(given: Mapping[str, _Given]) -> dict[str, _Given]:
    """Leave one way of naming a server: the one from the higher source.

    A flag `redis.url` must be able to override a file's `host`; but both on one level,
    or a password beside a URL from a lower one, leave open what is meant.
    """
    url = given.get("redis.url")
    parts = {name: given[name] for name in _SERVER_PARTS if name in given}
    if url is None or not parts:
        return dict(given)
    if all(part.rank < url.rank for part in parts.values()):
        return {name: one for name, one in given.items() if name not in parts}
    host = parts.get("redis.host")
    if host is not None and host.rank > url.rank:
        return {name: one for name, one in given.items() if name != "redis.url"}
    name, part = max(parts.items(), key=lambda item: item[1].rank)
    raise SettingsError(
        f"redis.url ({url.origin}) and {name} ({part.origin}) exclude each other: "
        f"put everything into the URL, or leave the URL out."
    )


def _redis(values: dict[str, Any]) -> RedisSettings:
    has_parts = any(name.removeprefix("redis.") in values for name in _SERVER_PARTS)
    if has_parts and "host" not in values:
        values = {**values, "host": "localhost"}
    return RedisSettings(**values)
