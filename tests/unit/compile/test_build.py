"""The left half of the house as one call, in a project of the test's own."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.compile.build import Builder, build
from tests.unit.declare.telling import told

HELLO = """\
flow: hello
steps:
  start: {role: entry, handler: built_hello:start, emits: [data.ready]}
  greet: {subscribes: data.ready, handler: built_hello:greet}
"""


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    (tmp_path / "flows").mkdir()
    (tmp_path / "built_hello.py").write_text("def start(job, ctx): ...\ndef greet(job, ctx): ...\n")
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def built(project, files, *, import_handlers=False):
    for name, text in files.items():
        (project / "flows" / name).write_text(text)
    return build([project / "flows"], root=project, import_handlers=import_handlers)


def test_a_sound_flow_is_planned_and_its_handlers_are_imported(project):
    found = built(project, {"hello.yaml": HELLO}, import_handlers=True)

    assert found.is_sound
    assert found.diagnostics == ()
    assert [plan.flow for plan in found.plans] == ["hello"]
    assert sorted(found.handlers) == ["built_hello:greet", "built_hello:start"]
    assert found.handlers["built_hello:start"].__name__ == "start"
    assert found.sources == {"flows/hello.yaml": HELLO}
    assert found.files == {"hello": "flows/hello.yaml"}


def test_without_importing_nothing_of_the_users_runs(project):
    (project / "built_hello.py").write_text(
        "raise SystemExit\ndef start(job, ctx): ...\ndef greet(job, ctx): ...\n"
    )
    found = built(project, {"hello.yaml": HELLO})

    assert found.is_sound
    assert found.handlers == {}
    assert str(project) not in sys.path


def test_all_mistakes_of_all_files_are_told_in_the_order_of_the_files(project):
    found = built(
        project,
        {
            "a.yaml": "flow: a\nsteps:\n  s: {handler: built_hello:strat, emitts: [x]}\n",
            "b.yaml": HELLO.replace(
                "subscribes: data.ready, handler: built_hello:greet", "handler: built_hello:gret"
            ),
            "c.yaml": "flow: [\n",
            "d.toml": "",
        },
    )

    assert [(it.span.file, it.span.line, it.span.column, it.code) for it in found.diagnostics] == [
        ("flows/a.yaml", 3, 16, "FE204"),
        ("flows/a.yaml", 3, 35, "FE101"),
        ("flows/b.yaml", 4, 3, "FE405"),
        ("flows/b.yaml", 4, 20, "FE204"),
        ("flows/c.yaml", 1, 7, "FE011"),
        ("flows/d.toml", 1, 1, "FE022"),
    ]
    assert not found.is_sound
    assert found.plans == ()
    assert list(found.sources) == ["flows/a.yaml", "flows/b.yaml", "flows/c.yaml", "flows/d.toml"]
    assert found.files == {"a": "flows/a.yaml", "hello": "flows/b.yaml"}


def test_a_sound_file_has_its_plan_beside_a_broken_one(project):
    found = built(project, {"a.yaml": "flow: [\n", "hello.yaml": HELLO}, import_handlers=True)
    assert [plan.flow for plan in found.plans] == ["hello"]
    assert "built_hello:start" in found.handlers
    assert not found.is_sound


def test_a_warning_makes_no_flow_unsound(project):
    text = HELLO.replace("[data.ready]", "[data.ready, data.lost]")
    found = built(project, {"hello.yaml": text})
    assert [it.code for it in found.diagnostics] == ["FE406"]
    assert found.is_sound
    assert [plan.flow for plan in found.plans] == ["hello"]


def test_two_files_of_one_flow_are_both_refused(project):
    toml = 'flow = "hello"\n[steps.s]\nrole = "entry"\nhandler = "built_hello:start"\n'
    found = built(project, {"a.yaml": HELLO, "b.toml": toml})
    assert told(found.diagnostics) == [
        "FE410 1:8 flow `hello` is declared in two files = rename one of them @ 1:7 also declared here"
    ]
    assert found.diagnostics[0].related is not None
    assert found.diagnostics[0].related.span.file == "flows/a.yaml"
    assert found.plans == ()
    assert found.files == {"hello": "flows/a.yaml"}


def test_a_limit_on_a_queue_of_another_flow_is_told_in_its_own_file(project):
    one = "flow: one\nsteps: {s: {role: entry, handler: 'built_hello:start', queue: slow}}\n"
    two = one.replace("one", "two", 1).replace("slow", "slow, concurrency: 5")
    found = built(project, {"a.yaml": one, "b.yaml": two})
    assert told(found.diagnostics) == [
        "FE411 2:82 step `s` has a limit, but shares its queue `slow` with step `s` of flow `one`"
        " = remove its `queue`: then it has one of its own @ 2:63 `s` waits in `slow` too"
    ]
    (diagnostic,) = found.diagnostics
    assert diagnostic.span.file == "flows/b.yaml"
    assert diagnostic.related is not None
    assert diagnostic.related.span.file == "flows/a.yaml"
    assert [plan.flow for plan in found.plans] == ["one"]


def test_copies_of_a_flow_are_not_also_told_to_share_a_queue(project):
    text = "flow: one\nsteps: {s: {role: entry, handler: 'built_hello:start', queue: slow, concurrency: 1}}\n"
    found = built(project, {"a.yaml": text, "b.yaml": text, "c.yaml": text})
    assert [it.code for it in found.diagnostics] == ["FE410", "FE410"]


def test_paths_that_are_not_there_are_told_first(project):
    (project / "flows" / "a.yaml").write_text("flow: [\n")
    found = build([project / "flows", project / "no.yaml"], root=project, import_handlers=False)
    assert [it.code for it in found.diagnostics] == ["FE001", "FE011"]


def test_a_module_that_raises_is_imported_once_and_told_once_a_flow(project):
    (project / "built_hello.py").write_text(
        "from pathlib import Path\n"
        "with Path('count').open('a') as out: out.write('x')\n"
        "def start(job, ctx): ...\n"
        "def greet(job, ctx): ...\n"
        "raise ValueError('no')\n"
    )
    found = built(
        project, {"a.yaml": HELLO.replace("hello\n", "one\n"), "b.yaml": HELLO}, import_handlers=True
    )

    assert [(it.span.file, it.span.line, it.code) for it in found.diagnostics] == [
        ("flows/a.yaml", 3, "FE208"),
        ("flows/b.yaml", 3, "FE208"),
    ]
    assert found.diagnostics[0].message.endswith(
        f"importing `built_hello` raised ValueError: no ({project}/built_hello.py, line 5)"
    )
    assert (project / "count").read_text() == "x"
    assert (found.plans, found.handlers) == ((), {})


def test_what_only_shows_when_it_is_imported_is_told(project):
    (project / "built_hello.py").write_text("start = int('5')\ndef greet(job, ctx): ...\n")
    assert built(project, {"hello.yaml": HELLO}).is_sound
    found = built(project, {"hello.yaml": HELLO}, import_handlers=True)
    assert [(it.code, it.span.line) for it in found.diagnostics] == [("FE208", 3)]


def test_a_module_that_a_diagnostic_points_into_is_among_the_sources(project):
    text = "def start(job): ...\ndef greet(job, ctx): ...\n"
    (project / "built_hello.py").write_text(text)
    found = built(project, {"hello.yaml": HELLO})
    assert [it.code for it in found.diagnostics] == ["FE206"]
    assert found.sources["built_hello.py"] == text


def test_a_large_flow_is_planned(project):
    lines = [
        f"  s{n}: {{subscribes: e{n - 1}, handler: built_hello:start, emits: [e{n}]}}" for n in range(1, 1000)
    ]
    first = "  s0: {role: entry, handler: built_hello:start, emits: [e0]}"
    found = built(project, {"large.yaml": "\n".join(["flow: large", "steps:", first, *lines])})
    assert found.is_sound
    assert len(found.plans[0].steps) == 1000


def test_a_sound_file_needs_no_validator_of_schemas(project):
    """It takes longer to import than everything else together."""
    (project / "flows" / "hello.yaml").write_text(HELLO)
    program = (
        "import sys; from pathlib import Path; from engine.compile.build import build\n"
        "found = build([Path('flows')], root=Path(), import_handlers=False)\n"
        "print(found.is_sound, 'jsonschema' in sys.modules)"
    )
    environment = {"PYTHONPATH": str(Path(build.__code__.co_filename).parents[2])}
    run = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )
    assert run.stdout == "True False\n"


def test_what_is_built_again_is_what_a_first_build_gives(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = "flow: {name}\nsteps:\n  one: {{role: entry, handler: handlers.h:{name}}}\n"
    states: list[dict[str, str | None]] = [
        {"flows/a.yaml": flow.format(name="a"), "handlers/h.py": "def a(job, ctx): ...\n"},
        {"flows/a.yaml": flow.format(name="a"), "flows/b.yaml": flow.format(name="b")},
        {"handlers/h.py": "def a(job, ctx): ...\ndef b(job, ctx): ...\n"},
        {"flows/b.yaml": flow.format(name="a")},
        {"flows/b.yaml": flow.format(name="b"), "handlers/h.py": "def a(job): ...\ndef b(job, ctx): ...\n"},
        {"flows/b.yaml": "flow: [", "handlers/h.py": "def"},
        {"flows/b.yaml": None, "handlers/h.py": "def a(job, ctx): ...\n"},
        {"flows/a.yaml": None, "flows/c.toml": 'flow = "c"\n'},
    ]
    builder = Builder([tmp_path / "flows"], root=tmp_path, link_handler=None)
    for state in states:
        for name, text in state.items():
            path = tmp_path / name
            path.parent.mkdir(exist_ok=True)
            path.unlink() if text is None else path.write_text(text)

        assert builder.build() == build([tmp_path / "flows"], root=tmp_path, import_handlers=False)


def noting(function, what, calls):
    """The function, which notes that it is called."""

    def called(*args, **options):
        calls.append(what)
        return function(*args, **options)

    return called


def test_a_file_and_a_module_that_stay_as_they_are_are_parsed_once(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("flows", "handlers"):
        (tmp_path / folder).mkdir(exist_ok=True)
    for name in ("a", "b"):
        text = f"flow: {name}\nsteps:\n  one: {{role: entry, handler: handlers.{name}:one}}\n"
        (tmp_path / "flows" / f"{name}.yaml").write_text(text)
        (tmp_path / "handlers" / f"{name}.py").write_text("def one(job, ctx): ...\n")
    parsed: list[str] = []
    for where, what in (("engine.declare.read_yaml.read_yaml", "flow"), ("ast.parse", "module")):
        monkeypatch.setattr(where, noting(pkgutil.resolve_name(where), what, parsed))
    builder = Builder([tmp_path / "flows"], root=tmp_path, link_handler=None)
    builder.build()
    assert sorted(parsed) == ["flow", "flow", "module", "module"]

    (tmp_path / "flows/a.yaml").write_text("# as agreed\n" + (tmp_path / "flows/a.yaml").read_text())
    (tmp_path / "handlers/b.py").write_text("def one(job, ctx): pass\n")
    builder.build()

    assert sorted(parsed) == ["flow", "flow", "flow", "module", "module", "module"]
