"""Patience that ends: slow clients, crowds, huge bodies, and bytes that are not HTTP."""

from __future__ import annotations

import threading
import time

import pytest

from leaflab.errors import ConfigError
from leaflab.serve.server import bound
from leaflab.serve.service import Limits

from .conftest import Shelf


@pytest.fixture(scope="module")
def server(started, toys):
    return started(Shelf({1: toys.constant()}, {"champion": 1}), limits=Limits(read_seconds=0.3, queue=2, body=1 << 20))


HEAD = b"POST /predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"


def read_all(connection) -> bytes:
    parts = []
    try:
        while part := connection.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)


@pytest.mark.parametrize("sent", [b"", b"POST /predict HT", HEAD])
def test_a_head_that_never_ends_is_hung_up_on(server, raw_socket, sent):
    connection = raw_socket(server.port)
    connection.sendall(sent)
    assert read_all(connection) == b""
    assert server.predict({"a": 1}).status == 200


def test_so_is_a_second_head_on_the_same_connection(server, raw_socket):
    connection = raw_socket(server.port)
    connection.sendall(b"GET /ping HTTP/1.1\r\nhost: x\r\n\r\n")
    assert connection.recv(65536).startswith(b"HTTP/1.1 200")
    connection.sendall(b"GET /ping HTT")
    assert b"HTTP/1.1" not in read_all(connection)


def test_a_body_that_never_ends_is_answered_408(server, raw_socket):
    connection = raw_socket(server.port)
    connection.sendall(HEAD + b"content-length: 100\r\n\r\n{")
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 408") and b"within 0.3 seconds" in answer and b"x-leaflab-version: 1" in answer


def test_a_huge_body_is_refused_before_it_is_read(server, raw_socket):
    connection = raw_socket(server.port)
    connection.sendall(HEAD + b"content-length: 1073741824\r\n\r\n")
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 413") and b"at most 1 MB" in answer


def test_a_huge_body_in_chunks_is_refused_on_the_way(server, raw_socket):
    connection = raw_socket(server.port)
    connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with pytest.raises(OSError):
        for _ in range(10_000):
            connection.sendall(chunk)


def test_what_is_not_http_is_told_so(server, raw_socket):
    connection = raw_socket(server.port)
    connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
    answer = read_all(connection)
    assert answer.startswith(b"HTTP/1.1 400") and b"x-leaflab-version: 1" in answer and b"not HTTP" in answer


def test_a_crowd_is_told_to_come_back(server):
    live, begun, free = server.follower.champion, threading.Semaphore(0), threading.Event()
    real, asked = live.answer, []
    live.answer = lambda values, rows: (begun.release(), free.wait(60), real(values, rows))[2]
    heavy = [{"a": 1, "pad": "x" * 200}] * 1000
    threads = [threading.Thread(target=lambda: asked.append(server.predict(*heavy))) for _ in range(2)]
    for thread in threads:
        thread.start()
    assert all(begun.acquire(timeout=30) for _ in threads)  # from here on the queue is full
    refused = server.predict({"a": 1})
    assert refused.status == 429
    assert refused.headers["retry-after"] == "1" and refused.headers["x-leaflab-version"] == "1"
    assert server.ask("GET", "/health").status == 200
    live.answer = real
    free.set()
    for thread in threads:
        thread.join()
    assert [answer.status for answer in asked] == [200, 200]
    assert server.predict({"a": 1}).status == 200


def test_waiting_for_slow_bodies_is_no_crowd(server, raw_socket):
    for _ in range(5):
        raw_socket(server.port).sendall(HEAD + b"content-length: 100\r\n\r\n{")
    time.sleep(0.05)
    assert server.predict({"a": 1}).status == 200


def test_a_request_in_progress_is_answered_when_the_server_stops(started, toys):
    server = started(Shelf({1: toys.constant()}, {"champion": 1}))
    live, began = server.follower.champion, threading.Event()
    real, asked = live.answer, []
    live.answer = lambda values, rows: (began.set(), time.sleep(0.3), real(values, rows))[2]
    heavy = [{"a": 1, "pad": "x" * 200}] * 1000
    thread = threading.Thread(target=lambda: asked.append(server.predict(*heavy)))
    thread.start()
    began.wait(10)
    server.stop()
    thread.join()
    assert asked[0].status == 200


def test_an_address_that_is_taken_or_foreign(server):
    with pytest.raises(ConfigError, match=f"`serve.port` is in use, got {server.port}"):
        bound("127.0.0.1", server.port)
    with pytest.raises(ConfigError, match=r"`serve.host` cannot be listened on"):
        bound("203.0.113.7", 0)
