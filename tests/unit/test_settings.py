"""Settings: sources, precedence, values, messages."""

from __future__ import annotations

import inspect
import re
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from engine.errors import SettingsError
from engine.settings import Settings, load_settings
from engine.settings.load import env_name
from engine.settings.value import KINDS

ROOT = Path(__file__).parents[2]


def project(tmp_path, text):
    (tmp_path / "flowengine.toml").write_text(text)
    return tmp_path


def refusal(root=None, *, environ=None, flags=None):
    with pytest.raises(SettingsError) as caught:
        load_settings(root, environ=environ or {}, flags=flags)
    return str(caught.value)


def test_without_any_source_the_defaults_hold():
    settings = load_settings(None, environ={})

    assert settings == Settings()
    assert settings.redis.is_embedded
    assert settings.redis.address == "the embedded server"
    assert settings.worker.lease_ms == 15_000
    assert settings.worker.grace_ms == 30_000
    assert settings.limits.payload_bytes == 1_048_576
    assert (settings.limits.fan_out, settings.limits.gather_bytes) == (20_000, 64 * 1_048_576)
    assert settings.worker.async_steps == 1_000
    assert settings.event_store.trim_max_len == 100_000
    assert settings.queue.dir == "flows"


def test_a_project_without_a_file_has_the_defaults(tmp_path):
    assert load_settings(tmp_path, environ={}) == Settings()


def test_flags_win_over_the_environment_which_wins_over_the_file(tmp_path):
    root = project(tmp_path, "[worker]\nthreads = 1\nlease = '1s'\nmax_deliveries = 2\n")
    environ = {"FLOWENGINE_WORKER_THREADS": "3", "FLOWENGINE_WORKER_LEASE": "2s"}

    settings = load_settings(root, environ=environ, flags={"worker.threads": 4})

    assert settings.worker.threads == 4
    assert settings.worker.lease_ms == 2_000
    assert settings.worker.max_deliveries == 2


def test_the_file_has_dotted_keys_and_sections(tmp_path):
    root = project(tmp_path, "[event_store]\ntrim.max_len = 5000\n[queue]\ndir = 'here'\n")

    settings = load_settings(root, environ={})

    assert settings.event_store.trim_max_len == 5_000
    assert settings.queue.dir == "here"


def test_an_empty_section_and_an_empty_variable_say_nothing(tmp_path):
    root = project(tmp_path, "[redis]\n[event_store]\n[event_store.trim]\n")

    assert load_settings(root, environ={"FLOWENGINE_REDIS_URL": ""}) == Settings()


def test_variables_of_others_and_the_crash_point_of_tests_are_let_be():
    environ = {"HOME": "/", "FLOWENGINE_CRASH_AT": "before-commit", "NOT_FLOWENGINE_X": "1"}

    assert load_settings(None, environ=environ) == Settings()


@pytest.mark.parametrize(
    ("word", "expected"),
    [("500ms", 500), ("15s", 15_000), ("5m", 300_000), ("2h", 7_200_000), ("1d", 86_400_000)],
)
def test_a_duration_is_a_number_and_a_unit(word, expected):
    assert load_settings(None, environ={"FLOWENGINE_WORKER_GRACE": word}).worker.grace_ms == expected


@pytest.mark.parametrize(("word", "expected"), [("true", True), ("ON", True), ("0", False), ("no", False)])
def test_a_switch_in_the_environment_is_a_word(word, expected):
    assert load_settings(None, environ={"FLOWENGINE_WORKER_LOG_PRINTS": word}).worker.log_prints is expected


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("FLOWENGINE_WORKER_LEASE", "15", "'15' is not a duration"),
        ("FLOWENGINE_WORKER_LEASE", "1.5s", "'1.5s' is not a duration"),
        ("FLOWENGINE_WORKER_LEASE", "1ms", "1ms is less than 500 ms"),
        ("FLOWENGINE_WORKER_THREADS", "many", "'many' is not a whole number"),
        ("FLOWENGINE_WORKER_THREADS", "0", "0 is not between 1 and 1000"),
        ("FLOWENGINE_WORKER_LOG_PRINTS", "perhaps", "'perhaps' is neither true nor false"),
        ("FLOWENGINE_REDIS_PORT", "70000", "70000 is not between 1 and 65535"),
        ("FLOWENGINE_REDIS_PREFIX", "a b", "'a b' cannot begin a key"),
    ],
)
def test_a_wrong_value_is_named_with_its_setting_and_its_origin(variable, value, sentence):
    message = refusal(environ={variable: value})

    assert sentence in message
    assert f"environment variable {variable}" in message
    assert message.endswith(".")


