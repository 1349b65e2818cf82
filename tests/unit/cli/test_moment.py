from __future__ import annotations

from datetime import datetime

import click
import pytest

from engine.cli.moment import moment
from engine.clock import now_ms
from engine.events.codec import format_ts


@pytest.mark.parametrize(
    ("age", "ms"), [("90s", 90_000), ("30m", 1_800_000), ("2h", 7_200_000), ("7d", 604_800_000), ("0s", 0)]
)
def test_an_age_is_counted_from_now(age, ms):
    before = now_ms()
    assert before - ms <= moment(age) <= now_ms() - ms


def test_a_date_without_a_zone_is_of_this_machine():
    local = datetime(2026, 11, 24, 18, 30).astimezone()
    assert moment("2026-11-24T18:30") == moment("2026-11-24 18:30:00") == local.timestamp() * 1000
    assert moment("2026-11-24") == datetime(2026, 11, 24).astimezone().timestamp() * 1000


@pytest.mark.parametrize("ms", [0, 1_795_506_850_001, 1_795_506_850_999])
def test_a_time_as_events_have_it_is_that_time(ms):
    assert moment(format_ts(ms)) == ms


@pytest.mark.parametrize("text", ["", "soon", "2", "h", "2y", "-2h", "1.5h", "2026-13-01", "24:00"])
def test_anything_else_is_refused_with_examples(text):
    with pytest.raises(click.BadParameter, match="neither an age, such as 30m, 2h or 7d, nor a date"):
        moment(text)
