"""The way to Redis: connections, calls of scripts, and the translation of the driver's errors.

Nothing above this room sees an exception of the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import hiredis
import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, InvalidResponse, NoPermissionError
from redis.retry import Retry

from engine.errors import FlowEngineError, StoreError, StoreFull, StoreUnavailable, StoreUnfit

from .keys import Keys
from .reason import why_refused, why_unreached
from .script import NAMES, Script, assemble

#: Seconds until a command without an answer counts as lost.
COMMAND_TIMEOUT_S: Final = 5.0

#: More than a process has threads that ask at once (`worker.threads` is 1,000 at most).
_MOST_CONNECTIONS: Final = 2_000

#: Seconds to wait for a connection.
CONNECT_TIMEOUT_S: Final = 3.0

#: Times that the pooled client sends a command again; every script knows its second call.
_RESENDS: Final = 2

#: Beginnings of answers of a server that will serve the same call later.
_PASSING: Final = ("BUSY", "MISCONF", "NOREPLICAS")

#: The same, where the driver has a class for the answer and takes the word off its text.
_PASSING_ERRORS: Final = (
    redis.exceptions.ReadOnlyError,
    redis.exceptions.MasterDownError,
    redis.exceptions.ClusterDownError,
    redis.exceptions.TryAgainError,
)

#: A command as the bytes that are sent; hiredis types its argument as a tuple of one.
_pack: Final[Callable[[tuple[Any, ...]], bytes]] = hiredis.pack_command

#: An operation and its arguments.
Call = tuple[str, Sequence[Any]]


def translate(error: redis.RedisError | OSError, address: str) -> StoreError:
    """The engine's error for one of the driver's; its sentence gives advice only where that is sure."""
    text = str(error).strip().rstrip(".")
    if isinstance(error, AuthenticationError | NoPermissionError):
        why = text if isinstance(error, NoPermissionError) else why_refused(text)
        return StoreUnfit(f"Redis at {address} refuses this user: {why}")
    if isinstance(error, BusyLoadingError):
        return StoreUnavailable(f"Redis at {address} cannot serve at the moment: it is loading its data")
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | OSError):
        return StoreUnavailable(f"Redis at {address} cannot be reached: {why_unreached(error)}")
    return _of_answer(error, text, address)


def _of_answer(error: redis.RedisError, text: str, address: str) -> StoreError:
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return StoreFull(
            f"Redis at {address} is out of memory and takes no new runs (running work goes on): "
            f"free memory or raise `maxmemory`"
        )
    if isinstance(error, _PASSING_ERRORS) or text.startswith(_PASSING):
        return StoreUnavailable(
            f"Redis at {address} cannot serve writes at the moment: {text or type(error).__name__}"
        )
    if isinstance(error, InvalidResponse):
        return StoreUnfit(
            f"what answers at {address} does not speak as a Redis does: "
            f"it is another program, or wants TLS (rediss://)"
        )
    if text == "DB index is out of range":
        return StoreUnfit(f"Redis at {address} has no database of this number: use a lower one, such as 0")
    return StoreError(f"Redis at {address} refused a command: {text}")


class Store:
    """The store as one process sees it.

    Attributes:
        keys: Its keys.
        address: Its place for messages, without a password.
        warnings: What the boot check found that does not stop work.
    """

    def __init__(
        self,
        url: str,
        *,
        address: str,
        prefix: str,
        events_max_len: int,
        on_lost: Callable[[], None] | None = None,
    ) -> None:
        """Prepare the way; nothing is sent yet.

        Args:
            url: `redis://`, `rediss://` or `unix://`.
            address: The URL as it may be shown.
            prefix: First part of every key.
            events_max_len: About how many entries the firehose keeps.
            on_lost: Called before a channel connects again, to bring the server back where this process can.
        """
        self.keys = Keys(prefix)
        self.address = address
        self.warnings: list[str] = []
        self.scripts: dict[str, Script] = {
            name: assemble(name, self.keys, events_max_len=events_max_len) for name in NAMES
        }
        self.on_lost = on_lost
        self._url = url
        try:
            pool = self._pool(COMMAND_TIMEOUT_S, Retry(ExponentialBackoff(cap=0.5, base=0.05), _RESENDS))
        except ValueError as error:
            raise StoreUnfit(f"`{address}` is no address of a Redis: {error}") from error
        self._client = redis.Redis(connection_pool=pool)

    def _pool(self, timeout_s: float, retry: Retry) -> redis.ConnectionPool:
        return redis.ConnectionPool.from_url(
            self._url,
            max_connections=_MOST_CONNECTIONS,
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=retry,
        )

    @contextmanager
    def talking(self) -> Iterator[Any]:
        """The pooled driver, its errors translated; its answers are bytes.

        Raises:
            StoreError: As `translate` says.
        """
        try:
            yield self._client
        except redis.RedisError as error:
            raise translate(error, self.address) from error

    def call(self, name: str, *args: Any) -> Any:
        """Call a script over the pool; a lost reply is asked for again.

        Raises:
            StoreError: As `translate` says.
        """
        script = self.scripts[name]
        with self.talking() as client:
            try:
                return client.evalsha(script.sha, 1, self.keys.prefix, *args)
            except redis.exceptions.NoScriptError:
                client.script_load(script.text)
                return client.evalsha(script.sha, 1, self.keys.prefix, *args)

    def channel(self, *, timeout_s: float = COMMAND_TIMEOUT_S) -> Channel:
        """A connection of one's own, which sends nothing twice by itself."""
        return Channel(self, self._pool(timeout_s, Retry(NoBackoff(), 0)))

    def close(self) -> None:
        """Close the pool; channels are closed by their owners."""
        self._client.close()
        self._client.connection_pool.disconnect()


