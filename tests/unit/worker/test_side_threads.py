"""Threads beside an event loop: as an executor's, but nobody waits for them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
import weakref
from concurrent.futures import wait

import pytest

from engine.worker.side_threads import SideThreads
from tests.support.wait import wait_until


@pytest.fixture
def threads():
    threads = SideThreads("aside", count=3)
    yield threads
    threads.shutdown()


def test_calls_are_answered_each_with_its_own_result(threads):
    futures = [threads.submit(pow, n, 2) for n in range(200)]
    assert [future.result(10) for future in futures] == [n**2 for n in range(200)]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), KeyboardInterrupt()])
def test_what_a_call_raises_is_for_whoever_waits_and_the_thread_goes_on(threads, error):
    def raises():
        raise error

    for _ in range(5):
        assert threads.submit(raises).exception(10) is error
    assert threads.submit(lambda: "fine").result(10) == "fine"


def test_there_are_as_many_threads_as_are_needed_and_no_more_than_allowed(threads):
    opened, names = threading.Event(), set()

    def wait_here():
        names.add(threading.current_thread().name)
        assert opened.wait(10)

    assert threads.submit(threading.current_thread).result(10).name == "aside-1"
    futures = [threads.submit(wait_here) for _ in range(10)]
    wait_until(lambda: len(names) == 3, saw=lambda: names)
    opened.set()
    wait(futures, 10)
    assert names == {"aside-1", "aside-2", "aside-3"}


def test_one_idle_thread_is_used_again(threads):
    names = []
    for _ in range(20):
        names.append(threads.submit(threading.current_thread).result(10).name)
        wait_until(lambda: threads._unfinished == 0)
    assert set(names) == {"aside-1"}


def test_a_call_that_is_cancelled_before_it_begins_is_not_made():
    threads, opened = SideThreads("aside", count=1), threading.Event()
    made: list[int] = []
    threads.submit(opened.wait, 10)
    cancelled, kept = threads.submit(made.append, 1), threads.submit(made.append, 2)
    assert cancelled.cancel()
    opened.set()
    kept.result(10)
    threads.shutdown()
    assert made == [2]


def test_threads_that_have_nothing_more_to_do_end(threads):
    found = [threads.submit(threading.current_thread).result(10)]
    threads.shutdown()
    wait_until(lambda: not any(thread.is_alive() for thread in found))


def test_nothing_of_a_call_is_held_on_to_by_an_idle_thread(threads):
    class Large:
        pass

    large = Large()
    gone = weakref.ref(large)
    threads.submit(lambda one: None, large).result(10)
    del large
    wait_until(lambda: gone() is None)


def test_a_loop_takes_them_for_its_own():
    async def use():
        asyncio.get_running_loop().set_default_executor(SideThreads("aside", count=2))
        return await asyncio.gather(*(asyncio.to_thread(pow, n, 2) for n in range(20)))

    assert asyncio.run(use()) == [n**2 for n in range(20)]


def test_the_process_ends_although_a_call_goes_on():
    program = (
        "import time\n"
        "from engine.worker.side_threads import SideThreads\n"
        "SideThreads('aside', count=1).submit(time.sleep, 3600)\n"
    )
    assert subprocess.run([sys.executable, "-c", program], check=False, timeout=20).returncode == 0
