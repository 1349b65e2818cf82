"""Keys that people write because another engine has them, or because this one will.

Data only; `shape` looks a key up here when the schema does not know it. The levels
are those of the schema: the file, a step, `defaults`, and `subscribes` as a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Level = Literal["flow", "step", "defaults", "subscribes", "labels"]

#: Keys of the language that this version does not serve yet.
LATER: Mapping[Level, tuple[str, ...]] = {
    "flow": ("version", "input", "events", "timeout", "max_runs", "triggers", "queue"),
    "step": (
        *("when", "otherwise", "concurrency", "limiter", "retry", "timeout", "priority", "on_failure"),
        *("for_each", "flow", "input", "wait", "approval", "compensate", "unique", "loop"),
    ),
    "defaults": ("retry", "timeout"),
    "subscribes": ("all", "collect"),
}

_NOT_YET = "`{key}` is not supported yet by this version of flowengine"
_AFTER = (
    "a step is triggered by an event: list it under `emits` of the step before, and here write `subscribes`"
)
_STEPS = "write `steps:`, and under it each step as `name: {{handler: module:function}}`"

#: Level, words of other engines, the key that they mean here or "", what to say of `key`.
_ROWS: tuple[tuple[Level, str, str, str], ...] = (
    ("flow", "name id workflow pipeline dag", "flow", "write `flow: <name>`"),
    ("flow", "jobs tasks nodes stages states activities", "steps", _STEPS),
    ("flow", "tags", "labels", "write `labels:` with `name: text` under it"),
    ("flow", "on trigger cron schedule", "triggers", _NOT_YET),
    ("step", "needs need depends_on dependsOn depends requires after upstream", "subscribes", _AFTER),
    ("step", "on trigger triggers listens event", "subscribes", "write `subscribes: <event>`"),
    (
        "step",
        "uses run task function action call command script",
        "handler",
        "write `handler: module:function`",
    ),
    ("step", "publishes produces outputs next", "emits", "write `emits: [<event>]`"),
    ("step", "name id", "", "the step's name is the key that it stands under in `steps`"),
    ("step", "task_queue taskQueue topic", "queue", "write `queue: <name>`"),
    ("step", "retries max_retries attempts", "retry", _NOT_YET),
    ("step", "if condition", "when", _NOT_YET),
    ("step", "rate_limit rateLimit", "limiter", _NOT_YET),
    ("step", "cron schedule", "triggers", _NOT_YET),
    ("subscribes", "or", "any", "write `{{any: [a, b]}}`"),
    ("subscribes", "and", "all", _NOT_YET),
)


def foreign(word: str, level: Level) -> tuple[str, str] | None:
    """The key that another engine's word means at a level, or "", and what to say of it; or None."""
    for row_level, words, key, advice in _ROWS:
        if row_level == level and word in words.split():
            return key, advice.format(key=key)
    return None


def is_later(key: str, level: Level) -> bool:
    """Whether the language has this key at a level, but this version does not serve it."""
    return key in LATER.get(level, ())
