"""A project on paper, and random edits of it; the same seed makes the same edits.

A run in flight runs the newest code on the plan that it began with. So that it may complete whatever
is edited, a function emits one event of its own for ever, `<function>.done`, which each step that has
it declares; what comes after it is for the plan to say. What a step returns and emits is the trail of
the run so far: for each step the import path of its function, the number in its module, the number in
the helper that the module imports, and how it was run. No half of a text is right by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from random import Random

#: What the files of a project say, by path.
Texts = Mapping[str, str]

MOST_FLOWS = 6
MOST_STEPS = 6
MOST_HELPERS = 3

#: What all functions do; never edited, and run once. It notes that.
WORK = """\
import asyncio
import pathlib
import time

with pathlib.Path("marks").open("a") as marks:
    marks.write("work ")


def done(job, ctx, *mark):
    time.sleep(job.data["ms"] / 1000)
    return go_on(job, ctx, *mark, "sync")


async def done_async(job, ctx, *mark):
    await asyncio.sleep(job.data["ms"] / 1000)
    return go_on(job, ctx, *mark, "async")


def go_on(job, ctx, *mark):
    trail = [*job.data.get("trail", []), list(mark)]
    ctx.flow.emit(mark[0].partition(":")[2] + ".done", {**job.data, "trail": trail})
    return trail
"""


@dataclass
class Step:
    """A step: its function, and the function whose event it subscribes to; the entry's is empty."""

    name: str
    function: str
    after: str
    queue: str = ""
    emits: list[str] = field(default_factory=list)


@dataclass
class Flow:
    """A flow with a module of its own.

    Attributes:
        name: Of the flow and of its module.
        steps: Its steps, the entry first.
        functions: Those in the module: those of the steps, and some that were left behind; whether `async`.
        number: A constant in the module.
        helper: The module that it imports a number from, or empty.
        note: A comment in the flow file, and one in the module.
    """

    name: str
    steps: list[Step]
    functions: dict[str, bool]
    number: int
    helper: str = ""
    note: int = 0

    @property
    def file(self) -> str:
        """The flow file."""
        return f"flows/{self.name}.yaml"

    @property
    def module(self) -> str:
        """The module's file."""
        return f"handlers/{self.name}.py"

    def yaml(self) -> str:
        steps = ",\n".join(f"  {step.name}: {self._declared(step)}" for step in self.steps)
        return f"# {self.note}\n{{flow: {self.name}, steps: {{\n{steps}\n}}}}\n"

    def _declared(self, step: Step) -> str:
        first = f"subscribes: {step.after}.done" if step.after else "role: entry"
        emits = ", ".join([f"{step.function}.done", *step.emits])
        queue = f", queue: {step.queue}" if step.queue else ""
        return f"{{{first}, handler: 'handlers.{self.name}:{step.function}', emits: [{emits}]{queue}}}"

    def python(self) -> str:
        """A text that has a function of a step at its end, so that half of it lacks one."""
        imports = f"from handlers.{self.helper} import NUMBER as HELPED" if self.helper else "HELPED = 0"
        used = {step.function for step in self.steps}
        names = sorted(self.functions, key=lambda name: name in used)
        functions = "\n\n".join(self._defined(name) for name in names)
        head = f"# {self.note}\nfrom handlers import work\n{imports}\n\nNUMBER = {self.number}\n"
        return f"{head}\n\n{functions}\n"

    def _defined(self, name: str) -> str:
        mark = f"'handlers.{self.name}:{name}', NUMBER, HELPED"
        if self.functions[name]:
            return f"async def {name}(job, ctx):\n    return await work.done_async(job, ctx, {mark})\n"
        return f"def {name}(job, ctx):\n    return work.done(job, ctx, {mark})\n"


@dataclass
class Draft:
    """Flows by name, and helpers with the number in each."""

    flows: dict[str, Flow] = field(default_factory=dict)
    helpers: dict[str, int] = field(default_factory=dict)

    def texts(self) -> dict[str, str]:
        """What the files say."""
        texts = {"handlers/work.py": WORK}
        texts |= {f"handlers/{name}.py": helper_text(number) for name, number in self.helpers.items()}
        for flow in self.flows.values():
            texts |= {flow.file: flow.yaml(), flow.module: flow.python()}
        return texts


