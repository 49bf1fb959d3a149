"""`async for`, batches, and what ends a query."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import isthmus_sqlite
import pytest
from support import COUNT_TO, Run, is_locked, with_people


def test_async_for(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        rows = [row async for row in db.query("SELECT id, name FROM people WHERE age > ?", (40,))]
        assert rows == [(2, "Grace"), (3, "Alan")]
        assert [row async for row in db.query("SELECT 1 WHERE 0")] == []
        await db.close()

    run(main())


@pytest.mark.parametrize("count", [1, 255, 256, 257, 1000])
def test_batches(run: Run[None], count: int) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            rows = [i async for (i,) in db.query(COUNT_TO, (count,))]
            assert rows == list(range(1, count + 1))

    run(main())


def test_a_query_is_an_iterator(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            query = db.query("SELECT 1 UNION SELECT 2")
            assert isinstance(query, AsyncIterator)
            assert aiter(query) is query
            assert await anext(query) == (1,)
            assert await anext(query) == (2,)
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(query)
            assert await anext(query, None) is None

    run(main())


def test_queries_in_each_other(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            pairs = [(a, b) async for (a,) in db.query(COUNT_TO, (300,)) async for (b,) in db.query(COUNT_TO, (300,))]
            assert len(pairs) == 90_000
            assert pairs[-1] == (300, 300)

    run(main())


def test_errors_in_queries(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            query = db.query("SELECT * FROM missing")
            with pytest.raises(isthmus_sqlite.OperationalError, match="no such table"):
                await anext(query)
            with pytest.raises(StopAsyncIteration):
                await anext(query)
            # The error comes in a later batch: there is no such positive integer.
            failing = db.query(
                "WITH n(i) AS (" + COUNT_TO + ") SELECT abs(i - 1001 - 9223372036854775807) FROM n", (2000,)
            )
            with pytest.raises(isthmus_sqlite.OperationalError, match="integer overflow"):
                async for _ in failing:
                    pass

    run(main())


def test_leaving_a_query_early_ends_it(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db:
            await db.execute("CREATE TABLE t (x)")
            await db.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(1000)])
            assert not await is_locked(path, 5)

            query = db.query("SELECT x FROM t")
            assert await anext(query) == (0,)
            assert await is_locked(path)
            await query.aclose()
            await query.aclose()
            assert not await is_locked(path, 5)
            with pytest.raises(StopAsyncIteration):
                await anext(query)

            async for (x,) in db.query("SELECT x FROM t"):
                if x == 500:
                    assert await is_locked(path)
                    break
            assert not await is_locked(path, 5)

            query = db.query("SELECT x FROM t")
            await anext(query)
            working = asyncio.ensure_future(db.fetchall(COUNT_TO, (50_000,)))
            await asyncio.sleep(0.001)
            del query  # while another call is being made
            await working
            assert not await is_locked(path, 5)

            unread = db.query("SELECT x FROM t")
            await unread.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(unread)

    run(main())


def test_closing_ends_queries(run: Run[None], path: Path) -> None:
    async def main() -> None:
        db = await isthmus_sqlite.connect(path)
        await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES (1)")
        await db.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(1000)])
        query = db.query("SELECT x FROM t")
        await anext(query)
        await db.close()
        assert not await is_locked(path, 5)
        with pytest.raises(isthmus_sqlite.ProgrammingError, match="closed"):
            async for _ in query:  # what has been read already is still given
                pass

    run(main())


def test_one_reader_at_a_time(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            query = db.query(COUNT_TO, (10,))
            first = asyncio.ensure_future(anext(query))
            await asyncio.sleep(0)
            with pytest.raises(isthmus_sqlite.ProgrammingError, match="by another task"):
                await anext(query)
            assert await first == (1,)
            assert await anext(query) == (2,)

    run(main())


def test_for_each(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        seen: list[tuple[Any, ...]] = []

        async def collect(row: tuple[Any, ...]) -> None:
            await asyncio.sleep(0)
            assert await db.fetchone("SELECT name FROM people WHERE id = ?", (row[0],)) == (row[1],)
            seen.append(row)

        assert await db.for_each("SELECT id, name FROM people ORDER BY id", (), collect) == 3
        assert seen == [(1, "Ada"), (2, "Grace"), (3, "Alan")]

        async def stop_at_grace(row: tuple[Any, ...]) -> bool:
            return row != ("Grace",)

        assert await db.for_each("SELECT name FROM people ORDER BY id", (), stop_at_grace) == 2

        async def fail(row: tuple[Any, ...]) -> None:
            raise LookupError(row[0])

        with pytest.raises(LookupError) as caught:
            await db.for_each("SELECT name FROM people ORDER BY id", (), fail)
        assert caught.value.args == ("Ada",)
        assert "fail" in [entry.name for entry in caught.traceback]
        with pytest.raises(TypeError, match=r"(can't be used in 'await'|can't be awaited)"):
            await db.for_each("SELECT 1", (), lambda row: row)  # type: ignore[arg-type, return-value]
        await db.close()

    run(main())


def test_cancelling_a_callback(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db:
            await db.executescript("CREATE TABLE t (x)")
            await db.executemany("INSERT INTO t VALUES (?)", [(i,) for i in range(1000)])
            cleaned_up = False

            async def wait(row: tuple[Any, ...]) -> None:
                nonlocal cleaned_up
                try:
                    await asyncio.sleep(60)
                finally:
                    cleaned_up = True

            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(db.for_each("SELECT x FROM t", (), wait), 0.02)
            assert cleaned_up
            assert not await is_locked(path, 5)

    run(main())
