"""The keeper against answers that the test writes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from engine.errors import StoreUnavailable
from engine.execution.attempt import Attempt, Phase
from engine.store.queue import LeasedJob
from engine.worker.fetcher import Tokens
from engine.worker.leases import Leases
from engine.worker.timers import Keeper
from engine.worker.vital import Watch
from tests.support.wait import wait_until
from tests.unit.worker.serving import Serving

#: A third of it passes between two renewals.
LEASE_MS = 30

LOST = StoreUnavailable("the connection was lost")


def job(name: str) -> LeasedJob:
    return LeasedJob(name, "s#1", "s", "f", "v", "q", "w.1", 1, 0, "0", "", b"null")


class Scripted:
    """A channel whose answers come from a function of the call and of how often it has been made."""

    def __init__(self, answer: Callable[[str, int], Any]) -> None:
        self.calls: list[str] = []
        self.arguments: tuple[Any, ...] = ()
        self._answer = answer

    def call(self, name: str, *arguments: Any) -> Any:
        self.calls.append(name)
        self.arguments = arguments
        answer = self._answer(name, self.calls.count(name))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        pass


def usual(name: str, words: Any = ()) -> Any:
    return {"renew": [0, *words], "sweep": [b"SWEPT", 0], "promote": [-1]}.get(name, 0)


class Room:
    """A keeper, what it holds, and what it has asked for."""

    def __init__(self, answer: Callable[[str, int], Any], *names: str) -> None:
        self.channel = Scripted(answer)
        self.leases = Leases(
            threads=4,
            async_steps=4,
            lease_ms=LEASE_MS,
            served=Serving(),  # type: ignore[arg-type]
            grew=lambda: None,
        )
        self.attempts = self.leases.take([job(name) for name in names], since_ms=0.0)
        self.released: list[Attempt] = []
        self.exhausted: list[tuple[LeasedJob, float]] = []
        self.keeper = Keeper(
            self.channel,  # type: ignore[arg-type]
            tokens=Tokens("w"),
            leases=self.leases,
            heartbeat=lambda: ("heartbeat", ()),
            release=self.released.append,
            abandon=self.released.append,
            exhausted=lambda job, since_ms: self.exhausted.append((job, since_ms)),
            unfold=lambda job, flow, version, cursor: ("unfold", (job, flow, version, cursor)),
            watch=Watch(lease_ms=LEASE_MS, dead=lambda why: None),
            lease_ms=LEASE_MS,
            max_deliveries=3,
        )

    def keep_until(self, condition: Callable[[], object]) -> None:
        self.keeper.start()
        wait_until(condition, saw=lambda: self.channel.calls)
        self.keeper.stopping.set()
        self.keeper.join(10)


def test_what_is_held_is_renewed_and_a_lost_lease_keeps_its_end():
    words = {"a": b"kept", "b": b"lost", "c": b"ending"}

    def answer(name, time):
        return usual(name, [words[run] for run in room.channel.arguments[1::4]] if name == "renew" else ())

    room = Room(answer, *words)
    room.keep_until(lambda: room.channel.calls.count("renew") > 2)
    ends = {attempt.job.run_id: attempt.lease_ends_ms for attempt in room.leases.held()}
    assert ends["b"] == LEASE_MS
    assert ends["a"] > LEASE_MS
    assert ends["c"] > LEASE_MS


def test_a_renewal_that_failed_is_the_next_thing_that_is_tried():
    room = Room(lambda name, time: LOST if name == "renew" and time < 3 else usual(name, [b"kept"]), "a")
    room.keep_until(lambda: "heartbeat" in room.channel.calls)
    first = room.channel.calls.index("renew")
    assert room.channel.calls[first : first + 3] == ["renew"] * 3


def test_whatever_fails_the_keeper_goes_on():
    room = Room(lambda name, time: LOST if time < 2 else usual(name))
    room.keep_until(lambda: min(room.channel.calls.count(n) for n in ("sweep", "promote", "heartbeat")) > 3)


def test_an_attempt_whose_thread_is_dead_is_given_back():
    room = Room(lambda name, time: usual(name, [b"kept"]), "a", "b")
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()
    dead = room.attempts[0]
    dead.phase, dead.thread = Phase.RUNNING, thread
    room.keep_until(lambda: room.released)
    assert room.released[0] is dead


def test_a_job_that_was_lost_too_often_is_handed_on_with_its_token():
    fields = [b"r/s#1", b"q", 3, b"3", b"0", b"", b"null", b"f", b"v", b""]
    room = Room(lambda name, time: [b"SWEPT", 1, fields] if name == "sweep" and time == 2 else usual(name))
    room.keep_until(lambda: room.exhausted)
    assert (room.exhausted[0][0].id, room.exhausted[0][0].token) == ("r/s#1", "w.2")


def test_what_has_not_begun_is_given_back_when_its_run_is_ending():
    room = Room(lambda name, number: usual(name, [b"ending"]), "r")
    room.keep_until(lambda: room.released)
    assert room.released[0] is room.attempts[0]


def test_a_lease_that_is_lost_under_a_running_step_is_told_once_and_renewed_no_more(caplog):
    room = Room(lambda name, time: usual(name, [b"lost"]), "r")
    room.attempts[0].phase, room.attempts[0].thread = Phase.RUNNING, threading.current_thread()
    room.keep_until(lambda: room.channel.calls.count("sweep") > 4)
    assert room.channel.calls.count("renew") == 1
    assert [record.message for record in caplog.records] == [
        "the lease of r/s#1 is lost: its result will be discarded"
    ]
