"""Commit, rollback and savepoints, of one task and of several."""

import asyncio
from pathlib import Path
from typing import Any

import isthmus_sqlite
import pytest
from support import Run


def test_commit_and_rollback(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db, isthmus_sqlite.connect(path) as other:
            await db.execute("PRAGMA journal_mode = WAL")
            await db.execute("CREATE TABLE t (x)")
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (1)")
                assert await other.fetchall("SELECT x FROM t") == []
            assert await other.fetchall("SELECT x FROM t") == [(1,)]
            with pytest.raises(LookupError):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (2)")
                    raise LookupError
            assert await db.fetchall("SELECT x FROM t") == [(1,)]

    run(main())


def test_transactions_nest(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (x)")
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (1)")
                with pytest.raises(LookupError):
                    async with db.transaction():
                        await db.execute("INSERT INTO t VALUES (2)")
                        async with db.transaction():
                            await db.execute("INSERT INTO t VALUES (3)")
                        raise LookupError
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (4)")
            assert await db.fetchall("SELECT x FROM t") == [(1,), (4,)]
            with pytest.raises(LookupError):
                async with db.transaction():
                    async with db.transaction():
                        await db.execute("INSERT INTO t VALUES (5)")
                    raise LookupError
            assert await db.fetchall("SELECT x FROM t") == [(1,), (4,)]

    run(main())


def test_transactions_of_several_tasks(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (x INTEGER)")
            await db.execute("INSERT INTO t VALUES (0)")

            async def increment(fail: bool) -> None:
                async with db.transaction():
                    row = await db.fetchone("SELECT x FROM t")
                    assert row is not None
                    await asyncio.sleep(0)
                    await db.execute("UPDATE t SET x = ?", (row[0] + 1,))
                    if fail:
                        raise LookupError

            await asyncio.gather(*(increment(i % 3 == 0) for i in range(99)), return_exceptions=True)
            assert await db.fetchone("SELECT x FROM t") == (66,)

            # Other tasks wait until it is over, those that were started in it belong to it.
            began = asyncio.Event()

            async def outsider() -> list[tuple[Any, ...]]:
                await began.wait()
                return await db.fetchall("SELECT x FROM t")

            outside = asyncio.ensure_future(outsider())
            async with db.transaction():
                began.set()
                await asyncio.gather(*(db.execute("UPDATE t SET x = x + 1") for _ in range(10)))
                await asyncio.wait_for(db.execute("UPDATE t SET x = x + 1"), 10)
                assert not outside.done()
                await db.execute("UPDATE t SET x = x + 1000")
            assert await outside == [(1077,)]

            async def nested() -> None:
                async with db.transaction():
                    await db.execute("UPDATE t SET x = x + 1")
                    await asyncio.sleep(0)
                    await db.execute("UPDATE t SET x = x + 1")

            async with db.transaction():
                await asyncio.gather(*(nested() for _ in range(10)))
            assert await db.fetchone("SELECT x FROM t") == (1097,)

    run(main())


def test_modes(run: Run[None], path: Path) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(path) as db, isthmus_sqlite.connect(path, timeout=0) as other:
            await db.execute("CREATE TABLE t (x)")
            async with db.transaction("immediate"):
                assert await other.fetchall("SELECT x FROM t") == []
                with pytest.raises(isthmus_sqlite.OperationalError, match="locked"):
                    async with other.transaction("IMMEDIATE"):
                        pass
            async with other.transaction("immediate"):
                pass
            with pytest.raises(ValueError, match="deferred, immediate or exclusive"):
                db.transaction("quick")

    run(main())


def test_a_failing_commit_rolls_back(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.executescript(
                "PRAGMA foreign_keys = ON; CREATE TABLE a (id INTEGER PRIMARY KEY);"
                "CREATE TABLE b (id REFERENCES a DEFERRABLE INITIALLY DEFERRED)"
            )
            with pytest.raises(isthmus_sqlite.IntegrityError, match="FOREIGN KEY"):
                async with db.transaction():
                    await db.execute("INSERT INTO b VALUES (1)")
            assert await db.fetchall("SELECT * FROM b") == []
            async with db.transaction():
                await db.execute("INSERT INTO a VALUES (1)")
                await db.execute("INSERT INTO b VALUES (1)")
            assert await db.fetchall("SELECT * FROM b") == [(1,)]

    run(main())


def test_transactions_by_hand(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (x)")
            await db.execute("BEGIN")
            async with db.transaction():  # a savepoint, then
                await db.execute("INSERT INTO t VALUES (1)")
            await db.execute("ROLLBACK")
            assert await db.fetchall("SELECT x FROM t") == []
            with pytest.raises(isthmus_sqlite.OperationalError, match="no transaction is active"):
                async with db.transaction():
                    await db.execute("COMMIT")
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (2)")
            assert await db.fetchall("SELECT x FROM t") == [(2,)]

    run(main())


def test_misused_transactions(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            transaction = db.transaction()
            with pytest.raises(isthmus_sqlite.ProgrammingError, match="not running"):
                await transaction.__aexit__(None, None, None)
            async with transaction:
                pass
            with pytest.raises(isthmus_sqlite.ProgrammingError, match="only once"):
                async with transaction:
                    pass
            with pytest.raises(isthmus_sqlite.ProgrammingError, match="not running"):
                await transaction.__aexit__(None, None, None)

    run(main())


def test_a_dropped_transaction_is_rolled_back(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (x)")

            async def begin() -> isthmus_sqlite.Transaction:
                transaction = db.transaction()
                await transaction.__aenter__()
                await db.execute("INSERT INTO t VALUES (1)")
                return transaction

            transaction = await asyncio.ensure_future(begin())
            waiting = asyncio.ensure_future(db.fetchall("SELECT x FROM t"))
            await asyncio.sleep(0.01)
            assert not waiting.done()
            del transaction
            assert await waiting == []

    run(main())


def test_closing_in_a_transaction(run: Run[None], path: Path) -> None:
    async def main() -> None:
        db = await isthmus_sqlite.connect(path)
        await db.execute("CREATE TABLE t (x)")
        with pytest.raises(isthmus_sqlite.ProgrammingError, match="closed database"):
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (1)")
                await db.close()
        async with isthmus_sqlite.connect(path) as again:
            assert await again.fetchall("SELECT x FROM t") == []

    run(main())
