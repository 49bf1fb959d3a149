"""The program that uses the same client without Python, and what the documentation shows."""

import asyncio
import re
import subprocess
from pathlib import Path

import isthmus_postgres
import pytest

BUILD = Path(isthmus_postgres.__file__).parent
SOURCE = Path(__file__).parent.parent
README = (SOURCE / "README.md").read_text()


def select(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BUILD / "postgres_select", *arguments], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_program_and_the_module_give_the_same(dsn: str) -> None:
    sql = "SELECT i, 'row ' || i, NULL FROM generate_series(1, $1::int) AS i"

    async def main() -> list[tuple[object, ...]]:
        async with isthmus_postgres.connect(dsn) as db:
            return await db.fetch(sql, 3)

    rows = asyncio.run(main())
    printed = "".join(f"{number}\t{text}\tNULL\n" for number, text, _ in rows)
    result = select(dsn, sql, "3")
    assert (result.returncode, result.stdout, result.stderr) == (0, printed, "")


def test_errors_of_the_program(dsn: str) -> None:
    assert select(dsn).returncode == 2
    refused = select(dsn, "SELECT 1 / $1::int", "0")
    assert (refused.returncode, refused.stderr) == (1, "division by zero\n")
    unreachable = select("host=/nonexistent", "SELECT 1")
    assert unreachable.returncode == 1
    assert "No such file or directory" in unreachable.stderr


def test_the_client_in_cpp(dsn: str) -> None:
    """Under isthmus::run(): what it checks, it prints."""
    result = subprocess.run(
        [BUILD / "postgres_client_test", dsn], capture_output=True, text=True, timeout=60, check=False
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 10


def test_the_client_knows_no_python() -> None:
    """They link the same object files, so the program shows it; and what these include does."""
    needed = subprocess.check_output(["ldd", BUILD / "postgres_select"], text=True)
    assert "libpq" in needed
    assert "python" not in needed
    seen = {"client.hpp", "exchange.hpp", "socket_wait.hpp", "statement_cache.hpp", "result.hpp", "errors.hpp"}
    for name in seen | {"client.cpp", "exchange.cpp", "result.cpp", "subscription.cpp", "transaction.cpp"}:
        for included in re.findall(r'#include [<"](.+)[>"]', (SOURCE / name).read_text()):
            assert included in {*seen, "isthmus/isthmus.hpp", "libpq-fe.h", "poll.h"} or "/" not in included, included
            assert included not in ("Python.h", "asio.hpp"), name


def test_cpp_of_the_readme() -> None:
    """It is a part of the program, which is compiled."""
    (block,) = re.findall(r"```cpp\n(.*?)```", README, re.DOTALL)
    assert block in (SOURCE / "select.cpp").read_text()


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", README, re.DOTALL))
def test_python_of_the_readme(dsn: str, monkeypatch: pytest.MonkeyPatch, block: str) -> None:
    for name, value in (word.split("=") for word in dsn.split()):
        monkeypatch.setenv({"host": "PGHOST", "dbname": "PGDATABASE", "user": "PGUSER"}[name], value)
    exec(compile(block, "README.md", "exec"), {"__name__": "__main__"})


def test_console_of_the_readme() -> None:
    makefile = (SOURCE.parent.parent / "Makefile").read_text()
    for command in re.findall(r"^\$ (.*)$", README, re.MULTILINE):
        target = re.fullmatch(r"make ([a-z-]+)(  #.*)?", command)
        assert target is None or f"\n{target[1]}:" in makefile, command