def helper_text(number: int) -> str:
    return f"# A number that others import.\nNUMBER = int(\n    {number}\n)\n"


def first_draft() -> Draft:
    """One flow of two steps."""
    draft = Draft()
    new_flow(draft, Random(0), 0)
    return draft


def half_of(text: str) -> str:
    """The beginning of a text, up to some bracket after its middle, which is left open."""
    half = len(text) // 2
    places = [text.find(bracket, half) for bracket in "{(["]
    return text[: min((place for place in places if place >= 0), default=half) + 1]


# The edits: each changes the draft and answers whether it could.


def change_number(draft: Draft, chance: Random, edit: int) -> bool:
    _some(draft, chance).number = edit
    return True


def add_step(draft: Draft, chance: Random, edit: int) -> bool:
    flow = _some(draft, chance)
    if len(flow.steps) >= MOST_STEPS:
        return False
    name = f"f{edit}"
    flow.functions[name] = chance.random() < 0.3
    flow.steps.append(Step(f"s{edit}", name, chance.choice(flow.steps).function))
    return True


def remove_step(draft: Draft, chance: Random, _edit: int) -> bool:
    flow = _some(draft, chance)
    leaves = [step for step in flow.steps[1:] if all(step.function != it.after for it in flow.steps)]
    if not leaves:
        return False
    leaf = chance.choice(leaves)
    flow.steps.remove(leaf)
    if chance.random() < 0.6:
        del flow.functions[leaf.function]
    return True


def rename_step(draft: Draft, chance: Random, edit: int) -> bool:
    chance.choice(_some(draft, chance).steps).name = f"s{edit}"
    return True


def change_emits(draft: Draft, chance: Random, edit: int) -> bool:
    step = chance.choice(_some(draft, chance).steps)
    step.emits = [] if step.emits else [f"more{edit}"]
    return True


def move_step(draft: Draft, chance: Random, _edit: int) -> bool:
    """Let it follow another step, one that does not follow it."""
    flow = _some(draft, chance)
    step = chance.choice(flow.steps)
    later = {step.function}
    for it in flow.steps * len(flow.steps):
        later |= {it.function} if it.after in later else set()
    others = [it.function for it in flow.steps if it.function not in later | {step.after}]
    if not step.after or not others:
        return False
    step.after = chance.choice(others)
    return True


def change_queue(draft: Draft, chance: Random, _edit: int) -> bool:
    step = chance.choice(_some(draft, chance).steps)
    step.queue = chance.choice([queue for queue in ("", "q1", "q2", "q3") if queue != step.queue])
    return True


def sync_or_async(draft: Draft, chance: Random, _edit: int) -> bool:
    flow = _some(draft, chance)
    name = chance.choice(flow.steps).function
    flow.functions[name] = not flow.functions[name]
    return True


def new_flow(draft: Draft, chance: Random, edit: int) -> bool:
    if len(draft.flows) >= MOST_FLOWS:
        return False
    names = [f"f{edit}a", f"f{edit}b"]
    steps = [Step("first", names[0], ""), Step("second", names[1], names[0])]
    functions = {name: chance.random() < 0.3 for name in names}
    draft.flows[f"flow{edit}"] = Flow(f"flow{edit}", steps, functions, edit)
    return True


def delete_flow(draft: Draft, chance: Random, _edit: int) -> bool:
    if len(draft.flows) <= 1:
        return False
    del draft.flows[chance.choice(sorted(draft.flows))]
    return True


def new_helper(draft: Draft, chance: Random, edit: int) -> bool:
    if len(draft.helpers) >= MOST_HELPERS:
        return False
    draft.helpers[f"helper{edit}"] = edit
    _some(draft, chance).helper = f"helper{edit}"
    return True


def change_helper(draft: Draft, chance: Random, edit: int) -> bool:
    if not draft.helpers:
        return False
    draft.helpers[chance.choice(sorted(draft.helpers))] = edit
    return True


