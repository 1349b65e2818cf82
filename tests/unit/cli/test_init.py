from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from engine.cli import init
from engine.settings import load_settings

TEMPLATE = Path(init.__file__).with_name("template")

#: A line of the settings file that has a setting, or a section, behind a `#`.
QUIET = re.compile(r"^# ?(?=\[|\w+ = )", re.MULTILINE)


def test_what_is_told_of_is_what_the_template_has():
    there = {str(path.relative_to(TEMPLATE)) for path in TEMPLATE.rglob("*") if path.is_file()}
    there = {name for name in there if "__pycache__" not in name}
    assert set(init.FILES) == there | {"schemas/flow.schema.json"}


def test_every_setting_of_the_template_is_one_with_its_default(tmp_path):
    text = (TEMPLATE / "flowengine.toml").read_text()
    (tmp_path / "flowengine.toml").write_text(text)
    defaults = load_settings(tmp_path, environ={})
    assert defaults == load_settings(None, environ={})
    assert len(QUIET.findall(text)) >= 4
    local, _, redis = QUIET.sub("", text).partition("[redis]")
    (tmp_path / "flowengine.toml").write_text(local)
    assert load_settings(tmp_path, environ={}) == defaults
    (tmp_path / "flowengine.toml").write_text("[redis]" + redis)
    assert load_settings(tmp_path, environ={}).redis.address == "redis://localhost:6379/0"


def test_what_is_told_fits_sixty_columns(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    assert max(len(line) for line in init.told(Path("shop"))) <= 60


@pytest.mark.parametrize("name", ["python", "python3"])
def test_the_python_that_is_named_is_the_one_that_has_the_engine(tmp_path, monkeypatch, name):
    other, own = tmp_path / "other", tmp_path / "own"
    for folder in (other, own):
        folder.mkdir()
        (folder / name).symlink_to(sys.executable)
    monkeypatch.setattr(sys, "executable", str(own / name))
    monkeypatch.setenv("PATH", str(own))
    assert any(f"  {name} -m unittest " in line for line in init.told(tmp_path))
    monkeypatch.setenv("PATH", os.pathsep.join((str(other), str(own))))
    assert any(f"  {own / name} -m unittest " in line for line in init.told(tmp_path))
