"""The two tables that are the state machines."""

from __future__ import annotations

from engine.events import state
from engine.events.types import ALL_TYPES, SETTLING, TERMINAL


def test_every_status_and_state_has_its_row():
    assert set(state.RUN) == set(state.STATUSES)
    assert set(state.ACTIVATION) == {
        "waiting",
        "delayed",
        "running",
        "completed",
        "failed",
        "skipped",
        "cancelled",
        "dropped",
    }


def test_every_move_is_by_a_known_event_to_a_known_place():
    for table in (state.RUN, state.ACTIVATION):
        for moves in table.values():
            assert set(moves) <= ALL_TYPES
            assert set(moves.values()) <= set(table)


def test_what_is_over_stays_over():
    assert {status for status, moves in state.RUN.items() if not moves} == state.ENDED
    assert {name for name, moves in state.ACTIVATION.items() if not moves} == set(
        state.ACTIVATION
    ) - state.OPEN


def test_a_terminal_event_ends_a_run_from_wherever_it_may_come():
    for moves in state.RUN.values():
        for kind, status in moves.items():
            assert (kind in TERMINAL) == (status in state.ENDED)


def test_a_settling_event_closes_an_activation_from_wherever_it_may_come():
    for name in state.OPEN:
        moves = state.ACTIVATION[name]
        assert {kind for kind, to in moves.items() if to not in state.OPEN} == SETTLING


def test_the_first_to_leave_running_wins():
    assert "flow.cancelling" not in state.RUN["failing"]
    assert "step.failed" not in state.RUN["cancelling"]
