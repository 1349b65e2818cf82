"""What `flowengine dev` makes of a save: the next run has it, or all stays as it was and it is told why."""

from __future__ import annotations

import re

import pytest

from tests.acceptance.command import FLOW, HANDLERS

#: Another flow, whose handlers stand in a module of their own.
MAIL = """\
flow: mail
steps:
  send: {role: entry, handler: handlers.mail:send}
"""
SEND = "COUNT = []\n\n\ndef send(job, ctx):\n    COUNT.append(1)\n    return len(COUNT)\n"

#: A module that notes each time that it is run.
MARKED = "import pathlib\n\nwith pathlib.Path('marks').open('a') as marks:\n    marks.write(__name__ + ' ')\n"


@pytest.fixture
def dev(studio):
    studio.write("flows/mail.yaml", MAIL)
    studio.write("handlers/mail.py", MARKED + SEND)
    return studio.dev()


def errors(lines):
    """The codes of the errors among lines."""
    return [match[1] for line in lines if (match := re.match(r"error\[(\w+)\]", line))]


def rejection(dev):
    """Wait for a refusal to be told, as far as the first place; the codes of its errors up to there."""
    return dev.hears("not in force")[:-1] + dev.hears("-->")


def test_a_saved_flow(studio, dev):
    before = studio.version("shop")
    studio.edit(
        "flows/shop.yaml", "steps:", "steps:\n  bill: {subscribes: order.taken, handler: handlers.shop:ship}"
    )
    after = studio.wait_for_version("shop")

    [line] = dev.hears("shop ")
    assert line == f"shop {before[:8]} → {after[:8]}: bill added"
    assert studio.result("shop", {"n": 1}) == {"bill": {"shipped": 1}, "ship": {"shipped": 1}}


def test_a_saved_handler(studio, dev):
    studio.edit("handlers/shop.py", '"shipped"', '"sent"')

    [line] = dev.hears("loaded")
    assert line == "loaded handlers.shop anew: new code for shop.ship, shop.take"
    assert studio.result("shop", {"n": 1}) == {"sent": 1}


def test_a_saved_module_that_handlers_import_and_no_other(studio, dev):
    studio.write("handlers/prices.py", MARKED + "VAT = 19\n")
    studio.write(
        "handlers/shop.py",
        MARKED + HANDLERS.replace('job.data["n"]', "prices.VAT") + "\nfrom handlers import prices\n",
    )
    dev.hears("loaded")
    assert [studio.result("shop"), studio.result("mail")] == [{"shipped": 19}, 1]

    studio.edit("handlers/prices.py", "19", "20")

    [line] = dev.hears("loaded")
    assert line == "loaded handlers.prices, handlers.shop anew: new code for shop.ship, shop.take"
    assert [studio.result("shop"), studio.result("mail")] == [{"shipped": 20}, 2]
    marks = (studio.root / "marks").read_text().split()
    assert sorted(marks) == ["handlers.mail", *["handlers.prices"] * 2, *["handlers.shop"] * 2]


def test_a_saved_flow_and_its_handlers_in_whatever_order(studio, dev):
    studio.edit("flows/shop.yaml", "handlers.shop:ship", "handlers.parcel:pack")
    assert errors(rejection(dev)) == ["FE202"]
    studio.write("handlers/parcel.py", "def pack(job, ctx):\n    return 'packed'\n")
    assert dev.hears("shop ")[-1].startswith("mended: shop ")
    assert studio.result("shop") == "packed"


def test_what_says_the_same_is_no_news(studio, dev):
    studio.write("flows/shop.yaml", "# as agreed\n" + FLOW)
    studio.write("handlers/shop.py", HANDLERS)
    (studio.root / "flows/mail.yaml").touch()
    studio.edit("handlers/mail.py", "COUNT.append(1)", "COUNT.append(2)")

    heard = dev.hears("loaded")
    assert heard[-1] == "loaded handlers.mail anew: new code for mail.send"
    assert all("nothing differs" in line for line in heard[:-1])
    assert studio.in_force("shop") == studio.version("shop")