@pytest.mark.parametrize(
    "text", ["threads = true", "threads = 1.5", "threads = [1]", "threads = {a = 1}", "lease = 15"]
)
def test_a_value_of_a_wrong_type_in_the_file_is_refused(tmp_path, text):
    message = refusal(project(tmp_path, f"[worker]\n{text}\n"))

    assert message.startswith(f"worker.{text.split()[0]} (")
    assert "flowengine.toml" in message


@pytest.mark.parametrize(
    ("text", "name", "hint"),
    [
        ("[worker]\nthread = 1", "worker.thread", "worker.threads"),
        ("[redis]\nulr = 'x'", "redis.ulr", "redis.url"),
        ("[limit]\npayload_bytes = 1", "limit.payload_bytes", "limits.payload_bytes"),
        ("[event_store]\nmax_len = 1", "event_store.max_len", "event_store.trim.max_len"),
        ("lease = '1s'", "lease", "worker.lease"),
    ],
)
def test_an_unknown_setting_of_the_file_is_an_error_with_a_suggestion(tmp_path, text, name, hint):
    message = refusal(project(tmp_path, text))

    assert f"Unknown setting `{name}`" in message
    assert message.endswith(f"Did you mean `{hint}`?")


@pytest.mark.parametrize("text", ["[xyz]", "[monitor]\nport = 1", "[worker]\nurl = 'x'"])
def test_an_unknown_setting_that_is_like_no_other_points_to_the_document(tmp_path, text):
    assert refusal(project(tmp_path, text)).endswith("docs/settings.md lists the settings.")


def test_an_unknown_variable_that_shares_only_the_prefix_points_to_the_document():
    message = refusal(environ={"FLOWENGINE_MONITOR_PORT": "1"})

    assert message.endswith("docs/settings.md lists the settings.")


def test_a_wrong_value_of_the_file_is_told_though_the_environment_overrides_it(tmp_path):
    root = project(tmp_path, "[worker]\nthreads = 0\n")

    message = refusal(root, environ={"FLOWENGINE_WORKER_THREADS": "3"})

    assert "flowengine.toml): 0 is not between 1 and 1000." in message


def test_an_empty_text_is_called_empty_and_a_prefix_is_explained(tmp_path):
    empty = refusal(project(tmp_path, "[redis]\nprefix = ''\n"))
    assert "a prefix is the first part of every key, so it cannot be empty" in empty
    assert "this is empty" in refusal(project(tmp_path, "[queue]\ndir = ''\n"))
    assert "1 is not a text" in refusal(project(tmp_path, "[redis]\nprefix = 1\n"))


def test_an_unknown_variable_is_an_error_with_a_suggestion():
    message = refusal(environ={"FLOWENGINE_REDIS_ULR": "redis://h"})

    assert message.endswith("Did you mean `FLOWENGINE_REDIS_URL`?")


def test_an_unknown_flag_is_an_error():
    assert "`worker.thread` on the command line" in refusal(flags={"worker.thread": 1})


def test_a_section_that_is_a_value_is_an_error(tmp_path):
    assert "this is a section, `[redis]`" in refusal(project(tmp_path, "redis = 'localhost'\n"))


def test_a_broken_file_is_an_error_that_says_where(tmp_path):
    message = refusal(project(tmp_path, "[worker\n"))

    assert "flowengine.toml is not TOML" in message
    assert "line 1" in message


