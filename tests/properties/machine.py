"""The state machine: Hypothesis chooses what happens to a store, and all is compared after each step."""

from __future__ import annotations

import itertools
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.compile.plan import Plan
from engine.store.ledger import EMITS_A_PART, EMITS_A_STAGE
from engine.store.queue import Room
from tests.properties.checks import check
from tests.properties.moves import MANY, Moves
from tests.properties.world import Held, Wire
from tests.support.books import contents, keys_of
from tests.support.model import Emits, ModelRun
from tests.support.store import add, drop, set_to
from tests.support.strategies import plans

T = TypeVar("T")

#: Runs of one example, at most.
MAX_RUNS = 8

#: Rounds of work without a trace after which a run counts as hanging.
MAX_IDLE_ROUNDS = 30

#: Steps and what happened in them, since the process began.
COUNTS: Counter[str] = Counter()

_prefixes = itertools.count(1)

numbers = st.integers(0, 999)
flags = st.booleans()
rooms = st.builds(Room, st.integers(0, 5), st.integers(0, 5), st.integers(0, 5))
#: Places in the list of events that a step may emit.
emits_places = st.lists(st.integers(0, 1), min_size=1, max_size=5)

#: What a step may do to the state of its run: some of these in a row.
CHANGES = [add("n", 1), set_to("n", 10), add("n", 2), drop("n"), add("m", 3)]

#: What happens aside from the work happens not twice in a row, so that work goes on.
aside = precondition(lambda self: not self.was_aside)


