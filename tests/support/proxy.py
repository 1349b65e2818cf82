"""A proxy between a worker and its server that loses chosen replies, or everything."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from engine.store.connection import Store

#: Bytes of one read.
_CHUNK = 65_536


class Proxy:
    """Listens on a socket of its own and speaks to a server's.

    Attributes:
        url: Where it listens.
        seen: Replies that the server has given, by script or command; errors are none.
        lost: Replies that were lost.
    """

    def __init__(self, server: Path, store: Store) -> None:
        """Listen.

        Args:
            server: The server's socket.
            store: Knows the names of the scripts.
        """
        self._folder = tempfile.TemporaryDirectory(prefix="flowengine-proxy-")
        path = Path(self._folder.name) / "s"
        self.url = f"unix://{path}"
        self.seen: Counter[str] = Counter()
        self.lost: list[str] = []
        self._server = server
        self._names = {script.sha.encode(): name for name, script in store.scripts.items()}
        self._doomed: dict[str, int] = {}
        self._lock = threading.Lock()
        self._flows = threading.Event()
        self._flows.set()
        self._is_open = True
        self._is_refusing = False
        self._is_to_freeze = False
        self._pairs: list[_Pair] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._acceptor = threading.Thread(target=self._accept, name="proxy")
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def lose(self, name: str, number: int = 1) -> None:
        """Lose the reply to the `number`-th call of a script or command from now, and the connection."""
        with self._lock:
            self._doomed[name] = self.seen[name] + number

    def freeze_at(self, name: str, number: int = 1) -> None:
        """Freeze when the server has answered the `number`-th call of a script or command from now."""
        self._is_to_freeze = True
        self.lose(name, number)

    def has_lost(self, count: int) -> bool:
        """Whether so many replies were lost."""
        return len(self.lost) >= count

    def cut(self) -> None:
        """Cut every connection."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            pair.cut()

    def freeze(self) -> None:
        """Hold everything back, in both directions, as a broken network does; connections stay open."""
        self._flows.clear()

    def thaw(self) -> None:
        """Cut what was held back, and let new connections through."""
        self.cut()
        self._flows.set()

    def refuse(self) -> None:
        """Cut every connection, and every new one at once, as where no server listens."""
        self._is_refusing = True
        self.cut()

    def let_in(self) -> None:
        """Let new connections through again."""
        self._is_refusing = False

    def close(self) -> None:
        """End."""
        self._is_open = False
        self._flows.set()
        # Connecting wakes the acceptor; closing its socket would not.
        with socket.socket(socket.AF_UNIX) as knock:
            knock.connect(self.url.removeprefix("unix://"))
        self._acceptor.join()
        self._listener.close()
        self.cut()
        for pair in self._pairs:
            pair.join()
        self._folder.cleanup()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if not self._is_open:
                client.close()
                return
            if self._is_refusing:
                client.close()
                continue
            server = socket.socket(socket.AF_UNIX)
            server.connect(str(self._server))
            pair = _Pair(client, server, self._name_of, self._pass_on, self._flows)
            with self._lock:
                self._pairs.append(pair)

    def _name_of(self, parts: list[bytes]) -> str:
        if parts[0].upper() == b"EVALSHA":
            return self._names.get(parts[1], "?")
        return parts[0].decode().upper()

    def _pass_on(self, name: str) -> bool:
        with self._lock:
            self.seen[name] += 1
            if self._doomed.get(name) == self.seen[name]:
                self.lost.append(name)
                if self._is_to_freeze:
                    self.freeze()
                return False
            return True


class _Pair:
    """One connection through the proxy."""

    def __init__(
        self,
        client: socket.socket,
        server: socket.socket,
        name_of: Callable[[list[bytes]], str],
        pass_on: Callable[[str], bool],
        flows: threading.Event,
    ) -> None:
        self._client = client
        self._server = server
        self._name_of = name_of
        self._pass_on = pass_on
        self._flows = flows
        self._asked: deque[str] = deque()
        self._threads = [threading.Thread(target=run) for run in (self._forth, self._back)]
        for thread in self._threads:
            thread.start()

    def cut(self) -> None:
        for one in (self._client, self._server):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue

    def join(self) -> None:
        for thread in self._threads:
            thread.join()
        self._client.close()
        self._server.close()

    def _forth(self) -> None:
        held = b""
        while chunk := self._read(self._client):
            held += chunk
            at = 0
            while (command := _parse(held, at)) is not None:
                parts, at = command
                self._asked.append(self._name_of(parts))
            held = held[at:]
            if not self._write(self._server, chunk):
                break
        self.cut()

    def _back(self) -> None:
        held = b""
        while chunk := self._read(self._server):
            held += chunk
            at = 0
            while (reply := _parse(held, at)) is not None:
                end, name = reply[1], self._asked.popleft()
                # An error, such as NOSCRIPT, says that the call did nothing.
                is_lost = held[at : at + 1] != b"-" and not self._pass_on(name)
                if is_lost or not self._write(self._client, held[at:end]):
                    self.cut()
                    return
                at = end
            held = held[at:]
        self.cut()

    def _read(self, source: socket.socket) -> bytes:
        try:
            chunk = source.recv(_CHUNK)
        except OSError:
            return b""
        self._flows.wait()
        return chunk

    def _write(self, target: socket.socket, chunk: bytes) -> bool:
        try:
            target.sendall(chunk)
        except OSError:
            return False
        return True


def _parse(held: bytes, at: int) -> tuple[list[bytes], int] | None:
    """One RESP2 value: its flat parts and where it ends, or None while it is not whole."""
    line_end = held.find(b"\r\n", at)
    if line_end < 0:
        return None
    kind, told, end = held[at : at + 1], held[at + 1 : line_end], line_end + 2
    if kind == b"$" and told != b"-1":
        end += int(told) + 2
        return ([held[line_end + 2 : end - 2]], end) if end <= len(held) else None
    if kind != b"*" or told == b"-1":
        return [told], end
    parts: list[bytes] = []
    for _ in range(int(told)):
        item = _parse(held, end)
        if item is None:
            return None
        parts += item[0]
        end = item[1]
    return parts, end
