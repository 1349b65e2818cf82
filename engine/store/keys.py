"""Every key of the engine, spelled once: for Python as methods, for Lua as names.

A script is given one key, the prefix, and builds the others from the names that
`lua_names` puts before its text. On a cluster the prefix has to be a hash tag, so that
all keys lie in one slot.
"""

from __future__ import annotations

import re
from typing import Final

#: Name in Lua → what follows the prefix. A name that ends in ":" wants an id after it.
LUA_NAMES: Final = {
    "LOG": "flow:",
    "RUN": "run:",
    "JOB": "job:",
    "QUEUE": "queue:",
    "STAGE": "stage:",
    "STATE": "state:",
    "FLOWS": "flows:",
    "RUNS": "runs:",
    "PLAN": "plan:",
    "VERSIONS": "versions:",
    "ONCE": "once:",
    "WORKER": "worker:",
    "CHANNEL": "events:",
    "EVENTS": "events",
    "REGISTRY": "registry",
    "QUEUES": "queues",
    "READY": "ready",
    "TIMERS": "timers",
    "UNFOLDING": "unfolding",
    "SWEEP": "sweep",
    "WORKERS": "workers",
}


class Keys:
    """The keys under one prefix.

    Attributes:
        prefix: As in the settings, `nq` by default.
        events: The stream of all events, whose ids are those of the logs.
        registry: The stream of what happens to the registry.
        workers: The set of worker ids.
        queues: The set of queue names in use.
        format: Version of keys and events in this store.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.events = f"{prefix}:events"
        self.registry = f"{prefix}:registry"
        self.workers = f"{prefix}:workers"
        self.queues = f"{prefix}:queues"
        self.format = f"{prefix}:format"

    def log(self, run_id: str) -> str:
        """Stream of a run's events."""
        return f"{self.prefix}:flow:{run_id}"

    def run(self, run_id: str) -> str:
        """Hash of a run's ledger."""
        return f"{self.prefix}:run:{run_id}"

    def state(self, run_id: str) -> str:
        """Hash of a run's handler state."""
        return f"{self.prefix}:state:{run_id}"

    def flow_index(self, flow: str) -> str:
        """Sorted set of a flow's runs by start."""
        return f"{self.prefix}:flows:{flow}"

    def status_index(self, status: str) -> str:
        """Sorted set of the runs of a status by start."""
        return f"{self.prefix}:runs:{status}"

    def plan(self, flow: str, version: str | None = None) -> str:
        """An immutable plan, or without a version the name of the one in force."""
        return f"{self.prefix}:plan:{flow}" if version is None else f"{self.prefix}:plan:{flow}:{version}"

    def versions(self, flow: str) -> str:
        """Sorted set of the versions of a flow by when they came into force, the one in force last."""
        return f"{self.prefix}:versions:{flow}"

    def worker(self, worker_id: str) -> str:
        """Hash of a worker."""
        return f"{self.prefix}:worker:{worker_id}"

    def worker_queues(self, worker_id: str) -> tuple[str, str]:
        """Sets of the queues whose jobs a worker's threads do, and of those that its event loop does."""
        served = f"{self.prefix}:worker:{worker_id}:queues"
        return f"{served}:threads", f"{served}:loop"

    def worker_wake(self, worker_id: str) -> str:
        """List that wakes one worker's fetcher."""
        return f"{self.prefix}:worker:{worker_id}:wake"

    def queue_wake(self, queue: str) -> str:
        """List with at most one marker: somebody should look at this queue."""
        return f"{self.prefix}:queue:{queue}:wake"

    def lua_names(self, text: str) -> str:
        """The lines that name, for Lua, those keys that a script's text uses."""
        used = set(re.findall(r"\w+", text))
        lines = [f"local {name} = KEYS[1] .. ':{end}'" for name, end in LUA_NAMES.items() if name in used]
        return "".join(f"{line}\n" for line in lines)
