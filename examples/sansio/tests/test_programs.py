"""The programs over real sockets: the C++ client and servers, and the asyncio server, beside Python's own client."""

import http.client
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import SOURCE, Serve

Get = Callable[[str], subprocess.CompletedProcess[bytes]]


def converse(port: int, sent: bytes) -> bytes:
    """Sends all at once, and returns what comes until the server closes."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connected:
        connected.sendall(sent)
        connected.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connected.recv(65536), b""))


@pytest.fixture(params=["sansio_serve", "echo.py"])
def echo(request: pytest.FixtureRequest, serve: Serve) -> int:
    return serve(request.param, *(["--echo"] if request.param == "sansio_serve" else []))


def test_files(serve: Serve, get: Get, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "with space").write_text("text")
    (tmp_path / "large").write_bytes(bytes(range(256)) * 8192)
    (tmp_path / "out").symlink_to(SOURCE / "echo.py")
    port = serve("sansio_serve", str(tmp_path))

    for target, content in {
        "empty": b"",
        "with%20space?x=1": b"text",
        "large": (tmp_path / "large").read_bytes(),
    }.items():
        result = get(f"http://127.0.0.1:{port}/{target}")
        assert (result.returncode, result.stdout) == (0, content)
        assert result.stderr.startswith(b"200 ")
    for target in ("", "nothing", "../../../etc/passwd", "%2e%2e/%2e%2e/etc/passwd", "out", "large/.."):
        result = get(f"http://127.0.0.1:{port}/{target}")
        assert (result.returncode, result.stdout) == (1, b"not found\n"), target

    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    for method, status in {"HEAD": 200, "GET": 200, "DELETE": 405}.items():  # on one connection
        client.request(method, "/large")
        response = client.getresponse()
        assert (response.status, len(response.read())) == (
            status,
            {200: 2097152, 405: 18}[status] if method != "HEAD" else 0,
        )
    client.close()


def test_get_reports_what_is_wrong(get: Get) -> None:
    for url, error in {"ftp://a/": b"only http:// URLs", "http://127.0.0.1:1/": b"Connection refused"}.items():
        result = get(url)
        assert result.returncode == 1
        assert error in result.stderr


def test_echo(echo: int) -> None:
    client = http.client.HTTPConnection("127.0.0.1", echo, timeout=20)
    body = bytes(range(256)) * 2000

    def pieces() -> Iterator[bytes]:
        for at in range(0, len(body), 70_000):
            yield body[at : at + 70_000]

    for sent in (body, b"", pieces()):  # with Content-Length, without a body, and in chunks
        client.request("POST", "/", body=sent, headers={"Expect": "100-continue"} if sent else {})
        response = client.getresponse()
        assert (response.status, response.read()) == (200, body if sent else b"")
    client.close()


def test_echo_of_pipelined_requests(echo: int) -> None:
    request = b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"
    received = converse(echo, request * 3)
    assert re.findall(rb"HTTP/1.1 (\d+)", received) == [b"200"] * 3
    assert received.count(b"5\r\nhello\r\n0\r\n\r\n") == 3


def test_refusals(echo: int) -> None:
    for sent, status in {
        b"GET / HTTP/1.1\r\n\r\n": b"400",
        b"GET / HTTP/3.0\r\n\r\n": b"505",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n": b"501",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\n": b"414",
        b"GET / HTTP/1.1\r\nHost: a\r\nA: " + b"x" * 70000 + b"\r\n\r\n": b"431",
        b"\x16\x03\x01\x02\x00\r\n": b"400",
    }.items():
        received = converse(echo, sent)
        assert received.startswith(b"HTTP/1.1 " + status), received
        assert b"\r\nConnection: close\r\n" in received


def test_many_at_once(echo: int) -> None:
    def ask(number: int) -> bytes:
        body = b"%d" % number * 1000
        received = converse(echo, b"POST / HTTP/1.0\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
        return received.partition(b"\r\n\r\n")[2]

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(ask, range(100))) == [b"%d" % number * 1000 for number in range(100)]


def test_readme_shows_the_server() -> None:
    code = re.findall(r"```python\n(.*?)```", (SOURCE / "README.md").read_text(), re.DOTALL)
    assert len(code) == 1
    assert code[0] in (SOURCE / "echo.py").read_text()
