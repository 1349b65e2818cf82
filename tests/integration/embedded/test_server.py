"""The embedded server: real servers, real processes, real kills."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from engine.embedded import server as server_module
from engine.embedded.server import EmbeddedServer
from engine.errors import EmbeddedServerError
from tests.support.wait import wait_until

MEMBER = Path(__file__).with_name("member.py")
ROOT = Path(__file__).parents[3]


@contextmanager
def client_of(server):
    with redis.Redis.from_url(server.url) as client:
        yield client


def pid_of(server):
    with client_of(server) as client:
        return client.info("server")["process_id"]


def member(folder, mode, *more, **environ):
    return subprocess.Popen(
        [sys.executable, str(MEMBER), str(folder), mode, *map(str, more)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def close(process):
    process.stdin.close()
    process.stdout.close()
    return process.wait()


def test_the_first_starts_it_the_second_joins_it_the_last_stops_it(tmp_path):
    first, second = EmbeddedServer(tmp_path), EmbeddedServer(tmp_path)
    first.join()
    second.join()
    assert pid_of(first) == pid_of(second)

    assert first.leave() is False
    with client_of(second) as client:
        assert client.ping()
    assert second.leave() is True

    assert not second.socket_path.exists()
    with pytest.raises(redis.ConnectionError), client_of(second) as client:
        client.ping()


def test_data_stay_for_the_next_time(tmp_path):
    with EmbeddedServer(tmp_path) as server, client_of(server) as client:
        client.set("k", "v")
    with EmbeddedServer(tmp_path) as server, client_of(server) as client:
        assert client.get("k") == b"v"


def test_leaving_twice_or_without_joining_does_nothing(tmp_path):
    server = EmbeddedServer(tmp_path)
    assert server.leave() is False
    server.join()
    server.join()

    assert server.leave() is True
    assert server.leave() is False


def test_it_is_set_up_to_keep_work_and_listens_on_no_port(tmp_path):
    with EmbeddedServer(tmp_path) as server, client_of(server) as client:
        wanted = {
            "port": "0",
            "appendonly": "yes",
            "appendfsync": "everysec",
            "maxmemory-policy": "noeviction",
            "stream-node-max-bytes": "1024",
            "save": "",
        }
        assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_it_has_a_session_of_its_own(tmp_path):
    with EmbeddedServer(tmp_path) as server:
        assert os.getsid(pid_of(server)) != os.getsid(0)


def test_version_control_leaves_its_folder_alone(tmp_path):
    with EmbeddedServer(tmp_path):
        assert (tmp_path / ".flowengine" / ".gitignore").read_text() == "*\n"


def test_only_this_user_can_reach_the_socket(tmp_path):
    with EmbeddedServer(tmp_path) as server:
        assert server.socket_path.parent.stat().st_mode & 0o077 == 0


def test_two_projects_have_two_servers(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    with EmbeddedServer(tmp_path / "a") as one, EmbeddedServer(tmp_path / "b") as other:
        assert one.socket_path != other.socket_path
        assert pid_of(one) != pid_of(other)


@pytest.mark.parametrize("name", ["x" * 200 + "/" + "y" * 200, 'a "quoted" path', "ein Weg über Bäume"])
def test_the_project_may_have_any_path(tmp_path, name):
    root = tmp_path / name
    root.mkdir(parents=True)
    with EmbeddedServer(root) as server, client_of(server) as client:
        assert client.ping()
        assert len(os.fsencode(server.socket_path)) <= 107


def test_processes_with_different_environments_find_one_server(tmp_path):
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    with EmbeddedServer(tmp_path) as server:
        other = member(tmp_path, "stay", XDG_RUNTIME_DIR=str(runtime), TMPDIR=str(runtime))
        assert other.stdout.readline() == "joined\n"

        assert server.leave() is False
        other.stdin.close()
        assert other.stdout.readline() == "stopped\n"
        close(other)


def test_a_killed_member_does_not_take_the_server_along(tmp_path):
    other = member(tmp_path, "stay")
    assert other.stdout.readline() == "joined\n"
    with EmbeddedServer(tmp_path) as server:
        pid = pid_of(server)
        other.kill()
        close(other)

        assert pid_of(server) == pid
        assert server.leave() is True


def test_a_server_whose_members_were_all_killed_is_used_by_the_next(tmp_path):
    other = member(tmp_path, "stay")
    assert other.stdout.readline() == "joined\n"
    other.kill()
    close(other)

    server = EmbeddedServer(tmp_path)
    server.join()

    assert server.leave() is True


def test_a_member_that_finds_the_server_dead_joins_again(tmp_path):
    with EmbeddedServer(tmp_path) as server, EmbeddedServer(tmp_path) as other:
        with client_of(server) as client:
            client.set("k", "v")
        dead = pid_of(server)
        os.kill(dead, signal.SIGKILL)
        with pytest.raises(redis.ConnectionError):
            wait_until(lambda: pid_of(server) != dead)

        server.rejoin()

        assert pid_of(server) != dead
        with client_of(server) as client:
            assert client.get("k") == b"v"
        assert server.leave() is False
        assert other.leave() is True


def test_a_server_that_is_started_again_elsewhere_is_found_at_its_old_place(tmp_path):
    """Members connect to a path: a new server under another one would be lost to them."""
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    with EmbeddedServer(tmp_path) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        other = member(tmp_path, "stay", XDG_RUNTIME_DIR=str(runtime), TMPDIR=str(runtime))
        assert other.stdout.readline() == "joined\n"

        with client_of(server) as client:
            assert client.ping()
        other.kill()
        close(other)


@pytest.mark.parametrize("mode", ["die-while-starting", "die-before-starting"])
def test_what_a_killed_starter_left_is_repaired_by_the_next(tmp_path, mode):
    assert close(member(tmp_path, mode)) == -signal.SIGKILL

    with EmbeddedServer(tmp_path) as server, client_of(server) as client:
        assert client.ping()
        log = (tmp_path / ".flowengine" / "server.log").read_text()
        assert log.count("Ready to accept connections") == 1
        assert server.leave() is True


def test_members_that_come_and_go_and_die_always_have_one_server(tmp_path):
    """Two servers at once would give the same number twice, a lost server none."""
    processes = [member(tmp_path, "wander", seed) for seed in range(5)]
    numbers = []
    for process in processes:
        text, _ = process.communicate()
        numbers += [int(line) for line in text.split()]
        assert process.returncode in (0, -signal.SIGKILL)

    server = EmbeddedServer(tmp_path)
    server.join()
    with client_of(server) as client:
        assert sorted(numbers) == list(range(1, int(client.get("n")) + 1))
    assert server.leave() is True


def test_threads_may_join_again_at_once(tmp_path):
    with EmbeddedServer(tmp_path) as server:
        os.kill(pid_of(server), signal.SIGKILL)
        threads = [threading.Thread(target=server.rejoin) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert pid_of(server)
        assert server.leave() is True


def test_a_project_that_was_moved_takes_its_server_along(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    server = EmbeddedServer(here)
    server.join()
    pid = pid_of(server)
    here.rename(there)
    here.mkdir()
    with EmbeddedServer(there) as moved, EmbeddedServer(here) as new:
        assert pid_of(moved) == pid
        assert pid_of(new) != pid
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: not moved.socket_path.exists())


def test_a_copy_of_a_project_has_a_server_of_its_own(tmp_path):
    here, copy = tmp_path / "here", tmp_path / "copy"
    here.mkdir()
    with EmbeddedServer(here) as server:
        shutil.copytree(here, copy)
        with EmbeddedServer(copy) as other:
            assert pid_of(other) != pid_of(server)


def test_a_server_that_does_not_answer_is_not_joined_by_a_second_one(tmp_path, monkeypatch):
    with EmbeddedServer(tmp_path) as server:
        pid = pid_of(server)
        os.kill(pid, signal.SIGSTOP)
        try:
            monkeypatch.setattr(server_module, "_PATIENCE_MS", 50)
            with pytest.raises(EmbeddedServerError, match="runs but does not answer"):
                EmbeddedServer(tmp_path).join()
        finally:
            os.kill(pid, signal.SIGCONT)
            monkeypatch.undo()
        assert pid_of(server) == pid


def test_a_server_that_cannot_start_is_reported_with_the_end_of_its_log(tmp_path):
    with EmbeddedServer(tmp_path) as server, client_of(server) as client:
        client.set("k", "v")
    manifest = next((tmp_path / ".flowengine" / "appendonlydir").glob("*.manifest"))
    manifest.write_text("not a manifest\n")

    with pytest.raises(EmbeddedServerError, match=r"did not start\. Its last words:\n(.*\n)*.*AOF") as caught:
        EmbeddedServer(tmp_path).join()
    assert "overcommit" not in str(caught.value)

    manifest.unlink()


def test_a_starter_without_standard_streams_hands_its_lock_on_too(tmp_path):
    """Files get the numbers of closed streams, and a server drops what it inherits there."""
    command = ["sh", "-c", 'exec "$@" <&- >&-', "sh", sys.executable, MEMBER, tmp_path, "die-while-starting"]
    started = subprocess.run(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False)
    assert started.returncode == -signal.SIGKILL
    lock = (tmp_path / ".flowengine" / "server.lock").open()
    with lock, pytest.raises(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    server = EmbeddedServer(tmp_path)
    server.join()
    assert server.leave() is True


def test_a_failed_start_leaves_the_way_free(tmp_path):
    folder = tmp_path / ".flowengine" / "appendonlydir"
    folder.parent.mkdir()
    folder.write_text("a file where a folder should be")
    with pytest.raises(EmbeddedServerError):
        EmbeddedServer(tmp_path).join()
    folder.unlink()

    with EmbeddedServer(tmp_path) as server:
        assert pid_of(server)


def test_a_project_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(EmbeddedServerError, match=r"needs to write to .*: No such file or directory"):
        EmbeddedServer(tmp_path / "nowhere").join()


def test_a_directory_that_cannot_be_written_to_is_one_sentence(tmp_path, unprivileged):
    root = unprivileged / "project"
    root.mkdir(mode=0o555)

    with pytest.raises(EmbeddedServerError, match=r"needs to write to .*: Permission denied"):
        EmbeddedServer(root).join()


@pytest.fixture
def unprivileged(tmp_path_factory):
    """A folder, and no rights beyond an ordinary user's: root may write everywhere."""
    if os.geteuid() != 0:
        yield tmp_path_factory.mktemp("user")
        return
    folder = Path("/tmp") / f"flowengine-user-{os.getpid()}"
    folder.mkdir()
    os.chown(folder, 65534, 65534)
    os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)
