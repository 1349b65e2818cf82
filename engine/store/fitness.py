"""The boot check: may work be trusted to this server?"""

from __future__ import annotations

import re
from typing import Any, Final

from engine.errors import StoreUnavailable, StoreUnfit

from .connection import Store

#: Version of keys and events that this release reads and writes.
FORMAT: Final = 2

#: Oldest servers with what the scripts need (flags of scripts, options of ZADD and XADD).
_OLDEST: Final = {"redis": (7, 0), "valkey": (7, 2)}


def check(store: Store) -> list[str]:
    """Look at the server once, before work begins.

    Returns:
        Warnings, each a sentence: what is risky but allowed.

    Raises:
        StoreUnfit: The server is too old, may evict keys, is a replica, or holds a newer format.
        StoreUnavailable: It cannot be reached.
    """
    _reach(store)
    with store.talking() as client:
        info: dict[str, Any] = client.info()
    _check_version(store, info)
    if info.get("role") != "master":
        raise StoreUnfit(f"Redis at {store.address} is a replica and cannot be written to: name its primary")
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise StoreUnfit(
            f"Redis at {store.address} may evict keys (`maxmemory-policy {policy}`), which would lose runs: "
            "set `maxmemory-policy noeviction`"
        )
    _check_format(store)
    if not info.get("aof_enabled"):
        return [
            f"Redis at {store.address} keeps no append-only file: a restart may lose runs "
            f"(set `appendonly yes`)"
        ]
    return []


def _reach(store: Store) -> None:
    """Ask once, and not again as the pool would: a server that is silent is told of after one timeout."""
    channel = store.channel()
    try:
        channel.command("INFO", "server")
    except StoreUnavailable as error:
        if store.on_lost is not None:
            # The server is this process's own affair.
            raise
        raise StoreUnavailable(f"{error}; start it, or name another one with --redis-url") from error
    finally:
        channel.close()


def _check_version(store: Store, info: dict[str, Any]) -> None:
    name = "valkey" if "valkey_version" in info else "redis"
    text = str(info.get("valkey_version") or info.get("redis_version") or "")
    numbers = re.match(r"(\d+)\.(\d+)", text)
    oldest = _OLDEST[name]
    if not numbers or (int(numbers[1]), int(numbers[2])) < oldest:
        wanted = ".".join(map(str, oldest))
        raise StoreUnfit(
            f"{name.capitalize()} {text} at {store.address} is too old: {wanted} or newer is needed"
        )


def _check_format(store: Store) -> None:
    with store.talking() as client:
        found = client.get(store.keys.format)
        if found is None:
            client.set(store.keys.format, FORMAT, nx=True)
            return
        if found.isdigit() and int(found) < FORMAT:
            # From now on a release that would misread what this one writes refuses to.
            client.set(store.keys.format, FORMAT)
            return
    if not found.isdigit() or int(found) > FORMAT:
        raise StoreUnfit(
            f"the keys under `{store.keys.prefix}` at {store.address} have format "
            f"{found.decode(errors='replace')}, this engine knows {FORMAT}: "
            f"use a newer flowengine, or another prefix"
        )
