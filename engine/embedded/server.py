"""One server for each project directory, shared by the processes that use it.

Theory of operation:

1. Three locks in `.flowengine/`, all `flock`s, so that the kernel lets go of what a killed
   process held. `start.lock`: held alone while starting or stopping, so only one process does
   either. `members.lock`: shared by every process for as long as it uses the store.
   `server.lock`: held alone by the server itself, which inherits it from its starter.
2. Join: take `start`. If no server answers, start one. Share `members`. Let `start` go.
3. Leave: take `start`. Give the share in `members` back. If nobody else has one, SHUTDOWN, and
   wait until the server is gone. Let `start` go. The data stay, as an append-only file.
4. A starter that is killed leaves a server that is still coming up and does not answer yet. A
   second one in the same directory would write to the same file: therefore `server.lock`, which
   says that a server lives before it can say so itself, and also after it stopped answering.
5. Members that are killed leave a server without members. The next one to join uses it, and
   stops it when it leaves last.
6. A member that finds its server dead joins again; its share keeps others from stopping the new
   one.

The store connects to `url`; here the server is spoken to by a plain socket, which notices at
once that nobody listens.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from engine.clock import monotonic_ms
from engine.errors import EmbeddedServerError

from .binary import Release, find_server_binary, release_of
from .place import FOLDER, choose_socket, make_folder
from .probe import ask_for_shutdown, server_state
from .writer import check_writer, note_writer

#: File that holds the path of the socket.
_NOTE = "socket"

#: How long a server may take to answer or to stop; one that says it is loading may take longer.
_PATIENCE_MS = 20_000

#: Pause between two looks at a server that starts or stops.
_PAUSE_S = 0.005

#: The lowest descriptor that is no standard stream.
_FIRST_FREE = 3

#: Advice for a whole machine, which every start gives.
_NOISE = "Memory overcommit must be enabled"

#: How much of the server's log an error shows.
_LOG_LINES = 5


def running_url(root: Path) -> str | None:
    """The URL of a project's server where it runs, else None; it is neither started nor joined."""
    folder = (root / FOLDER).resolve()
    noted = _noted(folder)
    return _url(noted) if noted is not None and server_state(noted, folder) == "ours" else None


def _noted(folder: Path) -> Path | None:
    """Where the server listens, by the note of who started it."""
    note = folder / _NOTE
    return Path(os.fsdecode(note.read_bytes())) if note.exists() else None


def _url(socket_path: Path) -> str:
    return f"unix://{quote(str(socket_path))}"


