"""The one thread that tells the store what happened.

Theory of operation:

1. Handlers' threads hand over settlements and go on; the ack is part of the settlement.
   Everything that has been handed over meanwhile goes out as one pipeline, and the next one is
   made while the server works at this one.
2. Items are self-sufficient: each is known to the store by its token or the number of its
   first event. So after any error all that were not answered are sent again, in order, and
   neither their order nor a pipeline that ran in part matters.
3. Answers are read one by one, and one item never holds up another. `OK`, `DUP`, `SETTLED`,
   `FENCED`, `ENDED` and `GONE` mean that there is nothing more to do; `GAP n` that the events
   from n on are wanted again; a passing trouble that the item is sent again, and a full store
   that it is so after a while. Anything else is a refusal: the item is replaced, once, by a
   failure without the user's payload.
4. An attempt is held, and its lease renewed, until its answer was read.
5. Buffered events of a running attempt are reported after at most 10 ms, by this thread, if
   no settlement has taken them along by then.
6. A wide fan-out takes several rounds: its emissions are staged, a few megabytes a pipeline; then
   it is settled, and the attempt is let go; then they are laid out, one part a pipeline, so that
   others get their turn. What is not laid out when the process dies, any keeper finishes.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import replace
from queue import Empty, SimpleQueue
from typing import Any, Final

from engine.clock import monotonic_ms
from engine.errors import StoreError, StoreFull, StoreUnavailable
from engine.execution.attempt import Attempt, Phase
from engine.execution.settlement import Settlement
from engine.store.connection import Call, Channel, ScriptsUnknown
from engine.store.queue import LeasedJob, leased_job

from .backlog import Backlog
from .items import Item, Kind, calls_of, report_item
from .vital import Outage, VitalThread

logger = logging.getLogger(__name__)

#: Milliseconds that a buffered event may wait for a settlement to take it along.
REPORT_AFTER_MS: Final = 10

#: Items and bytes of one pipeline, at most; a larger item goes alone.
BATCH_ITEMS: Final = 256
BATCH_BYTES: Final = 4 * 1024 * 1024

#: Pipelines on their way at once: the server works at one while the next is made ready.
PIPELINES: Final = 2

#: Milliseconds after which what a full store has refused is sent again; others do not wait for it.
FULL_AFTER_MS: Final = 1_000.0

#: Seconds between signs of life when there is nothing to do.
_BEAT_S: Final = 0.5


class Committer(VitalThread):
    """Sends settlements and reports."""

    def __init__(
        self,
        channel: Channel,
        *,
        settled: Callable[[Attempt, LeasedJob | None, float], None],
        fallback: Callable[[Attempt, str], Settlement],
    ) -> None:
        """Make the thread; what is submitted before it is started waits for it.

        Args:
            channel: A connection of its own.
            settled: Called when an attempt needs nothing more, with the job that came along and the
                monotonic time at which it was asked for.
            fallback: Makes the failure that replaces a refused settlement, from the refusal.
        """
        super().__init__("committer")
        self._channel = channel
        self._settled = settled
        self._fallback = fallback
        self._inbox: SimpleQueue[Item | None] = SimpleQueue()
        self._reports: deque[tuple[float, Attempt]] = deque()
        self._is_dozing = False
        self._backlog = Backlog()
        self._outage = Outage(self)
        self._sent: deque[deque[Item | None]] = deque()
        self._again: list[Item] = []
        self._later: deque[tuple[float, Item]] = deque()
        self._bare: deque[Call] = deque()

    def submit(self, attempt: Attempt, settlement: Settlement) -> None:
        """Hand over a settlement; waits while too many bytes are on their way."""
        attempt.phase = Phase.SETTLING
        self._backlog.add(settlement.size)
        self._inbox.put(Item(attempt, settlement))

    def report(self, attempt: Attempt) -> None:
        """Tell what an attempt has logged, before anything that is handed over for it from here on."""
        self._inbox.put(report_item(attempt))

    def buffered(self, attempt: Attempt) -> None:
        """Note that an attempt has an event that should be on its way soon."""
        if attempt.report_is_due:
            return
        attempt.report_is_due = True
        self._reports.append((monotonic_ms() + REPORT_AFTER_MS, attempt))
        # Read after the append here, and set before the last look at the reports there: one sees the other.
        if self._is_dozing:
            self._is_dozing = False
            self._inbox.put(None)

    def pass_on(self, call: Call) -> None:
        """Send a call whose answer does not matter along with what is sent next."""
        self._bare.append(call)
        self._inbox.put(None)

    def close(self) -> None:
        """Ask for the end: the thread leaves when all that was handed over has been answered."""
        self.stopping.set()
        self._inbox.put(None)

    def work(self) -> None:
        """Send until the end is asked for and nothing is left."""
        while True:
            self.beat()
            batch = self._next_batch()
            try:
                if batch or self._bare:
                    self._send(batch)
                elif self._sent:
                    self._read_answers()
                # The last answers may have brought jobs that were given back, by this very thread.
                elif self.stopping.is_set() and self._inbox.empty() and not self._later:
                    break
            except StoreError as error:
                unanswered = [item for sent in self._sent for item in sent if item is not None]
                self._again += [item.whole or item for item in unanswered if _is_sent_again(item)]
                self._sent.clear()
                if not isinstance(error, ScriptsUnknown):
                    self._outage.failed(error)
        self._channel.close()

    def _next_batch(self) -> list[Item]:
        """What is to be sent now; waits only when nothing else is to be done."""
        if len(self._sent) == PIPELINES:
            return []
        batch, self._again = self._again, []
        while self._later and self._later[0][0] <= monotonic_ms():
            batch.append(self._later.popleft()[1])
        size = sum(item.size for item in batch)
        item = self._look() if self._sent or batch or self._bare else self._wait()
        while item is not None:
            batch.append(item)
            size += item.size
            item = self._look() if len(batch) < BATCH_ITEMS and size < BATCH_BYTES else None
        return self._due_reports(batch)

    def _look(self) -> Item | None:
        try:
            return self._inbox.get_nowait()
        except Empty:
            return None

    def _wait(self) -> Item | None:
        """The next item, or None when a report is due, somebody knocks, or it is time for a beat."""
        if self.stopping.is_set() and not self._later:
            return self._look()
        now = monotonic_ms()
        until_ms = min(now + _BEAT_S * 1000, self._later[0][0]) if self._later else now + _BEAT_S * 1000
        self._is_dozing = True
        if self._reports:
            self._is_dozing = False
            until_ms = min(until_ms, self._reports[0][0])
        timeout_s = (until_ms - now) / 1000
        try:
            return self._inbox.get(timeout=timeout_s) if timeout_s > 0 else self._inbox.get_nowait()
        except Empty:
            return None
        finally:
            self._is_dozing = False

    def _due_reports(self, batch: list[Item]) -> list[Item]:
        now = monotonic_ms()
        while self._reports and self._reports[0][0] <= now and len(batch) < BATCH_ITEMS:
            _, attempt = self._reports.popleft()
            attempt.report_is_due = False
            if attempt.phase is Phase.RUNNING and len(attempt.events) > attempt.acked:
                batch.append(report_item(attempt))
        return batch

    def _send(self, batch: list[Item]) -> None:
        since_ms = monotonic_ms()
        sent: deque[Item | None] = deque()
        calls: list[Call] = []
        while self._bare:
            sent.append(None)
            calls.append(self._bare.popleft())
        for whole in batch:
            whole.first_sent_at_ms = whole.first_sent_at_ms or since_ms
            whole.sent_at_ms = since_ms
            for item, call in calls_of(whole):
                sent.append(item)
                calls.append(call)
        self._sent.append(sent)
        self._channel.send(calls)

    def _read_answers(self) -> None:
        """Read the answers to the oldest pipeline, dealing with each as it comes."""
        oldest = self._sent[0]
        trouble: StoreError | None = None
        while oldest:
            answer = self._channel.receive()
            item = oldest.popleft()
            if isinstance(answer, StoreUnavailable):
                trouble = answer
            if item is None:
                continue
            if item.kind is Kind.STAGE:
                self._note_staged(item, answer)
            elif answer is trouble or self._deal_with(item, answer):
                self._again.append(item)
        self._sent.popleft()
        if trouble is None:
            self._outage.succeeded()
        else:
            self._outage.failed(trouble)

    def _note_staged(self, part: Item, answer: Any) -> None:
        """Send the whole on with the last part; where an earlier one failed, this one tells of a gap."""
        whole = part.whole
        if whole is None:
            return
        if isinstance(answer, StoreUnavailable) or (
            isinstance(answer, StoreError) and self._deal_with(whole, answer)
        ):
            self._again.append(whole)
        elif not isinstance(answer, StoreError):
            # Any other word will be the settlement's answer too.
            whole.staged = answer[1] if answer[0] in (b"OK", b"GAP") else len(whole.content.staged)
            self._again.append(whole)
            if not self._later:
                self.notice.back(self)

    def _deal_with(self, item: Item, answer: Any) -> bool:
        """Deal with an answer; answers whether the item is to be sent again."""
        if isinstance(answer, StoreFull):
            self.notice.cut_off(self, answer)
            self._later.append((monotonic_ms() + FULL_AFTER_MS, item))
            return False
        if isinstance(answer, StoreError):
            return self._refuse(item, str(answer))
        word = answer[0]
        if word == b"REFUSED":
            return self._refuse(item, answer[1].decode())
        if word == b"GONE":
            logger.critical("run %s has no ledger any more: its keys were deleted", item.attempt.job.run_id)
        if item.note_answer(word, answer):
            return True
        if item.kind is Kind.SETTLE:
            return self._let_go(item, word, answer)
        return False

    def _let_go(self, item: Item, word: bytes, answer: Any) -> bool:
        """Let go of a settled attempt; answers whether a wide fan-out is to be laid out."""
        successor = leased_job(answer[1], item.content.take) if len(answer) > 1 and answer[1] else None
        # `OK`: the call sent last has recorded it, not an earlier one whose answer was lost. So the job that
        # came along is leased since then, which matters after a long outage.
        self._finish(item, successor, item.sent_at_ms if word == b"OK" else item.first_sent_at_ms)
        if item.content.unfold is None or word not in (b"OK", b"DUP", b"SETTLED"):
            return False
        item.kind, item.content = Kind.UNFOLD, replace(item.content, staged=())
        # They may be many megabytes, and the store has them now.
        item.attempt.emits = []
        return True

    def _refuse(self, item: Item, why: str) -> bool:
        """Deal with an item that will never be accepted; answers whether a substitute is to be sent."""
        if item.kind in (Kind.REPORT, Kind.UNFOLD):
            logger.error("events of %s were refused: %s", item.attempt.job.id, why)
            return False
        if item.is_fallback:
            logger.critical(
                "the settlement of %s was refused: %s; its lease is left to expire", item.attempt.job.id, why
            )
            self._finish(item, None, item.sent_at_ms)
            return False
        item.is_fallback = True
        self._backlog.remove(item.content.size)
        item.content = self._fallback(item.attempt, why)
        return True

    def _finish(self, item: Item, successor: LeasedJob | None, since_ms: float) -> None:
        self._backlog.remove(item.content.size)
        self._settled(item.attempt, successor, since_ms)


def _is_sent_again(item: Item) -> bool:
    """Whether an unanswered item is sent again; the last part of what is staged stands for all."""
    return item.kind is not Kind.STAGE or item.whole is not None
