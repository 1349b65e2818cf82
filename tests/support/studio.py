"""A project that is edited while `flowengine dev` serves it, and what those who look on see of it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

from engine.compile.build import Built, build
from engine.control.deploy import plan_in_force
from engine.control.start import start
from engine.embedded.server import EmbeddedServer
from engine.errors import FlowNotFound
from engine.events.types import STEP_STARTED
from engine.store.connection import Store
from tests.acceptance.command import LIMIT_S, Project
from tests.support.books import audit
from tests.support.wait import wait_until
from tests.support.worker import PAYLOAD_BYTES, Workshop

#: The last line of what `dev` says once it serves, and of what it says before it leaves.
READY = "Ctrl-C stops it"
STOPPED = "stopped"

#: The time that a line of `dev` begins with, and how long it took.
_CLOCK = re.compile(r"^\d\d:\d\d:\d\d  ")
_TOOK = re.compile(r"  \([\d.]+ m?s\)$")


class Dev:
    """A `flowengine dev`, and the lines that it has written."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.lines: list[str] = []
        self._heard = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def hears(self, words: str) -> list[str]:
        """Wait for a line with these words: that and those since the last such wait, without times."""
        place = wait_until(lambda: self._place(words), timeout_s=LIMIT_S, saw=lambda: "\n".join(self.lines))
        heard = self.lines[self._heard : place]
        self._heard = place
        return [_TOOK.sub("", _CLOCK.sub("", line)) for line in heard]

    def _place(self, words: str) -> int:
        """The number of lines up to the first one with these words; 0 where there is none."""
        found = (n for n, line in enumerate(self.lines) if n >= self._heard and words in line)
        return next(found, -1) + 1

    @property
    def worker_id(self) -> str:
        """The worker's id, as it was told."""
        return next(line.split()[1] for line in self.lines if line.startswith("worker "))

    def stop(self, number: int = signal.SIGTERM) -> tuple[int, list[str]]:
        """Ask it to stop; its exit code, and the lines that it had still to say."""
        self.process.send_signal(number)
        return self.left()

    def left(self) -> tuple[int, list[str]]:
        """Wait for its end; its exit code, and the lines that nobody has waited for."""
        code = self.process.wait(LIMIT_S)
        self._reader.join(LIMIT_S)
        return code, self.lines[self._heard :]

    def kill(self) -> None:
        """End it without ceremony, and give back what it holds in this process."""
        self.process.kill()
        self.process.wait()
        self._reader.join(LIMIT_S)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()


class Studio(Project):
    """The project, on its own server unless `env` names another.

    Its tests look at the store as a member of the server, so the server outlives each `dev`.
    """

    def __init__(self, root: Path, **env: str) -> None:
        super().__init__(root, env)
        self.devs: list[Dev] = []
        self._server: EmbeddedServer | None = None

    @cached_property
    def store(self) -> Store:
        """The store of the project."""
        url = self.env.get("FLOWENGINE_REDIS_URL")
        if url is None:
            self._server = EmbeddedServer(self.root)
            self._server.join()
            url = self._server.url
        prefix = self.env.get("FLOWENGINE_REDIS_PREFIX", "nq")
        return Store(url, address="here", prefix=prefix, events_max_len=100_000)

    @cached_property
    def shop(self) -> Workshop:
        """Reads what has become of runs."""
        return Workshop(self.store)

    def dev(self, *arguments: str, **options: Any) -> Dev:
        """A `dev` that has said that it serves."""
        dev = self.begin_dev(*arguments, **options)
        dev.hears(READY)
        return dev

    def begin_dev(self, *arguments: str, **options: Any) -> Dev:
        """A `dev` that has just been started."""
        # What handlers print, nobody reads.
        dev = Dev(self.start("dev", *arguments, **({"stdout": subprocess.DEVNULL} | options)))
        self.devs.append(dev)
        return dev

    def edit(self, name: str, old: str, new: str) -> Path:
        """Replace what stands once in a file."""
        text = (self.root / name).read_text()
        assert text.count(old) == 1, (old, text)
        return self.write(name, text.replace(old, new))

    def built(self) -> Built:
        """What the files say."""
        return build([self.root / "flows"], root=self.root, import_handlers=False)

    def version(self, flow: str) -> str:
        """The version of a flow in the files."""
        return next(plan.version for plan in self.built().plans if plan.flow == flow)

    def in_force(self, flow: str) -> str | None:
        """The version of a flow in force in the store."""
        try:
            return plan_in_force(self.store, flow).version
        except FlowNotFound:
            return None

    def wait_for_version(self, flow: str) -> str:
        """Wait until what the file of a flow says is in force in the store."""
        version = self.version(flow)
        wait_until(
            lambda: self.in_force(flow) == version,
            timeout_s=LIMIT_S,
            saw=lambda: (self.in_force(flow), version, [dev.lines for dev in self.devs]),
        )
        return version

    def begin(self, flow: str, data: Any = None) -> str:
        """Start a run on the version in force in the store."""
        plan = plan_in_force(self.store, flow)
        return start(self.store, plan, input=data or {}, limit_bytes=PAYLOAD_BYTES).run_id

    def result(self, flow: str, data: Any = None) -> Any:
        """Start a run, and wait for the result of its completion."""
        return self.result_of(self.begin(flow, data))

    def result_of(self, run_id: str) -> Any:
        """Wait for the completion of a run."""
        run = self.shop.ended(run_id, timeout_s=LIMIT_S)
        assert run.status == "completed", run
        return run.result

    def workers_of(self, run_id: str) -> set[str]:
        """Ids of the workers that have begun steps of a run."""
        return {event.data["worker"] for event in self.shop.events(run_id, STEP_STARTED)}

    def announced(self) -> list[tuple[str, dict[str, Any]]]:
        """Types and data of the events of the registry."""
        with self.store.talking() as client:
            entries = client.xrange(self.store.keys.registry)
        return [(fields[b"type"].decode(), json.loads(fields[b"data"])) for _, fields in entries]

    def close(self, check: Callable[[Store], None] = audit) -> None:
        """Kill what is left, look at the books, and stop the project's own server."""
        for dev in self.devs:
            dev.kill()
        try:
            check(self.store)
        finally:
            self.store.close()
            if self._server is not None:
                self._server.leave()
