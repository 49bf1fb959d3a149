"""Cancelling at each stage, timeouts, and connections that are closed meanwhile."""

import socket
import time
from pathlib import Path

import isthmus_postgres
import pytest
from server import Server
from support import Loop, WasCancelled, is_active, until_active

SLEEP = "SELECT pg_sleep(60)"


def test_a_cancelled_query_ends_on_the_server(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, isthmus_postgres.connect(dsn) as other:
            pid = db.pid
            statement = await db.prepare(SLEEP)
            for function in (lambda: db.fetch(SLEEP), lambda: db.execute(SLEEP), lambda: statement.fetch()):
                async with loop.started(function) as sleeping:
                    await until_active(loop, db, other)
                    sleeping.cancel()
                    with pytest.raises(WasCancelled):
                        await sleeping.finish()
                assert not await is_active(other, pid)
                assert await db.fetchval("SELECT 1") == 1
                assert db.pid == pid

    loop.run(main)


def test_cancelled_before_anything_was_sent(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            for _ in range(20):
                async with loop.started(lambda: db.fetch(SLEEP)) as sleeping:
                    sleeping.cancel()
                assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_a_cancellation_that_comes_too_late_hits_nothing_else(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            for number in range(60):
                async with loop.started(lambda: db.fetch("SELECT 1")) as quick:
                    await loop.sleep(number * 0.00002)
                    quick.cancel()
                assert await db.fetchval("SELECT pg_sleep(0.001)::text || $1::int", number) == str(number)

    loop.run(main)


def test_cancelled_in_a_big_result(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            endless = "SELECT repeat('x', 1000) FROM generate_series(1, 1000000000)"
            async with loop.started(lambda: db.fetch(endless)) as fetching:
                await loop.sleep(0.05)
                fetching.cancel()
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_cancelled_in_bulk(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            await db.execute("CREATE TABLE t (x int)")
            rows = [(0.0001,)] * 100_000
            insert = "INSERT INTO t SELECT 1 FROM pg_sleep($1)"
            async with loop.started(lambda: db.executemany(insert, rows)) as inserting:
                await loop.sleep(0.3)
                inserting.cancel()
            assert await db.fetchval("SELECT count(*) FROM t") == 0

    loop.run(main)


def test_timeouts(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            for _ in range(3):
                start = time.monotonic()
                with pytest.raises(TimeoutError):
                    async with loop.timeout(0.02):
                        await db.fetch(SLEEP)
                assert 0.02 <= time.monotonic() - start < 5
            with pytest.raises(isthmus_postgres.QueryCanceled, match="statement timeout") as caught:
                await db.execute(f"SET statement_timeout = '20ms'; {SLEEP}")
            assert caught.value.sqlstate == "57014"
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_cancel_of_what_another_task_executes(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, isthmus_postgres.connect(dsn) as other:
            assert not db.cancel()
            async with loop.started(lambda: db.fetch(SLEEP)) as sleeping:
                await until_active(loop, db, other)
                assert db.cancel()
                with pytest.raises(isthmus_postgres.QueryCanceled, match="user request"):
                    await sleeping.finish()
            assert not db.cancel()
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_closed_meanwhile(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as other:
            db = await isthmus_postgres.connect(dsn)
            notifications = db.listen("channel")
            async with notifications, loop.started(lambda: anext(notifications)) as listening:
                await loop.sleep(0.01)
                async with loop.started(lambda: db.fetch(SLEEP)) as sleeping:
                    await until_active(loop, db, other)
                    await db.close()
                    await db.close()
                    with pytest.raises(isthmus_postgres.InterfaceError, match="connection is closed"):
                        await sleeping.finish()
                with pytest.raises(isthmus_postgres.InterfaceError, match="connection is closed"):
                    await listening.finish()
            assert not db.is_open
            assert not db.in_transaction
            assert db.pid == 0
            for use in (lambda: db.fetch("SELECT 1"), lambda: db.execute("SELECT 1"), lambda: db.prepare("SELECT 1")):
                with pytest.raises(isthmus_postgres.InterfaceError, match="connection is closed"):
                    await use()
            with pytest.raises(isthmus_postgres.InterfaceError, match="connection is closed"):
                await db

    loop.run(main)


def test_not_open_yet(dsn: str) -> None:
    db = isthmus_postgres.connect(dsn)
    with pytest.raises(isthmus_postgres.InterfaceError, match="not open yet"):
        db.transaction()


def test_an_abandoned_command_closes_the_connection(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await isthmus_postgres.connect(dsn)
        coroutine = db.fetch(SLEEP).__await__()
        next(coroutine)
        coroutine.close()
        assert not db.is_open
        with pytest.raises(isthmus_postgres.ConnectionLost, match="was abandoned"):
            await db.fetch("SELECT 1")

    loop.run(main)


def silent_server(folder: Path) -> socket.socket:
    """Takes connections, and says nothing."""
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(folder / ".s.PGSQL.5432"))
    listening.listen()
    return listening


def test_cancelled_while_it_connects(loop: Loop, tmp_path: Path) -> None:
    dsn = f"host={tmp_path} user=tests"

    async def main() -> None:
        db = isthmus_postgres.connect(dsn)
        async with loop.started(lambda: db.__aenter__()) as connecting:
            await loop.sleep(0.02)
            with pytest.raises(isthmus_postgres.InterfaceError, match="being opened"):
                await db
            connecting.cancel()
            with pytest.raises(WasCancelled):
                await connecting.finish()
        assert not db.is_open
        with pytest.raises(TimeoutError):
            async with loop.timeout(0.02):
                await isthmus_postgres.connect(dsn)
        async with loop.started(lambda: db.__aenter__()) as connecting:
            await loop.sleep(0.02)
            await db.close()
        assert not db.is_open

    with silent_server(tmp_path):
        loop.run(main)


def test_cancelled_while_it_listens(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, db.listen("channel") as notifications:
            for _ in range(3):
                async with loop.started(lambda: anext(notifications)) as listening:
                    await loop.sleep(0.01)
                    listening.cancel()
                    with pytest.raises(WasCancelled):
                        await listening.finish()
            await db.execute("NOTIFY channel, 'still here'")
            assert (await anext(notifications)).payload == "still here"

    loop.run(main)


def test_the_server_does_not_answer_a_cancellation(loop: Loop, server: Server) -> None:
    """It is stopped, as a host that has gone away. What waits for it can be given up by closing the connection."""

    async def main() -> None:
        db = await isthmus_postgres.connect(server.dsn)
        pid = db.pid
        async with loop.started(lambda: db.fetch(SLEEP)) as sleeping:
            await loop.sleep(0.02)
            server.pause(pid)
            try:
                sleeping.cancel()
                await loop.sleep(0.05)
                assert db.is_open  # it waits for the server
                await db.close()
                with pytest.raises(WasCancelled):
                    await sleeping.finish()
            finally:
                server.resume(pid)

    loop.run(main)
