"""`flowengine init`, and the project that it makes, as a beginner uses it."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from engine.cli.init import FILES
from engine.declare.shape import schema_text
from tests.acceptance.command import COMMAND, Project

SENTENCE = re.compile(r"flowengine: [^\n]+\n")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A project that `init` has made; nobody changes its files."""
    root = tmp_path_factory.mktemp("made") / "shop"
    done = Project(root.parent).run("init", "shop")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return root


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )


def refused(project: Project, where: str) -> str:
    """What is said by an `init` that must change nothing."""
    before = files_in(project.root)
    done = project.run("init", where)
    assert done.returncode == 2
    assert SENTENCE.fullmatch(done.stderr)
    assert files_in(project.root) == before
    return done.stderr


def test_it_makes_the_files_that_it_tells_of(made):
    assert files_in(made) == sorted(FILES)


def test_what_it_makes_validates_without_a_warning(made):
    done = Project(made).run("validate", "--strict", "--import")
    assert (done.returncode, done.stdout) == (0, "1 flow, no problems\n")


def test_what_it_makes_runs(made):
    done = Project(made).run("run", "hello", "-i", "name=Ada")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["greetings"][:2] == ["Hello, Ada!", "Bonjour, Ada!"]
    assert "greeting Ada in 4 languages" in done.stderr


def test_what_it_makes_runs_without_an_input(made):
    assert "Hello, world!" in Project(made).run("run", "hello").stdout


def test_its_test_passes_with_nothing_but_python(made):
    done = python(made, "-m", "unittest")
    assert done.returncode == 0, done.stderr
    assert "Ran 3 tests" in done.stderr


def test_pytest_finds_its_test_too(made):
    done = python(made, "-m", "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout


def test_its_code_satisfies_a_strict_type_checker(made):
    check = ["-m", "mypy", "--strict", "--explicit-package-bases", "--cache-dir=/dev/null"]
    done = python(made, *check, "handlers", "tests")
    assert done.returncode == 0, done.stdout


def test_its_schema_is_the_engines(made):
    assert (made / "schemas/flow.schema.json").read_text() == schema_text()


def test_editors_find_the_schema_by_their_settings_and_by_the_flow_itself(made):
    schema = made / "schemas" / "flow.schema.json"
    [(path, patterns)] = json.loads((made / ".vscode/settings.json").read_text())["yaml.schemas"].items()
    assert (made / path).samefile(schema)
    flow = made / "flows" / "hello.yaml"
    assert flow in {found for pattern in patterns for found in made.glob(pattern)}
    first = flow.read_text().splitlines()[0]
    assert first.startswith("# yaml-language-server: $schema=")
    assert (flow.parent / first.partition("=")[2]).samefile(schema)


def test_its_flow_conforms_to_the_schema_that_editors_use(made):
    program = (
        "import json, sys, jsonschema, yaml\n"
        "schema = json.load(open('schemas/flow.schema.json'))\n"
        "jsonschema.Draft202012Validator(schema).validate(yaml.safe_load(open('flows/hello.yaml')))\n"
    )
    done = python(made, "-c", program)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", ["shop", "a/b/c", 'Ada\'s "shop" $HOME'])
def test_the_cd_that_it_prints_leads_there(tmp_path, name):
    done = Project(tmp_path).run("init", name)
    [line] = [line for line in done.stderr.splitlines() if line.startswith("  cd ")]
    there = f"{line} && test -f flowengine.toml"
    assert subprocess.run(["sh", "-c", there], cwd=tmp_path, check=False).returncode == 0


@pytest.mark.parametrize("absolute", [False, True])
def test_in_this_folder_there_is_nowhere_to_go(tmp_path, absolute):
    done = Project(tmp_path).run("init", str(tmp_path) if absolute else ".")
    assert files_in(tmp_path) == sorted(FILES)
    assert "cd " not in done.stderr


def test_a_folder_with_other_files_keeps_them(tmp_path):
    project = Project(tmp_path)
    project.write("shop/README.md", "mine")
    project.write("shop/flows/mine.yaml", "mine")
    assert project.run("init", "shop").returncode == 0
    assert files_in(tmp_path / "shop") == sorted([*FILES, "README.md", "flows/mine.yaml"])


def test_a_project_may_stand_inside_another_one(tmp_path, made):
    outer = Project(tmp_path)
    outer.run("init", ".")
    outer.write("flows/other.yaml", "not a flow")
    assert outer.run("init", "inner").returncode == 0
    assert Project(tmp_path / "inner").run("validate").returncode == 0


def test_nothing_is_overwritten_and_all_that_is_in_the_way_is_named(tmp_path):
    project = Project(tmp_path)
    project.write("shop/handlers/hello.py", "mine")
    (tmp_path / "shop" / ".gitignore").symlink_to("nowhere")
    project.write("shop/flows", "mine")
    said = refused(project, "shop")
    assert "`handlers/hello.py`, `.gitignore`, `flows`, which is no folder," in said
    assert "flowengine.toml" not in said


def test_a_second_time_is_refused(tmp_path):
    project = Project(tmp_path)
    project.run("init", "shop")
    assert all(f"`{name}`" in refused(project, "shop") for name in FILES)


@pytest.mark.parametrize("where", ["file", "file/x/y", "link"])
def test_what_is_no_folder_is_refused(tmp_path, where):
    project = Project(tmp_path)
    project.write("file", "")
    (tmp_path / "link").symlink_to("nowhere")
    assert f"`{where.split('/')[0]}` is no folder" in refused(project, where)


def test_a_link_to_a_folder_is_as_good_as_the_folder(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    Project(tmp_path).run("init", "link")
    assert files_in(tmp_path / "real") == sorted(FILES)


def test_a_name_that_no_folder_can_have_is_told_in_a_sentence(tmp_path):
    done = Project(tmp_path).run("init", "new/" + "x" * 300)
    assert done.returncode == 1
    assert "cannot be made: File name too long" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_a_disk_that_is_full_half_way_leaves_nothing_of_it(tmp_path):
    project = Project(tmp_path)
    project.write("shop/mine", "mine")
    # The schema is by far the largest of the files. Bash counts in 1024 bytes.
    limited = ["bash", "-c", f'ulimit -f 2; exec {shlex.join(COMMAND)} "$@"', "bash"]
    for where in ("shop", "new/shop"):
        with project.start("init", where, program=limited) as process:
            _, err = process.communicate()
        assert process.returncode == 1
        assert f"`{where}/schemas/flow.schema.json` cannot be made: File too large" in err
        assert SENTENCE.fullmatch(err)
    assert {path.name for path in tmp_path.rglob("*")} == {"shop", "mine"}


@pytest.mark.parametrize("arguments", [[], [""]])
def test_without_a_folder_it_says_what_to_write(tmp_path, arguments):
    done = Project(tmp_path).run("init", *arguments)
    assert done.returncode == 2
    assert "`flowengine init .`" in done.stderr
    assert [*tmp_path.iterdir()] == []


def test_the_help_has_an_example(tmp_path):
    assert "`flowengine init shop`" in Project(tmp_path).run("init", "--help").stdout
