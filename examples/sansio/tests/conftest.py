"""How the programs of this example are found and started."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sansio_http

BUILD = Path(sansio_http.__file__).parent
SOURCE = Path(__file__).parent.parent

Serve = Callable[..., int]


@pytest.fixture
def get() -> Callable[[str], subprocess.CompletedProcess[bytes]]:
    """Runs sansio_get with a URL."""
    return lambda url: subprocess.run([BUILD / "sansio_get", url], capture_output=True, timeout=20, check=False)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server, "echo.py" or "sansio_serve" with an argument, on a port that it returns."""
    started: list[subprocess.Popen[str]] = []

    def start(name: str, *arguments: str) -> int:
        command = [sys.executable, str(SOURCE / name)] if name.endswith(".py") else [str(BUILD / name)]
        server = subprocess.Popen([*command, *arguments, "0"], stdout=subprocess.PIPE, text=True)
        started.append(server)
        assert server.stdout is not None
        match = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\n", server.stdout.readline())
        assert match is not None
        return int(match[1])

    yield start
    for server in started:
        server.kill()
        server.communicate()