class EmbeddedServer:
    """This process's part in the server of one project directory.

    Leaves when used as a context manager and its block ends. Threads may share one.

    Attributes:
        socket_path: Where the server listens; known once joined.
    """

    def __init__(self, root: Path) -> None:
        """Touch nothing yet.

        Args:
            root: The project directory.
        """
        self._root = root
        self._folder = root
        self._share: int | None = None
        self.socket_path = Path()

    def __enter__(self) -> Self:
        self.join()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.leave()

    @property
    def url(self) -> str:
        """The URL for the store, once joined."""
        return _url(self.socket_path)

    def join(self) -> None:
        """Become a member; starts the server if none is running.

        Takes a millisecond where one runs, 0.1 s to start one, and longer where it has
        much to load.

        Raises:
            EmbeddedServerError: No server can be started or reached; says why.
        """
        self._folder = make_folder(self._root)
        with self._starting():
            self._reach_server()
            if self._share is None:
                share = self._open("members.lock")
                self._lock(share, fcntl.LOCK_SH)
                self._share = share

    def rejoin(self) -> None:
        """Find the server again, or start a new one, after it was found dead.

        Raises:
            EmbeddedServerError: As for `join`.
        """
        self.join()

    def leave(self) -> bool:
        """Stop being a member; the last one stops the server.

        Returns:
            Whether the server was stopped. False also where it did not stop in time: then the
            next member finds it, or waits for its end.
        """
        if self._share is None:
            return False
        with self._starting():
            os.close(self._share)
            self._share = None
            members = self._open("members.lock")
            try:
                if not _try_lock(members):
                    return False
                return self._stop_server()
            finally:
                os.close(members)

    @contextlib.contextmanager
    def _starting(self) -> Iterator[None]:
        start = self._open("start.lock")
        try:
            self._lock(start, fcntl.LOCK_EX)
            yield
        finally:
            os.close(start)

    def _reach_server(self) -> None:
        """Make sure that a server answers, starting one at most once; `start` is held."""
        folder = self._folder.resolve()
        until = monotonic_ms() + _PATIENCE_MS
        started: Release | None = None
        while True:
            # The starter's path counts, not what this process would choose: environments differ.
            noted = _noted(folder)
            state = "silent" if noted is None else server_state(noted, folder)
            if noted is not None and state == "ours":
                self.socket_path = noted
                if started is not None:
                    note_writer(folder, started)
                return
            with self._server_lock() as free:
                if free is not None and started is not None:
                    raise self._start_failure("")
                if free is not None:
                    program = find_server_binary()
                    started = release_of(program)
                    check_writer(folder, started)
                    socket_path = choose_socket(folder, noted)
                    socket_path.unlink(missing_ok=True)
                    (folder / _NOTE).write_bytes(os.fsencode(socket_path))
                    self._start_server(free, socket_path, program)
            if state == "loading":
                until = monotonic_ms() + _PATIENCE_MS
            elif monotonic_ms() > until:
                raise EmbeddedServerError(
                    f"The embedded server of {self._root.resolve()} runs but does not answer at {noted}: "
                    f"it may be stopped, or belong to another machine or container. "
                    f"End it there, or name a Redis server with --redis-url."
                )
            time.sleep(_PAUSE_S)

    def _start_server(self, lock: int, socket_path: Path, program: Path) -> None:
        """Start the server as a daemon in a session of its own, which no Ctrl-C reaches."""
        log = self._folder / "server.log"
        if log.exists():
            log.replace(self._folder / "server.log.old")
        settings = {
            "port": "0",
            "unixsocket": str(socket_path),
            "unixsocketperm": "700",
            "dir": str(self._folder.resolve()),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": "",
            "maxmemory-policy": "noeviction",
            # Small nodes: most logs have few entries, and a node is allocated whole.
            "stream-node-max-bytes": "1024",
            "daemonize": "yes",
            "pidfile": str(self._folder.resolve() / "server.pid"),
            "logfile": str(log.resolve()),
        }
        command = [str(program)]
        for name, value in settings.items():
            command += [f"--{name}", value]
        try:
            started = subprocess.run(
                command,
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                start_new_session=True,
                pass_fds=(lock,),
                timeout=_PATIENCE_MS / 1000,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EmbeddedServerError(f"The embedded server cannot be started: {error}.") from error
        if started.returncode != 0:
            raise self._start_failure(started.stdout + started.stderr)

    def _stop_server(self) -> bool:
        """Ask for SHUTDOWN and wait for the end; `start` is held and nobody is a member."""
        ask_for_shutdown(self.socket_path)
        until = monotonic_ms() + _PATIENCE_MS
        while monotonic_ms() < until:
            with self._server_lock() as free:
                if free is not None:
                    # A server removes its socket itself, unless it was killed.
                    self.socket_path.unlink(missing_ok=True)
                    return True
            time.sleep(_PAUSE_S)
        return False

    @contextlib.contextmanager
    def _server_lock(self) -> Iterator[int | None]:
        """Hold `server.lock` for a moment: its descriptor if no server lives, else None."""
        lock = self._open("server.lock")
        try:
            yield lock if _try_lock(lock) else None
        finally:
            # A server that was given the descriptor keeps the lock.
            os.close(lock)

    def _start_failure(self, output: str) -> EmbeddedServerError:
        """What to tell of a server that did not come up: the end of its log."""
        log = self._folder / "server.log"
        if log.exists():
            output += log.read_text("utf-8", "replace")
        lines = [line for line in output.splitlines() if line.strip() and _NOISE not in line][-_LOG_LINES:]
        said = "\n".join(f"    {line}" for line in lines) or "    (nothing)"
        return EmbeddedServerError(
            f"The embedded server of {self._root.resolve()} did not start. Its last words:\n{said}"
        )

    def _open(self, name: str) -> int:
        try:
            return _above_streams(os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise EmbeddedServerError(
                f"The embedded server needs to write to {self._folder}, but: {error.strerror}. "
                f"Use a directory that can be written to, or name a Redis server with --redis-url."
            ) from error

    def _lock(self, descriptor: int, how: int) -> None:
        try:
            fcntl.flock(descriptor, how)
        except OSError as error:
            raise EmbeddedServerError(
                f"The file system of {self._folder} has no locks ({error.strerror}), which the embedded "
                f"server needs: keep the project on a local disk, or name a Redis server with --redis-url."
            ) from error


def _above_streams(descriptor: int) -> int:
    """The same open file under a number that is no standard stream's.

    A process whose streams are closed gets their numbers for its files. A server replaces
    these three by its own, and would drop a lock that it inherits there.
    """
    if descriptor >= _FIRST_FREE:
        return descriptor
    try:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST_FREE)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    """Take a lock alone if nobody has a part in it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
