"""A server that dies and comes back while workers work."""

from __future__ import annotations

import os
import signal
from functools import partial

import pytest

from engine.embedded.probe import server_state
from engine.embedded.server import EmbeddedServer
from tests.acceptance.command import LIMIT_S
from tests.support.project import STEPS, Mill
from tests.support.wait import wait_until
from tests.support.worker import Workshop, assert_recorded_once

KINDS = {"killed": signal.SIGKILL, "shut down": signal.SIGTERM}


@pytest.mark.parametrize("how", KINDS)
def test_workers_outlive_their_server_and_nothing_is_lost(tmp_path, open_store, prefix, how):
    """The server keeps an append-only file, which reaches the kernel before a reply goes out."""
    root = tmp_path / "server"
    root.mkdir()
    with EmbeddedServer(root) as own:
        shop = Workshop(open_store(own.url))
        told = {"REDIS_URL": own.url, "REDIS_PREFIX": prefix, "WORKER_LEASE": "2s", "WORKER_THREADS": "4"}
        mill = Mill(tmp_path / "mill", **{f"FLOWENGINE_{name}": told[name] for name in told})
        try:
            workers = [mill.worker(), mill.worker()]
            ids = shop.start_many(mill.flow, 200)
            for left in (170, 110, 50):
                wait_until(partial(shop.has_at_most, left), timeout_s=LIMIT_S)
                stop_server(own, root, how)
                own.rejoin()
            runs = shop.all_ended(ids, timeout_s=LIMIT_S)
            assert [worker.poll() for worker in workers] == [None, None]
            for run in runs:
                assert run.status == "completed"
                assert_recorded_once(shop.events(run.run_id), *STEPS)
                assert run.handler_state == {"a_cut": 1, "b_mill": 1, "c_pack": 1}
            for worker in workers:
                worker.terminate()
                _, err = worker.communicate(timeout=LIMIT_S)
                assert worker.returncode == 0, err
                assert err.count("trying again until it answers") <= 3 * 3 * 2
        finally:
            mill.close()


def stop_server(own, root, how):
    os.kill(int((root / ".flowengine" / "server.pid").read_text()), KINDS[how])
    wait_until(lambda: server_state(own.socket_path, root / ".flowengine") == "silent")
