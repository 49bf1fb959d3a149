"""Requests parsed and answered in memory a second: by C++ alone, by the same from Python, and by h11.

All read the same bytes and send the same responses, in turns, in one run. Usage: bench.py [--rounds N]
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import h11
import sansio_http as http

BENCH = Path(http.__file__).with_name("sansio_bench")
SMALL = b"GET /plaintext HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
BROWSER = (
    b"GET /search?q=coroutines HTTP/1.1\r\nHost: www.example.org\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\nAccept-Encoding: gzip, deflate, br, zstd\r\nReferer: https://www.example.org/\r\n"
    b"Connection: keep-alive\r\nCookie: session=0123456789abcdef; theme=dark\r\nUpgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Site: same-origin\r\n\r\n"
)
CHUNKED = (
    b"POST /upload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    + (b"400\r\n" + b"x" * 1024 + b"\r\n") * 8
    + b"0\r\n\r\n"
)
HEADERS = [("Content-Type", "text/plain"), ("Content-Length", "5")]


def by_h11(request: bytes, count: int) -> None:
    connection = h11.Connection(h11.SERVER)
    for _ in range(count):
        connection.receive_data(request)
        while type(connection.next_event()) is not h11.EndOfMessage:
            pass
        assert connection.send(h11.Response(status_code=200, headers=HEADERS))
        assert connection.send(h11.Data(data=b"hello"))
        connection.send(h11.EndOfMessage())
        connection.start_next_cycle()


def by_sansio(request: bytes, count: int) -> None:
    connection = http.Connection(http.Role.SERVER)
    for _ in range(count):
        connection.receive_data(request)
        while type(connection.next_event()) is not http.EndOfMessage:
            pass
        assert connection.send(http.Response(200, HEADERS))
        assert connection.send(http.Data(b"hello"))
        connection.send(http.EndOfMessage())


def by_cpp(request: bytes, count: int) -> float:
    with tempfile.NamedTemporaryFile() as file:
        file.write(request)
        file.flush()
        command = [str(BENCH), file.name, "0", str(count)]
        return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def per_second(work: Callable[[bytes, int], None], request: bytes, count: int) -> float:
    start = time.perf_counter()
    work(request, count)
    return count / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = range(parser.parse_args().rounds)
    print(f"{'requests a second':<28}{'C++':>12}{'Python':>12}{'h11':>12}{'Python to h11':>16}")
    for name, request in {"small GET": SMALL, "GET of a browser": BROWSER, "POST of 8 chunks": CHUNKED}.items():
        results = [
            (by_cpp(request, 50_000), per_second(by_sansio, request, 10_000), per_second(by_h11, request, 2_000))
            for _ in rounds
        ]
        cpp, sansio, theirs = (statistics.median(column) for column in zip(*results, strict=True))
        print(f"{name:<28}{cpp:>12,.0f}{sansio:>12,.0f}{theirs:>12,.0f}{sansio / theirs:>15.1f}x")


if __name__ == "__main__":
    main()
