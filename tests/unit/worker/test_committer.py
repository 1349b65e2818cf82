"""The committer and a channel whose answers the test writes: nothing that was handed over is forgotten."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest

from engine.clock import monotonic_ms
from engine.errors import StoreError, StoreFull, StoreUnavailable
from engine.events.record import BufferedEvent, Emitted
from engine.execution.attempt import Attempt, Phase
from engine.execution.settlement import Settlement
from engine.store.connection import Call, ScriptsUnknown
from engine.store.ledger import EMITS_BYTES
from engine.store.queue import LeasedJob
from engine.worker.backlog import BACKLOG_BYTES
from engine.worker.committer import Committer
from engine.worker.items import STAGE_BYTES
from tests.support.wait import wait_until

OK: Any = [b"OK"]
LOST = StoreUnavailable("the connection was lost")
UNKNOWN = ScriptsUnknown("the scripts are unknown")
BUSY = StoreUnavailable("busy")
FULL = StoreFull("out of memory")


class Scripted:
    """A channel whose answers come from a function of the call and of how often it has been sent."""

    def __init__(self, answer: Callable[[str, int], Any]) -> None:
        self.calls: list[str] = []
        self._answer = answer
        self.most_at_once = 0
        self._unanswered: deque[str] = deque()

    def send(self, calls: Sequence[Call]) -> None:
        self.most_at_once = max(self.most_at_once, len(calls))
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


def wide(name: str, attempt: Attempt) -> Settlement:
    """The settlement of a fan-out that is staged, 200 emissions a call, and laid out."""
    return Settlement(
        lambda first, events: ("commit", (name,)),
        size=sum(len(emitted.payload) for emitted in attempt.emits),
        staged=attempt.emits,
        unfold=lambda cursor: ("unfold", (f"{name} {cursor}",)),
    )


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

    def submit_wide(self, name: str, *, width: int = 300, payload: bytes = b"1") -> Attempt:
        attempt = attempt_of(name)
        attempt.emits = [Emitted(1, "e", payload)] * width
        self.committer.submit(attempt, wide(name, attempt))
        return attempt

    def has_settled(self, name: str) -> bool:
        return name in self.settled

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


def laid_out(*cursors: int) -> Callable[[str, int], Any]:
    """Answers of a store that lays a fan-out out up to these numbers, the last of which is all of it."""

    def answer(label: str, time: int) -> Any:
        if label.startswith("stage"):
            return [b"OK", {1: 200, 2: 300}[time]]
        if not label.startswith("unfold"):
            return OK
        later = [cursor for cursor in cursors if cursor > int(label.rsplit(maxsplit=1)[-1])]
        return [b"MORE", later[0]] if len(later) > 1 else [b"DONE"]

    return answer


def test_a_wide_fan_out_is_staged_then_settled_then_laid_out():
    desk = Desk(laid_out(50, 100, 300))
    desk.submit_wide("a")
    desk.work_to_the_end()
    assert desk.channel.calls == [
        *("stage a", "stage a", "commit a"),
        *("unfold a 0", "unfold a 50", "unfold a 100"),
    ]
    assert desk.settled == ["a"]


def test_what_is_staged_goes_out_a_few_megabytes_a_pipeline():
    desk = Desk(lambda label, time: [b"OK", time] if label == "stage a" else [b"DONE"])
    desk.submit_wide("a", width=20, payload=b"x" * EMITS_BYTES)
    desk.work_to_the_end()
    assert desk.channel.most_at_once == STAGE_BYTES // EMITS_BYTES
    assert desk.channel.calls.count("stage a") == 20


def test_others_get_their_turn_while_a_fan_out_is_laid_out():
    cursors = range(50, 5_001, 50)
    desk = Desk(laid_out(*cursors))
    desk.submit_wide("a")
    desk.submit("b")
    desk.work_to_the_end()
    assert desk.settled == ["b", "a"]
    assert desk.channel.calls.index("commit b") < desk.channel.calls.index("unfold a 0")


def test_emissions_that_are_staged_are_not_held_while_they_are_laid_out():
    held: list[int] = []

    def answer(label, time):
        if label.startswith("unfold"):
            held.append(len(attempt.emits))
        return laid_out(50, 300)(label, time)

    desk = Desk(answer)
    attempt = desk.submit_wide("a")
    desk.work_to_the_end()
    assert held == [0, 0]


@pytest.mark.parametrize("trouble", [LOST, BUSY], ids=["lost", "busy"])
@pytest.mark.parametrize("at", ["stage a", "commit a", "unfold a 0", "unfold a 50"])
def test_a_wide_fan_out_goes_on_after_any_trouble_where_it_was(at, trouble):
    troubled: list[str] = []

    def answer(label, time):
        if label == at and not troubled:
            troubled.append(label)
            return trouble
        return [b"OK", 300] if label == "stage a" else laid_out(50, 300)(label, time)

    desk = Desk(answer)
    desk.submit_wide("a")
    desk.work_to_the_end()
    assert desk.settled == ["a"]
    assert desk.channel.calls[-3:] == ["commit a", "unfold a 0", "unfold a 50"] or at != "stage a"
    assert desk.channel.calls[-1] == "unfold a 50"


def test_what_the_store_says_it_has_not_is_staged_again():
    def answer(label, time):
        if label == "commit a":
            return [b"UNSTAGED", 0] if time == 1 else OK
        return [b"OK", 300] if label == "stage a" else [b"DONE"]

    desk = Desk(answer)
    desk.submit_wide("a")
    desk.work_to_the_end()
    calls = ["stage a", "stage a", "commit a"]
    assert desk.channel.calls == [*calls, *calls, "unfold a 0"]


@pytest.mark.parametrize("word", [b"FENCED", b"ENDED", b"GONE"])
def test_a_wide_fan_out_that_is_nobodys_affair_any_more_is_not_laid_out(word):
    desk = Desk(lambda label, time: [word])
    desk.submit_wide("a")
    desk.work_to_the_end()
    assert desk.settled == ["a"]
    assert desk.channel.calls == ["stage a", "stage a", "commit a"]


def test_a_wide_fan_out_that_is_refused_while_it_is_staged_fails():
    desk = Desk(lambda label, time: StoreError("too strange") if label == "stage a" else OK)
    desk.submit_wide("a")
    desk.work_to_the_end()
    assert desk.refusals == ["too strange"]
    assert desk.settled == ["a"]
    assert desk.channel.calls[-1] == "fail a"


def test_a_fan_out_that_a_full_store_refuses_holds_nobody_else_up():
    desk = Desk(lambda label, time: FULL if label == "stage a" else OK)
    desk.submit_wide("a", width=1)
    desk.committer.start()
    wait_until(lambda: desk.channel.calls)
    for n in range(200):
        desk.submit(str(n))
        wait_until(partial(desk.has_settled, str(n)))
    assert desk.channel.calls.count("stage a") < 50
    assert "a" not in desk.settled


def test_a_fan_out_that_a_full_store_refused_is_staged_once_there_is_room_even_at_the_end():
    desk = Desk(lambda label, time: (FULL if time < 3 else [b"OK", 1]) if label == "stage a" else [b"DONE"])
    desk.submit_wide("a", width=1)
    desk.work_to_the_end()
    assert desk.settled == ["a"]
    assert desk.channel.calls == ["stage a"] * 3 + ["commit a"]


def test_what_an_attempt_has_logged_is_told_before_it_is_given_back():
    desk = Desk(lambda label, time: OK)
    attempt = attempt_of("a")
    attempt.events = [BufferedEvent("log", 1, b"{}")]
    desk.committer.report(attempt)
    desk.committer.submit(attempt, settlement("a"))
    desk.work_to_the_end()
    assert [call.split()[0] for call in desk.channel.calls] == ["report", "commit"]
