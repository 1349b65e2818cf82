"""Which files hold flows."""

from __future__ import annotations

import os

import pytest

from engine.declare.discover import discover, display_name, find_flow, find_project

from .telling import told


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, text="flow: a\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_folder_is_searched_in_order_and_hidden_files_are_not_read(project):
    flows = project / "flows"
    for name in ("b.yaml", "a.toml", "c.yml", "sub/d.yaml", ".hidden.yaml", ".git/e.yaml", "notes.md"):
        write(flows / name, 'flow = "a"\n' if name.endswith("toml") else "flow: a\n")
    write(flows / "flowengine.toml", "")

    files, diagnostics = discover([flows])

    assert [file.file for file in files] == [
        "flows/a.toml",
        "flows/b.yaml",
        "flows/c.yml",
        "flows/sub/d.yaml",
    ]
    assert all(file.reading.document for file in files)
    assert diagnostics == ()


def test_a_file_that_is_named_twice_is_read_once(project):
    file = write(project / "flows" / "a.yaml")
    os.symlink(file, project / "link.yaml")
    files, _ = discover([file, project / "flows", project / "link.yaml"])
    assert [found.file for found in files] == ["flows/a.yaml"]


def test_what_is_wrong_with_the_paths_is_told(project):
    (project / "empty").mkdir()
    write(project / "flow.json")
    folder_of_that_name = project / "x.yaml"
    folder_of_that_name.mkdir()

    files, diagnostics = discover([project / name for name in ("no.yaml", "empty", "flow.json", "x.yaml")])

    assert files == ()
    ends = "= flow files end in `.yaml`, `.yml` or `.toml`"
    assert told(diagnostics) == [
        "FE001 1:1 there is no file `no.yaml`",
        f"FE001 1:1 there are no flow files in the folder `empty` {ends}",
        "FE001 1:1 `flow.json` is no flow file by its name = name it `.yaml`, `.yml` or `.toml`",
        f"FE001 1:1 there are no flow files in the folder `x.yaml` {ends}",
    ]
    assert [diagnostic.span.file for diagnostic in diagnostics] == ["no.yaml", "empty", "flow.json", "x.yaml"]


def test_a_file_that_cannot_be_read_is_told(project):
    name = "n" * 300 + ".yaml"
    assert told(discover([project / name])[1]) == [f"FE001 1:1 `{name}` cannot be read: File name too long"]


def test_a_file_has_a_name_where_the_working_folder_is_gone(project, tmp_path_factory):
    write(project / "a.yaml")
    gone = tmp_path_factory.mktemp("gone")
    os.chdir(gone)
    gone.rmdir()
    assert display_name(project / "a.yaml") == str(project / "a.yaml")


def test_a_link_that_leads_to_itself_is_told(project):
    (project / "loop.yaml").symlink_to("loop.yaml")
    [found] = told(discover([project / "loop.yaml"])[1])
    assert found.startswith("FE001 1:1 `loop.yaml` cannot be read: Too many levels")


def test_a_pipe_is_not_waited_for(project):
    os.mkfifo(project / "pipe.yaml")
    assert told(discover([project / "pipe.yaml"])[1]) == [
        "FE001 1:1 `pipe.yaml` is not a file that can be read"
    ]
    assert find_flow(project, ".", "pipe") == []


def test_a_file_that_is_no_text_is_there_with_its_mistake(project):
    (project / "a.yaml").write_bytes(b"flow: \xff\n")
    (file,), diagnostics = discover([project / "a.yaml"])
    assert diagnostics == ()
    assert file.text == "flow: \ufffd\n"
    assert [found.code for found in file.reading.diagnostics] == ["FE003"]


def test_files_are_named_from_the_current_folder_if_they_are_below_it(project, monkeypatch):
    assert display_name(project / "flows" / "a.yaml") == "flows/a.yaml"
    (project / "sub").mkdir()
    monkeypatch.chdir(project / "sub")
    assert display_name(project / "a.yaml") == str(project / "a.yaml")


def test_a_project_is_found_from_below(project):
    write(project / "one" / "flowengine.toml", "")
    (project / "two" / "flows").mkdir(parents=True)
    for name in ("one/a/b", "two/a"):
        (project / name).mkdir(parents=True)

    assert find_project(project / "one" / "a" / "b") == (project / "one").resolve()
    assert find_project(project / "two" / "a") == (project / "two").resolve()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yaml", "# what\nflow: order   # it\nsteps: {}\n"),
        ("a.yaml", "'flow': \"order\"\r\nsteps: {}\r\n"),
        ("a.yaml", "{flow: order, steps: {s: {flow: other}}}\n"),
        ("sub/a.yml", "flow: order\n"),
        ("a.toml", 'flow = "order"\n'),
        ("a.toml", "flow = '''order'''\n"),
    ],
)
def test_the_file_of_a_flow_is_found_by_its_name(project, name, text):
    write(project / "flows" / "order.yaml", "flow: other\n")
    write(project / "flows" / "broken.yaml", "flow: [\n")
    file = write(project / "flows" / name, text)
    assert find_flow(project, "flows", "order") == [file]
    assert find_flow(project, "flows", "nothing") == []


def test_every_file_that_declares_the_name_is_found(project):
    names = ("a.yaml", "order.yaml", "sub/b.toml")
    for name in names:
        write(project / "flows" / name, 'flow = "order"\n' if name.endswith("toml") else "flow: order\n")
    assert find_flow(project, "flows", "order") == [project / "flows" / name for name in names]
