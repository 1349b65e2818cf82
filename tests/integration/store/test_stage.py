"""`stage`: emissions that are too many for one settlement wait where nobody sees them."""

from __future__ import annotations

import pytest

from engine.errors import StoreFull
from tests.integration.store.fan import FAN, entry, items
from tests.support.books import audit, contents
from tests.support.store import Driver, deployed, forget_run, members


@pytest.fixture
def driver(store):
    return Driver(store, deployed(store, FAN))


def ttl_ms(store, job_id="r/list#1"):
    with store.talking() as client:
        return client.pttl(f"{store.keys.prefix}:stage:{job_id}")


def emits_of(driver):
    return [it for it in driver.log("r") if it.type == "emit"]


def test_nobody_sees_what_is_staged_before_the_settlement(store, driver):
    job = entry(driver)
    before = driver.log("r")
    driver.stage_all(job, items(250))

    assert driver.log("r") == before
    assert members(store, "queue:f.work:wait") == members(store, "unfolding") == []
    assert 0 < ttl_ms(store) <= 3_600_000
    audit(store)


def test_stage_records_each_emission_once(store, driver):
    job = entry(driver)
    call = driver.stage_call(job, items(100))
    assert driver.send(call) == ("OK", [100])
    was = contents(store)
    assert driver.send(call) == ("OK", [100])
    assert contents(store) == was

    assert driver.send(driver.stage_call(job, items(150)[50:], first=50)) == ("OK", [150])
    assert driver.send(driver.stage_call(job, items(60), first=0)) == ("OK", [150])
    assert driver.commit(job, staged=150).word == "OK"
    driver.unfold_all("r", "list#1")
    assert [it.data["payload"] for it in emits_of(driver)] == list(range(150))


def test_each_part_puts_off_the_end_of_all_that_is_staged(store, driver):
    job = entry(driver)
    driver.stage_all(job, items(10))
    with store.talking() as client:
        client.pexpire(f"{store.keys.prefix}:stage:r/list#1", 5_000)
    driver.send(driver.stage_call(job, items(20)[10:], first=10))

    assert ttl_ms(store) > 3_590_000


def test_a_part_that_is_missing_is_asked_for(store, driver):
    job = entry(driver)
    was = contents(store)
    assert driver.send(driver.stage_call(job, items(9), first=200)) == ("GAP", [0])
    assert contents(store) == was
    driver.send(driver.stage_call(job, items(10)))
    assert driver.send(driver.stage_call(job, items(9), first=11)) == ("GAP", [10])


def test_what_a_lost_attempt_has_staged_is_replaced(store, driver):
    first = entry(driver)
    driver.stage_all(first, [("item", "old")] * 300)
    driver.lose(first)
    second = driver.fetch_one()

    assert driver.send(driver.stage_call(first, items(1), first=300)).word == "FENCED"
    assert driver.commit(first, staged=300).word == "FENCED"
    assert driver.commit(second, staged=300) == ("UNSTAGED", [0])
    assert driver.send(driver.stage_call(second, items(1), first=300)) == ("GAP", [0])
    driver.stage_all(second, [("item", "new")] * 60)
    assert driver.commit(second, staged=60).word == "OK"
    driver.unfold_all("r", "list#1")
    assert [it.data["payload"] for it in emits_of(driver)] == ["new"] * 60
    assert {it.attempt for it in emits_of(driver)} == {2}


@pytest.mark.parametrize("emits", [0, 3])
def test_what_a_lost_attempt_has_staged_goes_with_a_settlement_that_needs_no_stage(store, driver, emits):
    first = entry(driver)
    driver.stage_all(first, items(60))
    driver.lose(first)
    driver.commit(driver.fetch_one(), emits=items(emits))

    assert ttl_ms(store) == -2
    assert len(emits_of(driver)) == emits


def test_a_stage_that_is_gone_is_asked_for_before_anything_is_written(store, driver):
    job = entry(driver)
    driver.stage_all(job, items(60))
    with store.talking() as client:
        client.delete(f"{store.keys.prefix}:stage:r/list#1")
    was = contents(store)

    assert driver.commit(job, staged=60) == ("UNSTAGED", [0])
    assert contents(store) == was
    driver.stage_all(job, items(60))
    assert driver.commit(job, staged=60).word == "OK"


