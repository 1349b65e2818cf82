"""The catalogue of codes."""

from __future__ import annotations

import re
from pathlib import Path

from engine.validate.rules import RULES

ENGINE = Path(__file__).parents[3] / "engine"


def test_every_code_in_the_source_is_in_the_catalogue_and_the_other_way_round():
    used: set[str] = set()
    for room in ("declare", "validate", "compile"):
        for path in (ENGINE / room).glob("*.py"):
            if path.name != "rules.py":
                used |= set(re.findall(r'"(FE\d{3})"', path.read_text(encoding="utf-8")))
    assert used == set(RULES)


def test_every_rule_is_explained_in_sentences():
    for code, rule in RULES.items():
        assert rule.code == code
        assert rule.title
        assert rule.title[-1] != "."
        assert rule.explanation[-1] == "."
        assert rule.explanation[0].isupper() or rule.explanation[0] == "`"
