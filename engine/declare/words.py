"""Keys that people write because another engine has them, or because this one will; and what to write.

Data only; `keys` looks a key up here when the schema does not know it. The levels
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
        *("when", "otherwise", "limiter", "retry", "timeout", "on_failure", "for_each", "flow", "input"),
        *("wait", "approval", "compensate", "unique", "loop"),
    ),
    "defaults": ("retry", "timeout"),
}

#: Keys that stand in a step and nowhere else.
OF_STEPS = ("handler", "subscribes", "emits", "priority", "concurrency")

#: A key that is missing or has a wrong value → what to write.
TO_WRITE: Mapping[str, str] = {
    "flow": "write `flow: <name>`",
    "steps": "write `steps:`, and under it each step as `name: {handler: module:function}`",
    "handler": "write `handler: module:function`",
    "subscribes": "write an event, `{any: [a, b]}`, `{all: [a, b]}` or `{collect: a}`",
    "any": "write `any: [a, b]`",
    "all": "write `all: [a, b]`",
    "collect": "write `collect: <event>`",
    "priority": "write a number from 0, which is begun first, to 9; the default is 5",
    "concurrency": "write how many may run at once, as in `concurrency: 5`; without it there is no limit",
}

_NOT_YET = "`{word}` is called `{key}` here, which is not supported yet by this version of flowengine"
_AFTER = (
    "a step is triggered by an event: list it under `emits` of the step before, and here write `subscribes`"
)
_STEPS = "write `steps:`, and under it each step as `name: {{handler: module:function}}`"

#: Level, words of other engines, the key that they mean here or "", what to say of `word` and `key`.
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
    ("step", "all join", "subscribes", "write `subscribes: {{all: [a, b]}}`"),
    ("step", "any", "subscribes", "write `subscribes: {{any: [a, b]}}`"),
    ("step", "collect collects gather", "subscribes", "write `subscribes: {{collect: <event>}}`"),
    ("step", "publishes produces outputs next", "emits", "write `emits: [<event>]`"),
    ("step", "name id", "", "the step's name is the key that it stands under in `steps`"),
    ("step", "task_queue taskQueue topic", "queue", "write `queue: <name>`"),
    (
        "step",
        "max_concurrency concurrency_limit max_parallel parallelism",
        "concurrency",
        "write `concurrency: <number>`",
    ),
    ("step", "retries max_retries attempts", "retry", _NOT_YET),
    ("step", "if condition", "when", _NOT_YET),
    ("step", "rate_limit rateLimit", "limiter", _NOT_YET),
    ("step", "cron schedule", "triggers", _NOT_YET),
    ("subscribes", "or each one_of", "any", "write `any: [a, b]` to run the step for each of them"),
    (
        "subscribes",
        "and join both wait_for",
        "all",
        "write `all: [a, b]` to run the step once when all have come",
    ),
    ("subscribes", "every", "", "write `any` for each of them, or `all` for once when all have come"),
    (
        "subscribes",
        "gather reduce aggregate list",
        "collect",
        "write `collect: <event>` for the list of all that came",
    ),
)


def foreign(word: str, level: Level) -> tuple[str, str] | None:
    """The key that another engine's word means at a level, or "", and what to say of it; or None."""
    for row_level, words, key, advice in _ROWS:
        if row_level == level and word in words.split():
            return key, advice.format(word=word, key=key)
    return None


def is_later(key: str, level: Level) -> bool:
    """Whether the language has this key at a level, but this version does not serve it."""
    return key in LATER.get(level, ())
