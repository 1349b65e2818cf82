"""The settings: flags > environment > `flowengine.toml` > defaults; read once.

A setting is spelled `redis.url` here and in messages, `[redis] url` in the file and
`FLOWENGINE_REDIS_URL` in the environment. `docs/settings.md` has all of them. Which
words a command has for a setting is the command's business.
"""

from __future__ import annotations

from .load import load_settings
from .model import (
    EventStoreSettings,
    LimitsSettings,
    QueueSettings,
    RedisSettings,
    Settings,
    WorkerSettings,
)

__all__ = [
    "EventStoreSettings",
    "LimitsSettings",
    "QueueSettings",
    "RedisSettings",
    "Settings",
    "WorkerSettings",
    "load_settings",
]
