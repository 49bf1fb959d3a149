"""Opening, closing, many calls at once, and the locks of several connections."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import isthmus_sqlite
import pytest
import uvloop
from support import COUNT_TO, ENDLESS, Run


def test_async_with(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db:
            assert db.is_open
            assert await db.fetchone("SELECT 1") == (1,)
        assert not db.is_open

    run(main())
    assert path.exists()


def test_await_and_close(run: Run[None], path: Path) -> None:
    async def main() -> None:
        connection = isthmus_sqlite.connect(str(path))
        assert not connection.is_open
        db = await connection
        assert db is connection
        assert await db is db
        assert await db.fetchone("SELECT 1") == (1,)
        await db.close()
        await db.close()
        with pytest.raises(isthmus_sqlite.ProgrammingError, match=r"Cannot operate on a closed database\."):
            await db

    run(main())


def test_uri(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db:
            await db.execute("CREATE TABLE t (x)")
        async with isthmus_sqlite.connect(f"file:{path}?mode=ro", uri=True) as db:
            with pytest.raises(isthmus_sqlite.OperationalError, match="readonly database") as caught:
                await db.execute("INSERT INTO t VALUES (1)")
            assert caught.value.sqlite_errorname == "SQLITE_READONLY"

    run(main())


def test_what_cannot_be_opened(run: Run[None], tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(isthmus_sqlite.OperationalError, match="unable to open database file") as caught:
            async with isthmus_sqlite.connect(tmp_path / "nowhere" / "test.db"):
                pass
        assert caught.value.sqlite_errorname == "SQLITE_CANTOPEN"
        (tmp_path / "text").write_text("This is not a database, just a long enough text." * 100)
        async with isthmus_sqlite.connect(tmp_path / "text") as db:
            with pytest.raises(isthmus_sqlite.DatabaseError, match="file is not a database"):
                await db.fetchall("SELECT * FROM sqlite_master")

    run(main())


def test_calls_before_opening_and_after_closing(run: Run[None]) -> None:
    async def main() -> None:
        db = isthmus_sqlite.connect(":memory:")
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: db.execute("SELECT 1"),
            lambda: db.executemany("SELECT ?", [(1,)]),
            lambda: db.executescript("SELECT 1"),
            lambda: db.fetchall("SELECT 1"),
            lambda: db.fetchone("SELECT 1"),
            lambda: db.for_each("SELECT 1", (), print),  # type: ignore[arg-type]
            lambda: db.transaction().__aenter__(),
        ]
        for call in calls:
            with pytest.raises(isthmus_sqlite.ProgrammingError, match="not open yet"):
                await call()
        with pytest.raises(isthmus_sqlite.ProgrammingError, match="not open yet"):
            db.query("SELECT 1")
        await db
        query = db.query("SELECT 1")
        await db.close()
        for call in calls:
            with pytest.raises(isthmus_sqlite.ProgrammingError, match="closed database"):
                await call()
        with pytest.raises(isthmus_sqlite.ProgrammingError, match="closed database"):
            db.query("SELECT 1")
        with pytest.raises(isthmus_sqlite.ProgrammingError, match="closed database"):
            await anext(query)

    run(main())


def test_closing_waits_for_the_calls_before_it(run: Run[None]) -> None:
    async def main() -> None:
        db = await isthmus_sqlite.connect(":memory:")
        calls = [asyncio.ensure_future(db.fetchall(COUNT_TO, (20_000,))) for _ in range(5)]
        await asyncio.sleep(0)
        await db.close()
        assert [len(rows) for rows in await asyncio.gather(*calls)] == [20_000] * 5
        with pytest.raises(isthmus_sqlite.ProgrammingError, match="closed database"):
            await db.fetchone("SELECT 1")

    run(main())


def test_without_a_loop() -> None:
    db = isthmus_sqlite.connect(":memory:")
    opening = db.__aenter__()
    with pytest.raises(RuntimeError, match="running event loop"):
        opening.send(None)


def test_one_connection_on_two_loops_in_turn() -> None:
    db = isthmus_sqlite.connect(":memory:")

    async def first() -> None:
        await db
        await db.execute("CREATE TABLE t (x)")
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(db.fetchone(ENDLESS), 0.01)

    async def second() -> None:
        await db.execute("INSERT INTO t VALUES (1)")
        assert await db.fetchall("SELECT x FROM t") == [(1,)]
        await db.close()

    asyncio.run(first())
    uvloop.run(second())


def test_a_thousand_calls_at_once(run: Run[None], path: Path) -> None:
    async def main() -> None:
        connections = [await isthmus_sqlite.connect(path) for _ in range(8)]
        await connections[0].execute("PRAGMA journal_mode = WAL")
        await connections[0].execute("CREATE TABLE t (x INTEGER PRIMARY KEY, y TEXT)")
        await connections[0].executemany("INSERT INTO t VALUES (?, ?)", [(i, f"row {i}") for i in range(1000)])
        rows = await asyncio.gather(
            *(connections[i % 8].fetchone("SELECT x, y FROM t WHERE x = ?", (i,)) for i in range(1000))
        )
        assert rows == [(i, f"row {i}") for i in range(1000)]
        results = await asyncio.gather(
            *(connections[i % 8].execute("UPDATE t SET y = y || ? WHERE x = ?", ("!", i)) for i in range(1000))
        )
        assert [result.rowcount for result in results] == [1] * 1000
        assert await connections[0].fetchone("SELECT count(*) FROM t WHERE y = 'row ' || x || '!'") == (1000,)
        await asyncio.gather(*(db.close() for db in connections))

    run(main())


def test_calls_are_made_in_order(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, x)")
            await asyncio.gather(*(db.execute("INSERT INTO t (x) VALUES (?)", (i,)) for i in range(500)))
            assert await db.fetchall("SELECT x FROM t ORDER BY id") == [(i,) for i in range(500)]

    run(main())


def test_the_loop_goes_on_meanwhile(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            start = time.perf_counter()
            call = asyncio.ensure_future(db.fetchone("SELECT count(*) FROM (" + COUNT_TO + ")", (3_000_000,)))
            longest = 0.0
            while not call.done():
                before = time.perf_counter()
                await asyncio.sleep(0.001)
                longest = max(longest, time.perf_counter() - before)
            assert await call == (3_000_000,)
            assert longest < (time.perf_counter() - start) / 3

    run(main())


def test_many_connections_wait_for_one_lock(run: Run[None], path: Path) -> None:
    """More of them than there are threads: those that wait must not keep the one with the lock from a thread."""

    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db:
            await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (0)")

        async def increment() -> None:
            async with isthmus_sqlite.connect(path, timeout=30) as db, db.transaction("immediate"):
                row = await db.fetchone("SELECT x FROM t")
                assert row is not None
                await asyncio.sleep(0)
                await db.execute("UPDATE t SET x = ?", (row[0] + 1,))

        await asyncio.gather(*(increment() for _ in range(50)))
        async with isthmus_sqlite.connect(path) as db:
            assert await db.fetchone("SELECT x FROM t") == (50,)

    run(main())


def test_a_lock_that_stays(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as one, isthmus_sqlite.connect(path, timeout=0.05) as two:
            await one.execute("CREATE TABLE t (x)")
            async with one.transaction("exclusive"):
                before = time.perf_counter()
                with pytest.raises(isthmus_sqlite.OperationalError, match="database is locked") as caught:
                    await two.fetchall("SELECT x FROM t")
                assert 0.05 <= time.perf_counter() - before < 1
                assert caught.value.sqlite_errorname == "SQLITE_BUSY"
                with pytest.raises(isthmus_sqlite.OperationalError, match="database is locked"):
                    await two.executemany("INSERT INTO t VALUES (?)", [(1,)])
                with pytest.raises(isthmus_sqlite.OperationalError, match="database is locked"):
                    await anext(two.query("SELECT x FROM t"))
            assert await two.fetchall("SELECT x FROM t") == []

    run(main())


def test_a_deadlock_of_transactions_ends_at_once(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as one, isthmus_sqlite.connect(path, timeout=30) as two:
            await one.execute("PRAGMA journal_mode = WAL")
            await one.execute("CREATE TABLE t (x)")
            before = time.perf_counter()
            with pytest.raises(isthmus_sqlite.OperationalError, match="database is locked") as caught:
                async with two.transaction():
                    await two.fetchall("SELECT x FROM t")
                    await one.execute("INSERT INTO t VALUES (1)")
                    await two.execute("INSERT INTO t VALUES (2)")  # what it has read is old
            assert caught.value.sqlite_errorname == "SQLITE_BUSY_SNAPSHOT"
            assert time.perf_counter() - before < 5
            assert await two.fetchall("SELECT x FROM t") == [(1,)]

    run(main())
