"""Transactions and savepoints."""

import isthmus_postgres
import pytest
from support import Loop, Started, WasCancelled, until_active


async def numbers(db: isthmus_postgres.Connection) -> list[int]:
    return [x for (x,) in await db.fetch("SELECT x FROM t ORDER BY x")]


async def with_table(dsn: str) -> isthmus_postgres.Connection:
    db = await isthmus_postgres.connect(dsn)
    await db.execute("CREATE TABLE t (x int PRIMARY KEY)")
    return db


def test_commit_and_roll_back(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await with_table(dsn)
        async with isthmus_postgres.connect(dsn) as other:
            async with db.transaction():
                assert db.in_transaction
                await db.execute("INSERT INTO t VALUES (1)")
                assert await numbers(other) == []
            assert not db.in_transaction
            assert await numbers(other) == [1]
            with pytest.raises(LookupError):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (2)")
                    raise LookupError
            with pytest.raises(isthmus_postgres.IntegrityError):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (2)")
                    await db.execute("INSERT INTO t VALUES (1)")
            assert not db.in_transaction
            assert await numbers(db) == [1]
        await db.close()

    loop.run(main)


def test_savepoints(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await with_table(dsn)
        async with db.transaction():
            await db.execute("INSERT INTO t VALUES (1)")
            with pytest.raises(isthmus_postgres.IntegrityError):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (2)")
                    async with db.transaction():
                        await db.execute("INSERT INTO t VALUES (1)")
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (3)")
        assert await numbers(db) == [1, 3]
        await db.execute("BEGIN")  # not by us
        with pytest.raises(LookupError):
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (4)")
                raise LookupError
        await db.execute("INSERT INTO t VALUES (5)")
        await db.execute("COMMIT")
        assert await numbers(db) == [1, 3, 5]
        await db.close()

    loop.run(main)


def test_a_failed_transaction_is_no_success(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await with_table(dsn)
        with pytest.raises(isthmus_postgres.InternalError, match="was rolled back") as caught:
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (1)")
                with pytest.raises(isthmus_postgres.DataError):
                    await db.execute("SELECT 1 / 0")
                with pytest.raises(isthmus_postgres.InternalError, match="current transaction is aborted"):
                    await db.fetch("SELECT 1")
        assert caught.value.sqlstate == "25P02"
        await db.execute("CREATE TABLE u (x int PRIMARY KEY DEFERRABLE INITIALLY DEFERRED)")
        with pytest.raises(isthmus_postgres.IntegrityError):  # by the COMMIT
            async with db.transaction():
                await db.execute("INSERT INTO u VALUES (1), (1)")
        assert not db.in_transaction
        assert await numbers(db) == []
        await db.close()

    loop.run(main)


def test_modes(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await with_table(dsn)
        async with db.transaction(isolation="serializable", readonly=True):
            assert await db.fetchval("SHOW transaction_isolation") == "serializable"
            with pytest.raises(isthmus_postgres.InternalError, match="read-only"):
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (1)")
        with pytest.raises(ValueError, match="isolation"):
            db.transaction(isolation="total")
        transaction = db.transaction()
        with pytest.raises(isthmus_postgres.InterfaceError, match="not running"):
            await transaction.__aexit__(None, None, None)
        async with transaction:
            pass
        with pytest.raises(isthmus_postgres.InterfaceError, match="only once"):
            await transaction.__aenter__()
        await db.close()

    loop.run(main)


def test_a_cancelled_transaction_is_rolled_back(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await with_table(dsn)
        async with isthmus_postgres.connect(dsn) as other:

            async def insert() -> None:
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (1)")
                    async with db.transaction():
                        await db.execute("SELECT pg_sleep(60)")

            async with loop.started(insert) as inserting:
                await until_active(loop, db, other)
                inserting.cancel()
            assert not db.in_transaction
            assert await numbers(db) == []
        await db.close()

    loop.run(main)


def test_cancelled_at_the_ends(loop: Loop, dsn: str) -> None:
    """Whoever is cancelled in BEGIN or COMMIT waits until these are over."""

    async def main() -> None:
        db = await with_table(dsn)
        running: list[Started] = []

        async def cancelled_in_begin() -> None:
            running[0].cancel()
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (1)")

        async def cancelled_in_commit() -> None:
            async with db.transaction():
                await db.execute("INSERT INTO t VALUES (2)")
                running[0].cancel()

        for function in (cancelled_in_begin, cancelled_in_commit):
            async with loop.started(function) as started:
                running[:] = [started]
                with pytest.raises(WasCancelled):
                    await started.finish()
            assert not db.in_transaction
        assert await numbers(db) == [2]
        await db.close()

    loop.run(main)


def test_a_lost_connection_in_a_transaction(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await with_table(dsn)
        async with isthmus_postgres.connect(dsn) as other:
            with pytest.raises(LookupError):  # and not that there is nothing to roll back
                async with db.transaction():
                    await db.execute("INSERT INTO t VALUES (1)")
                    await other.execute(f"SELECT pg_terminate_backend({db.pid})")
                    with pytest.raises(isthmus_postgres.ConnectionLost):
                        await db.execute("SELECT 1")
                    raise LookupError
            assert await numbers(other) == []

    loop.run(main)
