"""The way to the server: lost scripts, closed connections, and the sentences for both."""

from __future__ import annotations

import pytest

from engine.errors import StoreError, StoreUnavailable, StoreUnfit
from engine.store import queue
from engine.store.connection import ScriptsUnknown, Store
from engine.store.queue import Room
from tests.support.books import contents
from tests.support.store import CHAIN, LEASE_MS, Driver, deployed, logged


@pytest.fixture
def driver(own_store):
    return Driver(own_store, deployed(own_store, CHAIN))


@pytest.fixture
def channel(own_store):
    """A channel to a server that knows the scripts."""
    channel = own_store.channel()
    for script in own_store.scripts.values():
        channel.command("SCRIPT", "LOAD", script.text)
    yield channel
    channel.close()


def fetch_call(driver, seq):
    return queue.fetch(driver.name, seq=seq, room=Room(1, 0, 1), lease_ms=LEASE_MS, ttl_ms=LEASE_MS)


def kill_others(store):
    """Close every connection except the one that asks."""
    with store.talking() as client:
        client.client_kill_filter(skipme=True)


def test_a_server_that_lost_the_scripts_is_told_them_again(own_store, driver):
    driver.start(run_id="r")
    with own_store.talking() as client:
        client.script_flush()
    job = driver.fetch_one()
    with own_store.talking() as client:
        client.script_flush()

    assert driver.commit(job).word == "OK"


def test_a_channel_tells_a_lost_server_the_scripts_again(own_store, driver, channel):
    driver.start()
    with own_store.talking() as client:
        client.script_flush()
    name, args = fetch_call(driver, 1)
    assert channel.call(name, *args)[0] == b"OK"


def test_calls_in_a_pipeline_to_a_server_that_lost_the_scripts_have_not_run(own_store, driver, channel):
    driver.start(run_id="r")
    job = driver.fetch_one()
    driver.start(run_id="r2")
    other = Driver(own_store, driver.plan, name="v").fetch_one()
    with own_store.talking() as client:
        client.script_flush()
    was = contents(own_store)
    calls = [driver.commit_call(job), driver.commit_call(other)]
    channel.send(calls)
    with pytest.raises(ScriptsUnknown):
        channel.receive()
    assert contents(own_store) == was

    channel.send(calls)
    assert [channel.receive() for _ in calls] == [[b"OK"], [b"OK"]]


def test_a_channel_that_was_closed_says_so_and_opens_again(own_store, driver, channel):
    driver.start(run_id="r")
    name, args = fetch_call(driver, 1)
    channel.call(name, *args)
    kill_others(own_store)
    with pytest.raises(StoreUnavailable, match="Redis at here cannot be reached"):
        channel.call(name, *args)

    again = channel.call(name, *args)
    assert again[2][0] == b"r/a#1"


def test_a_channel_sends_nothing_twice_by_itself(own_store, driver, channel):
    """A lost connection is the caller's to think about: only it knows what a second call means."""
    name, args = fetch_call(driver, 1)
    channel.call(name, *args)
    kill_others(own_store)
    with own_store.talking() as client:
        client.config_resetstat()
    with pytest.raises(StoreUnavailable):
        channel.call(name, *args)
    with own_store.talking() as client:
        assert "cmdstat_evalsha" not in client.info("commandstats")


#: More than a pool of the driver has connections by default.
OFTEN = 150


def test_a_channel_connects_again_however_often_it_was_lost(own_store, channel):
    for _ in range(OFTEN):
        kill_others(own_store)
        with pytest.raises(StoreUnavailable):
            channel.command("PING")
        assert channel.command("PING") == b"PONG"


def test_a_channel_tries_to_connect_however_often_nobody_answered():
    channel = Store("redis://127.0.0.1:1/0", address="nowhere", prefix="x", events_max_len=1).channel()
    for _ in range(OFTEN):
        with pytest.raises(StoreUnavailable, match="refused"):
            channel.command("PING")


def test_a_worker_may_have_many_threads_that_ask_at_once(own_store):
    with own_store.talking() as client:
        pool = client.connection_pool
        connections = [pool.get_connection() for _ in range(OFTEN)]
        assert client.ping()
    for connection in connections:
        pool.release(connection)


def test_what_a_lost_channel_still_had_to_answer_is_lost(own_store, driver, channel):
    driver.start()
    channel.send([fetch_call(driver, 1)])
    channel.receive()
    channel.close()
    with pytest.raises(StoreUnavailable):
        channel.receive()