def test_a_file_that_is_not_text_is_an_error(tmp_path):
    (tmp_path / "flowengine.toml").write_bytes(b"\xff\xfe")

    assert "flowengine.toml is not text in UTF-8" in refusal(tmp_path)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path):
    (tmp_path / "flowengine.toml").mkdir()

    assert refusal(tmp_path).endswith("flowengine.toml cannot be read: Is a directory.")


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://u:p@h:1/2",
        "rediss://h:6379",
        "unix:///tmp/s",
        "unix:///tmp/s?db=1",
        "redis://[::1]:1",
        "redis://h/",
        "redis://h?username=u&password=p%26",
        "rediss://h/0?ssl_cert_reqs=none&ssl_ca_certs=/etc/ca.pem",
    ],
)
def test_urls_of_redis_are_taken_as_they_are(url):
    settings = load_settings(None, environ={"FLOWENGINE_REDIS_URL": url})

    assert settings.redis.connection_url == url
    assert not settings.redis.is_embedded


@pytest.mark.parametrize(
    "url", ["localhost", "http://h", "redis://", "redis://h:port", "redis://h:0", "unix://", "redis:///1"]
)
def test_other_urls_are_refused_without_being_repeated(url):
    assert "is not the URL of a Redis server" in refusal(environ={"FLOWENGINE_REDIS_URL": url})


@pytest.mark.parametrize("url", ["redis://h/abc", "redis://h/0/1", "rediss://h/-1", "redis://h/%30"])
def test_a_database_that_is_no_number_is_refused(url):
    assert "is not the number of a database" in refusal(environ={"FLOWENGINE_REDIS_URL": url})


@pytest.mark.parametrize(
    "key",
    ["foo", "socket_timeout", "protocol", "decode_responses", "ssl_cert_reqs", "retry_on_timeout", "host"],
)
def test_a_url_sets_nothing_that_is_the_engines_own_affair(key):
    message = refusal(flags={"redis.url": f"redis://:secret@h/0?{key}=1"})

    assert message.startswith(f"redis.url (command line): the URL cannot set `{key}`; ")
    assert "secret" not in message


@pytest.mark.parametrize(
    "query", ["db=x", "db=", "db=1&db=2", "ssl_cert_reqs=perhaps", "ssl_check_hostname=5"]
)
def test_a_wrong_value_in_the_query_of_a_url_is_refused(query):
    message = refusal(flags={"redis.url": f"rediss://h/0?{query}"})

    assert f"wrong value for `{query.partition('=')[0]}`" in message


def test_host_and_the_like_make_a_url():
    environ = {"FLOWENGINE_REDIS_PASSWORD": "p@ss/word"}
    flags: dict[str, str | int | bool] = {
        "redis.host": "db.example",
        "redis.port": 7000,
        "redis.db": 3,
        "redis.username": "me",
        "redis.tls": True,
    }

    redis = load_settings(None, environ=environ, flags=flags).redis

    assert redis.connection_url == "rediss://me:p%40ss%2Fword@db.example:7000/3"
    assert redis.address == "rediss://me:***@db.example:7000/3"


def test_a_part_without_a_host_means_this_machine():
    redis = load_settings(None, environ={"FLOWENGINE_REDIS_PORT": "7000"}).redis

    assert redis.connection_url == "redis://localhost:7000/0"


def test_a_prefix_alone_leaves_the_server_embedded():
    assert load_settings(None, environ={"FLOWENGINE_REDIS_PREFIX": "{mine}"}).redis.is_embedded


def test_a_url_and_a_host_in_one_source_exclude_each_other():
    message = refusal(environ={"FLOWENGINE_REDIS_URL": "redis://a", "FLOWENGINE_REDIS_HOST": "b"})

    assert "FLOWENGINE_REDIS_URL" in message
    assert "FLOWENGINE_REDIS_HOST" in message
    assert "exclude each other" in message