def use_helper(draft: Draft, chance: Random, _edit: int) -> bool:
    flow = _some(draft, chance)
    flow.helper = chance.choice(
        [name for name in ("", *sorted(draft.helpers)) if name != flow.helper] or [""]
    )
    return True


def delete_helper(draft: Draft, chance: Random, _edit: int) -> bool:
    if not draft.helpers:
        return False
    gone = chance.choice(sorted(draft.helpers))
    del draft.helpers[gone]
    for flow in draft.flows.values():
        flow.helper = "" if flow.helper == gone else flow.helper
    return True


def comment(draft: Draft, chance: Random, edit: int) -> bool:
    _some(draft, chance).note = edit
    return True


def _some(draft: Draft, chance: Random) -> Flow:
    return draft.flows[chance.choice(sorted(draft.flows))]


#: The edits that leave a project right, and how often each comes.
EDITS: Mapping[Callable[[Draft, Random, int], bool], int] = {
    change_number: 5,
    add_step: 4,
    remove_step: 3,
    rename_step: 2,
    change_emits: 2,
    move_step: 2,
    change_queue: 3,
    sync_or_async: 2,
    new_flow: 2,
    delete_flow: 1,
    new_helper: 2,
    change_helper: 3,
    use_helper: 2,
    delete_helper: 1,
    comment: 2,
}

#: What an edit is called that brings back what there was before some others.
UNDO = "undo"

#: Ways to get a flow file wrong, and a module.
FLOW_MISTAKES: Mapping[str, Callable[[str], str]] = {
    "syntax": lambda text: text.replace("}}", "}"),
    "unknown key": lambda text: text.replace("handler:", "handlr: x, handler:", 1),
    "missing handler": lambda text: text.replace(":f", ":no_f", 1),
    "truncation": half_of,
}
MODULE_MISTAKES: Mapping[str, Callable[[str], str]] = {
    "syntax in a module": lambda text: text + "def\n",
    "module that raises": lambda text: text + "\nraise ValueError('half-baked')\n",
    "missing import": lambda text: "import not_there\n" + text,
    "truncation of a module": half_of,
}


@dataclass(frozen=True)
class Edit:
    """What the files are to say after an edit.

    Attributes:
        kind: Of the edit.
        texts: What the files say where they are right.
        damage: What some say instead.
    """

    kind: str
    texts: Texts
    damage: Texts

    @property
    def files(self) -> dict[str, str]:
        """What the files say."""
        return {**self.texts, **self.damage}


def random_edits(chance: Random, count: int, *, first: Draft) -> Iterator[Edit]:
    """So many edits, one after the other; what one of them damages, one of the next may mend."""
    draft, drafts = deepcopy(first), [deepcopy(first)]
    damage: dict[str, str] = {}
    for number in range(1, count + 1):
        before = draft.texts()
        if chance.random() < 0.25:
            kind, path, text = _mistake(draft, chance)
            damage[path] = text
        else:
            kind, draft = _valid_edit(draft, drafts, chance, number)
            drafts = [*drafts[-5:], deepcopy(draft)]
            if chance.random() < 0.5:
                damage.clear()
        texts = draft.texts()
        # An edit of a damaged file writes it as it should be.
        damage = {path: text for path, text in damage.items() if texts.get(path) == before.get(path)}
        yield Edit(kind, texts, dict(damage))


def _valid_edit(draft: Draft, drafts: list[Draft], chance: Random, number: int) -> tuple[str, Draft]:
    if chance.random() < 0.08:
        return UNDO, deepcopy(chance.choice(drafts))
    while True:
        [edit] = chance.choices(list(EDITS), list(EDITS.values()))
        if edit(draft, chance, number):
            return edit.__name__.replace("_", " "), draft


def _mistake(draft: Draft, chance: Random) -> tuple[str, str, str]:
    flow = _some(draft, chance)
    if chance.random() < 0.5:
        kind = chance.choice(sorted(FLOW_MISTAKES))
        return kind, flow.file, FLOW_MISTAKES[kind](flow.yaml())
    kind = chance.choice(sorted(MODULE_MISTAKES))
    return kind, flow.module, MODULE_MISTAKES[kind](flow.python())