def test_a_settlement_that_comes_before_the_last_part_is_told_how_many_are_there(driver):
    job = entry(driver)
    driver.stage_all(job, items(60))

    assert driver.commit(job, staged=61) == ("UNSTAGED", [60])


def test_a_settlement_that_tells_of_fewer_than_are_there_settles_nothing(store, driver):
    job = entry(driver)
    driver.stage_all(job, items(60))
    was = contents(store)

    assert driver.commit(job, staged=59) == ("UNSTAGED", [60])
    assert contents(store) == was


def test_a_settlement_sent_again_is_known(store, driver):
    job = entry(driver)
    driver.stage_all(job, items(60))
    call = driver.commit_call(job, staged=60)
    assert driver.send(call).word == "OK"
    was = contents(store)
    assert driver.send(call) == ("SETTLED", [])
    assert driver.send(driver.stage_call(job, items(60))) == ("SETTLED", [])
    assert contents(store) == was
    driver.unfold_all("r", "list#1")
    assert driver.send(call) == ("SETTLED", [])
    assert len(emits_of(driver)) == 60


def test_staging_for_a_run_that_is_gone_or_over_is_refused(store, driver):
    job = entry(driver)
    call = driver.stage_call(job, items(60))
    driver.fail(job)
    assert driver.send(call).word == "ENDED"
    driver.start(run_id="gone")
    job = driver.fetch_one()
    forget_run(store, "gone")
    assert driver.send(driver.stage_call(job, items(60))).word == "GONE"
    assert [name for name in contents(store) if ":stage:" in name] == []


def test_a_failure_takes_away_what_was_staged(store, driver):
    job = entry(driver)
    driver.stage_all(job, items(60))
    driver.fail(job)

    assert ttl_ms(store) == -2
    assert driver.state("r").status == "failed"


def test_a_failure_takes_away_what_a_lost_attempt_has_staged(store, driver):
    job = entry(driver)
    driver.stage_all(job, items(60))
    driver.lose(job)
    driver.fail(driver.fetch_one())

    assert ttl_ms(store) == -2


def test_a_step_that_settles_in_a_failing_run_stages_in_vain(store):
    steps = {
        "a": {"emits": ["one"]},
        "b": {"subscribes": "one", "emits": ["item"]},
        "c": {"subscribes": "item"},
    }
    driver = Driver(store, deployed(store, steps))
    driver.start(run_id="r")
    driver.commit(driver.fetch_one(), emits=[("one", 1), ("one", 2)])
    first, second = driver.fetch(room=2)
    driver.fail(first)
    driver.stage_all(second, items(60))
    assert driver.commit(second, staged=60).word == "OK"

    assert driver.state("r").status == "failed"
    assert ttl_ms(store, "r/b#2") == -2
    assert members(store, "unfolding") == []
    assert driver.send(driver.unfold_call("r", "b#2", 0)).word == "ENDED"


def test_a_full_server_refuses_to_stage_and_lets_what_is_staged_go_on(own_store):
    driver = Driver(own_store, deployed(own_store, FAN))
    job = entry(driver)
    driver.stage_all(job, items(60))
    was = contents(own_store)

    def limit(size):
        with own_store.talking() as client:
            client.config_set("maxmemory", size)

    limit(1)
    with pytest.raises(StoreFull):
        driver.send(driver.stage_call(job, items(60), first=60))
    assert contents(own_store) == was
    assert driver.send(driver.stage_call(job, items(60))) == ("OK", [60]), "what it has is known all the same"
    assert driver.commit(job, staged=60).word == "OK"
    assert driver.unfold_all("r", "list#1") == 2
    limit(0)
    assert len(driver.fetch(room=100)) == 60


def test_a_full_server_refuses_the_first_part_of_another_attempt_whole(own_store):
    driver = Driver(own_store, deployed(own_store, FAN))
    first = entry(driver)
    driver.stage_all(first, items(60))
    driver.lose(first)
    second = driver.fetch_one()
    was = contents(own_store)
    with own_store.talking() as client:
        client.config_set("maxmemory", 1)
    with pytest.raises(StoreFull):
        driver.send(driver.stage_call(second, items(60)))
    with own_store.talking() as client:
        client.config_set("maxmemory", 0)
    assert contents(own_store) == was
