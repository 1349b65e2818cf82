"""Keys that people write because another engine has them, or because this one will.

Data only; `shape` looks a key up here when the schema does not know it. The levels
are those of the schema: the file, a step, `defaults`, and `subscribes` as a map.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Level = Literal["flow", "step", "defaults", "subscribes", "labels"]

#: Keys of the language that this version does not serve yet.
LATER: Mapping[Level, frozenset[str]] = {
    "flow": frozenset({"version", "input", "events", "timeout", "max_runs", "triggers", "retry", "queue"}),
    "step": frozenset(
        {
            "when",
            "otherwise",
            "concurrency",
            "limiter",
            "retry",
            "timeout",
            "priority",
            "on_failure",
            "for_each",
            "flow",
            "wait",
            "approval",
            "compensate",
            "unique",
            "loop",
            "input",
        }
    ),
    "defaults": frozenset({"retry", "timeout"}),
    "subscribes": frozenset({"all", "collect"}),
}

_TRIGGER = (
    "a step is triggered by an event: list it under `emits` of the step before, and here write `subscribes`"
)
_HANDLER = "write `handler: module:function`"

#: Another engine's word → the key that it means here, and what to write.
FOREIGN: Mapping[Level, Mapping[str, tuple[str, str]]] = {
    "flow": {
        **dict.fromkeys(("name", "id", "workflow", "pipeline", "dag"), ("flow", "write `flow: <name>`")),
        **dict.fromkeys(
            ("jobs", "tasks", "nodes", "stages", "states", "activities"),
            ("steps", "write `steps:`, and under it each step as `name: {handler: module:function}`"),
        ),
        **dict.fromkeys(
            ("on", "trigger", "cron", "schedule"),
            ("triggers", "this version cannot start runs by itself yet; start them with `flowengine run`"),
        ),
        "tags": ("labels", "write `labels:` with `key: value` under it"),
    },
    "step": {
        **dict.fromkeys(
            ("needs", "need", "depends_on", "dependsOn", "depends", "requires", "after", "upstream"),
            ("subscribes", _TRIGGER),
        ),
        **dict.fromkeys(
            ("on", "trigger", "triggers", "listens", "subscribe", "event"),
            ("subscribes", "write `subscribes: <event>`"),
        ),
        **dict.fromkeys(
            ("uses", "run", "task", "function", "action", "call", "command", "script", "callable", "worker"),
            ("handler", _HANDLER),
        ),
        **dict.fromkeys(
            ("publishes", "produces", "outputs", "emit", "next"), ("emits", "write `emits: [<event>]`")
        ),
        **dict.fromkeys(
            ("name", "id"), ("", "the step's name is the key that it stands under under `steps`")
        ),
        **dict.fromkeys(("task_queue", "taskQueue", "topic"), ("queue", "write `queue: <name>`")),
        **dict.fromkeys(
            ("retries", "max_retries", "attempts"),
            ("retry", "retries are not supported yet by this version of flowengine"),
        ),
        **dict.fromkeys(
            ("if", "condition"), ("when", "conditions are not supported yet by this version of flowengine")
        ),
        **dict.fromkeys(
            ("rate_limit", "rateLimit"),
            ("limiter", "limits are not supported yet by this version of flowengine"),
        ),
        **dict.fromkeys(
            ("cron", "schedule"),
            ("triggers", "this version cannot start runs by itself yet; start them with `flowengine run`"),
        ),
    },
    "subscribes": {
        "or": ("any", "write `{any: [a, b]}`"),
        "and": ("all", "waiting for several events is not supported yet by this version of flowengine"),
    },
}
