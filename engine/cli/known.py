"""Whether there is a flow of the name that is asked about: in the store, or in the project's files."""

from __future__ import annotations

from engine.declare.discover import find_flow
from engine.errors import FlowNotFound
from engine.store.connection import Store
from engine.store.index import RunIndex
from engine.store.plans import Plans

from .project import Project
from .target import as_file, flow_name, unknown_flow


def known_flow(target: str, project: Project, store: Store) -> str:
    """The name of the flow whose runs are asked for.

    Args:
        target: A file, or a flow's name.
        project: Whose files may declare it.
        store: Where it may have runs, or be served.

    Raises:
        UsageError: It is a file that declares no flow.
        FlowNotFound: It is a name that neither the store nor a file of the project knows.
    """
    name = flow_name(target)
    is_declared = as_file(target) is not None or find_flow(project.root, project.settings.queue.dir, name)
    if not is_declared and not _is_in(store, name):
        raise FlowNotFound(f"the store has no flow `{name}`, and {unknown_flow(name, project)}")
    return name


def _is_in(store: Store, flow: str) -> bool:
    if RunIndex(store).page(flow=flow, limit=1).runs:
        return True
    try:
        Plans(store).version_in_force(flow)
    except FlowNotFound:
        return False
    return True
