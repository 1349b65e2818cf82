"""Hints that something was saved, from a real file system."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.reload.files import Files
from engine.reload.watcher import changes
from tests.support.wait import wait_until


class Listener:
    """Counts hints in a thread."""

    def __init__(self, files: Files) -> None:
        self.hints = 0
        self.ticks = 0
        self.reasons: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._listen, args=(files,))
        self._thread.start()
        wait_until(lambda: self.hints)

    def _listen(self, files: Files) -> None:
        for is_hint in changes(files.folders, is_over=self._is_over.is_set, blind=self.reasons.append):
            self.hints += is_hint
            self.ticks += not is_hint

    def hears(self, deed: Callable[[], object]) -> None:
        """A deed brings a hint."""
        before = self.hints
        deed()
        wait_until(lambda: self.hints > before)

    def quiet(self) -> None:
        """Wait until everything so far has been told."""
        until = self.ticks + 2
        wait_until(lambda: self.ticks >= until)

    def close(self) -> None:
        self._is_over.set()
        self._thread.join()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flows").mkdir()
    (tmp_path / "handlers").mkdir()
    return tmp_path


@pytest.fixture
def listener(project: Path) -> Iterator[Listener]:
    listener = Listener(Files(project, project / "flows"))
    yield listener
    listener.close()


def test_it_begins_with_a_hint_and_goes_on_with_silence(listener: Listener) -> None:
    listener.quiet()

    assert listener.hints == 1


@pytest.mark.parametrize("name", ["flows/a.yaml", "handlers/a.py", "flowengine.toml"])
def test_a_save_is_a_hint(listener: Listener, project: Path, name: str) -> None:
    path = project / name

    listener.hears(lambda: path.write_text("one"))
    listener.quiet()
    listener.hears(lambda: path.write_text("two"))
    listener.quiet()
    listener.hears(path.unlink)


def test_a_file_put_in_place_of_another_is_a_hint(listener: Listener, project: Path) -> None:
    path, other = project / "flows/a.yaml", project / "flows/.a.yaml.swp"
    listener.hears(lambda: path.write_text("one"))
    listener.quiet()
    other.write_text("two")

    listener.hears(lambda: other.replace(path))


def test_a_file_in_a_new_folder_is_a_hint_and_so_is_what_follows_in_it(
    listener: Listener, project: Path
) -> None:
    def make() -> None:
        (project / "flows/new/deep").mkdir(parents=True)
        (project / "flows/new/deep/a.yaml").write_text("one")

    listener.hears(make)
    listener.quiet()

    listener.hears(lambda: (project / "flows/new/deep/a.yaml").write_text("two"))


def test_the_folder_of_the_flows_may_go_and_come_back(listener: Listener, project: Path) -> None:
    listener.hears((project / "flows").rmdir)
    listener.quiet()
    listener.hears((project / "flows").mkdir)
    listener.quiet()

    listener.hears(lambda: (project / "flows/a.yaml").write_text("one"))


@pytest.mark.parametrize("is_the_same", [True, False])
def test_a_folder_that_goes_and_comes_back_at_once_is_watched_on(
    listener: Listener, project: Path, is_the_same: bool
) -> None:
    def swap() -> None:
        (project / "flows").rename(project / "aside")
        if is_the_same:
            (project / "aside").rename(project / "flows")
        else:
            (project / "flows").mkdir()

    listener.hears(swap)
    listener.quiet()

    listener.hears(lambda: (project / "flows/a.yaml").write_text("one"))
    listener.quiet()
    listener.hears(lambda: (project / "flows/a.yaml").write_text("two"))


def test_what_does_not_matter_is_no_hint(listener: Listener, project: Path) -> None:
    listener.quiet()
    before = listener.hints

    for name in ("flows/.a.yaml.swp", "handlers/a.pyc", "out.csv", ".env"):
        (project / name).write_text("one")
    listener.quiet()

    assert listener.hints == before


def test_it_ends_while_a_program_writes_what_does_not_matter(project: Path) -> None:
    listener = Listener(Files(project, project / "flows"))
    is_over = threading.Event()

    def write() -> None:
        while not is_over.wait(0.002):
            (project / "out.csv").write_text("one")

    writer = threading.Thread(target=write)
    writer.start()
    closer = threading.Thread(target=listener.close)
    closer.start()
    closer.join(10)
    is_over.set()
    writer.join()

    assert not closer.is_alive()


def test_where_folders_cannot_be_watched_it_says_so_once_and_hints_from_time_to_time(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_folders: str, **_options: object) -> Iterator[set[object]]:
        raise OSError("no watches are left")

    monkeypatch.setattr("watchfiles.watch", refuse)
    listener = Listener(Files(project, project / "flows"))
    wait_until(lambda: listener.hints > 2)
    listener.close()

    assert listener.reasons == ["no watches are left"]
