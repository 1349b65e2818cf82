"""How bash hands over a line that is to be completed: in words that a `=` parts, too."""

from __future__ import annotations

from click.shell_completion import BashComplete, add_completion_class


class _WordsOfBash(BashComplete):
    """Reads `--flow = sh` as the `--flow sh` that it is: `=` is among bash's COMP_WORDBREAKS."""

    def get_completion_args(self) -> tuple[list[str], str]:
        args, incomplete = super().get_completion_args()
        return [arg for arg in args if arg != "="], incomplete


def read_words() -> None:
    """Let click read the words of bash so; call before it completes."""
    add_completion_class(_WordsOfBash)
