"""Keys and request ids."""

from __future__ import annotations

import pytest

from leaflab.errors import ConfigError
from leaflab.serve.gate import Keys, api_keys

from .conftest import Shelf


@pytest.fixture(scope="module")
def server(started, toys):
    return started(Shelf({1: toys.constant()}, {"champion": 1}), keys=("key-one", "sécond"))


@pytest.mark.parametrize(
    "headers", [{}, {"x_api_key": "wrong"}, {"authorization": "Bearer "}, {"authorization": "Basic key-one"}]
)
def test_without_a_key_nothing_is_scored(server, headers):
    answer = server.predict({"a": 1}, **headers)
    assert (answer.status, answer.body["error_code"]) == (401, "UNAUTHENTICATED")
    assert answer.headers["www-authenticate"] == "Bearer" and answer.headers["x-leaflab-version"] == "1"
    assert server.ask("GET", "/metrics", **headers).status == 401


def test_with_a_key(server):
    assert server.predict({"a": 1}, x_api_key="key-one").status == 200
    assert server.predict({"a": 1}, authorization="Bearer key-one").status == 200
    assert server.ask("GET", "/metrics", x_api_key="key-one").status == 200


def test_probes_need_none(server):
    assert [server.ask("GET", path).status for path in ("/ping", "/health", "/version")] == [200, 200, 200]


def test_the_page_asks_for_one(server):
    kind = "application/x-www-form-urlencoded"
    assert 'type="password"' in server.ask("GET", "/").body
    assert "A valid API key is required" in server.ask("POST", "/", b"c0=1&key=wrong", kind=kind).body
    answer = server.ask("POST", "/", b"c0=1&key=key-one", kind=kind).body
    assert 'id="answer"' in answer and "key-one" not in answer


def test_keys_are_read_from_a_file_and_the_environment(tmp_path):
    file = tmp_path / "keys"
    file.write_text("# ours\none\n\n two \n")
    keys = api_keys(str(file), "three, four")
    assert all(keys.admits(key) for key in ("one", "two", "three", "four"))
    assert not any(keys.admits(key) for key in ("", "# ours", "five", "three, four"))
    assert not api_keys(None, "") and "one" not in repr(vars(keys))


def test_a_file_without_keys_is_refused(tmp_path):
    (tmp_path / "keys").write_text("# none\n")
    for file in (tmp_path / "keys", tmp_path / "absent", tmp_path):
        with pytest.raises(ConfigError, match=r"`serve.keys_file` must"):
            api_keys(str(file), "")


def test_no_keys_admit_everyone_by_absence():
    assert not Keys() and Keys(("x",))


def test_a_request_keeps_its_id_where_that_is_a_plain_word(server):
    def given(value):
        return server.ask("GET", "/ping", x_request_id=value).headers["x-request-id"]

    assert given("order-17") == "order-17"
    assert given("two words") != "two words" and given("x" * 65) != "x" * 65
    assert given("a") == "a" and server.ask("GET", "/ping").headers["x-request-id"]
