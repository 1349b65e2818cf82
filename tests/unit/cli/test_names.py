from __future__ import annotations

import pytest

from engine.cli.names import fit_names

MAIL = "notify_customer_by_electronic_mail"
TEXT = "notify_customer_by_electronic_text"


def test_names_that_fit_stay_whole():
    assert fit_names(["charge", "pack"], 6) == {"charge": "charge", "pack": "pack"}
    assert fit_names([], 6) == {}


def test_a_name_is_cut_in_its_middle():
    assert fit_names([MAIL, TEXT, "pack"], 20) == {
        MAIL: "notify_cu…ronic_mail",
        TEXT: "notify_cu…ronic_text",
        "pack": "pack",
    }


@pytest.mark.parametrize("place", range(30))
@pytest.mark.parametrize("width", [16, 20, 31])
def test_names_of_which_one_letter_differs_stay_different(place, width):
    one = "x" * 30
    other = one[:place] + "y" + one[place + 1 :]
    shown = fit_names([one, other], width)
    assert {len(shown[one]), len(shown[other])} == {min(width, 30)}
    assert shown[one] != shown[other]


def test_where_they_cannot_stay_different_they_are_cut_all_the_same():
    shown = fit_names(["x" * 9 + "1" + "x" * 9, "x" * 9 + "2" + "x" * 9], 5)
    assert [*shown.values()] == ["xx…xx", "xx…xx"]


def test_a_column_of_one_is_no_more_than_the_cut():
    assert fit_names([MAIL], 1) == {MAIL: "…"}
