"""The way to Redis: connections, calls of scripts, and the translation of the driver's errors.

Nothing above this room sees an exception of the driver.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import redis
from redis.backoff import ExponentialBackoff, NoBackoff
from redis.retry import Retry

from engine.errors import StoreError, StoreFull, StoreUnavailable, StoreUnfit

from .keys import Keys
from .script import NAMES, Script, assemble

#: Seconds until a command without an answer counts as lost.
COMMAND_TIMEOUT_S: Final = 5.0

#: Seconds to wait for a connection.
CONNECT_TIMEOUT_S: Final = 3.0

#: Times that the pooled client sends a command again; every script knows its second call.
_RESENDS: Final = 2

#: An operation and its arguments.
Call = tuple[str, Sequence[Any]]


def translate(error: redis.RedisError, address: str) -> StoreError:
    """The engine's error for one of the driver's."""
    if isinstance(error, redis.exceptions.OutOfMemoryError):
        return StoreFull(
            f"Redis at {address} is out of memory and takes no new runs: free memory or raise `maxmemory`; running work goes on"
        )
    if isinstance(error, redis.exceptions.AuthenticationError | redis.exceptions.NoPermissionError):
        return StoreUnfit(f"Redis at {address} refuses this user: {error}")
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.exceptions.ReadOnlyError):
        return StoreUnavailable(f"Redis at {address} cannot be reached: {_reason(error)}")
    return StoreError(f"Redis at {address} refused a command: {error}")


def _reason(error: Exception) -> str:
    """What the driver says, without the address that our own sentence has."""
    return str(error).strip().rstrip(".") or type(error).__name__


class Store:
    """The store as one process sees it.

    Attributes:
        keys: Its keys.
        address: Its place for messages, without a password.
        client: The pooled driver; use it inside `talking`.
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
        self.client = redis.Redis(connection_pool=pool)

    def _pool(self, timeout_s: float, retry: Retry) -> redis.ConnectionPool:
        return redis.ConnectionPool.from_url(
            self._url,
            protocol=2,
            socket_timeout=timeout_s,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=retry,
        )

    @contextmanager
    def talking(self) -> Iterator[redis.Redis]:
        """The pooled driver, its errors translated.

        Raises:
            StoreError: As `translate` says.
        """
        try:
            yield self.client
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
        self.client.close()
        self.client.connection_pool.disconnect()


class Channel:
    """One connection, owned by one thread, that never repeats a command on its own.

    After an error the connection is closed, and the next call opens another one.
    """

    def __init__(self, store: Store, pool: redis.ConnectionPool) -> None:
        self._store = store
        self._pool = pool
        self._connection: Any = None
        self._was_lost = False

    def command(self, *args: Any) -> Any:
        """Send one command and read its answer.

        Raises:
            StoreError: As `translate` says.
        """
        return self._exchange([args])[0]

    def call(self, name: str, *args: Any) -> Any:
        """Call one script.

        Raises:
            StoreError: As `translate` says.
        """
        answer = self.batch([(name, args)])[0]
        if isinstance(answer, StoreError):
            raise answer
        return answer

    def batch(self, calls: Sequence[Call]) -> list[Any]:
        """Call several scripts in one go.

        Returns:
            An answer for each call; a `StoreError` where the server refused that one.

        Raises:
            StoreUnavailable: The connection was lost: which calls have run is not known.
        """
        answers = self._exchange([self._evalsha(call) for call in calls], keep_errors=True)
        unknown = [k for k, answer in enumerate(answers) if isinstance(answer, redis.exceptions.NoScriptError)]
        if unknown:
            texts = {self._store.scripts[calls[k][0]].text for k in unknown}
            self._exchange([("SCRIPT", "LOAD", text) for text in texts])
            again = self._exchange([self._evalsha(calls[k]) for k in unknown], keep_errors=True)
            for k, answer in zip(unknown, again, strict=True):
                answers[k] = answer
        return [
            translate(answer, self._store.address) if isinstance(answer, redis.RedisError) else answer for answer in answers
        ]

    def _evalsha(self, call: Call) -> tuple[Any, ...]:
        return ("EVALSHA", self._store.scripts[call[0]].sha, 1, self._store.keys.prefix, *call[1])

    def _exchange(self, commands: Sequence[Sequence[Any]], *, keep_errors: bool = False) -> list[Any]:
        answers: list[Any] = []
        try:
            connection = self._connected()
            connection.send_packed_command(connection.pack_commands(commands))
            for _ in commands:
                try:
                    answers.append(connection.read_response())
                except redis.ResponseError as error:
                    answers.append(error)
        except (redis.RedisError, OSError) as error:
            self.close()
            self._was_lost = True
            lost = error if isinstance(error, redis.RedisError) else redis.ConnectionError(str(error))
            raise translate(lost, self._store.address) from error
        if not keep_errors:
            for answer in answers:
                if isinstance(answer, redis.RedisError):
                    raise translate(answer, self._store.address) from answer
        return answers

    def _connected(self) -> Any:
        if self._connection is None:
            if self._was_lost and self._store.on_lost is not None:
                self._store.on_lost()
            connection = self._pool.make_connection()
            connection.connect()
            self._connection = connection
            self._was_lost = False
        return self._connection

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            self._connection.disconnect()
            self._connection = None
