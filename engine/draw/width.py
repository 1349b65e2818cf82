"""How wide text will be in a font that nobody has chosen yet; pure.

A picture is laid out without the fonts that it will be shown with. So widths are those of
the widest font that is common on screens, and a narrower one leaves some room at the right.
"""

from __future__ import annotations

import math
from typing import Final

#: Widths of characters in sizes of the font: those of DejaVu Sans Bold, rounded up.
_CLASSES: Final = {
    "fijlt.,:;!|'`()[]- ": 0.48,
    'rscz_"/\\*^{}?': 0.61,
    "mwMW@%+<=>~#&": 1.11,
}
_WIDTHS: Final = {char: width for chars, width in _CLASSES.items() for char in chars}
_LETTER: Final = 0.72
_CAPITAL: Final = 0.86
_OTHER: Final = 1.1

#: Width of every character of a monospace font, in sizes of the font.
_MONOSPACE: Final = 0.61


def sans_width(text: str, size: float) -> int:
    """Pixels that a text takes at most, bold or not, in a sans-serif font of a size."""
    return math.ceil(size * sum(_width(char) for char in text))


def monospace_width(text: str, size: float) -> int:
    """Pixels that a text takes at most in a monospace font of a size."""
    return math.ceil(size * sum(_MONOSPACE if char.isascii() else _OTHER for char in text))


def _width(char: str) -> float:
    if not char.isascii():
        return _OTHER
    return _WIDTHS.get(char) or (_CAPITAL if char.isupper() else _LETTER)
