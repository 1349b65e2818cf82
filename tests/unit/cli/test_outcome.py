from __future__ import annotations

from engine.cli.outcome import error_lines, failure_sentence, say_failure, to_dict
from engine.cli.show import describe
from tests.unit.cli.sample import BEGIN_MS, FAILED, HALF_WAY, PLAN, folded


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


def test_show_tells_the_run_its_steps_and_its_error():
    lines = describe(folded(FAILED), PLAN, now_ms=BEGIN_MS + 999, width=200)
    assert lines[:3] == ["run      run1", "flow     shop@1a2b3c4d", "status   failed"]
    assert lines[3].endswith("took 121 ms")
    table = [line.split() for line in lines[6:11]]
    assert table[0] == ["STEP", "STATE", "ATTEMPT", "TOOK", "RESULT"]
    assert table[1] == ["take#1", "completed", "1", "4", "ms", '{"id":7}']
    assert table[4] == ["ship", "not", "reached"]
    assert "error in step `charge`" in lines


def test_show_fits_the_terminal():
    lines = describe(folded(HALF_WAY), PLAN, now_ms=BEGIN_MS, width=40)
    assert all(len(line) <= 40 for line in lines)
