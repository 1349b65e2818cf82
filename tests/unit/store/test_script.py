"""How the text of a script is made."""

from __future__ import annotations

import hashlib

import pytest

from engine.store.keys import LUA_NAMES, Keys
from engine.store.script import NAMES, assemble, source


def made(name, prefix="nq", events_max_len=100):
    return assemble(name, Keys(prefix), events_max_len=events_max_len)


@pytest.mark.parametrize("name", NAMES)
def test_a_script_is_named_by_the_hash_of_its_text(name):
    script = made(name)
    assert script.name == name
    assert script.sha == hashlib.sha1(script.text.encode(), usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_its_text_is_the_same_whatever_the_prefix(name):
    """Else a server that several projects share would hold the scripts of each."""
    assert made(name, "nq") == made(name, "another")


@pytest.mark.parametrize("name", NAMES)
def test_the_flag_stays_first_and_comments_stay_at_home(name):
    text = made(name).text
    assert text.startswith("#!lua flags=allow-oom\n") == (name not in ("start", "stage"))
    assert "\n--" not in text
    assert "\n\n" not in text


def test_only_the_keys_that_it_uses_are_named():
    text = made("renew").text
    assert "local RUN = KEYS[1] .. ':run:'\n" in text
    assert "ONCE" not in text
    assert all(f"local {name} =" in made("sweep").text for name in ("LOG", "RUN", "JOB", "QUEUE", "SWEEP"))


def test_constants_are_in_the_text():
    assert "local EVENTS_MAX_LEN = 7\n" in made("start", events_max_len=7).text


def test_names_in_lua_are_found_as_whole_words():
    assert Keys("nq").lua_names("local RUNNER = 1") == ""
    assert Keys("nq").lua_names("RUN .. run") == "local RUN = KEYS[1] .. ':run:'\n"


def test_no_two_kinds_of_key_can_meet():
    """A name that begins like another one would let one kind of key be taken for the other."""
    open_ended = [end for end in LUA_NAMES.values() if end.endswith(":")]
    assert len(set(LUA_NAMES.values())) == len(LUA_NAMES)
    assert all(not a.startswith(b) for a in open_ended for b in open_ended if a != b)


def test_keys_in_python_are_those_in_lua():
    keys = Keys("nq")
    assert keys.log("x") == "nq:" + LUA_NAMES["LOG"] + "x"
    assert keys.run("x") == "nq:" + LUA_NAMES["RUN"] + "x"
    assert keys.state("x") == "nq:" + LUA_NAMES["STATE"] + "x"
    assert keys.flow_index("x") == "nq:" + LUA_NAMES["FLOWS"] + "x"
    assert keys.status_index("x") == "nq:" + LUA_NAMES["RUNS"] + "x"
    assert keys.plan("x") == "nq:" + LUA_NAMES["PLAN"] + "x"
    assert keys.worker("x") == "nq:" + LUA_NAMES["WORKER"] + "x"
    assert keys.worker_queues("x") == tuple(
        f"{keys.worker('x')}:queues:{kind}" for kind in ("threads", "loop")
    )
    assert keys.queue_wake("x") == "nq:" + LUA_NAMES["QUEUE"] + "x:wake"
    assert (keys.events, keys.workers, keys.queues) == tuple(
        f"nq:{LUA_NAMES[name]}" for name in ("EVENTS", "WORKERS", "QUEUES")
    )


def test_a_file_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        source("nothing")
