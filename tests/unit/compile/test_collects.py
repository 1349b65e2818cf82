"""What stands before each collect of a flow, and what makes sure that it fires."""

from __future__ import annotations

from tests.support.store import plan_from


def tables(steps):
    """For each collect, in the plan's order: what it waits for at first, what covers it, what arms it."""
    plan = plan_from(steps)
    return [
        (
            collect,
            left,
            " ".join(name for name, step in plan.steps.items() if collect in step.covers),
            " ".join(name for name, step in plan.steps.items() if collect in step.arms),
        )
        for collect, left in plan.collects.items()
    ]


def test_a_flow_without_collects_has_empty_tables():
    assert tables({"a": {"emits": ["x"]}, "b": {"subscribes": "x"}}) == []


def test_a_fan_out_and_its_collect():
    assert tables(
        {
            "list": {"emits": ["found"]},
            "analyse": {"subscribes": "found", "emits": ["analysed"]},
            "report": {"subscribes": {"collect": "analysed"}},
        }
    ) == [("report", 1, "analyse list", "analyse list")]


def test_what_does_not_lead_to_a_collect_is_not_before_it():
    assert tables(
        {
            "list": {"emits": ["found"]},
            "analyse": {"subscribes": "found", "emits": ["analysed"]},
            "audit": {"subscribes": "found", "emits": ["audited"]},
            "report": {"subscribes": {"collect": "analysed"}, "emits": ["reported"]},
            "send": {"subscribes": "reported"},
        }
    ) == [("report", 1, "analyse list", "analyse list")]


def test_both_sides_of_a_diamond_are_before_a_collect():
    assert tables(
        {
            "start": {"emits": ["left", "right"]},
            "one": {"subscribes": "left", "emits": ["done"]},
            "two": {"subscribes": "right", "emits": ["half"]},
            "three": {"subscribes": "half", "emits": ["done"]},
            "end": {"subscribes": {"collect": "done"}},
        }
    ) == [("end", 1, "one start three two", "one start three two")]


def test_the_inner_collect_of_nested_fan_outs_comes_first():
    assert tables(
        {
            "list": {"emits": ["folder"]},
            "open": {"subscribes": "folder", "emits": ["file"]},
            "read": {"subscribes": "file", "emits": ["line"]},
            "all_lines": {"subscribes": {"collect": "line"}},
            "all_files": {"subscribes": {"collect": "file"}},
        }
    ) == [
        # `open` arms both, since what it emits leads to either.
        ("all_files", 1, "list open", "list open"),
        ("all_lines", 1, "list open read", "list open read"),
    ]


def test_a_collect_behind_a_collect_waits_for_it():
    assert tables(
        {
            "list": {"emits": ["item"]},
            "work": {"subscribes": "item", "emits": ["done"]},
            "a_second": {"subscribes": {"collect": "part"}},
            "z_first": {"subscribes": {"collect": "done"}, "emits": ["part"]},
        }
    ) == [
        ("z_first", 1, "list work", "list work"),
        ("a_second", 2, "list work z_first", "list work z_first"),
    ]


def test_two_collects_of_one_event_wait_alike():
    assert tables(
        {
            "list": {"emits": ["item"]},
            "mean": {"subscribes": {"collect": "item"}},
            "sum": {"subscribes": {"collect": "item"}},
        }
    ) == [("mean", 1, "list", "list"), ("sum", 1, "list", "list")]


def test_a_router_before_a_collect_does_not_arm_it():
    assert tables(
        {
            "route": {"emits": ["small", "large"]},
            "split": {"subscribes": "large", "emits": ["part"]},
            "mail": {"subscribes": "small"},
            "report": {"subscribes": {"collect": "part"}},
        }
    ) == [("report", 1, "route split", "split")]


def test_an_event_that_nobody_hears_leads_nowhere_else():
    assert tables({"list": {"emits": ["item", "noted"]}, "end": {"subscribes": {"collect": "item"}}}) == [
        ("end", 1, "list", "list")
    ]


def test_a_collect_on_a_branch_is_armed_by_the_branch():
    assert tables(
        {
            "route": {"emits": ["left", "right"]},
            "one": {"subscribes": "left", "emits": ["one.item"]},
            "two": {"subscribes": "right", "emits": ["two.item"]},
            "of_one": {"subscribes": {"collect": "one.item"}},
            "of_two": {"subscribes": {"collect": "two.item"}},
        }
    ) == [("of_one", 1, "one route", "one"), ("of_two", 1, "route two", "two")]


def test_a_join_before_a_collect_is_a_step_like_any_other():
    assert tables(
        {
            "start": {"emits": ["a", "b"]},
            "both": {"subscribes": {"all": ["a", "b"]}, "emits": ["item"]},
            "end": {"subscribes": {"collect": "item"}, "emits": ["ended"]},
            "last": {"subscribes": {"all": ["ended", "a"]}},
        }
    ) == [("end", 1, "both start", "both start")]


def test_a_collect_before_a_join_before_a_collect_counts_for_the_last():
    assert tables(
        {
            "list": {"emits": ["item"]},
            "first": {"subscribes": {"collect": "item"}, "emits": ["summed"]},
            "both": {"subscribes": {"all": ["summed", "item"]}, "emits": ["part"]},
            "last": {"subscribes": {"collect": "part"}},
        }
    ) == [("first", 1, "list", "list"), ("last", 2, "both first list", "both first list")]
