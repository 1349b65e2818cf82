"""Dramatiq's side: a broker whose one queue brings the jobs that the fetcher leased.

It implements Dramatiq's documented extension points, `Broker` and `Consumer`. All steps
share one Dramatiq queue, since Dramatiq runs a thread per queue and cannot drop one; a
step's own queue is ours, in Redis and in the fetcher.
"""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Final, Protocol

from dramatiq import Broker, Message, MessageProxy, Middleware
from dramatiq.broker import Consumer
from dramatiq.errors import QueueNotFound

from engine.execution.attempt import Attempt, Phase

#: The Dramatiq queue that all steps share.
STEPS_QUEUE: Final = "flowengine.steps"


class StepMessage(MessageProxy):
    """A leased job as Dramatiq sees it: a message whose one argument is the attempt.

    Attributes:
        attempt: The attempt.
    """

    def __init__(self, attempt: Attempt) -> None:
        job = attempt.job
        super().__init__(
            Message(
                queue_name=STEPS_QUEUE,
                actor_name=actor_name(job.flow, job.step),
                args=(attempt,),
                kwargs={},
                options={},
                message_id=job.id,
            )
        )
        self.attempt = attempt


def actor_name(flow: str, step: str) -> str:
    """Name of the actor of a step."""
    return f"{flow}.{step}"


class Steps(Protocol):
    """What the broker leaves to those who run steps."""

    def prepare(self, attempt: Attempt) -> None:
        """Called before Dramatiq looks for the actor of an attempt."""

    def skipped(self, attempt: Attempt) -> None:
        """Called for an attempt that Dramatiq is done with and that handed no settlement over."""

    def rejected(self, attempt: Attempt) -> None:
        """The same, where middleware rejected the message."""

    def release(self, attempt: Attempt) -> None:
        """Give back an attempt that was not started."""


class FlowBroker(Broker):
    """The broker of one room of a worker process."""

    def __init__(self, steps: Steps, *, middleware: list[Middleware]) -> None:
        """Begin with no queue declared and nothing delivered.

        Args:
            steps: Who runs steps.
            middleware: Dramatiq middleware.
        """
        super().__init__(middleware=middleware)
        self.queues = set()
        self._inbox: SimpleQueue[Attempt] = SimpleQueue()
        self._steps = steps

    def deliver(self, attempt: Attempt) -> None:
        """Bring an attempt to Dramatiq's worker."""
        self._inbox.put(attempt)

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30000) -> Consumer:
        """An iterator over the attempts that were delivered; `prefetch` is the fetcher's affair."""
        if queue_name not in self.queues:
            raise QueueNotFound(queue_name)  # type: ignore[no-untyped-call]
        return _StepConsumer(self._inbox, timeout / 1000, self._steps)

    def declare_queue(self, queue_name: str) -> None:
        """Declare a queue; only the steps' own is ever delivered to."""
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def get_declared_queues(self) -> set[str]:
        """Names of the declared queues."""
        return set(self.queues)


class _StepConsumer(Consumer):
    def __init__(self, inbox: SimpleQueue[Attempt], timeout_s: float, steps: Steps) -> None:
        self._inbox = inbox
        self._timeout_s = timeout_s
        self._steps = steps

    def __next__(self) -> MessageProxy | None:
        try:
            attempt = self._inbox.get(timeout=self._timeout_s)
        except Empty:
            return None
        self._steps.prepare(attempt)
        return StepMessage(attempt)

    def ack(self, message: MessageProxy) -> None:
        """Nothing to do where the handler ran: its settlement was handed over before, and is the ack.

        Nor where it is on the event loop now, which settles it later.
        """
        if isinstance(message, StepMessage) and _is_unsettled(message.attempt):
            self._steps.skipped(message.attempt)

    def nack(self, message: MessageProxy) -> None:
        """As `ack`; a message that middleware rejected before the handler ran has failed."""
        if isinstance(message, StepMessage) and _is_unsettled(message.attempt):
            self._steps.rejected(message.attempt)

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        for message in messages:
            if isinstance(message, StepMessage):
                self._steps.release(message.attempt)

    def close(self) -> None:
        """Give back what was delivered and not taken."""
        while True:
            try:
                self._steps.release(self._inbox.get_nowait())
            except Empty:
                return


def _is_unsettled(attempt: Attempt) -> bool:
    """Whether nobody has handed a settlement of an attempt over, or will."""
    return attempt.phase is not Phase.SETTLING and not attempt.is_awaited
