"""Cancelled calls interrupt their statement, and no other."""

import asyncio
import time
from pathlib import Path

import isthmus_sqlite
import pytest
from support import COUNT_TO, ENDLESS, Run, names, with_people


def test_a_timeout_interrupts_the_statement(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        before = time.perf_counter()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(db.fetchone(ENDLESS), 0.1)
        assert await names(db) == ["Ada", "Grace", "Alan"]  # as soon as the interrupted one has ended
        assert time.perf_counter() - before < 1
        await db.close()

    run(main())


def test_only_the_cancelled_call_is_interrupted(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        for _ in range(20):
            running = asyncio.ensure_future(db.fetchone(ENDLESS))
            waiting = [asyncio.ensure_future(db.fetchall(COUNT_TO, (2000,))) for _ in range(5)]
            cancelled_in_the_queue = asyncio.ensure_future(db.execute("DELETE FROM people"))
            await asyncio.sleep(0.002)
            cancelled_in_the_queue.cancel()
            running.cancel()
            for rows in await asyncio.gather(*waiting):
                assert len(rows) == 2000
            with pytest.raises(asyncio.CancelledError):
                await running
            with pytest.raises(asyncio.CancelledError):
                await cancelled_in_the_queue
        assert await names(db) == ["Ada", "Grace", "Alan"]
        await db.close()

    run(main())


def test_an_open_query_is_not_interrupted(run: Run[None]) -> None:
    """sqlite3_interrupt() would hit it, and all that is started before it ends."""

    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            seen = 0
            async for (i,) in db.query(COUNT_TO, (1000,)):
                seen += 1
                assert i == seen
                if i % 200 == 0:
                    with pytest.raises(asyncio.TimeoutError):
                        await asyncio.wait_for(db.fetchone(ENDLESS), 0.01)
                    assert await db.fetchone("SELECT 1") == (1,)
            assert seen == 1000

    run(main())


def test_cancelling_a_query(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            query = db.query(ENDLESS)
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(query), 0.02)
            with pytest.raises(StopAsyncIteration):
                await anext(query)
            assert await db.fetchone("SELECT 1") == (1,)

    run(main())


def test_an_interrupted_change_is_undone(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (x)")
            endless_insert = "INSERT INTO t SELECT 1 FROM (" + ENDLESS + ")"
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(db.execute(endless_insert), 0.02)
            assert await db.fetchall("SELECT x FROM t") == []
            with pytest.raises(asyncio.TimeoutError):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (1)")
                    await asyncio.wait_for(db.execute(endless_insert), 0.02)
            assert await db.fetchall("SELECT x FROM t") == []
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(db.executemany(endless_insert, [(), ()]), 0.02)
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (2)")
            assert await db.fetchall("SELECT x FROM t") == [(2,)]

    run(main())


def test_cancelling_at_any_moment(run: Run[None], path: Path) -> None:
    """Whatever a transaction was doing when it was cancelled, the connection is whole afterwards."""

    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db:
            await db.execute("PRAGMA synchronous = OFF")
            await db.execute("CREATE TABLE t (x, y)")

            async def work(i: int) -> None:
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (?, 1)", (i,))
                    async with db.transaction():
                        await db.executemany("INSERT INTO t VALUES (?, ?)", [(i, y) for y in range(2, 50)])
                    async for _ in db.query("SELECT x FROM t"):
                        pass
                    await db.execute("INSERT INTO t VALUES (?, 50)", (i,))

            for i in range(150):
                task = asyncio.ensure_future(work(i))
                await asyncio.sleep(0.003 * i / 150)
                task.cancel()
                await asyncio.wait([task])
                assert task.cancelled() or task.exception() is None
            counts = await db.fetchall("SELECT x, count(*) FROM t GROUP BY x")
            assert {count for _, count in counts} <= {50}
            async with db.transaction():
                await db.execute("DELETE FROM t")

    run(main())


def test_cancelling_what_waits_for_a_lock(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as one, isthmus_sqlite.connect(path, timeout=60) as two:
            await one.execute("CREATE TABLE t (x)")
            async with one.transaction("exclusive"):
                before = time.perf_counter()
                with pytest.raises(asyncio.TimeoutError):
                    await asyncio.wait_for(two.fetchall("SELECT x FROM t"), 0.05)
                assert time.perf_counter() - before < 1
            assert await two.fetchall("SELECT x FROM t") == []

    run(main())


def test_cancelling_the_opening(run: Run[None], path: Path) -> None:
    async def main() -> None:
        for _ in range(20):
            db = isthmus_sqlite.connect(path)
            opening = asyncio.ensure_future(db.__aenter__())
            await asyncio.sleep(0)
            opening.cancel()
            with pytest.raises(asyncio.CancelledError):
                await opening
            assert not db.is_open
        assert (await db) is db
        await db.close()

    run(main())
