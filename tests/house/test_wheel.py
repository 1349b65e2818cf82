"""What lands in site-packages: `engine`, whole, and nothing else."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile

import pytest

from tests.house.tree import ROOT, tracked


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The names inside a wheel that is built from the tracked files."""
    source = tmp_path_factory.mktemp("source")
    for path in tracked():
        (source / path.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, source / path, follow_symlinks=False)
    target = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    result = subprocess.run(command, cwd=source, check=False, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr
    with zipfile.ZipFile(next(target.glob("*.whl"))) as archive:
        yield {name: archive.read(name) for name in archive.namelist()}


def test_only_the_engine_is_inside(wheel):
    assert {name.split("/")[0] for name in wheel} == {"engine", "flowengine-0.1.0.dist-info"}


def test_every_file_of_the_engine_is_inside(wheel):
    """Scripts and the schema too: they are read at run time."""
    expected = {path.as_posix() for path in tracked() if path.parts[0] == "engine"}

    assert {name for name in wheel if name.startswith("engine/")} == expected
    assert "engine/py.typed" in wheel
    assert "engine/declare/flow.schema.json" in wheel
    assert any(name.startswith("engine/store/scripts/") and name.endswith(".lua") for name in wheel)


def test_it_cannot_be_uploaded_by_accident(wheel):
    metadata = wheel["flowengine-0.1.0.dist-info/METADATA"].decode()

    assert "Classifier: Private :: Do Not Upload" in metadata


def test_it_has_the_command(wheel):
    points = wheel["flowengine-0.1.0.dist-info/entry_points.txt"].decode()

    assert "flowengine = engine.cli:main" in points
