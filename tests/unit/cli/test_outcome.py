from __future__ import annotations

from engine.cli.outcome import error_lines, failure_sentence, say_failure, to_dict
from tests.unit.cli.sample import FAILED, HALF_WAY, PLAN, folded


def test_a_run_as_json_has_all_its_steps():
    told = to_dict(folded(FAILED), PLAN)
    assert (told["runId"], told["flow"], told["status"], told["duration"]) == ("run1", "shop", "failed", 121)
    assert told["failedStep"] == "charge"
    assert [(step["step"], step["state"]) for step in told["steps"]] == [
        ("take", "completed"),
        ("charge", "failed"),
        ("pack", "dropped"),
        ("ship", None),
    ]
    assert [step["attempt"] for step in told["steps"][:3]] == [1, 2, 0]
    assert not any("failures" in step for step in told["steps"])


def test_a_run_that_goes_on_has_no_end():
    told = to_dict(folded(HALF_WAY), PLAN)
    assert (told["status"], told["endedAt"], told["duration"]) == ("running", None, None)


def test_a_failure_names_run_step_attempt_and_error(capsys):
    run = folded(FAILED)
    assert failure_sentence(run) == "run run1 failed in step `charge`, attempt 2, after 121 ms"
    say_failure(run)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[1:] == [
        "run run1 failed in step `charge`, attempt 2, after 121 ms",
        "  Traceback:",
        '    File "shop.py", line 3, in charge',
        "  ValueError: no card",
    ]


def test_an_error_without_a_traceback_is_told_with_its_type():
    assert error_lines({"type": "EmitNotDeclared", "message": "a\nb"}) == ["EmitNotDeclared: a\\nb"]
    assert error_lines(None) == ["no reason was recorded"]
