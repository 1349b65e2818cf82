"""The command `flowengine` itself: which commands there are, and with which code it leaves."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from typing import TYPE_CHECKING, Any, Final, NoReturn

import click

from .failure import BUG, INTERRUPTED, report
from .interrupt import raised
from .streams import mend

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

#: Command → its one-line help. The module that holds it has the same name. The help
#: stands here too because importing every command for `--help` would take too long.
COMMANDS: Final = {
    "init": "Make a project: a flow, its handlers and a test.",
    "run": "Start a run and show it live.",
    "dev": "Serve the flows, and take saved changes over at once.",
    "validate": "Check flow files and point at their mistakes.",
    "graph": "Draw a flow's steps and the events between them.",
    "worker": "Serve the flows of the project until it is stopped.",
    "deploy": "Put the versions that flow files declare in force.",
    "runs": "List runs, the newest first.",
    "show": "Show a run: its status, its steps and its result.",
    "logs": "Print the log of a run.",
    "tail": "Follow the events of all runs, and what comes into force.",
    "completion": "Print the lines that let a shell complete the command.",
}


#: Set by a shell that asks what could stand at the cursor; click's name for it.
COMPLETING: Final = "_FLOWENGINE_COMPLETE"


class _LazyGroup(click.Group):
    """A group whose commands are imported one at a time, when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"engine.cli.{cmd_name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        """The commands that begin so, without importing them, or else the options."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        return [
            CompletionItem(name, help=line) for name, line in COMMANDS.items() if name.startswith(incomplete)
        ]


def _print_version(ctx: click.Context, _parameter: click.Parameter, is_asked: bool) -> None:
    if not is_asked or ctx.resilient_parsing:
        return
    from engine import __version__

    click.echo(f"flowengine {__version__}")
    ctx.exit()


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_print_version,
    help="Print the version and leave.",
)
def flowengine() -> None:
    """Run flows that are declared in files, and record every step of them."""


def main() -> NoReturn:
    """Run the command that the arguments ask for and leave with its exit code."""
    mend()
    code = run_command(sys.argv[1:])
    if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
        # A handler has left a thread of its own, and the interpreter would wait for it without an end.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command; whatever goes wrong is said on stderr.

    Returns:
        The exit code.
    """
    if COMPLETING in os.environ:
        from .bash import read_words

        read_words()
    try:
        with raised():
            answer: Any = flowengine.main(
                arguments or ["--help"], prog_name="flowengine", standalone_mode=False
            )
    except click.Abort:
        return INTERRUPTED
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return report(error)
    if answer is None:
        return 0
    return answer if isinstance(answer, int) else BUG
