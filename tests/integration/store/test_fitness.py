"""The boot check: a server that would lose work is refused in one sentence."""

from __future__ import annotations

import socket
import tempfile
import threading
from contextlib import contextmanager
from functools import partial

import pytest

from engine.errors import StoreUnavailable, StoreUnfit
from engine.store import fitness
from engine.store.connection import Store


def configure(store, name, value):
    with store.talking() as client:
        client.config_set(name, value)


def test_a_server_that_is_fit_passes_without_a_word_and_is_marked(store):
    assert fitness.check(store) == []
    assert fitness.check(store) == []
    with store.talking() as client:
        assert client.get(store.keys.format) == b"2"


@pytest.mark.parametrize("policy", ["allkeys-lru", "volatile-ttl", "allkeys-random"])
def test_a_server_that_may_evict_keys_is_refused(own_store, policy):
    configure(own_store, "maxmemory-policy", policy)
    with pytest.raises(StoreUnfit, match=rf"may evict keys \(`maxmemory-policy {policy}`\), .*noeviction"):
        fitness.check(own_store)


def test_a_replica_is_refused(own_store):
    with own_store.talking() as client:
        client.replicaof("localhost", 1)
    try:
        with pytest.raises(StoreUnfit, match="is a replica and cannot be written to: name its primary"):
            fitness.check(own_store)
    finally:
        with own_store.talking() as client:
            client.replicaof("NO", "ONE")


def test_an_older_format_is_taken_over(store):
    with store.talking() as client:
        client.set(store.keys.format, "1")
    assert fitness.check(store) == []
    with store.talking() as client:
        assert client.get(store.keys.format) == b"2"


@pytest.mark.parametrize("found", ["3", "10", "new", "-1", ""])
def test_a_newer_format_is_refused(store, found):
    with store.talking() as client:
        client.set(store.keys.format, found)
    with pytest.raises(
        StoreUnfit, match=f"under `{store.keys.prefix}` at here have format {found}, .* knows 2"
    ):
        fitness.check(store)


def test_a_server_without_an_append_only_file_is_warned_of(own_store):
    configure(own_store, "appendonly", "no")
    (warning,) = fitness.check(own_store)
    assert warning == (
        "Redis at here keeps no append-only file: a restart may lose runs (set `appendonly yes`)"
    )


@pytest.mark.parametrize(
    ("info", "sentence"),
    [
        ({"redis_version": "6.2.14"}, "Redis 6.2.14 at here is too old: 7.0 or newer is needed"),
        ({"redis_version": "2.8"}, "Redis 2.8 at here is too old: 7.0 or newer is needed"),
        ({"redis_version": ""}, "Redis  at here is too old: 7.0 or newer is needed"),
        (
            {"redis_version": "7.2.4", "valkey_version": "7.1.0"},
            "Valkey 7.1.0 at here is too old: 7.2 or newer is needed",
        ),
    ],
)
def test_a_server_that_is_too_old_is_refused(store, info, sentence):
    with pytest.raises(StoreUnfit) as caught:
        fitness._check_version(store, info)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "info",
    [
        {"redis_version": "7.0.0"},
        {"redis_version": "7.0.15"},
        {"redis_version": "10.0"},
        {"redis_version": "8.0-rc1"},
        {"redis_version": "7.2.4", "valkey_version": "7.2.0"},
        {"redis_version": "7.2.4", "valkey_version": "9.1.2"},
    ],
)
def test_a_server_that_is_new_enough_passes(store, info):
    fitness._check_version(store, info)


@contextmanager
def listening(answer):
    """A program that is no Redis: accepts, hands out each connection to a list, and answers if it has one."""
    taken: list[socket.socket] = []

    def accept():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            taken.append(connection)
            if answer:
                connection.sendall(answer)

    with (
        tempfile.TemporaryDirectory(prefix="flowengine-fit-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
    ):
        listener.bind(f"{folder}/s")
        listener.listen()
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"unix://{folder}/s", taken
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
            for connection in taken:
                connection.close()


def test_a_server_that_is_silent_is_asked_once_and_the_sentence_says_what_to_do(prefix, monkeypatch):
    with listening(b"") as (url, taken):
        store = Store(url, address="there", prefix=prefix, events_max_len=10)
        monkeypatch.setattr(store, "channel", partial(store.channel, timeout_s=0.1))
        with pytest.raises(StoreUnavailable) as caught:
            fitness.check(store)
        store.close()
        assert len(taken) == 1
    assert str(caught.value) == (
        "Redis at there cannot be reached: no answer in time; start it, or name another one with --redis-url"
    )


def test_a_program_that_is_no_redis_is_called_so(prefix):
    with listening(b"HTTP/1.1 400 Bad Request\r\n\r\n") as (url, _):
        store = Store(url, address="there", prefix=prefix, events_max_len=10)
        with pytest.raises(StoreUnfit, match="what answers at there does not speak as a Redis does"):
            fitness.check(store)
        store.close()
