"""What the README shows is what one gets."""

from __future__ import annotations

import json
import re

from tests.acceptance.command import ROOT, Project

README = (ROOT / "README.md").read_text()


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
