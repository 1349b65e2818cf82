from __future__ import annotations

import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from engine.draw.layout import layout_of
from engine.draw.svg import to_svg
from tests.support.drawing import census, order

SVG = "{http://www.w3.org/2000/svg}"

HOSTILE = '</text><script>alert("1")</script>&amp;\x00\x1b[31m\u202e'


def parsed(plan):
    return ElementTree.fromstring(to_svg(plan))


def texts(picture, name):
    return [one.text for one in picture.iter(f"{SVG}text") if one.get("class") == name]


def with_names(plan, name):
    """The plan with a text in every place that the picture shows or says."""
    steps = {
        name if step == "list" else step: replace(
            one,
            name=name if step == "list" else step,
            handler=name,
            queue=name,
            emits=tuple(name if event == "module.listed" else event for event in one.emits),
            subscribes=tuple(name if event == "module.listed" else event for event in one.subscribes),
        )
        for step, one in plan.steps.items()
    }
    subscribers = {name: ("analyse",), "module.analysed": ("report",)}
    return replace(plan, flow=name, entry=name, steps=steps, subscribers=subscribers)


def test_every_step_and_every_heard_event_is_written_once():
    picture = parsed(order())

    assert sorted(texts(picture, "name")) == sorted(order().steps)
    assert sorted(texts(picture, "event")) == sorted(order().subscribers)
    assert texts(picture, "badge") == ["all", "all"]


def test_the_picture_is_as_large_as_its_layout():
    picture, layout = parsed(order()), layout_of(order())

    assert (picture.get("width"), picture.get("height")) == (str(layout.width), str(layout.height))
    assert picture.get("viewBox", "").split()[2:] == [str(layout.width), str(layout.height)]


def test_entry_sinks_and_collects_have_their_marks():
    picture = parsed(census())
    marks = {
        group.findtext(f"{SVG}title", "").partition(":")[0]: [
            one.get("class") for one in group if one.tag in (f"{SVG}circle", f"{SVG}rect")
        ]
        for group in picture.iter(f"{SVG}g")
    }

    assert marks == {
        "list": ["box", "entry"],
        "analyse": ["box"],
        "report": ["box", "box", "pill", "sink"],
    }


def test_those_who_cannot_see_it_are_told_what_it_shows():
    picture = parsed(census())

    assert picture.get("role") == "img"
    assert picture.findtext(f"{SVG}title") == "Flow census"
    assert picture.findtext(f"{SVG}desc") == (
        "Begins with list. module.analysed from analyse to report. module.listed from list to analyse. "
        "Ends with report."
    )


def test_it_is_light_or_dark_as_the_screen_is():
    text = to_svg(order())
    light, _, dark = text.partition("@media (prefers-color-scheme: dark)")
    coloured = re.compile(r"\.flowengine \.(\w+)[^{]*\{[^}]*(?:fill|stroke): #")

    assert dark
    assert set(coloured.findall(light)) - {"event"} <= set(re.findall(r"\.flowengine \.(\w+)", dark))


def test_it_loads_nothing_and_runs_nothing():
    text = to_svg(order())

    assert re.findall(r"(?:href|src|url\(|@import|<script|\son\w+=)", text) == []
    assert re.findall(r"https?://[^\"]+", text) == ["http://www.w3.org/2000/svg"]


@pytest.mark.parametrize("plan", [with_names(census(), HOSTILE)])
def test_no_text_can_be_more_than_text(plan):
    text = to_svg(plan)
    picture = parsed(plan)

    assert "<script" not in text
    assert {one.tag.removeprefix(SVG) for one in picture.iter()} <= {
        "svg",
        "title",
        "desc",
        "style",
        "rect",
        "path",
        "text",
        "g",
        "circle",
    }
    shown = HOSTILE.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\u202e", "\ufffd")
    assert shown in texts(picture, "name")
    assert shown in texts(picture, "event")


def test_equal_plans_have_equal_pictures():
    assert to_svg(order()) == to_svg(order())
