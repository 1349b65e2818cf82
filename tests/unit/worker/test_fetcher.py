"""The fetcher against answers that the test writes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from engine.clock import ServerClock, monotonic_ms
from engine.errors import StoreUnavailable
from engine.store.keys import Keys
from engine.store.queue import LeasedJob
from engine.worker.fetcher import FETCH_MOST, Fetcher, Tokens
from engine.worker.leases import Leases
from engine.worker.vital import Watch
from tests.support.wait import wait_until
from tests.unit.worker.serving import Serving

LOST = StoreUnavailable("the connection was lost")


def fields(name: str) -> list[Any]:
    return [f"{name}/s#1".encode(), b"q", 1, b"0", b"0", b"", b"null", b"f", b"v", b""]


def found(*names: str) -> list[Any]:
    return [b"OK", 1_700_000_000_000, *map(fields, names)]


class Counter:
    """A fetcher with room for eight, and what it was given, at which times."""

    def __init__(
        self, answer: Callable[[str, int], Any], *, lease_ms: int = 600_000, async_steps: int = 0
    ) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.delivered: list[tuple[str, str]] = []
        self.since_ms: list[float] = []
        self._answer = answer
        serving = Serving(threads=["q"], loop=["l"])
        self.leases = Leases(
            threads=4,
            async_steps=async_steps,
            lease_ms=lease_ms,
            served=serving,  # type: ignore[arg-type]
            grew=lambda: None,
        )
        self.fetcher = Fetcher(
            self,  # type: ignore[arg-type]
            worker_id="w",
            keys=Keys("nq"),
            served=serving,  # type: ignore[arg-type]
            register=lambda: ("heartbeat", ()),
            tokens=Tokens("w"),
            leases=self.leases,
            clock=ServerClock(),
            deliver=self._deliver,
            watch=Watch(lease_ms=lease_ms, dead=lambda why: None),
            lease_ms=lease_ms,
            block_s=0.01,
        )

    def call(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, *arguments))
        return self._answered(name)

    def command(self, name: str, *arguments: Any) -> Any:
        self.calls.append((name, *arguments))
        return self._answered(name)

    def close(self) -> None:
        pass

    def _answered(self, name: str) -> Any:
        answer = self._answer(name, len(self.made(name)))
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _deliver(self, jobs: Sequence[LeasedJob], since_ms: float) -> None:
        self.delivered += [(job.run_id, job.token) for job in jobs]
        self.since_ms += [since_ms] * len(jobs)

    def made(self, name: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == name]

    def numbers(self) -> list[int]:
        """The number of each fetch."""
        return [call[2] for call in self.made("fetch")]

    def work_until(self, condition: Callable[[], object]) -> None:
        self.fetcher.start()
        wait_until(condition, saw=lambda: self.calls)
        self.fetcher.stopping.set()
        self.fetcher.join(10)
        assert not self.fetcher.is_alive()


def first_fetch(then: Callable[[int], Any]) -> Callable[[str, int], Any]:
    """Answers to fetches by their count; everything else is answered with nothing."""
    return lambda name, time: then(time) if name == "fetch" else None


def test_it_blocks_only_after_a_fetch_that_left_room():
    at_counter = Counter(first_fetch(lambda time: found(*"abcdefgh") if time == 1 else found()))
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert [name for name, *_ in at_counter.calls][:3] == ["fetch", "fetch", "BLPOP"]


def test_every_wait_is_followed_by_a_fetch_whatever_came_of_it():
    at_counter = Counter(lambda name, time: found() if name == "fetch" else LOST)
    at_counter.work_until(lambda: len(at_counter.made("BLPOP")) > 2)
    names = [name for name, *_ in at_counter.calls]
    assert names[:6] == ["fetch", "BLPOP"] * 3


def test_the_own_marker_is_waited_for_first():
    at_counter = Counter(first_fetch(lambda time: found()))
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.made("BLPOP")[0][1:3] == ("nq:worker:w:wake", "nq:queue:q:wake")


def test_a_lost_answer_is_asked_for_by_the_same_number():
    at_counter = Counter(first_fetch(lambda time: LOST if time < 3 else found("a") if time == 3 else found()))
    at_counter.work_until(lambda: len(at_counter.numbers()) > 3)
    assert at_counter.numbers()[:4] == [1, 1, 1, 2]
    assert at_counter.delivered == [("a", "w.1")]


def test_one_that_is_not_known_any_more_registers_and_asks_again_by_the_same_number():
    at_counter = Counter(first_fetch(lambda time: [b"REGISTER", 1] if time == 1 else found()))
    at_counter.work_until(lambda: len(at_counter.numbers()) > 2)
    assert [name for name, *_ in at_counter.calls][:3] == ["fetch", "heartbeat", "fetch"]
    assert at_counter.numbers()[:2] == [1, 1]


def test_jobs_of_a_call_that_was_sent_for_long_are_renewed_before_they_are_begun():
    """Which copy of the call has leased them is not known: an early one, or the last."""
    lost_at_ms: list[float] = []

    def answer(name, time):
        if name == "renew":
            return LOST if time == 1 else [1, b"kept", b"lost"]
        if name != "fetch":
            return None
        if time < 4:
            lost_at_ms.append(monotonic_ms())
            return LOST
        return found("a", "b") if time < 6 else found()

    at_counter = Counter(answer, lease_ms=400)
    at_counter.work_until(lambda: at_counter.delivered)
    assert at_counter.numbers()[:5] == [1, 1, 1, 1, 1]
    assert at_counter.delivered == [("a", "w.1")]
    assert at_counter.since_ms[0] > lost_at_ms[-1]


def job_of(queue: str) -> LeasedJob:
    return LeasedJob("r", "s#1", "s", "f", "v", queue, "w.0", 1, 0, "0", "", b"null")


def test_it_blocks_only_for_queues_that_it_has_room_for():
    at_counter = Counter(first_fetch(lambda time: found()), async_steps=1)
    both = ("nq:worker:w:wake", "nq:queue:q:wake", "nq:queue:l:wake")
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.made("BLPOP")[0][1:-1] == both

    at_counter = Counter(first_fetch(lambda time: found()), async_steps=1)
    at_counter.leases.take([job_of("l")], since_ms=0)
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.made("BLPOP")[0][1:-1] == both[:2]

    at_counter = Counter(first_fetch(lambda time: found()), async_steps=1)
    at_counter.leases.take([job_of("q")] * 5, since_ms=0)
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.made("BLPOP")[0][1:-1] == both[::2]


def test_a_fetch_is_told_both_rooms_and_how_many_threads_are_idle():
    at_counter = Counter(first_fetch(lambda time: found()), async_steps=7)
    at_counter.leases.take([job_of("q"), job_of("l")], since_ms=0)
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.made("fetch")[0][3:6] == (4, 6, 3)


def test_one_fetch_asks_for_no_more_than_a_script_may_lease():
    at_counter = Counter(first_fetch(lambda time: found()), async_steps=5_000)
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.made("fetch")[0][4] == FETCH_MOST


def test_room_that_came_back_since_the_fetch_is_used_before_it_blocks():
    at_counter: Counter

    def answer(name, time):
        if name == "fetch" and time == 1:
            at_counter.leases.give_back(held)
        return found() if name == "fetch" else None

    at_counter = Counter(answer, async_steps=1)
    [held] = at_counter.leases.take([job_of("l")], since_ms=0)
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert [name for name, *_ in at_counter.calls][:3] == ["fetch", "fetch", "BLPOP"]


def test_one_that_leaves_fetches_a_last_time_without_room():
    at_counter = Counter(first_fetch(lambda time: found()))
    at_counter.work_until(lambda: at_counter.made("BLPOP"))
    assert at_counter.calls[-1][:6] == ("fetch", "w", at_counter.numbers()[-1], 0, 0, 0)


def test_one_that_leaves_does_not_wait_for_a_store_that_is_away():
    at_counter = Counter(first_fetch(lambda time: LOST))
    at_counter.work_until(lambda: len(at_counter.numbers()) > 1)
    assert at_counter.delivered == []