def test_a_url_of_a_higher_source_replaces_the_host_of_a_lower_one(tmp_path):
    root = project(tmp_path, "[redis]\nhost = 'a'\npassword = 'x'\n")

    redis = load_settings(root, environ={}, flags={"redis.url": "redis://b"}).redis

    assert redis.connection_url == "redis://b"


def test_a_host_of_a_higher_source_replaces_the_url_of_a_lower_one(tmp_path):
    root = project(tmp_path, "[redis]\nurl = 'redis://a'\n")

    redis = load_settings(root, environ={"FLOWENGINE_REDIS_HOST": "b"}).redis

    assert redis.connection_url == "redis://b:6379/0"


def test_a_password_beside_the_url_of_a_lower_source_is_refused(tmp_path):
    root = project(tmp_path, "[redis]\nurl = 'redis://a'\n")

    assert "exclude each other" in refusal(root, environ={"FLOWENGINE_REDIS_PASSWORD": "x"})


@pytest.mark.parametrize("prefix", ["nq", "{nq}", "a:b", "a.b-c_d", "x" * 64])
def test_good_prefixes(prefix):
    assert load_settings(None, environ={}, flags={"redis.prefix": prefix}).redis.prefix == prefix


@pytest.mark.parametrize("prefix", ["", "a b", ":a", "a:", "{nq}x", "{}", "{a:b}", "ü", "x" * 65, "a\n"])
def test_bad_prefixes(prefix):
    assert "redis.prefix" in refusal(flags={"redis.prefix": prefix})


@pytest.mark.parametrize(
    "url", ["redis://u:sesame@h/0", "redis://:sesame@h/0", "unix:///s?password=sesame&db=1"]
)
def test_a_password_is_in_no_representation(url):
    settings = load_settings(None, environ={"FLOWENGINE_REDIS_URL": url})

    assert "sesame" not in repr(settings)
    assert "sesame" not in settings.redis.address
    assert "***" in settings.redis.address


def test_a_password_of_its_own_is_in_no_representation():
    settings = load_settings(None, environ={"FLOWENGINE_REDIS_PASSWORD": "sesame"})

    assert "sesame" not in repr(settings)
    assert "sesame" not in settings.redis.address


def test_a_refused_password_is_not_repeated(tmp_path):
    assert "1234" not in refusal(project(tmp_path, "[redis]\npassword = 1234\n"))


def test_settings_are_frozen():
    settings = load_settings(None, environ={})

    with pytest.raises(FrozenInstanceError):
        setattr(settings.worker, "threads", 1)  # noqa: B010 (plainly, the type checker refuses it)


def test_each_attribute_of_a_section_is_in_its_docstring():
    settings = Settings()
    for section in fields(settings):
        values = getattr(settings, section.name)
        for one in fields(values):
            assert re.search(rf"^ *{one.name}: ", inspect.getdoc(type(values)) or "", re.MULTILINE), (
                section.name,
                one.name,
            )


def test_the_document_lists_each_setting_with_its_variable_and_no_other():
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = re.findall(r"^\| `([a-z_.]+)` \| `(FLOWENGINE_[A-Z_]+)` \| (.*?) \|", text, re.MULTILINE)

    assert [(name, variable) for name, variable, _ in rows] == [(name, env_name(name)) for name in KINDS]


def test_the_document_tells_the_defaults():
    text = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `([a-z_.]+)` \| `FLOWENGINE_[A-Z_]+` \| (.*?) \|", text, re.MULTILINE))
    for name, kind in KINDS.items():
        section, _, rest = name.partition(".")
        default = getattr(getattr(Settings(), section), rest.replace(".", "_") + kind.suffix)
        said = rows[name].strip("`")
        if default is None:
            assert said == "none"
        else:
            got = load_settings(None, environ={env_name(name): said})
            assert getattr(getattr(got, section), rest.replace(".", "_") + kind.suffix) == default, name


def test_the_address_of_a_socket_keeps_its_slashes():
    settings = load_settings(None, flags={"redis.url": "unix:///run/redis.sock"}, environ={})

    assert settings.redis.address == "unix:///run/redis.sock"
