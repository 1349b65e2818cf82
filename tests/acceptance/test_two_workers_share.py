"""Two equal workers: each does its part."""

from __future__ import annotations

from collections import Counter

from engine.events.types import STEP_STARTED
from tests.acceptance.command import LIMIT_S
from tests.support.project import Mill
from tests.support.worker import Workshop


def test_two_equal_workers_share_slow_work_about_equally(store, tmp_path, server, prefix):
    told = {"REDIS_URL": server.url, "REDIS_PREFIX": prefix, "WORKER_THREADS": "4"}
    shop, mill = Workshop(store), Mill(tmp_path, **{f"FLOWENGINE_{name}": told[name] for name in told})
    try:
        mill.worker()
        mill.worker()
        slow = {"a_cut": {"ms": 10}, "b_mill": {"ms": 10}, "c_pack": {"ms": 10}}
        ids = [shop.start(mill.flow, slow) for _ in range(200)]
        shop.all_ended(ids, timeout_s=LIMIT_S)
    finally:
        mill.close()
    by_worker = Counter(event.data["worker"] for run_id in ids for event in shop.events(run_id, STEP_STARTED))
    assert by_worker.total() == 600
    assert len(by_worker) == 2
    assert min(by_worker.values()) >= 0.3 * 600, by_worker
