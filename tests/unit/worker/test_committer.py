"""The committer and a channel whose answers the test writes: nothing that was handed over is forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from engine.clock import monotonic_ms
from engine.errors import StoreError, StoreUnavailable
from engine.events.record import BufferedEvent
from engine.execution.attempt import Attempt, Phase
from engine.execution.settlement import Settlement
from engine.store.connection import Call, ScriptsUnknown
from engine.store.queue import LeasedJob
from engine.worker.committer import BACKLOG_BYTES, Committer
from tests.support.wait import wait_until

OK: Any = [b"OK"]
LOST = StoreUnavailable("the connection was lost")
UNKNOWN = ScriptsUnknown("the scripts are unknown")
BUSY = StoreUnavailable("busy")


class Scripted:
    """A channel whose answers come from a function of the call and of how often it has been sent."""

    def __init__(self, answer: Callable[[str, int], Any]) -> None:
        self.calls: list[str] = []
        self._answer = answer
        self._unanswered: deque[str] = deque()

    def send(self, calls: Sequence[Call]) -> None:
        for name, args in calls:
            label = name if not args else f"{name} {args[0]}"
            self.calls.append(label)
            self._unanswered.append(label)

    def receive(self) -> Any:
        label = self._unanswered.popleft()
        answer = self._answer(label, self.calls.count(label))
        if answer in (LOST, UNKNOWN):
            self._unanswered.clear()
            raise answer
        return answer

    def close(self) -> None:
        pass


def attempt_of(name: str) -> Attempt:
    job = LeasedJob(name, "s#1", "s", "f", "v", "q", f"w.{name}", 1, 0, "0", "", b"null")
    return Attempt(job, lease_ends_ms=1e12)


def settlement(name: str, *, size: int = 0, take: str = "") -> Settlement:
    return Settlement(lambda first, events: ("commit", (name, first, len(events))), size=size, take=take)


class Desk:
    """A committer, what it was told to do, and what became of it."""

    def __init__(self, answer: Callable[[str, int], Any]) -> None:
        self.channel = Scripted(answer)
        self.settled: list[str] = []
        self.followers: list[LeasedJob] = []
        self.leased_since_ms: list[float] = []
        self.refusals: list[str] = []
        self.committer = Committer(self.channel, settled=self._note, fallback=self._fall_back)  # type: ignore[arg-type]

    def _note(self, attempt: Attempt, follower: LeasedJob | None, since_ms: float) -> None:
        self.settled.append(attempt.job.run_id)
        if follower is not None:
            self.followers.append(follower)
            self.leased_since_ms.append(since_ms)
            given_back = Attempt(follower, lease_ends_ms=1e12)
            self.committer.submit(given_back, Settlement(lambda *_: ("release", (follower.run_id,))))

    def _fall_back(self, attempt: Attempt, why: str) -> Settlement:
        self.refusals.append(why)
        return Settlement(lambda first, events: ("fail", (attempt.job.run_id,)))

    def submit(self, name: str, **about: Any) -> Attempt:
        attempt = attempt_of(name)
        self.committer.submit(attempt, settlement(name, **about))
        return attempt

    def work_to_the_end(self) -> None:
        """Everything is handed over and the end asked for before the thread even begins."""
        self.committer.close()
        self.committer.start()
        self.committer.join(10)
        assert not self.committer.is_alive()


def test_what_was_handed_over_before_the_end_was_asked_for_is_sent():
    desk = Desk(lambda label, time: OK)
    for n in range(600):
        desk.submit(str(n))
    desk.work_to_the_end()
    assert desk.settled == [str(n) for n in range(600)]


def test_a_knock_does_not_hide_what_was_handed_over_after_it():
    desk = Desk(lambda label, time: OK)
    desk.committer._inbox.put(None)
    desk.submit("a")
    desk.committer._inbox.put(None)
    desk.submit("b")
    desk.work_to_the_end()
    assert desk.settled == ["a", "b"]


#: A job as a commit answers it.
FOLLOWER = [b"r2/next#1", b"q", 1, b"0", b"0.1.0", b"e", b"null", b"f", b"v", b""]


def test_a_job_that_comes_along_with_the_last_answer_is_given_back():
    desk = Desk(lambda label, time: [b"OK", FOLLOWER] if label == "commit a" else OK)
    desk.submit("a", take="w.9")
    desk.work_to_the_end()
    assert [job.token for job in desk.followers] == ["w.9"]
    assert desk.channel.calls == ["commit a", "release r2"]
    assert desk.settled == ["a", "r2"]


@pytest.mark.parametrize(("word", "is_of_the_second"), [(b"OK", True), (b"SETTLED", False)])
def test_a_job_that_comes_along_is_leased_since_the_call_that_recorded_the_commit(word, is_of_the_second):
    lost_at_ms = []

    def answer(label, time):
        if label == "release r2":
            return OK
        if time == 1:
            lost_at_ms.append(monotonic_ms())
            return LOST
        return [word, FOLLOWER]

    desk = Desk(answer)
    desk.submit("a", take="w.9")
    desk.work_to_the_end()
    assert (desk.leased_since_ms[0] > lost_at_ms[0]) is is_of_the_second


@pytest.mark.parametrize("trouble", [LOST, UNKNOWN, BUSY], ids=["lost", "unknown", "busy"])
@pytest.mark.parametrize("at", range(3))
def test_after_any_trouble_all_that_was_not_answered_goes_out_again(trouble, at):
    desk = Desk(lambda label, time: trouble if label == f"commit {at}" and time == 1 else OK)
    for n in range(3):
        desk.submit(str(n))
    desk.work_to_the_end()
    assert sorted(desk.settled) == ["0", "1", "2"]


@pytest.mark.parametrize("first", [[b"GAP", 0], [b"REFUSED", b"no"], BUSY, StoreError("no")], ids=str)
@pytest.mark.parametrize("trouble", [LOST, UNKNOWN], ids=["lost", "unknown"])
def test_an_item_that_has_to_go_out_again_survives_trouble_with_the_next_one(first, trouble):
    def answer(label, time):
        if time > 1 or label.startswith("fail"):
            return OK
        return first if label == "commit 0" else trouble

    desk = Desk(answer)
    desk.submit("0")
    desk.submit("1")
    desk.work_to_the_end()
    assert sorted(desk.settled) == ["0", "1"]


@pytest.mark.parametrize("word", [b"OK", b"DUP", b"SETTLED", b"FENCED", b"ENDED", b"GONE"])
def test_each_of_these_answers_means_that_there_is_nothing_more_to_do(word):
    desk = Desk(lambda label, time: [word])
    desk.submit("a")
    desk.work_to_the_end()
    assert desk.settled == ["a"]
    assert desk.channel.calls == ["commit a"]


@pytest.mark.parametrize("refusal", [[b"REFUSED", b"not a number"], StoreError("not a number")], ids=str)
def test_a_refused_settlement_is_replaced_by_a_failure_once_and_holds_nobody_up(refusal):
    desk = Desk(lambda label, time: refusal if label == "commit a" else OK)
    desk.submit("a")
    desk.submit("b")
    desk.work_to_the_end()
    assert desk.refusals == ["not a number"]
    assert desk.channel.calls == ["commit a", "commit b", "fail a"]
    assert sorted(desk.settled) == ["a", "b"]


def test_a_failure_that_is_refused_too_is_given_up():
    desk = Desk(lambda label, time: StoreError("never"))
    desk.submit("a")
    desk.work_to_the_end()
    assert desk.channel.calls == ["commit a", "fail a"]
    assert desk.settled == ["a"]


def test_a_gap_brings_the_missing_events_again():
    counts = []

    def make_call(first, events):
        counts.append((first, len(events)))
        return ("commit", ("a",))

    desk = Desk(lambda label, time: [b"GAP", 1] if time == 1 else OK)
    attempt = attempt_of("a")
    attempt.events = [BufferedEvent("log", 1, b"{}")] * 5
    attempt.acked = 4
    desk.committer.submit(attempt, Settlement(make_call))
    desk.work_to_the_end()
    assert counts == [(4, 1), (1, 4)]


def test_a_wide_attempt_is_told_in_bounded_calls():
    desk = Desk(lambda label, time: OK)
    attempt = attempt_of("a")
    attempt.events = [BufferedEvent("log", n, b"{}") for n in range(1_001)]
    desk.committer.submit(attempt, settlement("a"))
    desk.work_to_the_end()
    assert desk.channel.calls.count("commit a") == 1
    assert len(desk.channel.calls) == 6


def test_a_report_goes_out_while_the_attempt_runs_and_not_after_it():
    desk = Desk(lambda label, time: OK)
    desk.committer.start()
    attempt = attempt_of("a")
    attempt.phase = Phase.RUNNING
    attempt.events.append(BufferedEvent("log", 1, b"{}"))
    desk.committer.buffered(attempt)
    wait_until(lambda: attempt.acked == 1)
    attempt.events.append(BufferedEvent("log", 1, b"{}"))
    desk.committer.submit(attempt, settlement("a"))
    desk.committer.buffered(attempt)
    wait_until(lambda: desk.settled == ["a"])
    desk.committer.close()
    desk.committer.join(10)
    assert [call.split()[0] for call in desk.channel.calls] == ["report", "commit"]


def test_who_brings_more_than_the_backlog_holds_waits_and_everything_arrives():
    desk = Desk(lambda label, time: OK)
    desk.committer.start()
    for n in range(9):
        desk.submit(str(n), size=BACKLOG_BYTES // 2)
    desk.committer.close()
    desk.committer.join(10)
    assert desk.settled == [str(n) for n in range(9)]


def test_an_item_that_is_larger_than_the_backlog_goes_alone():
    desk = Desk(lambda label, time: OK)
    desk.submit("a", size=2 * BACKLOG_BYTES)
    desk.work_to_the_end()
    assert desk.settled == ["a"]


def test_a_refused_large_item_gives_its_place_back():
    desk = Desk(lambda label, time: [b"REFUSED", b"no"] if label.startswith("commit") else OK)
    desk.committer.start()
    for n in range(5):
        desk.submit(str(n), size=BACKLOG_BYTES)
    desk.committer.close()
    desk.committer.join(10)
    assert sorted(desk.settled) == [str(n) for n in range(5)]


def test_one_who_has_to_end_does_not_storm_a_store_that_is_away():
    is_away = True
    desk = Desk(lambda label, time: LOST if is_away else OK)
    desk.submit("a")
    desk.committer.close()
    desk.committer.start()
    desk.committer.join(0.3)
    asked = len(desk.channel.calls)
    is_away = False
    desk.committer.join(10)
    assert desk.settled == ["a"]
    assert 1 <= asked <= 20
