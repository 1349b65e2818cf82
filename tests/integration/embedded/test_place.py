"""Where the socket lies."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from engine.embedded.place import choose_socket


@pytest.fixture
def short(monkeypatch):
    """A short path to play the temporary directory and the session's folder in."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="fp") as name:
        monkeypatch.setenv("TMPDIR", name)
        monkeypatch.setattr(tempfile, "tempdir", None)
        monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
        yield Path(name)


def test_the_socket_lies_in_the_runtime_folder_of_the_session(tmp_path, short, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))

    assert choose_socket(tmp_path).parent == short / "flowengine"


def test_without_one_it_lies_in_a_private_folder_of_the_temporary_directory(tmp_path, short):
    folder = choose_socket(tmp_path).parent

    assert folder == short / f"flowengine-{os.getuid()}"
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", ["gone/away", "x" * 90])
def test_a_runtime_folder_that_is_missing_or_too_long_is_passed_over(tmp_path, short, monkeypatch, name):
    if "/" not in name:
        (short / name).mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short / name))

    assert choose_socket(tmp_path).parent == short / f"flowengine-{os.getuid()}"


@pytest.mark.parametrize("kind", ["open", "link", "file"])
def test_a_folder_that_others_could_reach_is_passed_over(tmp_path, short, kind):
    squatted = short / f"flowengine-{os.getuid()}"
    if kind == "open":
        squatted.mkdir()
        squatted.chmod(0o777)
    elif kind == "link":
        (short / "elsewhere").mkdir(mode=0o700)
        squatted.symlink_to(short / "elsewhere")
    else:
        squatted.touch()

    assert choose_socket(tmp_path).parent == Path("/tmp") / f"flowengine-{os.getuid()}"


def test_the_last_place_is_chosen_again_if_it_is_this_folders(tmp_path, short, monkeypatch):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    last = choose_socket(tmp_path / "a")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(short))

    assert choose_socket(tmp_path / "a", last) == last
    assert choose_socket(tmp_path / "b", last).parent == short / "flowengine"


def test_the_name_is_the_same_for_every_way_to_the_folder(tmp_path, short):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")

    assert choose_socket(tmp_path / "link") == choose_socket(tmp_path / "real")
