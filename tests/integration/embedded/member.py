"""A process that is a member: `python member.py DIR MODE [SEED]`; a script for test_server."""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from engine.embedded.server import EmbeddedServer

#: How often a random member joins.
ROUNDS = 12


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class DiesWhileStarting(EmbeddedServer):
    """Is killed between starting the server and hearing from it."""

    def _start_server(self, lock: int, socket_path: Path, program: Path) -> None:
        super()._start_server(lock, socket_path, program)
        die()


class DiesBeforeStarting(EmbeddedServer):
    """Is killed when it has chosen the socket and holds the locks."""

    def _start_server(self, lock: int, socket_path: Path, program: Path) -> None:
        die()


def connect(server: EmbeddedServer) -> redis.Redis:
    return redis.Redis.from_url(server.url, retry=Retry(NoBackoff(), 0))


def stay(root: Path) -> None:
    """Join, say so, and stay until standard input ends."""
    server = EmbeddedServer(root)
    server.join()
    print("joined", flush=True)
    sys.stdin.read()
    print("stopped" if server.leave() else "left", flush=True)


def wander(root: Path, seed: int) -> None:
    """Join, use and leave again and again; every tenth time, end without leaving.

    Prints each number that the server gave, so that the test can see that none came twice.
    """
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        server = EmbeddedServer(root)
        server.join()
        with connect(server) as client:
            for _ in range(chance.randint(1, 20)):
                print(client.incr("n"), flush=True)
        if chance.random() < 0.1:
            die()
        server.leave()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    match sys.argv[2]:
        case "stay":
            stay(folder)
        case "wander":
            wander(folder, int(sys.argv[3]))
        case "die-while-starting":
            DiesWhileStarting(folder).join()
        case "die-before-starting":
            DiesBeforeStarting(folder).join()
