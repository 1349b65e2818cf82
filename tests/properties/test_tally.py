"""The counts of a run's view: counting event by event comes to what counting at the end comes to."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.cli.tally import Tally, counting
from engine.errors import CorruptEvent
from engine.events.fold import begin
from tests.properties.test_fold import anything
from tests.support.events import begun


@given(st.lists(anything, max_size=40))
def test_counting_while_events_come_in_is_counting_what_there_is(events):
    run, counted, emitted = begin(begun()), Tally(), Counter[str]()
    counted.count(begun(), run)
    for one in events:
        try:
            run.apply(one)
        except CorruptEvent:
            continue
        counted.count(one, run)
        assert [*counting([one], emitted)] == [one]
        anew = Tally.of(run, emitted)
        assert counted.emitted == anew.emitted
        assert counted.steps.keys() == anew.steps.keys()
        for step, there_is in anew.steps.items():
            counts = counted.steps[step]
            assert (counts.states, counts.attempt) == (there_is.states, there_is.attempt)
            assert (counts.open, counts.ended_at_ms) == (there_is.open, there_is.ended_at_ms)
        assert sum(one.open for one in counted.steps.values()) == run.open
