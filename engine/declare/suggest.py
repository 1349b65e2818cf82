"""Did you mean: the one name that somebody surely meant, or none."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` is a misspelling of, or None where that is not sure.

    Sure is: at most one edit for three letters of the candidate, after folding case
    and underscores, and no other candidate as near.
    """
    best: list[str] = []
    best_distance = len(word) + 1
    folded = _fold(word)
    for candidate in dict.fromkeys(candidates):
        other = _fold(candidate)
        allowed = min(max(len(folded), len(other)) // 3, best_distance)
        if candidate == word or abs(len(other) - len(folded)) > allowed:
            continue
        distance = osa_distance(folded, other)
        if distance > allowed:
            continue
        if distance < best_distance:
            best, best_distance = [], distance
        best.append(candidate)
    return best[0] if len(best) == 1 else None


def osa_distance(left: str, right: str) -> int:
    """How many letters to insert, delete, replace or swap with a neighbour (optimal string alignment)."""
    before: list[int] = []
    last = list(range(len(right) + 1))
    for i, letter in enumerate(left, start=1):
        row = [i]
        for j, other in enumerate(right, start=1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other))
            is_swap = i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other
            row.append(min(cost, before[j - 2] + 1) if is_swap else cost)
        before, last = last, row
    return last[-1]


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