def needs(what: Callable[[Moves], Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """A rule that makes sense only where there is something."""
    return precondition(lambda self: bool(what(self.world)))


def pick(items: Sequence[T], number: int) -> T:
    """One of the items."""
    return items[number % len(items)]


class Machine(RuleBasedStateMachine):
    """A store, some workers, and whatever may happen to them."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.was_aside = False

    @initialize(
        plan=plans,
        end=st.integers(0, 2**32 - 1),
        may_fail=st.sampled_from([False, False, True]),
        may_be_wide=st.sampled_from([False] * 19 + [True]),
        is_limited_later=st.sampled_from([False, False, True]),
    )
    def begin(
        self, *, plan: Plan, end: int, may_fail: bool, may_be_wide: bool, is_limited_later: bool
    ) -> None:
        """A store that nobody has used, and a run, whose version may be an old one soon."""
        self.world = Moves(Wire(self.url, prefix=f"m{next(_prefixes)}"), plan)
        self.end = random.Random(end)
        self.may_fail = may_fail
        self.may_be_wide = may_be_wide
        self.world.start(key=None)
        if is_limited_later:
            self.world.redeploy(1)

    def emits_of(self, held: Held, places: Sequence[int]) -> Emits:
        """What a step emits."""
        run = self.world.runs[held.job.run_id]
        declared = run.plan.steps[held.job.step].emits
        if not declared or len(run.due) > MANY:
            return ()
        events = [pick(declared, place) for place in places]
        return [(event, f"{held.job.step_id} {k}") for k, event in enumerate(events, start=1)]

    def hand(self, number: int) -> Held:
        """A job that somebody has; a worker fetches one where nobody has any."""
        turns = itertools.cycle(self.world.workers[:2])
        while not self.world.mine():
            self.world.fetch(next(turns), Room(3, 3, 3))
        return pick(self.world.mine(), number)

    # What workers do.

    @needs(lambda world: len(world.runs) < MAX_RUNS and len(world.running()) < 3)
    @rule(key=st.sampled_from([None, None, "a", "b"]))
    def start(self, key: str | None) -> None:
        """A run begins."""
        self.was_aside = False
        self.world.start(key=key)

    @rule(number=numbers, room=rooms, again=flags, wakes=flags)
    def fetch(self, number: int, room: Room, again: bool, wakes: bool) -> None:
        """A worker asks for jobs."""
        self.was_aside = False
        self.world.fetch(pick(self.world.workers, number), room, again=again, wakes=wakes)

    @needs(Moves.has_work)
    @rule(number=numbers, places=emits_places, size=st.integers(0, 2), is_taking=flags, again=flags)
    def commit(self, number: int, places: list[int], size: int, is_taking: bool, again: bool) -> None:
        """A step completes."""
        self.was_aside = False
        held = self.hand(number)
        emits, changes = self.emits_of(held, places), CHANGES[number % 4 :][:size]
        self.world.commit(held, emits, lines=size, changes=changes, is_taking=is_taking, again=again)

    @needs(Moves.has_work)
    @rule(number=numbers, places=emits_places)
    def commit_and_die(self, number: int, places: list[int]) -> None:
        """A step completes, and its worker never learns what has come along."""
        self.was_aside = False
        held = self.hand(number)
        emits = self.emits_of(held, places)
        self.world.commit(held, emits, is_taking=True, is_lost=True)

    @needs(Moves.has_work)
    @rule(number=numbers, is_skipped=flags, again=flags)
    def commit_nothing(self, number: int, is_skipped: bool, again: bool) -> None:
        """A step emits nothing, or is skipped."""
        self.was_aside = False
        self.world.commit(self.hand(number), is_skipped=is_skipped, again=again)

    @rule(seed=st.integers(0, 2**32 - 1), rounds=st.integers(1, 3))
    def work(self, seed: int, rounds: int) -> None:
        """Workers do what there is to do for a while."""
        self.was_aside = False
        chance = random.Random(seed)
        for _ in range(rounds):
            self.work_a_round(chance)

    @needs(Moves.has_work)
    @rule(number=numbers, places=emits_places, overlap=st.integers(0, 2), again=flags)
    def stage(self, number: int, places: list[int], overlap: int, again: bool) -> None:
        """Emissions are put aside."""
        self.was_aside = False
        held = self.hand(number)
        if emits := self.emits_of(held, places):
            self.world.stage(held, emits, overlap=overlap, again=again)

    @precondition(lambda self: self.may_be_wide and self.world.has_work())
    @rule(number=numbers)
    def stage_many(self, number: int) -> None:
        """More than a call stages; once in a few examples, since all of it has to be worked off."""
        held = self.hand(number)
        if emits := self.emits_of(held, [0] * (EMITS_A_STAGE + 1)):
            self.may_be_wide = False
            self.world.counts["fan-outs of more than a call stages"] += 1
            self.world.stage(held, emits[:EMITS_A_STAGE], overlap=0, again=False)
            self.world.stage(held, emits[EMITS_A_STAGE:], overlap=0, again=False)

    @needs(Moves.fan_outs)
    @rule(
        number=numbers,
        limit=st.sampled_from([1, 2, 3, EMITS_A_PART]),
        limit_bytes=st.sampled_from([1, 1 << 20]),
        again=flags,
    )
    def unfold(self, number: int, limit: int, limit_bytes: int, again: bool) -> None:
        """A part of a wide fan-out is laid out; by two at once, where it is done again."""
        self.was_aside = False
        run_id, due = pick(self.world.fan_outs(), number)
        worker = pick(self.world.workers, number)
        self.world.unfold(worker, run_id, due, limit=limit, limit_bytes=limit_bytes, again=again)

    @precondition(lambda self: self.may_fail and self.world.has_work())
    @rule(number=numbers, lines=st.integers(0, 2), again=flags)
    def fail(self, number: int, lines: int, again: bool) -> None:
        """A step fails, if possible while others of its run are at work."""
        self.was_aside = False
        held, runs = self.hand(number), Counter(it.job.run_id for it in self.world.mine())
        crowd = [it for it in self.world.mine() if runs[it.job.run_id] > 1]
        self.world.fail(pick(crowd, number) if crowd else held, lines=lines, again=again)
        self.world.renew(self.world.hands)

    @needs(Moves.has_work)
    @rule(number=numbers, lines=st.integers(0, 3), overlap=st.integers(0, 2), again=flags)
    def report(self, number: int, lines: int, overlap: int, again: bool) -> None:
        """A running step logs."""
        self.was_aside = False
        self.world.report(self.hand(number), lines, overlap=overlap, again=again)

    @needs(Moves.has_work)
    @rule(
        number=numbers,
        delays=st.lists(st.sampled_from([0, 701, 30_011]), min_size=1, max_size=3),
        is_told=flags,
        again=flags,
    )
    def release(self, number: int, delays: list[int], is_told: bool, again: bool) -> None:
        """Jobs of a queue are given back, at once or for later."""
        self.was_aside = False
        held = self.hand(number)
        others = [it for it in self.world.mine() if it is not held and it.job.queue == held.job.queue]
        for it, delay_ms in zip([held, *others], delays, strict=False):
            self.world.release(it, delay_ms=delay_ms, is_told=is_told, again=again)

    # What time does.

    @aside
    @rule(ms=st.sampled_from([1, 700, 2_503, 17_011, 31_013, 61_027, -5_003, -700_001, 900_001]))
    def time_passes(self, ms: int) -> None:
        """The clock goes on, or is set."""
        self.was_aside = True
        self.world.clock.pass_by(ms)

    @aside
    @needs(lambda world: world.hands)
    @rule(several=st.lists(numbers, min_size=1, max_size=4), again=flags)
    def renew(self, several: list[int], again: bool) -> None:
        """Leases are renewed; some of them may be lost."""
        self.was_aside = True
        held = {id(one): one for one in (pick(self.world.hands, number) for number in several)}
        self.world.renew(list(held.values()), again=again)

    @aside
    @rule(number=numbers, limit=st.sampled_from([1, 100]), is_lost=flags)
    def keep(self, number: int, limit: int, is_lost: bool) -> None:
        """What is due is moved, and leases that are over are taken back; the second time changes nothing."""
        self.was_aside = True
        self.world.promote()
        self.world.sweep(pick(self.world.workers, number), limit=limit, is_lost=is_lost)
        before = contents(self.world.store)
        self.world.promote()
        self.world.sweep(pick(self.world.workers, number + 1))
        assert contents(self.world.store) == before

    @needs(Moves.has_work)
    @rule(number=numbers, is_whole=flags, limit=st.sampled_from([1, 100]))
    def lose(self, number: int, is_whole: bool, limit: int) -> None:
        """A worker is frozen for longer than its leases, or one of its threads is."""
        self.was_aside = False
        held = self.hand(number)
        dead = [it for it in self.world.mine() if it.worker is held.worker] if is_whole else [held]
        self.world.lose(dead, limit=limit)

    @aside
    @rule(number=numbers, what=st.sampled_from(["with a marker", "with jobs", "forgotten"]))
    def die(self, number: int, what: str) -> None:
        """A worker dies between its wake-up and its fetch, or after it, or its keys are gone."""
        self.was_aside = True
        number %= len(self.world.workers)
        if what == "forgotten":
            self.world.forget_worker(number)
            return
        if what == "with jobs":
            self.world.fetch(self.world.workers[number], Room(2, 2, 2), is_lost=True)
        self.world.die(number)

    @aside
    @needs(Moves.stale)
    @rule(number=numbers, what=st.sampled_from(["commit", "fail", "release", "report", "stage"]))
    def come_back(self, number: int, what: str) -> None:
        """A worker goes on with what was taken from it."""
        self.was_aside = True
        self.world.come_back(pick(self.world.stale(), number), what)

    @aside
    @rule(number=numbers)
    def late_copy(self, number: int) -> None:
        """A call comes once more, long after."""
        self.was_aside = True
        self.world.late_copy(pick(self.world.store.sent, number))

    @aside
    @rule(limit=st.sampled_from([None, 1, 3]), is_on_purpose=st.booleans())
    def redeploy(self, limit: int | None, *, is_on_purpose: bool) -> None:
        """The flow gets other limits, or a worker comes whose flow has others."""
        self.was_aside = True
        self.world.redeploy(limit, is_on_purpose=is_on_purpose)

    # What must be true.

    @invariant()
    def books_agree(self) -> None:
        """With the logs and with the model."""
        COUNTS["steps"] += 1
        check(self.world)

    def teardown(self) -> None:
        """However it came here: with workers that do their work, every run ends."""
        if not hasattr(self, "world"):
            return
        try:
            # A finding is told as it was found.
            if sys.exc_info()[0] is None:
                self.work_to_the_end()
        finally:
            with self.world.store.talking() as client:
                client.unlink(*keys_of(self.world.store))
            self.world.store.close()

    def work_to_the_end(self) -> None:
        """Work, with lapses, until all runs are over."""
        # What was put off until a time is due then, also where the clock was set back since.
        self.world.clock.catch_up()
        idle = 0
        for number in itertools.count():
            running = self.world.running()
            if not running or idle > MAX_IDLE_ROUNDS:
                break
            written = sum(len(run.log) for run in running)
            self.work_a_round(self.end)
            idle = idle + 1 if written == sum(len(run.log) for run in running) else 0
            if number % 20 == 0:
                check(self.world)
        check(self.world)
        assert not self.world.running(), "runs hang"
        self.world.leave()
        COUNTS.update(self.world.counts)
        for run in self.world.runs.values():
            COUNTS.update(what_happened(run))

    def work_a_round(self, chance: random.Random) -> None:
        """Each of the jobs at hand is settled, or something else becomes of it."""
        world = self.world
        world.fetch(chance.choice(world.workers), Room(*(chance.randint(1, 9) for _ in range(3))))
        mine = world.mine()
        for held in chance.sample(mine, len(mine)):
            if world.refusal(held) is None and chance.random() < 0.6:
                self.do(held, chance)
        for run_id, due in world.fan_outs():
            if chance.random() < 0.5:
                limit = chance.choice((1, 1, 2, EMITS_A_PART))
                world.unfold(world.workers[0], run_id, due, limit=limit, limit_bytes=1 << 20, again=False)
        if chance.random() < 0.2 or not world.mine():
            world.tick(dead=[held for held in world.hands if chance.random() < 0.2])

    def do(self, held: Held, chance: random.Random) -> None:
        """What becomes of a job."""
        declared = len(self.world.runs[held.job.run_id].plan.steps[held.job.step].emits)
        size = len(self.world.runs[held.job.run_id].due)
        many = chance.choice((1, 1, 2)) if size < MANY / 4 else 1 if chance.random() < 0.5 else 0
        places = [place for place in range(declared) for _ in range(many) if chance.random() < 0.8]
        match chance.randrange(12):
            case 0:
                self.world.release(held, delay_ms=chance.choice((0, 10_007)))
            case 1:
                self.world.report(held, chance.randint(0, 2), overlap=1, again=False)
            case 2:
                self.world.commit(held, is_skipped=True)
            case 3 if self.may_fail:
                self.world.fail(held)
            case 4 | 5 | 6 if places:
                if emits := self.emits_of(held, places):
                    self.world.stage(held, emits, overlap=0, again=False)
                self.world.commit(held)
            case _:
                self.world.commit(held, self.emits_of(held, places), is_taking=chance.random() < 0.6)


def what_happened(run: ModelRun) -> Counter[str]:
    """How a run has gone, for the record."""
    found = Counter([f"runs {run.status}"])
    found["runs"] += 1
    found["joins left half full"] += run.is_at_rest and run.status == "failed"
    found["collects skipped"] += len(run.skipped)
    fired = {due.step for due in run.due.values() if due.step in run.plan.collects}
    for due in run.due.values():
        found["joins fired"] += run.plan.steps[due.step].trigger == "all"
        if due.step in fired:
            found["collects fired"] += 1
            found["collects fired behind another"] += bool(fired & run.meaning.before[due.step])
            found["collects of nothing"] += due.input == []
    return found
