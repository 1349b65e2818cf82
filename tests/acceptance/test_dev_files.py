"""However a file is saved, moved or put back: `flowengine dev` ends with what the files say."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from tests.acceptance.command import FLOW, HANDLERS, LIMIT_S
from tests.support.wait import wait_until

PACK = "  pack: {subscribes: order.taken, handler: handlers.shop:ship}\n"

ONE = "flow: one\nsteps:\n  do: {role: entry, handler: handlers.one:do}\n"


@pytest.fixture
def dev(studio):
    return studio.dev()


def says_no_error(dev):
    """Nothing was told so far that was wrong at no time."""
    return not any("error[" in line or "Traceback" in line for line in dev.lines)


def in_place(path, text):
    path.write_text(text)


def by_a_temporary_file(path, text):
    other = path.with_name(f".{path.name}.swp")
    other.write_text(text)
    other.replace(path)


def by_a_temporary_file_that_ends_alike(path, text):
    other = path.with_name(f"4913{path.suffix}")
    other.write_text(text)
    other.replace(path)


def with_a_backup(path, text):
    path.replace(path.with_name(path.name + "~"))
    path.write_text(text)


def deleted_and_made_again(path, text):
    path.unlink()
    time.sleep(0.05)
    path.write_text(text)


def in_two_halves(path, text):
    """A slow editor: within 100 ms the file is empty, then half of it is there, then all."""
    with path.open("w") as file:
        time.sleep(0.04)
        file.write(text[: len(text) // 2])
        file.flush()
        time.sleep(0.04)
        file.write(text[len(text) // 2 :])


WAYS = (
    in_place,
    by_a_temporary_file,
    by_a_temporary_file_that_ends_alike,
    with_a_backup,
    deleted_and_made_again,
    in_two_halves,
)


@pytest.mark.parametrize("save", WAYS, ids=lambda save: save.__name__.replace("_", " "))
def test_a_file_may_be_saved(studio, dev, save):
    save(studio.root / "flows/shop.yaml", FLOW + PACK)
    studio.wait_for_version("shop")
    save(studio.root / "handlers/shop.py", HANDLERS.replace('"shipped"', '"sent"'))
    dev.hears("loaded handlers.shop anew")

    assert studio.result("shop", {"n": 1}) == {"pack": {"sent": 1}, "ship": {"sent": 1}}
    assert says_no_error(dev)


def test_of_very_many_saves_of_a_flow_the_last_one_counts(studio, dev):
    for number in range(500):
        studio.write("flows/shop.yaml", f"labels: {{save: '{number}'}}\n{FLOW}")

    version = studio.wait_for_version("shop")
    studio.edit("handlers/shop.py", "by a handler", "at last")
    told = [line for line in dev.hears("loaded") if line.startswith("shop ")]
    assert told[-1].endswith(f"→ {version[:8]}: its labels altered")
    assert studio.result("shop", {"n": 1}) == {"shipped": 1}
    assert says_no_error(dev)


def test_of_very_many_saves_of_a_handler_the_last_one_counts(studio, dev):
    for number in range(500):
        studio.write("handlers/shop.py", HANDLERS.replace("shipped", f"sent{number}"))

    wait_until(lambda: studio.result("shop", {"n": 1}) == {"sent499": 1}, timeout_s=LIMIT_S)
    assert says_no_error(dev)


def test_another_branch_may_be_checked_out_and_the_first_one_again(studio, dev):
    def git(*arguments):
        who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
        subprocess.run(["git", *who, *arguments], cwd=studio.root, check=True, capture_output=True)

    git("init", "--initial-branch=main")
    git("add", "flows", "handlers")
    git("commit", "--message=One")
    git("checkout", "-b", "other")
    studio.write("flows/shop.yaml", FLOW.replace("shop:ship", "parcel:pack"))
    studio.write("flows/one.yaml", ONE)
    studio.write("handlers/parcel.py", "def pack(job, ctx):\n    return 'packed'\n")
    studio.write("handlers/one.py", "from handlers import parcel\n\ndo = parcel.pack\n")
    git("add", "flows", "handlers")
    git("commit", "--message=Other")
    studio.wait_for_version("one")
    dev.hears("one ")

    git("checkout", "main")
    dev.hears("one ")
    assert studio.result("shop", {"n": 1}) == {"shipped": 1}
    git("checkout", "other")
    dev.hears("one ")
    assert [studio.result("shop"), studio.result("one")] == ["packed", "packed"]
    assert studio.in_force("shop") == studio.version("shop")
    assert says_no_error(dev)


def test_a_flow_in_a_new_folder_with_handlers_in_another(studio, dev):
    studio.write("handlers/deep/er/one.py", "def do(job, ctx):\n    return 1\n")
    studio.write("flows/deep/er/one.yaml", ONE.replace("handlers.one", "handlers.deep.er.one"))
    dev.hears("one ")
    assert studio.result("one") == 1

    studio.edit("handlers/deep/er/one.py", "return 1", "return 2")
    dev.hears("loaded handlers.deep.er.one anew: new code for one.do")
    assert studio.result("one") == 2
    assert says_no_error(dev)


def test_a_flow_whose_file_gets_another_name_is_the_same_flow(studio, dev):
    before = studio.in_force("shop")
    (studio.root / "flows/shop.yaml").rename(studio.root / "flows/store.yml")
    studio.edit("flows/store.yml", "role: entry", "role: entry, priority: 1")

    [*rest, line] = dev.hears("shop ")
    assert line == f"shop {before[:8]} → {studio.version('shop')[:8]}: take altered"
    assert not any("gone" in line or "new" in line for line in rest)


def test_a_flow_that_is_a_link_to_a_file_elsewhere(studio, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    shared = elsewhere / "one.yaml"
    shared.write_text(ONE)
    studio.write("handlers/one.py", "def do(job, ctx):\n    return 1\n")
    (studio.root / "flows/one.yaml").symlink_to(shared)
    studio.dev()
    for save, priority in ((in_place, 1), (by_a_temporary_file, 2), (deleted_and_made_again, 3)):
        save(shared, ONE.replace("role: entry", f"role: entry, priority: {priority}"))
        studio.wait_for_version("one")
    assert studio.result("one") == 1


def test_handlers_in_a_folder_that_is_a_link(studio, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "code"
    shutil.move(studio.root / "handlers", elsewhere)
    (studio.root / "handlers").symlink_to(elsewhere)
    dev = studio.dev()
    by_a_temporary_file(elsewhere / "shop.py", HANDLERS.replace("shipped", "sent"))
    dev.hears("loaded handlers.shop anew")

    assert studio.result("shop", {"n": 1}) == {"sent": 1}


@pytest.mark.parametrize("folder", ["flows", "handlers"])
def test_a_folder_may_be_moved_away_and_back(studio, dev, folder):
    path, away = studio.root / folder, studio.root / "away"
    path.rename(away)
    dev.hears("not in force")
    assert studio.result("shop", {"n": 1}) == {"shipped": 1}
    away.rename(path)
    dev.hears("mended: ")
    studio.write("handlers/shop.py", HANDLERS.replace("shipped", "sent"))
    dev.hears("loaded handlers.shop anew")
    studio.write("flows/shop.yaml", FLOW + PACK)
    studio.wait_for_version("shop")

    assert studio.result("shop", {"n": 1}) == {"pack": {"sent": 1}, "ship": {"sent": 1}}


def test_a_deleted_flow_starts_no_more_runs_and_comes_back_with_its_file(studio, dev):
    studio.write("handlers/one.py", "def do(job, ctx):\n    return 1\n")
    path = studio.write("flows/one.yaml", ONE)
    dev.hears("one ")
    path.unlink()
    assert dev.hears("one ")[-1].endswith(" is gone")
    assert studio.run("run", "one").returncode == 2

    studio.write("flows/one.yaml", ONE)
    dev.hears("one ")
    assert studio.result("one") == 1
