"""A project of its own in a temporary folder, and the command run in it as a user runs it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.embedded.binary import find_server_binary
from engine.embedded.probe import server_state
from tests.support.wait import wait_until

ROOT = Path(__file__).parents[2]

COMMAND = [sys.executable, "-P", "-m", "engine"]

#: Limit of one command, in seconds; only for what hangs.
LIMIT_S = 40

FLOW = """\
flow: shop
steps:
  take: {role: entry, handler: handlers.shop:take, emits: [order.taken]}
  ship: {subscribes: order.taken, handler: handlers.shop:ship}
"""

#: `take` prints and logs, then does what the input says; `ship` makes the result.
HANDLERS = """\
import pathlib
import time


def take(job, ctx):
    print("printed by a handler")
    ctx.logger.info("taking")
    if job.data.get("fail"):
        raise ValueError("no card")
    if job.data.get("gate"):
        pathlib.Path(job.data["gate"] + ".begun").touch()
        while not pathlib.Path(job.data["gate"]).exists():
            time.sleep(0.01)
    ctx.flow.emit("order.taken", {"n": job.data.get("n", 0)})


def ship(job, ctx):
    return {"shipped": job.data["n"]}
"""


@dataclass
class Project:
    """A project in a folder.

    Attributes:
        root: The folder.
        env: Environment of its commands.
    """

    root: Path
    env: dict[str, str] = field(default_factory=dict)

    def write(self, name: str, text: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def start(
        self, *arguments: str, program: Sequence[str] = COMMAND, **options: Any
    ) -> subprocess.Popen[str]:
        env = {name: value for name, value in os.environ.items() if not name.startswith("FLOWENGINE_")}
        env |= {"PYTHONPATH": str(ROOT), "COLUMNS": "100", **self.env}
        settings = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(
            [*program, *arguments], cwd=self.root, env=env, text=True, **(settings | options)
        )

    def run(self, *arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
        options: dict[str, Any] = {} if stdin is None else {"stdin": subprocess.PIPE}
        with self.start(*arguments, **options) as process:
            try:
                out, err = process.communicate(stdin, timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "-o", "json")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def wait_for_file(self, name: str) -> None:
        wait_until((self.root / name).exists, timeout_s=LIMIT_S, saw=lambda: os.listdir(self.root))


def shop(root: Path, **env: str) -> Project:
    """A project with the flow `shop`."""
    project = Project(root, env)
    project.write("flows/shop.yaml", FLOW)
    project.write("handlers/shop.py", HANDLERS)
    return project


@contextlib.contextmanager
def redis_in(folder: Path) -> Iterator[None]:
    """A server of its own in a folder, killed without ceremony at the end."""
    settings = ["--port", "0", "--unixsocket", "s", "--dir", str(folder), "--appendonly", "yes"]
    settings += ["--appendfsync", "always", "--maxmemory-policy", "noeviction"]
    server = subprocess.Popen([find_server_binary(), *settings], cwd=folder, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: server_state(folder / "s", folder) == "ours")
        yield
    finally:
        server.kill()
        server.wait()
