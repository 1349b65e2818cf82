"""What a process is told: every setting as a field, with its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlencode, urlsplit


@dataclass(frozen=True, slots=True)
class QueueSettings:
    """Section `[queue]`.

    Attributes:
        dir: Folder of the flow files, relative to the project.
    """

    dir: str = "flows"


@dataclass(frozen=True, slots=True)
class RedisSettings:
    """Section `[redis]`: either `url`, or `host` and the like, or nothing for the embedded server.

    Attributes:
        url: `redis://`, `rediss://` (TLS) or `unix://`; may carry a user and a password.
        host: Name or address of the server.
        port: Its TCP port.
        db: Number of the database.
        username: User of the server's access control list, or None.
        password: Password, or None.
        tls: Whether to speak TLS.
        prefix: First part of every key; a hash tag, `{nq}`, on a cluster.
    """

    url: str | None = field(default=None, repr=False)
    host: str | None = None
    port: int = 6379
    db: int = 0
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    prefix: str = "nq"

    @property
    def is_embedded(self) -> bool:
        """Whether the project's own server is used, because no other was named."""
        return self.url is None and self.host is None

    @property
    def connection_url(self) -> str:
        """The URL to connect to, password included: for the driver, never for a message.

        Empty for the embedded server, whose place only the server knows.
        """
        if self.url is not None:
            return self.url
        if self.host is None:
            return ""
        user = quote(self.username or "", safe="")
        secret = f":{quote(self.password, safe='')}" if self.password else ""
        at = f"{user}{secret}@" if user or secret else ""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'rediss' if self.tls else 'redis'}://{at}{host}:{self.port}/{self.db}"

    @property
    def address(self) -> str:
        """The server's URL without its password, for messages."""
        return "the embedded server" if self.is_embedded else _without_password(self.connection_url)


@dataclass(frozen=True, slots=True)
class EventStoreSettings:
    """Section `[event_store]`.

    Attributes:
        trim_max_len: `trim.max_len`: about how many events the live feed of all runs keeps.
            The log of a run is never trimmed.
    """

    trim_max_len: int = 100_000


@dataclass(frozen=True, slots=True)
class WorkerSettings:
    """Section `[worker]`.

    Attributes:
        threads: Steps that one process runs at a time in threads.
        async_steps: Steps with an `async def` handler that one process runs at a time.
        lease_ms: `lease`: how long a step's job stays with a worker that no longer renews it, in
            milliseconds.
        grace_ms: `grace`: how long running steps may go on when a worker is asked to stop, in
            milliseconds.
        max_deliveries: How many times a job may be lost with its worker before its step fails.
        log_prints: Whether what a handler prints becomes `log` events.
    """

    threads: int = 8
    async_steps: int = 1_000
    lease_ms: int = 15_000
    grace_ms: int = 30_000
    max_deliveries: int = 5
    log_prints: bool = False


@dataclass(frozen=True, slots=True)
class LimitsSettings:
    """Section `[limits]`.

    Attributes:
        payload_bytes: Size of an input, a result or an emitted payload, in bytes of JSON.
        fan_out: Events that one attempt of a step may emit.
        gather_bytes: Size of all payloads that one attempt emits, and of all that a step which
            joins or collects is given, in bytes of JSON.
    """

    payload_bytes: int = 1_048_576
    fan_out: int = 20_000
    gather_bytes: int = 67_108_864


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a process.

    Attributes:
        queue: Where declarations are.
        redis: Where runs are kept.
        event_store: How much of the live feed is kept.
        worker: How steps are run.
        limits: What is refused as too large.
    """

    queue: QueueSettings = field(default_factory=QueueSettings)
    redis: RedisSettings = field(default_factory=RedisSettings)
    event_store: EventStoreSettings = field(default_factory=EventStoreSettings)
    worker: WorkerSettings = field(default_factory=WorkerSettings)
    limits: LimitsSettings = field(default_factory=LimitsSettings)


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    userinfo, at, place = parts.netloc.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    hidden = [(key, "***" if key == "password" else text) for key, text in parse_qsl(parts.query)]
    query = urlencode(hidden, safe="*")
    hidden_url = parts._replace(netloc=f"{user}{':***' if colon else ''}{at}{place}", query=query).geturl()
    # Without a host the slashes are left out, as in `unix:/run/redis.sock`.
    return hidden_url if "://" in hidden_url else hidden_url.replace(":", "://", 1)