#: A save that is not right, and what it is refused with.
BROKEN = {
    "YAML that ends too soon": ("flows/shop.yaml", FLOW + "  pack: {subscribes: [", "FE011"),
    "an event that nobody emits": ("flows/shop.yaml", FLOW.replace("order.taken]", "order.done]"), "FE403"),
    "an unknown key": ("flows/shop.yaml", FLOW.replace("role:", "roll: x, role:"), "FE101"),
    "a flow of another's name": ("flows/mail.yaml", MAIL.replace("flow: mail", "flow: shop"), "FE410"),
    "a handler that is not there": ("flows/shop.yaml", FLOW.replace(":ship", ":shop"), "FE204"),
    "a handler that is gone": ("handlers/shop.py", HANDLERS.replace("def ship", "def sheep"), "FE204"),
    "a module with a mistake in it": ("handlers/shop.py", HANDLERS + "def\n", "FE203"),
    "a module that raises": ("handlers/shop.py", HANDLERS + "\nraise ValueError('no stock')\n", "FE208"),
    "a module that exits": ("handlers/shop.py", HANDLERS + "\nraise SystemExit(3)\n", "FE208"),
    "a module that imports nothing that is there": ("handlers/shop.py", "import stock\n" + HANDLERS, "FE208"),
    "an empty file": ("flows/shop.yaml", "", "FE022"),
    "no text": ("flows/shop.yaml", "\0\1\2", "FE003"),
}


@pytest.mark.parametrize("save", BROKEN)
def test_a_broken_save_is_told_and_all_is_served_as_before_until_it_is_mended(studio, dev, save):
    name, text, code = BROKEN[save]
    before, good = studio.version("shop"), (studio.root / name).read_text()
    studio.write(name, text)

    assert code in errors(rejection(dev))
    assert studio.in_force("shop") == before
    assert [studio.result("shop", {"n": 2}), studio.result("mail")] == [{"shipped": 2}, 1]

    studio.write(name, good)
    [*_, line] = dev.hears("mended: ")
    assert "nothing differs" in line
    assert [studio.result("shop", {"n": 3}), studio.result("mail")] == [{"shipped": 3}, 2]


def test_a_broken_module_that_is_imported_only_in_a_function_is_told_and_the_last_one_served(studio, dev):
    studio.write("handlers/prices.py", "VAT = 19\n")
    lazily = "    from handlers import prices\n\n    return prices.VAT\n"
    studio.edit("handlers/shop.py", '    return {"shipped": job.data["n"]}\n', lazily)
    dev.hears("loaded")
    assert studio.result("shop") == 19

    studio.write("handlers/prices.py", "VAT = (\n")
    assert errors(rejection(dev)) == ["FE208"]
    assert studio.result("shop") == 19
    studio.write("handlers/prices.py", "VAT = 20\n")
    dev.hears("mended: ")
    assert studio.result("shop") == 20


def test_of_two_broken_saves_the_second_tells_only_what_is_new(studio, dev):
    studio.edit("flows/shop.yaml", "subscribes: order.taken", "subscribes: order.token")
    assert errors(rejection(dev)) == ["FE403"]
    studio.edit("flows/mail.yaml", "handlers.mail:send", "handlers.mail:post")
    assert errors(rejection(dev)) == ["FE204"]
    assert dev.hears("2 errors in 2 files")[-1].endswith("(1 of them new)")

    studio.edit("flows/mail.yaml", "handlers.mail:post", "handlers.mail:send")
    told = dev.hears("not in force: 1 error in 1 file")
    assert errors(told) == []
    studio.edit("flows/shop.yaml", "subscribes: order.token", "subscribes: order.taken")
    assert errors(dev.hears("mended: ")) == []


def test_what_a_broken_file_holds_up_comes_into_force_with_its_mending(studio, dev):
    studio.edit("flows/shop.yaml", "subscribes: order.taken", "subscribes: order.token")
    rejection(dev)
    before = studio.in_force("mail")
    studio.edit("flows/mail.yaml", "role: entry", "role: entry, priority: 1")
    studio.edit("flows/shop.yaml", "subscribes: order.token", "subscribes: order.taken")

    dev.hears("mended: mail ")
    assert studio.in_force("mail") == studio.version("mail") != before


def test_a_module_that_takes_long_to_import_is_waited_for_and_that_is_told(studio, dev):
    gate = studio.root / "loaded"
    wait = f"\nimport pathlib, time\nwhile not pathlib.Path({str(gate)!r}).exists():\n    time.sleep(0.01)\n"
    studio.write("handlers/shop.py", HANDLERS.replace("shipped", "sent") + wait)
    dev.hears("still loading what was saved")
    assert studio.result("shop", {"n": 2}) == {"shipped": 2}

    gate.touch()
    dev.hears("loaded handlers.shop anew")
    assert studio.result("shop", {"n": 2}) == {"sent": 2}
