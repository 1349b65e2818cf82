"""What the README shows is what one gets."""

from __future__ import annotations

import json
import re

from tests.acceptance.command import ROOT, Project
from tests.support.studio import READY, Studio

README = (ROOT / "README.md").read_text()


#: What differs from one time to the next: the worker's id, when it was, how long it took; and what is told
#: on a terminal only.
VARIES = re.compile(r"(?m)(?<=^worker )\w+|^\d\d:\d\d:\d\d  |  \(\d+ ms\)$|; Enter shows .*$")


def block(language):
    """The first block of code in a language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found is not None
    return found[1]


def test_the_flow_and_the_handlers_of_the_readme_work_as_they_stand(tmp_path):
    project = Project(tmp_path)
    project.write("flows/hello.yaml", block("yaml"))
    project.write("handlers/hello.py", block("python"))
    done = project.run("run", "hello", "-i", "name=Ada")
    assert json.loads(done.stdout) == {"greeting": "Hello, Ada!"}
    assert done.stdout.strip() in README


def test_the_readme_shows_the_flow_that_the_tree_has():
    flow = (ROOT / "flows" / "hello.yaml").read_text()
    shown = [line for line in block("yaml").splitlines() if not line.startswith("#")]
    assert shown == [line for line in flow.splitlines() if not line.startswith("#")]


def test_every_command_that_the_readme_names_exists(tmp_path):
    named = set(re.findall(r"^(?:\$ |\| `)flowengine ([a-z]+)", README, re.MULTILINE))
    assert named >= {"run", "validate", "worker", "runs", "logs"}
    for command in sorted(named):
        assert Project(tmp_path).run(command, "--help").returncode == 0


def test_dev_says_of_saves_what_the_readme_shows(tmp_path):
    Project(tmp_path).run("init", "shop")
    studio = Studio(tmp_path / "shop")
    try:
        dev = studio.begin_dev()
        told = dev.hears(READY)
        studio.edit("handlers/hello.py", '"Namaste"', '"Namaste", "Ahoj"')
        told += dev.hears("anew")
        studio.edit("flows/hello.yaml", "emits: [greeting.made]", "emits: [greeting.done]")
        told += dev.hears("there may be more")
        studio.edit("flows/hello.yaml", "emits: [greeting.done]", "emits: [greeting.made]")
        told += dev.hears("mended: ")
    finally:
        studio.close()
    shown = README.partition("&& flowengine dev\n...\n")[2].partition("```")[0]
    assert VARIES.sub("", "\n".join(told) + "\n") == VARIES.sub("", shown)
