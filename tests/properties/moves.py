"""What can happen in a world: each move makes calls, checks their answers, and does the same to the model."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from engine.control.deploy import Deployed, deploy
from engine.events.codec import decode_json
from engine.events.record import Change
from engine.store import ledger, queue
from engine.store.connection import Call
from engine.store.plans import Mode
from engine.store.queue import Room, leased_job
from tests.properties.checks import check_choice, wait_lists
from tests.properties.world import Held, World
from tests.support.books import keys_of
from tests.support.model import Due, Emits, ModelRun
from tests.support.store import LEASE_MS, Driver, add, logged
from tests.support.strategies import with_limits

#: Losses after which a job is failed by whoever sweeps.
MAX_LOSSES = 2

#: Activations of a run above which its steps emit nothing more.
MANY = 60

#: Between two looks of a keeper, so that no sweep takes the pause for an outage.
TICK_MS = LEASE_MS // 2 - 4_321


class Moves(World):
    """A world in which something happens."""

    def start(self, *, key: str | None) -> None:
        """Start a run, and ask for it once more."""
        run_id, value = f"r{len(self.runs)}", {"of": len(self.runs)}
        known = self.keys.get(key) if key else None
        self.workers[0].plan = self.plan
        started = self.workers[0].start(value, run_id=run_id, key=key)
        assert (started.run_id, started.is_new) == (known or run_id, known is None)
        if known is None:
            self.runs[run_id] = ModelRun(self.plan, value, self.places)
            self.emitted[run_id] = {}
            if key is not None:
                self.keys[key] = run_id
        assert self.repeat(self.store.sent[-1]) == ("DUP", [(known or run_id).encode()])

    def fetch(
        self, worker: Driver, room: Room, *, again: bool = False, is_lost: bool = False, wakes: bool = False
    ) -> None:
        """Ask for jobs, perhaps woken by the markers of the worker's queues."""
        if wakes:
            self.take_markers(worker)
        waiting = self.waiting()
        dead = sum(
            job_id not in waiting[name] for name, job_ids in wait_lists(self).items() for job_id in job_ids
        )
        token = worker.token()
        answer = self.send(fetch_call(worker, room), again=again)
        assert answer.word == "OK"
        jobs = [leased_job(fields, token) for fields in answer.rest[1:]]
        threads, loop = frozenset(worker.served.threads), frozenset(worker.served.loop)
        by_threads = [job for job in jobs if job.queue in threads]
        by_loop = [job for job in jobs if job.queue in loop]
        assert jobs == by_threads + by_loop
        check_choice(self, by_threads, queues=threads, room=room.threads, free=room.free, dead=dead)
        check_choice(self, by_loop, queues=loop, room=room.loop, free=room.loop, dead=dead)
        for job in jobs:
            self.receive(worker, job, is_lost=is_lost)

    def take_markers(self, worker: Driver) -> None:
        """A worker has popped the markers of its queues."""
        with self.store.talking() as client:
            for name in (*worker.served.threads, *worker.served.loop):
                client.delete(self.store.keys.queue_wake(name))

    def commit(
        self,
        held: Held,
        emits: Emits = (),
        *,
        lines: int = 0,
        changes: Sequence[Change] = (),
        is_skipped: bool = False,
        is_taking: bool = False,
        is_lost: bool = False,
        again: bool = False,
    ) -> None:
        """Settle what a worker holds as completed or skipped; what it has staged goes with it."""
        worker, job, run = held.worker, held.job, self.runs[held.job.run_id]
        worker.plan = run.plan
        staged, token = () if is_skipped else tuple(held.staged), worker.token() if is_taking else ""
        emits = () if staged else emits
        result = [job.run_id, job.step_id]
        call = worker.commit_call(
            job,
            emits=emits,
            staged=len(staged),
            changes=changes,
            events=logged(*(f"{job.token} {k}" for k in range(lines))),
            first=held.acked,
            result=result,
            kind="skipped" if is_skipped else "completed",
            take=token,
        )
        if again:
            self.refused_for_a_gap(held, call)
        self.refused_for_its_stage(call, have=len(held.staged))
        answer = self.send(call)
        assert answer.word == "OK", answer
        run.commit(
            job.step_id,
            emits=emits,
            staged=staged,
            lines=lines,
            changes=[decode_json(change.data) for change in changes],
            result=result,
            is_skipped=is_skipped,
        )
        self.settled(held, emits or staged)
        self.came_along(worker, answer, token, is_lost=is_lost)
        if again:
            assert self.repeat(call) == (self.refusal(held), answer.rest)

    def refused_for_a_gap(self, held: Held, call: Call) -> None:
        """A settlement after events that the store does not have yet settles nothing."""
        name, args = call
        assert self.repeat((name, (*args[:7], held.acked + 1, *args[8:]))) == ("GAP", [held.acked])

    def refused_for_its_stage(self, call: Call, *, have: int) -> None:
        """A commit of more than this attempt has staged settles nothing, whoever has staged what there is."""
        name, args = call
        there = self.staged_by_anybody(f"{args[0]}/{args[1]}")
        for wanted in {there, have + 1 if have else 0} - {0, have}:
            assert self.repeat((name, (*args[:18], wanted, *args[19:]))) == ("UNSTAGED", [have])

    def staged_by_anybody(self, job_id: str) -> int:
        """How many emissions are staged for a job."""
        with self.store.talking() as client:
            return int(client.llen(f"{self.store.keys.prefix}:stage:{job_id}")) // 3

    def settled(self, held: Held, emits: Emits) -> None:
        """A worker is done with a job, which has emitted this; nothing else stays staged."""
        due = self.due(held.job)
        assert self.staged_by_anybody(held.job.id) == (len(due.staged) if due.state == "unfolding" else 0)
        self.emitted[held.job.run_id][due.step, due.path] = emits
        self.hands.remove(held)

    def stage(self, held: Held, emits: Emits, *, overlap: int, again: bool) -> None:
        """Put emissions aside, some of them once more; where there is a hole, the store asks for them."""
        have = len(held.staged)
        hole = held.worker.stage_call(held.job, emits, first=have + 1)
        assert self.repeat(hole) == ("GAP", [have])
        first = max(0, have - overlap)
        call = held.worker.stage_call(held.job, [*held.staged[first:], *emits], first=first)
        held.staged += emits
        assert self.send(call, again=again) == ("OK", [len(held.staged)])
        if first:
            old = held.worker.stage_call(held.job, held.staged[:first])
            assert self.repeat(old) == ("OK", [len(held.staged)])

    def unfold(
        self, worker: Driver, run_id: str, due: Due, *, limit: int, limit_bytes: int, again: bool
    ) -> None:
        """Lay out a part of a wide fan-out."""
        run, total = self.runs[run_id], len(due.staged)
        worker.plan = run.plan
        most = due.laid + (1 if limit_bytes == 1 else limit)
        name, args = worker.unfold_call(run_id, due.step_id, due.laid)
        call = (name, (*args[:5], limit, limit_bytes, *args[7:]))
        answer = self.send(call)
        if run.status != "running":
            assert answer.word == "ENDED"
            due.state = "dropped"
        elif answer.word == "MORE":
            assert answer.rest[0] == most < total
            run.unfold(due.step_id, answer.rest[0])
            self.counts["parts of fan-outs"] += 1
        else:
            assert answer.word == "DONE"
            assert total <= most
            run.unfold(due.step_id, total)
            self.counts["fan-outs"] += 1
        if again:
            assert self.repeat(call) == self.copy_of_unfold(run, due)

    def copy_of_unfold(self, run: ModelRun, due: Due) -> tuple[str, list[int]]:
        """What a call is answered that wants to lay out what has been laid out."""
        if run.status != "running":
            return ("ENDED", [])
        return ("DUP", [due.laid]) if due.state == "unfolding" else ("DONE", [])

    def fail(self, held: Held, *, lines: int = 0, again: bool = False) -> None:
        """Settle what a worker holds as failed."""
        message = f"no {held.job.step_id}"
        call = held.worker.fail_call(
            held.job, message=message, events=logged(*"oh!"[:lines]), first=held.acked
        )
        if again:
            self.refused_for_a_gap(held, call)
        assert self.send(call).word == "OK"
        self.runs[held.job.run_id].fail(held.job.step_id, message=message, lines=lines)
        self.settled(held, ())
        self.counts["failures"] += 1
        if again:
            assert self.repeat(call).word == self.refusal(held)

    def report(self, held: Held, lines: int, *, overlap: int, again: bool) -> None:
        """Record lines of the log, some of them once more; where there is a hole, the store asks for them."""
        hole = ledger.report(held.job, first=held.acked + 1, events=logged("x"))
        assert self.repeat(hole) == ("GAP", [held.acked])
        first = max(0, held.acked - overlap)
        names = [f"{held.job.token} {k}" for k in range(first, held.acked + lines)]
        call = ledger.report(held.job, first=first, events=logged(*names))
        assert self.send(call, again=again).word == "OK"
        held.acked += lines
        self.runs[held.job.run_id].report(held.job.step_id, lines)

    def release(self, held: Held, *, delay_ms: int = 0, is_told: bool = False, again: bool = False) -> None:
        """Give a job back that was not started."""
        why = b'{"worker":"w","release":"1","reason":"no such step"}' if is_told else b""
        call = queue.release(held.job, delay_ms=delay_ms, unroutable=why)
        assert self.send(call).word == "OK"
        due_at_ms = self.clock.now_ms + delay_ms if delay_ms else None
        self.runs[held.job.run_id].release(held.job.step_id, due_at_ms=due_at_ms, is_told=is_told)
        if again:
            assert self.repeat(call).word == self.refusal(held)

    def renew(self, held: Sequence[Held], *, again: bool = False) -> None:
        """Renew leases, of which some may be lost."""
        words = []
        for it in held:
            is_running = self.runs[it.job.run_id].status == "running"
            words.append("lost" if self.refusal(it) else "kept" if is_running else "ending")
            if not self.refusal(it):
                self.due(it.job).until_ms = self.until_ms()
        for _ in range(2 if again else 1):
            assert self.workers[0].renew(*(it.job for it in held)) == words

    def promote(self) -> None:
        """Move what has fallen due; a keeper is told what is next, and of fan-outs on their way."""
        name, args = queue.promote(limit=queue.PROMOTE_LIMIT)
        next_ms, *fan_outs = self.store.call(name, *args)
        for run in self.runs.values():
            run.promote(self.clock.now_ms)
        delayed = [due.until_ms for run in self.runs.values() for due in run.open("delayed")]
        assert next_ms == -1 or next_ms >= 0
        assert not delayed or 0 <= next_ms <= min(delayed) - self.clock.now_ms
        told = {(job.decode(), version.decode(), cursor) for job, _, version, cursor in fan_outs}
        known = {
            (f"{run_id}/{due.step_id}", self.runs[run_id].plan.version, due.laid)
            for run_id, due in self.fan_outs()
        }
        assert told <= known
        assert len(told) == min(10, len(known))

    def sweep(self, worker: Driver, *, limit: int = 100, is_lost: bool = False) -> None:
        """Take back the leases that are over; the worker has to fail what was lost too often."""
        token, now_ms = worker.token(), self.clock.now_ms
        pause_ms = now_ms - self.swept_at_ms
        over = [(run_id, due) for run_id, _, due in self.leased() if due.until_ms <= now_ms]
        answer = self.send(queue.sweep(lease_ms=LEASE_MS, limit=limit, max_losses=MAX_LOSSES, token=token))
        if self.swept_at_ms and 0 <= pause_ms < LEASE_MS / 30:
            assert answer.word == "TOO-SOON"
            return
        if self.swept_at_ms and not 0 <= pause_ms <= LEASE_MS / 2:
            # An outage, or a clock that was set: workers renew first.
            self.grace_until_ms = now_ms + LEASE_MS
        self.grace_until_ms = min(self.grace_until_ms, now_ms + LEASE_MS)
        self.swept_at_ms = now_ms
        for due in self.too_far_ahead(limit):
            due.until_ms = now_ms + LEASE_MS
        if now_ms < self.grace_until_ms:
            assert answer == ("GRACE", [])
            return
        assert answer.word == "SWEPT"
        lost, *fields = answer.rest
        exhausted = {job.id: job for job in (leased_job(one, token) for one in fields)}
        taken = sorted((it for it in over if self.was_taken(*it)), key=self.when_lost)
        assert lost == len(taken) == min(limit, len(over))
        self.counts["leases lost"] += lost
        for run_id, due in taken:
            is_mine = self.runs[run_id].lose(
                due.step_id, token, max_losses=MAX_LOSSES, until_ms=self.until_ms()
            )
            job = exhausted.pop(f"{run_id}/{due.step_id}", None)
            assert (job is not None) == is_mine
            if job is not None:
                self.counts["jobs exhausted"] += 1
                self.hold(worker, job, is_lost=is_lost)
        assert not exhausted

    def too_far_ahead(self, limit: int) -> list[Due]:
        """Leases that a clock which was set back would make last for ever, some of each queue."""
        found: dict[str, list[tuple[int, str]]] = {}
        for run_id, run, due in self.leased():
            if due.until_ms >= self.clock.now_ms + 2 * LEASE_MS:
                queue_name = run.plan.steps[due.step].queue
                found.setdefault(queue_name, []).append((due.until_ms, f"{run_id}/{due.step_id}"))
        return [self.due_of(job_id) for far in found.values() for _, job_id in sorted(far)[:limit]]

    def was_taken(self, run_id: str, due: Due) -> bool:
        """Whether a sweep has taken a lease back."""
        with self.store.talking() as client:
            token = client.hget(f"{self.store.keys.prefix}:job:{run_id}/{due.step_id}", "token")
        return bool(token != due.token.encode())

    def when_lost(self, taken: tuple[str, Due]) -> str:
        """The id of the event that says so: which queue is looked at first is nobody's business."""
        run_id, due = taken
        log = self.workers[0].log(run_id)
        return next(it.id for it in reversed(log) if (it.type, it.step_id) == ("step.lost", due.step_id))

    def tick(self, *, dead: Collection[Held] = (), limit: int = 100) -> None:
        """Time passes for keepers: they renew what living workers hold, promote and sweep."""
        self.clock.pass_by(TICK_MS)
        living = [held for held in self.hands if held not in dead]
        self.renew(living)
        self.promote()
        self.sweep(self.workers[0], limit=limit)

    def lose(self, dead: Collection[Held], *, limit: int) -> None:
        """Workers die or are frozen with jobs in their hands, until those have been taken from them."""
        # Leases that nobody knows of end as well; the first look after a pause may give everybody time.
        for _ in range(6 + len(self.leased())):
            self.tick(dead=dead, limit=limit)
            if all(self.refusal(held) for held in dead):
                return
        raise AssertionError(f"the leases of {dead} do not end")

    def die(self, number: int) -> None:
        """A worker dies with the markers that it has popped, and another one takes its place."""
        self.take_markers(self.workers[number])
        self.workers[number] = self.new_worker(self.workers[number].served)
        self.promote()

    def forget_worker(self, number: int) -> None:
        """A worker was frozen for so long that its keys are gone: it has to register again."""
        worker = self.workers[number]
        with self.store.talking() as client:
            name = self.store.keys.worker(worker.name)
            client.delete(name, *self.store.keys.worker_queues(worker.name))
        worker.token()
        assert self.repeat(fetch_call(worker, Room(5, 5, 5))).word == "REGISTER"
        worker.register()
        # Its name is not used again, as if it had been a process: what it sent long ago must not come now.
        self.workers[number] = self.new_worker(worker.served)
        self.store.sent = [call for call in self.store.sent if call[1][0] != worker.name]

    def come_back(self, held: Held, what: str) -> None:
        """A worker that was frozen goes on with what was taken from it."""
        worker, job = held.worker, held.job
        worker.plan = self.runs[job.run_id].plan
        event = next(iter(worker.plan.steps[job.step].emits), None)
        emits = [(event, "late")] if event else []
        call = {
            "commit": worker.commit_call(job, emits=emits, changes=[add("n", 1)], events=logged("x")),
            "fail": worker.fail_call(job, events=logged("x")),
            "release": queue.release(job),
            "report": ledger.report(job, first=0, events=logged("x")),
            "stage": worker.stage_call(job, emits),
        }[what]
        assert self.repeat(call).word == self.refusal(held)
        assert worker.renew(job) == ["lost"]
        self.counts["calls of the dead"] += 1

    def late_copy(self, call: Call) -> None:
        """A copy of an earlier call comes by a slower way."""
        name, args = call
        answer = self.repeat(call)
        self.counts["late copies"] += 1
        if name == "fetch" and answer.word == "OK":
            assert [it[0].decode() for it in answer.rest[1:]] == self.given_by(f"{args[0]}.{args[1]}")
        if name not in ("commit", "fail", "release", "report", "stage"):
            return
        run = self.runs[args[0]]
        word = run.refusal(args[1], args[5]) or "OK"
        assert answer.word == word, f"{call}: {answer}, {run.due[args[1]]}"
        if name == "commit" and word == "SETTLED":
            assert [it[0].decode() for it in answer.rest] == self.given_by(args[13])
        if name == "stage" and word == "OK":
            held = next(it for it in self.mine() if it.job.head == list(args[:7]))
            assert answer.rest == [len(held.staged)]

    def given_by(self, token: str) -> list[str]:
        """The jobs that are still in the hands of whoever got them under a token, as it got them."""
        mine = {f"{run_id}/{due.step_id}" for run_id, _, due in self.leased() if due.token == token}
        return [job_id for job_id, given in self.given if given == token and job_id in mine]

    def redeploy(self, limit: int | None, *, is_on_purpose: bool = False) -> None:
        """Put a version with other limits in force, on purpose also one that was in force before."""
        plan = with_limits(self.plan, limit)
        mode: Mode = "deploy" if is_on_purpose else "serve"
        deployed = deploy(self.store, plan, source="", mode=mode)
        is_known = plan.version in self.versions
        if plan.version == self.plan.version:
            assert deployed.outcome == "current"
        elif is_known and not is_on_purpose:
            assert deployed == Deployed("old", self.plan.version)
        else:
            assert deployed == Deployed("back" if is_known else "new", None, self.plan.version)
            self.plan = plan
            self.versions.add(plan.version)
            self.limits = dict(plan.queues)
            self.counts["versions back in force"] += is_known

    def leave(self) -> None:
        """All runs are over: what they have left in queues goes, and nothing of it stays."""
        for run_id, due in self.fan_outs():
            self.unfold(self.workers[0], run_id, due, limit=1, limit_bytes=1, again=False)
        self.clock.pass_by(LEASE_MS)
        self.promote()
        while any(wait_lists(self).values()):
            # No queue of a version before can be out of reach: all versions have the same queues.
            self.fetch(self.workers[0], Room(9, 9, 9))
        kinds = re.compile(rf"{self.store.keys.prefix}:(job:.*|queue:.*:(wait|active|delayed))")
        assert [key for key in keys_of(self.store) if kinds.fullmatch(key)] == []


def fetch_call(worker: Driver, room: Room) -> Call:
    """The call that asks for jobs under a worker's last number."""
    return queue.fetch(worker.name, seq=worker.seq, room=room, lease_ms=LEASE_MS, ttl_ms=LEASE_MS)