def test_before_a_lost_channel_connects_again_its_owner_is_asked(own_store, own_url, prefix):
    asked = []
    store = Store(own_url, address="here", prefix=prefix, events_max_len=10, on_lost=lambda: asked.append(1))
    channel = store.channel()
    try:
        assert channel.command("PING") == b"PONG"
        assert asked == []
        kill_others(own_store)
        with pytest.raises(StoreUnavailable):
            channel.command("PING")
        assert asked == []
        assert channel.command("PING") == b"PONG"
        assert asked == [1]
    finally:
        channel.close()
        store.close()


def test_the_pool_goes_on_by_itself_after_its_connections_were_closed(own_url, open_store, driver):
    other = open_store(own_url)
    for k in range(5):
        kill_others(other)
        driver.start(run_id=f"r{k}")
    assert len(driver.fetch(room=9)) == 5


def test_one_refused_call_of_a_pipeline_holds_up_no_other(own_store, driver, channel):
    driver.start(run_id="r")
    job = driver.fetch_one()
    channel.send([("report", ["r"]), driver.commit_call(job, events=logged("x"))])
    refused, answer = channel.receive(), channel.receive()

    assert isinstance(refused, StoreError)
    assert not isinstance(refused, StoreUnavailable)
    assert answer == [b"OK"]


def test_nobody_listens(prefix, tmp_path):
    store = Store(f"unix://{tmp_path}/no", address="there", prefix=prefix, events_max_len=10)
    channel = store.channel()
    for ask in (lambda: store.call("promote", 1), lambda: channel.call("promote", 1)):
        with pytest.raises(StoreUnavailable, match="Redis at there cannot be reached: "):
            ask()
    channel.close()
    store.close()


def test_what_is_no_address_is_said_at_once(prefix):
    with pytest.raises(StoreUnfit, match="`x` is no address of a Redis"):
        Store("http://x", address="x", prefix=prefix, events_max_len=10)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("redis://127.0.0.1:1/0", "connection refused"),
        ("redis://no-such-host.invalid/0", "unknown host"),
        ("unix:///nowhere/s", "there is no such file"),
    ],
)
def test_why_it_cannot_be_reached_is_said_in_plain_words_and_once(prefix, url, why):
    store = Store(url, address="there", prefix=prefix, events_max_len=10)
    channel = store.channel()
    for ask in (lambda: store.call("promote", 1), lambda: channel.call("promote", 1)):
        with pytest.raises(StoreUnavailable) as caught:
            ask()
        assert str(caught.value) == f"Redis at there cannot be reached: {why}"
    channel.close()
    store.close()


def test_a_connection_that_is_lost_in_between_is_called_closed(own_store, channel):
    kill_others(own_store)
    with pytest.raises(StoreUnavailable, match=r"cannot be reached: the connection was closed$"):
        channel.command("PING")


def test_a_database_that_the_server_does_not_have_is_said(own_url, prefix):
    store = Store(f"{own_url}?db=999", address="here", prefix=prefix, events_max_len=10)
    with pytest.raises(StoreUnfit, match="Redis at here has no database of this number"):
        store.call("promote", 1)
    store.close()


def test_a_user_who_may_not_is_told_so(own_store, own_url, prefix):
    with own_store.talking() as client:
        client.acl_setuser("guest", enabled=True, passwords=["+pw"], commands=["+ping"])
    store = Store(
        own_url.replace("unix://", "unix://guest:pw@"), address="here", prefix=prefix, events_max_len=10
    )
    with pytest.raises(StoreUnfit, match="Redis at here refuses this user"), store.talking() as client:
        client.get("x")
    store.close()
    wrong = Store(
        own_url.replace("unix://", "unix://guest:no@"), address="here", prefix=prefix, events_max_len=10
    )
    with (
        pytest.raises(StoreUnfit, match=r"refuses this user: wrong user name or password$"),
        wrong.talking() as client,
    ):
        client.ping()
    wrong.close()


def test_a_replica_serves_no_writes_at_the_moment(own_store, driver):
    with own_store.talking() as client:
        client.replicaof("localhost", 1)
    try:
        with pytest.raises(StoreUnavailable, match="cannot serve writes at the moment"):
            driver.start()
    finally:
        with own_store.talking() as client:
            client.replicaof("NO", "ONE")
