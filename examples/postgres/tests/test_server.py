"""Connections that fail, break, or are many; a server that ends and comes back."""

import gc
import os
from collections.abc import Awaitable, Iterator

import isthmus_postgres
import pytest
from server import Server
from support import Loop, until_active


@pytest.fixture
def restarted(server: Server, dsn: str) -> Iterator[Server]:
    """The server, which runs again afterwards."""
    yield server
    if server.process is None:
        server.start()


def test_refused(loop: Loop, server: Server) -> None:
    async def main() -> None:
        cases = [
            ("host=/nonexistent", "No such file or directory"),
            ("host=127.0.0.1 port=1", "Connection refused"),
            (server.dsn + " dbname=missing", 'database "missing" does not exist'),
            (server.dsn + " user=nobody", 'role "nobody" does not exist'),
            ("host=/tmp nonsense", 'missing "="'),
        ]
        for dsn, text in cases:
            with pytest.raises(isthmus_postgres.ConnectionLost, match=text):
                await isthmus_postgres.connect(dsn)
        with pytest.raises(isthmus_postgres.InterfaceError, match="null character"):
            await isthmus_postgres.connect("host=/\0")

    loop.run(main)


def test_the_environment_counts(loop: Loop, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", str(server.folder))
    monkeypatch.setenv("PGUSER", "tests")
    monkeypatch.setenv("PGDATABASE", "postgres")

    async def main() -> None:
        async with isthmus_postgres.connect() as db:
            assert await db.fetchval("SELECT current_user") == "tests"
            assert await db.fetchval("SHOW application_name") == "isthmus_postgres"

    loop.run(main)


def test_a_hundred_connections(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async def ask(number: int) -> int:
            async with isthmus_postgres.connect(dsn) as db:
                assert await db.fetchval("SELECT pg_sleep(0.05)::text") == ""
                statement = await db.prepare("SELECT $1::int * 2")
                answers = [await statement.fetchval(number + i) for i in range(10)]
                assert answers == [2 * (number + i) for i in range(10)]
                return number

        answers = await loop.gather(*(lambda number=number: ask(number) for number in range(100)))
        assert answers == list(range(100))

    loop.run(main)


def test_too_many_connections(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        opened = []
        with pytest.raises(isthmus_postgres.ConnectionLost, match="too many clients|remaining connection slots"):
            for _ in range(200):
                opened.append(await isthmus_postgres.connect(dsn))
        assert len(opened) > 100
        for db in opened:
            await db.close()
        async with loop.timeout(20):  # the server's processes end one after the other
            while True:
                try:
                    db = await isthmus_postgres.connect(dsn)
                except isthmus_postgres.ConnectionLost:
                    await loop.sleep(0.01)
                else:
                    return await db.close()

    loop.run(main)


@pytest.mark.parametrize("how", ["stop", "kill"])
@pytest.mark.parametrize("many", [False, True])
def test_the_server_ends_during_a_query(loop: Loop, restarted: Server, how: str, many: bool) -> None:
    server = restarted

    def sleep(db: isthmus_postgres.Connection) -> Awaitable[object]:
        sql = "SELECT pg_sleep(60)"
        return db.executemany(sql, [(), ()]) if many else db.fetch(sql)

    async def main() -> None:
        db = await isthmus_postgres.connect(server.dsn)
        idle = await isthmus_postgres.connect(server.dsn)
        async with isthmus_postgres.connect(server.dsn) as other:
            async with loop.started(lambda: sleep(db)) as sleeping:
                await until_active(loop, db, other)
                server.stop() if how == "stop" else server.kill()
                with pytest.raises(isthmus_postgres.ConnectionLost) as caught:
                    await sleeping.finish()
            assert "terminating connection" in str(caught.value)
            assert caught.value.sqlstate in ("57P01", "57P02")
            for lost in (db, idle):
                for _ in range(2):
                    with pytest.raises(isthmus_postgres.ConnectionLost):
                        await lost.fetch("SELECT 1")
                assert not lost.is_open
                await lost.close()
            with pytest.raises(isthmus_postgres.ConnectionLost):
                await isthmus_postgres.connect(server.dsn)

            server.start()
            async with isthmus_postgres.connect(server.dsn) as again:
                assert await again.fetchval("SELECT 1") == 1

    loop.run(main)


def test_nothing_is_left(loop: Loop, dsn: str) -> None:
    """Neither descriptors nor memory, whatever becomes of connections."""

    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def main() -> None:
        async def once(number: int) -> None:
            db = await isthmus_postgres.connect(dsn)
            assert len(await db.fetch("SELECT repeat('x', 1000), $1::int FROM generate_series(1, 100)", number)) == 100
            with pytest.raises(isthmus_postgres.ProgrammingError):
                await db.fetch("SELEC")
            notifications = db.listen("channel")
            async with loop.started(lambda: anext(notifications)):
                await db.execute("SELECT 1")
            async with loop.started(lambda: db.fetch("SELECT pg_sleep(60)")):
                await loop.sleep(0.0005)
            if number % 2:
                await db.close()

        for number in range(6):
            await once(number)
        gc.collect()
        descriptors, memory = len(os.listdir("/proc/self/fd")), resident()
        for number in range(20):
            await once(number)
        gc.collect()
        assert len(os.listdir("/proc/self/fd")) <= descriptors
        assert resident() - memory < 4_000_000

    loop.run(main)
