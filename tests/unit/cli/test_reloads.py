"""What is said of a change."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from engine.cli.reloads import outcome_lines
from engine.compile.build import Built
from engine.compile.plan import Plan, StepPlan
from engine.declare.diagnostic import Diagnostic
from engine.declare.span import Span
from engine.registry.changes import Changes, FlowChange
from engine.reload.outcome import Delayed, Outcome, Rejected, SettingsChanged, Updated

OLD, NEW = "3f4eca37" + "0" * 56, "81bb02aa" + "0" * 56


def step(name: str, module: str) -> StepPlan:
    return StepPlan(name, 0, f"handlers.{module}:{name}", name, (), ())


PLAN = Plan("order", NEW, {}, "take", {name: step(name, "order") for name in ("take", "pack")}, {}, ())


def built(*diagnostics: Diagnostic) -> Built:
    return Built(
        (PLAN,), {}, diagnostics, {"flows/order.yaml": "flow: order\n"}, {"order": "flows/order.yaml"}
    )


def wrong(message: str, severity: Any = "error") -> Diagnostic:
    return Diagnostic(severity, "FE403", message, Span("flows/order.yaml", 1, 1, 1, 5))


def change(*, before: str | None = OLD, after: str | None = NEW, **steps: tuple[str, ...]) -> FlowChange:
    return FlowChange("order", before, after, **{"added": (), "removed": (), "altered": (), **steps})


def update(changes: Changes | None = None, *, modules: tuple[str, ...] = (), **more: Any) -> Updated:
    told = {"later": {}, "warnings": (), "is_mended": False, "is_late": False, "took_ms": 41.2, **more}
    return Updated(built=built(), changes=changes or Changes(), modules=modules, **told)


def lines(outcome: Outcome, *, pinned: Sequence[tuple[str, str]] = (), can_ask: bool = False) -> list[str]:
    happened, more = outcome_lines(outcome, pinned=pinned, can_ask=can_ask, colour=False)
    return [*happened, *more]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            Changes(altered=(change(altered=("pack",)),)),
            "order 3f4eca37 → 81bb02aa: pack altered",
        ),
        (
            Changes(altered=(change(added=("mail", "sms"), removed=("fax",), altered=("pack",)),)),
            "order 3f4eca37 → 81bb02aa: pack altered, mail, sms added, fax removed",
        ),
        (Changes(altered=(change(),)), "order 3f4eca37 → 81bb02aa: its labels altered"),
        (Changes(added=(change(before=None, added=("take", "pack")),)), "order 81bb02aa is new: take, pack"),
        (Changes(removed=(change(after=None),)), "order 3f4eca37 is gone"),
        (Changes(), "nothing differs from what is served"),
    ],
)
def test_a_line_says_what_has_become_of_a_flow(changes: Changes, words: str) -> None:
    assert lines(update(changes)) == [f"{words}  (41 ms)"]


def test_what_is_in_flight_is_mentioned_where_something_is() -> None:
    altered, removed = Changes(altered=(change(),)), Changes(removed=(change(after=None),))

    assert "; runs on 3f4eca37 finish on it" in lines(update(altered), pinned=[("order", OLD)])[0]
    assert "; runs on 3f4eca37 finish on it" in lines(update(removed), pinned=[("order", OLD)])[0]
    assert "finish" not in lines(update(altered), pinned=[("order", NEW), ("other", OLD)])[0]


def test_modules_are_named_with_the_steps_whose_code_is_new() -> None:
    assert lines(update(modules=("handlers.order", "handlers.prices"))) == [
        "loaded handlers.order, handlers.prices anew: new code for order.take, order.pack  (41 ms)"
    ]
    assert lines(update(modules=("handlers.other",))) == ["loaded handlers.other anew  (41 ms)"]


def test_what_was_mended_begins_the_line() -> None:
    assert lines(update(is_mended=True)) == ["mended: nothing differs from what is served  (41 ms)"]


def test_where_the_store_was_waited_for_the_line_says_so() -> None:
    assert lines(update(is_late=True))[0].startswith("the store answers: nothing differs")


def test_new_warnings_are_shown_whole() -> None:
    told = lines(update(warnings=(wrong("nobody hears `lost`", "warning"),)))

    assert "warning[FE403]: nobody hears `lost`" in "\n".join(told)


def test_of_what_is_wrong_the_new_is_shown_whole() -> None:
    old, new = wrong("old"), wrong("new")

    told = lines(Rejected(built(old, new), (new,), 0, is_serving=True), can_ask=True)

    assert told[0] == "not in force; what was in force stays so"
    assert told[-1] == (
        "2 errors in 1 file; there may be more once these are mended (1 of them new; Enter shows all)"
    )
    assert "error[FE403]: new" in "\n".join(told)
    assert "error[FE403]: old" not in "\n".join(told)


def test_where_nothing_is_in_force_yet_it_says_so() -> None:
    new = wrong("new")

    told = lines(Rejected(built(new), (new,), 0, is_serving=False))

    assert told[0].endswith("; nothing new is served until it is mended")


def test_of_very_many_flows_some_have_a_line() -> None:
    told = lines(update(Changes(altered=(change(),) * 40)))

    assert len(told) == 13
    assert told[-1] == "and 28 flows more  (41 ms)"


def test_where_all_is_new_nothing_is_counted_apart() -> None:
    new = wrong("new")

    assert "(" not in lines(Rejected(built(new), (new,), 0, is_serving=True), can_ask=True)[-1]


def test_where_less_is_wrong_only_that_is_said() -> None:
    told = lines(Rejected(built(wrong("old")), (), 2, is_serving=True))

    assert len(told) == 1
    assert "(2 less than before)" in told[0]


def test_a_store_that_is_away_and_changed_settings_are_said_in_a_line() -> None:
    assert lines(Delayed("Redis cannot be reached")) == [
        "not in force yet: Redis cannot be reached; tried again until it is"
    ]
    assert "flowengine.toml has changed: settings are read at the start" in lines(SettingsChanged())[0]
