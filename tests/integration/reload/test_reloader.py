"""From what files say to what is in force: all or nothing, told once, in the store and in the process."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.compile.build import Builder, Built
from engine.control.deploy import plan_in_force
from engine.reload.outcome import Delayed, Outcome, Rejected, SettingsChanged, Updated
from engine.reload.reloader import Reloader
from engine.store.connection import Store
from tests.support.proxy import Proxy
from tests.support.wait import wait_until

from .conftest import Code

FLOW = "flow: order\nsteps:\n  take: {role: entry, handler: handlers.order:take, emits: [taken]}\n"
PACK = "  pack: {subscribes: taken, handler: handlers.order:pack}\n"
MAIL = "flow: mail\nsteps:\n  send: {role: entry, handler: handlers.order:pack}\n"
HANDLERS = "def take(job, ctx):\n    return 1\n\n\ndef pack(job, ctx):\n    return 1\n"


class Desk:
    """A reloader over a project, and what it puts in force."""

    def __init__(self, code: Code, store: Store) -> None:
        self.code = code
        self.swaps: list[dict[str, str]] = []
        self.handlers: Mapping[str, Any] = {}
        code.write("flows/order.yaml", FLOW + PACK)
        code.write("handlers/order.py", HANDLERS)
        self.build = Builder([code.root / "flows"], root=code.root, link_handler=code.modules.link_new).build
        self._meanwhile: list[tuple[Path, str, str]] = []
        self.reloader = Reloader(
            store,
            files=code.files,
            modules=code.modules,
            build=self._build,
            swap=self._swap,
            by="w1",
            start_mode="serve",
        )

    def _build(self) -> Built:
        for path, meanwhile, _ in self._meanwhile:
            path.write_text(meanwhile)
        built = self.build()
        for path, _, after in self._meanwhile:
            path.write_text(after)
            os.utime(path, (path.stat().st_atime + 1, path.stat().st_mtime + 1))
        self._meanwhile = []
        return built

    def while_building(self, name: str, text: str) -> None:
        """Let a file say something else while it is built the next time, and after that what it says now."""
        path = self.code.root / name
        self._meanwhile.append((path, text, path.read_text()))

    def _swap(self, plans: Any, handlers: Mapping[str, Any]) -> None:
        self.swaps.append({plan.flow: plan.version for plan in plans})
        self.handlers = handlers

    def look(self) -> Outcome | None:
        """Look as after a hint."""
        return self.reloader.look(is_hint=True)

    def wait(self) -> Outcome:
        """Look as time goes by, until there is something to tell."""
        outcome = wait_until(lambda: self.reloader.look(is_hint=False))
        assert outcome is not None
        return outcome

    def updated(self) -> Updated:
        outcome = self.look()
        assert isinstance(outcome, Updated)
        return outcome

    def rejected(self) -> Rejected:
        assert self.look() is None
        outcome = self.wait()
        assert isinstance(outcome, Rejected)
        return outcome


@pytest.fixture
def desk(code: Code, store: Store) -> Desk:
    return Desk(code, store)


@pytest.fixture
def served(desk: Desk) -> Desk:
    """With the first versions in force."""
    desk.updated()
    return desk


def kinds(store: Store) -> list[str]:
    with store.talking() as client:
        return [fields[b"type"].decode() for _, fields in client.xrange(store.keys.registry)]


def test_the_first_look_brings_everything_into_force(desk: Desk, store: Store) -> None:
    outcome = desk.updated()

    [plan] = outcome.built.plans
    assert [change.flow for change in outcome.changes.added] == ["order"]
    assert desk.swaps == [{"order": plan.version}]
    assert plan_in_force(store, "order") == plan
    assert kinds(store) == ["registry.updated"]


def test_nothing_is_done_where_nothing_has_changed(served: Desk, code: Code) -> None:
    (code.root / "flows/order.yaml").touch()
    (code.root / "handlers/order.py").touch()

    assert served.look() is None
    assert len(served.swaps) == 1


def test_a_saved_flow_is_in_force(served: Desk, code: Code, store: Store) -> None:
    code.write(
        "flows/order.yaml", FLOW + PACK + "  mail: {subscribes: taken, handler: handlers.order:pack}\n"
    )

    outcome = served.updated()

    [change] = outcome.changes.altered
    assert (change.added, change.removed, change.altered) == (("mail",), (), ())
    assert outcome.modules == ()
    assert plan_in_force(store, "order").version == change.after
    assert served.swaps[-1] == {"order": change.after}


def test_a_saved_handler_is_in_force_under_the_same_version(served: Desk, code: Code, store: Store) -> None:
    code.write("handlers/order.py", HANDLERS.replace("return 1", "return 2"))

    outcome = served.updated()

    assert outcome.changes.is_empty
    assert outcome.modules == ("handlers.order",)
    assert served.handlers["handlers.order:pack"](None, None) == 2
    assert served.swaps[0] == served.swaps[1]
    assert kinds(store) == ["registry.updated", "registry.updated"]


def test_a_comment_changes_nothing_that_is_served(served: Desk, code: Code, store: Store) -> None:
    code.write("flows/order.yaml", "# as agreed\n" + FLOW + PACK)

    outcome = served.updated()

    assert outcome.changes.is_empty
    assert outcome.modules == ()
    assert kinds(store) == ["registry.updated"]


def test_an_undone_edit_is_in_force_again(served: Desk, code: Code, store: Store) -> None:
    first = plan_in_force(store, "order").version
    code.write("flows/order.yaml", FLOW)
    served.updated()
    assert plan_in_force(store, "order").version != first

    code.write("flows/order.yaml", FLOW + PACK)
    served.updated()

    assert plan_in_force(store, "order").version == first


def test_the_start_leaves_a_later_version_in_force_where_others_have_put_it(
    desk: Desk, code: Code, store: Store
) -> None:
    other = Desk(code, store)
    other.updated()
    first = plan_in_force(store, "order").version
    code.write("flows/order.yaml", FLOW)
    other.updated()
    later = plan_in_force(store, "order").version

    code.write("flows/order.yaml", FLOW + PACK)
    outcome = desk.updated()

    assert outcome.later == {"order": later}
    assert plan_in_force(store, "order").version == later
    assert desk.swaps == [{"order": first}]


def test_a_removed_flow_is_served_no_more(served: Desk, code: Code) -> None:
    code.write("flows/mail.yaml", MAIL)
    served.updated()

    (code.root / "flows/mail.yaml").unlink()
    assert served.look() is None
    outcome = served.wait()

    assert isinstance(outcome, Updated)
    assert [change.flow for change in outcome.changes.removed] == ["mail"]
    assert served.swaps[-1].keys() == {"order"}


def test_a_flow_that_is_gone_for_a_moment_is_only_altered(served: Desk, code: Code) -> None:
    code.write("flows/mail.yaml", MAIL)
    served.updated()
    (code.root / "flows/mail.yaml").unlink()
    assert served.look() is None

    code.write("flows/mail.yaml", MAIL.replace("send:", "post:"))

    assert [change.flow for change in served.updated().changes.altered] == ["mail"]


@pytest.mark.parametrize(
    ("save", "finding"),
    [
        (("flows/order.yaml", FLOW + "  pack: {subscribes: ["), "FE011"),
        (("flows/order.yaml", FLOW.replace("take,", "nothing,")), "FE204"),
        (("flows/order.yaml", FLOW + PACK.replace("taken", "token")), "FE403"),
        (("flows/order.yaml", ""), "FE022"),
        (("handlers/order.py", HANDLERS + "def"), "FE203"),
        (("handlers/order.py", HANDLERS + "raise ValueError('no')"), "FE208"),
        (("handlers/order.py", "import nothing_of_this_name\n" + HANDLERS), "FE208"),
    ],
)
def test_a_broken_save_changes_nothing_and_is_told(
    served: Desk, code: Code, store: Store, save: tuple[str, str], finding: str
) -> None:
    before, handler = plan_in_force(store, "order"), served.handlers["handlers.order:pack"]
    code.write(*save)

    outcome = served.rejected()

    assert finding in {found.code for found in outcome.fresh}
    assert len(served.swaps) == 1
    assert plan_in_force(store, "order") == before
    assert code.modules.link("handlers.order:pack") is handler
    assert kinds(store) == ["registry.updated", "registry.rejected"]


def test_a_broken_file_holds_up_the_others_until_it_is_mended(served: Desk, code: Code) -> None:
    code.write("flows/mail.yaml", "flow: mail\nsteps: {}\n")
    served.rejected()
    code.write("flows/order.yaml", FLOW)
    assert served.look() is None
    assert len(served.swaps) == 1

    code.write("flows/mail.yaml", MAIL)
    outcome = served.updated()

    assert outcome.is_mended
    assert [change.flow for change in outcome.changes.added] == ["mail"]
    assert [change.flow for change in outcome.changes.altered] == ["order"]


def test_what_turns_out_right_in_time_is_not_mentioned(served: Desk, code: Code, store: Store) -> None:
    code.write("flows/order.yaml", "")
    assert served.look() is None
    code.write("flows/order.yaml", FLOW)

    assert not served.updated().is_mended
    assert kinds(store) == ["registry.updated", "registry.updated"]


def test_what_was_wrong_for_a_moment_and_is_as_before_is_not_mentioned(served: Desk, code: Code) -> None:
    code.write("flows/order.yaml", "")
    code.write("handlers/order.py", "def")
    assert served.look() is None
    code.write("flows/order.yaml", FLOW + PACK)
    code.write("handlers/order.py", HANDLERS)

    assert served.look() is None
    assert served.reloader.look(is_hint=False) is None


def test_what_the_store_has_already_is_not_announced_again(served: Desk, code: Code, store: Store) -> None:
    again = Desk(code, store)

    assert [change.flow for change in again.updated().changes.added] == ["order"]

    assert kinds(store) == ["registry.updated"]


def test_only_what_is_new_is_told(served: Desk, code: Code) -> None:
    code.write("flows/order.yaml", FLOW + PACK.replace("taken", "token"))
    first = served.rejected()
    more = PACK.replace("pack:", "mail:", 1).replace("taken", "tekan")
    code.write("flows/order.yaml", "\n\n" + FLOW + PACK.replace("taken", "token") + more)
    second = served.rejected()

    assert [found.message for found in first.fresh if "token" in found.message]
    assert not [found.message for found in second.fresh if "token" in found.message]
    assert [found.message for found in second.fresh if "tekan" in found.message]


def test_errors_that_are_mended_are_counted_and_what_stands_is_kept(served: Desk, code: Code) -> None:
    wrong = PACK.replace("taken", "token") + PACK.replace("pack:", "mail:", 1).replace("taken", "tekan")
    code.write("flows/order.yaml", FLOW + wrong)
    served.rejected()
    code.write("flows/order.yaml", FLOW + PACK.replace("taken", "token"))

    outcome = served.rejected()

    assert outcome.mended
    assert not outcome.fresh
    assert served.reloader.standing is outcome.built


def test_an_undone_mistake_is_mended_without_a_swap_of_versions(served: Desk, code: Code) -> None:
    code.write("flows/order.yaml", FLOW + PACK.replace("taken", "token"))
    served.rejected()

    code.write("flows/order.yaml", FLOW + PACK)
    outcome = served.updated()

    assert outcome.is_mended
    assert outcome.changes.is_empty
    assert served.reloader.standing is None


def test_a_handler_that_was_missing_comes_in_a_module_of_its_own(served: Desk, code: Code) -> None:
    code.write("flows/order.yaml", FLOW + PACK.replace("handlers.order", "handlers.pack"))
    served.rejected()

    code.write("handlers/pack.py", HANDLERS)

    assert served.updated().is_mended


def test_a_module_that_failed_is_tried_again_when_it_is_saved_and_not_before(
    served: Desk, code: Code
) -> None:
    marks = code.root / "marks"
    broken = f"{HANDLERS}with open({str(marks)!r}, 'a') as f:\n    f.write('x')\nraise ValueError('no')"
    code.write("flows/order.yaml", FLOW + PACK.replace("handlers.order", "handlers.pack"))
    code.write("handlers/pack.py", broken)
    served.rejected()
    for _ in range(5):
        assert served.look() is None
    assert marks.read_text() == "x"

    code.write("handlers/pack.py", HANDLERS)

    assert served.updated().is_mended


def test_warnings_are_told_once_and_hinder_nothing(served: Desk, code: Code) -> None:
    code.write("flows/order.yaml", FLOW.replace("[taken]", "[taken, lost]") + PACK)
    assert [found.code for found in served.updated().warnings] == ["FE406"]

    code.write("flows/order.yaml", "\n" + FLOW.replace("[taken]", "[taken, lost]") + PACK)
    assert served.updated().warnings == ()


def test_a_project_that_is_broken_at_the_start_is_served_once_it_is_mended(desk: Desk, code: Code) -> None:
    code.write("flows/order.yaml", "flow: order\n")
    desk.rejected()
    assert desk.swaps == []

    code.write("flows/order.yaml", FLOW)

    assert [change.flow for change in desk.updated().changes.added] == ["order"]


def test_all_flows_may_go_and_come_back(served: Desk, code: Code) -> None:
    path = code.root / "flows/order.yaml"
    path.unlink()
    (code.root / "flows").rmdir()
    outcome = served.rejected()
    assert [found.code for found in outcome.fresh] == ["FE001"]

    code.write("flows/order.yaml", FLOW + PACK)

    assert served.updated().is_mended


def test_changed_settings_are_told_once(served: Desk, code: Code) -> None:
    code.write("flowengine.toml", "[worker]\nthreads = 2\n")

    assert served.look() == SettingsChanged()
    assert served.look() is None

    (code.root / "flowengine.toml").unlink()
    assert served.look() is None


def test_saved_files_are_found_without_a_hint(served: Desk, code: Code) -> None:
    code.write("flows/order.yaml", FLOW)

    assert isinstance(served.wait(), Updated)


def test_a_store_that_is_away_delays_the_swap_and_is_told_once(
    code: Code, proxy: Proxy, open_store: Callable[[str], Store]
) -> None:
    cut_off = Desk(code, open_store(proxy.url))
    cut_off.updated()
    proxy.refuse()
    code.write("flows/order.yaml", FLOW)
    code.write("handlers/order.py", HANDLERS.replace("return 1", "return 2"))
    assert isinstance(cut_off.look(), Delayed)
    assert cut_off.look() is None
    assert len(cut_off.swaps) == 1
    assert code.modules.link("handlers.order:pack")(None, None) == 1

    proxy.let_in()
    outcome = cut_off.wait()

    assert isinstance(outcome, Updated)
    assert len(cut_off.swaps) == 2
    assert cut_off.handlers["handlers.order:take"](None, None) == 2


@pytest.mark.parametrize("meanwhile", ["", MAIL.replace("send:", "post:")])
def test_a_flow_file_that_says_something_else_while_it_is_built_is_looked_at_again(
    served: Desk, code: Code, meanwhile: str
) -> None:
    code.write("flows/mail.yaml", MAIL)
    served.updated()
    code.write("flows/order.yaml", FLOW)
    served.while_building("flows/mail.yaml", meanwhile)

    served.look()
    served.look()

    assert served.reloader.standing is None
    assert served.swaps[-1] == {plan.flow: plan.version for plan in served.build().plans}


def test_a_module_that_is_half_there_while_it_is_imported_is_looked_at_again(
    served: Desk, code: Code
) -> None:
    code.write("handlers/pack.py", HANDLERS)
    code.write("flows/order.yaml", FLOW + PACK.replace("handlers.order", "handlers.pack"))
    served.while_building("handlers/pack.py", "def take(")

    assert served.look() is None

    assert not served.updated().is_mended


def test_an_edit_that_is_undone_before_the_store_took_all_of_it_leaves_in_force_what_the_files_say(
    served: Desk, code: Code, store: Store
) -> None:
    code.write("flows/mail.yaml", MAIL)
    served.updated()
    before = {flow: plan_in_force(store, flow).version for flow in ("mail", "order")}
    versions = store.keys.versions("order")
    with store.talking() as client:
        client.rename(versions, f"{versions}-aside")
        client.set(versions, "of a type that deploying cannot read")
    code.write("flows/mail.yaml", MAIL.replace("send:", "post:"))
    code.write("flows/order.yaml", FLOW)
    assert isinstance(served.look(), Delayed)
    assert plan_in_force(store, "mail").version != before["mail"]

    code.write("flows/mail.yaml", MAIL)
    code.write("flows/order.yaml", FLOW + PACK)
    with store.talking() as client:
        client.rename(f"{versions}-aside", versions)
    outcome = served.updated()

    assert outcome.is_late
    assert outcome.changes.is_empty
    assert {flow: plan_in_force(store, flow).version for flow in before} == before
