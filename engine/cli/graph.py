"""`flowengine graph`: a flow as a picture, for papers and pages."""

from __future__ import annotations

import click

from engine.draw.mermaid import is_too_large, to_mermaid
from engine.draw.svg import to_svg

from .completion import flows_or_files
from .output import say
from .project import open_project
from .target import as_file, declared, unknown_flow


@click.command("graph")
@click.argument("flow", metavar="FLOW", shell_complete=flows_or_files)
@click.option(
    "--format",
    "style",
    type=click.Choice(["mermaid", "svg"]),
    default="mermaid",
    show_default=True,
    help="Text that GitHub draws in a Markdown file, or a picture.",
)
def command(flow: str, style: str) -> None:
    """Draw a flow's steps and the events between them.

    FLOW is a flow file, or the name of a flow of the project. The picture goes to
    stdout: `flowengine graph order --format svg > order.svg`. No store is needed, and
    no code of yours is run.
    """
    project = open_project(near=as_file(flow), otherwise="name the flow file")
    built = declared(flow, project, imports=False)
    if built is None:
        raise unknown_flow(flow, project)
    plan = built.plans[0]
    if style == "svg":
        click.echo(to_svg(plan), nl=False)
        return
    chart = to_mermaid(plan)
    click.echo(chart, nl=False)
    if is_too_large(chart):
        say(f"flow `{plan.flow}` is too large for GitHub to draw; `--format svg` draws it here")
