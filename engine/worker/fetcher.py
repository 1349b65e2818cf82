"""The one thread that asks the store for work.

Theory of operation, the local half of the wake protocol:

1. A marker in `nq:queue:<q>:wake` says: something waits in q and nobody is on the way. Every
   script after which something may wait leaves one; a fetch takes what there is room for
   and leaves the marker again if something is left.
2. So: wait for room, fetch, and block for a marker only when the fetch left room over, that
   is, when nothing more waited. A process that pops a marker has room, and fetches before it
   sleeps. Never block for a queue without room for its jobs: the marker would be in the wrong
   hands. Room of another kind, for the loop or for the threads, that comes back meanwhile knocks
   on this worker's own marker list.
3. A fetch is known by its number. When its answer is lost the same number is sent again, and
   brings the same jobs. The blocking call is never repeated: after any trouble comes a fetch.
4. One who leaves makes a last fetch with no room, which leaves every marker that it may have
   in its hands to the others.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import Final

from engine.clock import ServerClock, monotonic_ms
from engine.errors import StoreError
from engine.store import queue
from engine.store.connection import Call, Channel
from engine.store.keys import Keys
from engine.store.queue import LeasedJob, Room, leased_job

from .leases import Leases
from .served import ServedQueues
from .vital import Outage, VitalThread, Watch

#: Seconds between signs of life while there is no room.
_BEAT_S: Final = 0.5

#: Jobs of the threads and of the loop that one fetch asks for, at most: a script that leased more would hold
#: the server up.
FETCH_MOST: Final = 100


class Tokens:
    """Numbers of one worker, for fetches and for jobs taken along; never used twice."""

    def __init__(self, worker_id: str) -> None:
        self._worker_id = worker_id
        self._numbers = count(1)

    def next_number(self) -> int:
        """A new number."""
        return next(self._numbers)

    def token(self, number: int) -> str:
        """What leases made under a number carry."""
        return f"{self._worker_id}.{number}"

    def next_token(self) -> str:
        """A token of a new number."""
        return self.token(self.next_number())


class Fetcher(VitalThread):
    """Fetches jobs and hands them on."""

    def __init__(
        self,
        channel: Channel,
        *,
        worker_id: str,
        keys: Keys,
        served: ServedQueues,
        register: Callable[[], Call],
        tokens: Tokens,
        leases: Leases,
        clock: ServerClock,
        deliver: Callable[[Sequence[LeasedJob], float], None],
        watch: Watch,
        lease_ms: int,
        block_s: float,
    ) -> None:
        """Make the thread; nothing is asked for before it is started.

        Args:
            channel: A connection of its own, which repeats nothing.
            worker_id: Who asks.
            keys: Keys of the store.
            served: The queues that this process serves.
            register: Makes the call that writes this worker's keys.
            tokens: Numbers of this worker.
            leases: What is held, and the room.
            clock: Corrected by each answer.
            deliver: Takes fetched jobs and the monotonic time since when they are leased.
            watch: Looks after the keeper.
            lease_ms: Length of a lease, which is also the life of the worker's keys.
            block_s: Longest wait for a marker.
        """
        super().__init__("fetcher")
        self._channel = channel
        self._worker_id = worker_id
        self._own_wake = keys.worker_wake(worker_id)
        self._keys = keys
        self._served = served
        self._register = register
        self._tokens = tokens
        self._leases = leases
        self._clock = clock
        self._deliver = deliver
        self._watch = watch
        self._lease_ms = lease_ms
        self._block_s = block_s
        self._outage = Outage(self)

    def work(self) -> None:
        """Fetch until the end is asked for."""
        while not self.stopping.is_set():
            self.beat()
            self._watch.look()
            room = self._leases.wait_for_room(_BEAT_S)
            if room and self._fetch(room) and not self.stopping.is_set():
                self._block(room)
        self._fetch(Room(0, 0, 0))
        self._channel.close()

    def _fetch(self, room: Room) -> bool:
        """Fetch once, however often that has to be asked; answers whether nothing more waits."""
        room = room._replace(threads=min(room.threads, FETCH_MOST), loop=min(room.loop, FETCH_MOST))
        number, first_ms = self._tokens.next_number(), monotonic_ms()
        token = self._tokens.token(number)
        call = queue.fetch(
            self._worker_id, seq=number, room=room, lease_ms=self._lease_ms, ttl_ms=self._lease_ms
        )
        while True:
            self.beat()
            since_ms = first_ms
            try:
                jobs = self._ask(call, token)
                if jobs and monotonic_ms() - first_ms > self._lease_ms / 2:
                    since_ms = monotonic_ms()
                    jobs = self._still_leased(jobs)
            except StoreError as error:
                self._outage.failed(error)
                # The jobs of an answer that is never read are taken back when their lease is over.
                if self.stopping.is_set():
                    return False
                continue
            self._outage.succeeded()
            if jobs is not None:
                break
        if jobs:
            self._deliver(jobs, since_ms)
        on_loop = sum(self._served.is_on_loop(job.queue) for job in jobs)
        return not (0 < room.loop <= on_loop or 0 < room.threads <= len(jobs) - on_loop)

    def _ask(self, call: Call, token: str) -> list[LeasedJob] | None:
        """Send the call once; None means to send it again."""
        sent_ms = monotonic_ms()
        answer = self._channel.call(call[0], *call[1])
        self._clock.learn(answer[1], sent_ms=sent_ms, received_ms=monotonic_ms())
        if answer[0] == b"REGISTER":
            register = self._register()
            self._channel.call(register[0], *register[1])
            return None
        return [leased_job(fields, token) for fields in answer[2:]]

    def _still_leased(self, jobs: Sequence[LeasedJob]) -> list[LeasedJob]:
        """Renew jobs of a call that was sent for long: which of its copies has leased them is not known."""
        renew = queue.renew(jobs, lease_ms=self._lease_ms)
        _, *words = self._channel.call(renew[0], *renew[1])
        return [job for job, word in zip(jobs, words, strict=True) if word != b"lost"]

    def _block(self, room: Room) -> None:
        """Wait for a marker of a queue that there is room for; whatever comes of it, a fetch follows."""
        if not self._leases.may_block(room):
            return
        served = self._served.now
        names = (*(served.threads if room.threads else ()), *(served.loop if room.loop else ()))
        wakes = [self._keys.queue_wake(name) for name in names]
        try:
            self._channel.command("BLPOP", self._own_wake, *wakes, self._block_s)
        except StoreError as error:
            self._outage.failed(error)
        finally:
            self._leases.blocked()
