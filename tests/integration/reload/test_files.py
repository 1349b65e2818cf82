"""What files say, and which folders count."""

from __future__ import annotations

import os
import time
from pathlib import Path

from engine.reload.files import Files


def files(root: Path) -> Files:
    (root / "flows").mkdir(exist_ok=True)
    return Files(root, root / "flows")


def names(folders: frozenset[str], root: Path) -> set[str]:
    return {os.path.relpath(folder, root) for folder in folders}


def test_a_file_is_known_by_what_it_says(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("X = 1")
    looked = files(tmp_path)
    before = looked.digest(str(path))

    path.touch()
    assert looked.digest(str(path)) == before

    path.write_text("X = 2")
    assert looked.digest(str(path)) not in (before, None)


def test_two_saves_of_one_size_and_time_are_told_apart_while_they_are_young(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("X = 1")
    looked, status = files(tmp_path), path.stat()
    before = looked.digest(str(path))

    path.write_text("X = 2")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert looked.digest(str(path)) != before


def test_a_save_that_keeps_size_and_an_old_time_is_seen(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("X = 1")
    os.utime(path, (1, 1))
    looked = files(tmp_path)
    before = looked.digest(str(path))

    path.write_text("X = 2")
    os.utime(path, (1, 1))

    assert looked.digest(str(path)) != before


def test_an_old_file_is_not_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("X = 1")
    hour_ago = time.time() - 3_600
    os.utime(path, (hour_ago, hour_ago))
    looked = files(tmp_path)
    before = looked.digest(str(path))
    accessed = path.stat().st_atime_ns

    assert looked.digest(str(path)) == before
    assert path.stat().st_atime_ns == accessed


def test_a_file_that_cannot_be_read_has_no_digest(tmp_path: Path) -> None:
    looked = files(tmp_path)

    assert looked.digest(str(tmp_path / "gone.py")) is None
    assert looked.digest(str(tmp_path)) is None
    os.mkfifo(tmp_path / "pipe.py")
    assert looked.digest(str(tmp_path / "pipe.py")) is None


def test_it_is_known_whether_a_file_was_written_since_it_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("X = 1")
    looked = files(tmp_path)
    looked.digest(str(path))
    assert looked.are_as_read([str(path)])

    os.utime(path, (1, 1))
    assert not looked.are_as_read([str(path)])

    path.unlink()
    assert not looked.are_as_read([str(path)])


def test_a_file_that_cannot_be_read_is_as_it_was_read(tmp_path: Path) -> None:
    looked = files(tmp_path)
    looked.digest(str(tmp_path))

    assert looked.are_as_read([str(tmp_path)])


def test_a_file_that_goes_and_comes_back_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "a.py"
    path.write_text("X = 1")
    looked = files(tmp_path)
    before = looked.digest(str(path))

    path.unlink()
    assert looked.digest(str(path)) is None

    path.write_text("X = 1")
    assert looked.digest(str(path)) == before


def test_flow_files_are_those_that_are_discovered(tmp_path: Path) -> None:
    looked = files(tmp_path)
    for name in ("a.yaml", "deep/b.toml", ".hidden.yaml", "notes.txt", ".git/c.yaml"):
        path = tmp_path / "flows" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("flow: a")

    found = {os.path.relpath(path, tmp_path / "flows") for path in looked.flows()}

    assert found == {"a.yaml", "deep/b.toml"}


def test_folders_are_the_project_s_but_for_hidden_and_foreign_ones(tmp_path: Path) -> None:
    for name in (
        "flows/deep",
        "handlers/low",
        ".git/refs",
        "env/lib",
        "node_modules/x",
        "handlers/__pycache__",
    ):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "env/pyvenv.cfg").touch()

    found = names(files(tmp_path).folders(), tmp_path)

    assert found == {".", "flows", "flows/deep", "handlers", "handlers/low"}


def test_the_folder_that_a_linked_flow_is_in_counts_too(tmp_path: Path) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    for folder in (project, shared):
        folder.mkdir()
    looked = files(project)
    (shared / "order.yaml").write_text("flow: order")
    (project / "flows/order.yaml").symlink_to(shared / "order.yaml")

    assert str(shared) in looked.folders()


def test_a_linked_folder_counts_once_and_a_circle_of_links_ends(tmp_path: Path) -> None:
    project, shared = tmp_path / "project", tmp_path / "shared"
    for folder in (project, shared):
        folder.mkdir()
    looked = files(project)
    (project / "handlers").symlink_to(shared)
    (project / "again").symlink_to(shared)
    (project / "flows/up").symlink_to(project)

    assert names(looked.folders(), project) == {".", "flows", "again"}


def test_folders_that_are_gone_do_not_count(tmp_path: Path) -> None:
    looked = files(tmp_path)
    (tmp_path / "flows").rmdir()

    assert names(looked.folders(), tmp_path) == {"."}
    assert looked.flows() == {}


def test_of_very_many_folders_the_flows_come_first(tmp_path: Path) -> None:
    (tmp_path / "flows/deep").mkdir(parents=True)
    for number in range(2_100):
        (tmp_path / "data" / str(number)).mkdir(parents=True)

    found = names(files(tmp_path).folders(), tmp_path)

    assert {".", "flows", "flows/deep"} <= found
    assert len(found) == 2_000


def test_a_module_that_comes_or_changes_is_seen(tmp_path: Path) -> None:
    looked = files(tmp_path)
    (tmp_path / "handlers").mkdir()
    before = looked.modules()

    (tmp_path / "handlers/a.py").write_text("X = 1")
    (tmp_path / "handlers/a.txt").write_text("no module")

    assert {os.path.relpath(path, tmp_path) for path, _ in looked.modules() - before} == {"handlers/a.py"}