def _bring_back(on_lost: Callable[[], None]) -> None:
    try:
        on_lost()
    except FlowEngineError as error:
        raise StoreUnavailable(str(error)) from error


class ScriptsUnknown(StoreUnavailable):
    """The server does not know the scripts, as after a restart; the calls have to be sent again."""


class Channel:
    """One connection, owned by one thread, that never repeats a command on its own.

    After an error the connection is closed, and the next call opens another one.
    """

    def __init__(self, store: Store, pool: redis.ConnectionPool) -> None:
        self._store = store
        self._pool = pool
        self._connection: Any = None
        self._was_lost = False
        self._has_to_load = False

    def command(self, *args: Any) -> Any:
        """Send one command and read its answer.

        Raises:
            StoreError: As `translate` says.
        """
        self._send([args])
        answer = self._receive()
        if isinstance(answer, redis.RedisError):
            raise translate(answer, self._store.address) from answer
        return answer

    def call(self, name: str, *args: Any) -> Any:
        """Call one script and read its answer.

        Raises:
            StoreError: As `translate` says.
        """
        try:
            self.send([(name, args)])
            answer = self.receive()
        except ScriptsUnknown:
            self.send([(name, args)])
            answer = self.receive()
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def send(self, calls: Sequence[Call]) -> None:
        """Send calls of scripts in one go; each wants a `receive` later, in the same order.

        Raises:
            StoreUnavailable: The connection was lost: which calls have run is not known.
        """
        if self._has_to_load:
            for script in self._store.scripts.values():
                self.command("SCRIPT", "LOAD", script.text)
            self._has_to_load = False
        prefix, scripts = self._store.keys.prefix, self._store.scripts
        self._send([("EVALSHA", scripts[name].sha, 1, prefix, *args) for name, args in calls])

    def receive(self) -> Any:
        """The answer to the oldest call that has none yet, or the `StoreError` of a call that was refused.

        Raises:
            ScriptsUnknown: The server has lost the scripts; nothing that is still unanswered counts as sent.
            StoreUnavailable: The connection was lost: which calls have run is not known.
        """
        answer = self._receive()
        if isinstance(answer, redis.exceptions.NoScriptError):
            self._has_to_load = True
            self.close()
            raise ScriptsUnknown(
                f"Redis at {self._store.address} has lost the scripts; they are loaded again"
            )
        return translate(answer, self._store.address) if isinstance(answer, redis.RedisError) else answer

    def _send(self, commands: Sequence[tuple[Any, ...]]) -> None:
        try:
            connection = self._connected()
            # Packed here, since the driver's own way looks at every argument once more.
            connection.send_packed_command([b"".join([_pack(command) for command in commands])])
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error

    def _receive(self) -> Any:
        if self._connection is None:
            raise self._lost(redis.ConnectionError("the connection is closed"))
        try:
            return self._connection.read_response()
        except redis.ResponseError as error:
            return error
        except (redis.RedisError, OSError) as error:
            raise self._lost(error) from error

    def _lost(self, error: redis.RedisError | OSError) -> StoreError:
        self.close()
        self._was_lost = True
        return translate(error, self._store.address)

    def _connected(self) -> Any:
        if self._connection is None:
            if self._was_lost and self._store.on_lost is not None:
                _bring_back(self._store.on_lost)
            # Not by the pool itself, which counts what it has made and never counts down.
            connection = self._pool.connection_class(**self._pool.connection_kwargs)
            connection.connect()
            self._connection = connection
            self._was_lost = False
        return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None
