"""Did you mean: the one name that somebody surely meant, or none."""

from __future__ import annotations

from collections.abc import Iterable

#: Edits after which a word is another word, however long it is.
_MOST_EDITS = 5

#: Words for which one `Suggestions` looks.
_MOST_WORDS = 50


class Suggestions:
    """Looks for names that were meant, for some words of a file and not for a thousand.

    Each word is compared with each name, so a file with a thousand wrong names would
    take seconds, for help that nobody reads to its end.
    """

    def __init__(self) -> None:
        self._words = 0

    def nearest(self, word: str, candidates: Iterable[str]) -> str | None:
        """As the function of this name, until it has been asked too often."""
        self._words += 1
        return nearest(word, candidates) if self._words <= _MOST_WORDS else None


def nearest(word: str, candidates: Iterable[str]) -> str | None:
    """The candidate that `word` is a misspelling of, or None where that is not sure.

    Sure is: at most one edit for three letters, after folding case and underscores,
    and no other candidate as near.
    """
    best: list[str] = []
    best_distance = _MOST_EDITS
    folded = _fold(word)
    for candidate in dict.fromkeys(candidates):
        other = _fold(candidate)
        limit = min(max(len(folded), len(other)) // 3, best_distance)
        if candidate == word or abs(len(other) - len(folded)) > limit:
            continue
        distance = osa_distance(folded, other, limit=limit)
        if distance > limit:
            continue
        if distance < best_distance:
            best, best_distance = [], distance
        best.append(candidate)
    return best[0] if len(best) == 1 else None


def osa_distance(left: str, right: str, *, limit: int) -> int:
    """How many letters to insert, delete, replace or swap with a neighbour (optimal string alignment).

    Args:
        left: One word.
        right: The other.
        limit: Where to stop counting: the answer is right up to it, and beyond it only larger than it.
    """
    left, right = _where_they_differ(left, right)
    too_far = limit + 1
    before: list[int] = []
    last = [min(column, too_far) for column in range(len(right) + 1)]
    for i, letter in enumerate(left, start=1):
        row = [too_far] * (len(right) + 1)
        row[0] = min(i, too_far)
        # Farther from the diagonal there are more insertions or deletions than the limit allows.
        for j in range(max(1, i - limit), min(len(right), i + limit) + 1):
            other = right[j - 1]
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other), too_far)
            is_swap = i > 1 and j > 1 and letter == right[j - 2] and left[i - 2] == other
            row[j] = min(cost, before[j - 2] + 1) if is_swap else cost
        # A swap looks two rows back, so both must be beyond the limit.
        if min(row) > limit and min(last) >= limit:
            return too_far
        before, last = last, row
    return last[-1]


def _where_they_differ(left: str, right: str) -> tuple[str, str]:
    """Two words without the beginning and the end that they share; most of long names is that."""
    shared = 0
    while shared < min(len(left), len(right)) and left[shared] == right[shared]:
        shared += 1
    left, right = left[shared:], right[shared:]
    shared = 0
    while shared < min(len(left), len(right)) and left[-1 - shared] == right[-1 - shared]:
        shared += 1
    return left[: len(left) - shared], right[: len(right) - shared]


def _fold(word: str) -> str:
    return word.lower().replace("_", "").replace("-", "")
