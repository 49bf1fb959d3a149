"""Commands, prepared statements, errors and notices."""

import isthmus_postgres
import pytest
from support import Loop, until_active


def test_commands(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            assert await db.execute("CREATE TABLE t (id int PRIMARY KEY, name text)") == "CREATE TABLE"
            assert await db.execute("INSERT INTO t VALUES (1, 'a'), (2, 'b')") == "INSERT 0 2"
            assert await db.execute("INSERT INTO t VALUES ($1, $2)", 3, None) == "INSERT 0 1"
            assert await db.fetch("SELECT * FROM t ORDER BY id") == [(1, "a"), (2, "b"), (3, None)]
            assert await db.fetch("SELECT * FROM t WHERE id > $1", 3) == []
            assert await db.fetchrow("SELECT * FROM t WHERE id = $1", 2) == (2, "b")
            assert await db.fetchrow("SELECT * FROM t WHERE id = $1", 9) is None
            assert await db.fetchval("SELECT name FROM t WHERE id = $1", 1) == "a"
            assert await db.fetchval("SELECT name FROM t WHERE id = $1", 9) is None
            assert await db.fetchval("SELECT FROM t") is None  # rows without columns
            assert await db.fetch("SELECT FROM t") == [(), (), ()]
            assert await db.fetch("DELETE FROM t WHERE id > 1 RETURNING id") == [(2,), (3,)]
            assert await db.execute("") == ""
            assert await db.fetch("") == []

    loop.run(main)


def test_scripts(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            assert await db.execute("CREATE TABLE t (x int); INSERT INTO t VALUES (1); SELECT 1, 2") == "SELECT 1"
            with pytest.raises(isthmus_postgres.DataError, match="division by zero"):
                await db.execute("INSERT INTO t VALUES (2); SELECT 1 / 0; INSERT INTO t VALUES (3)")
            assert await db.fetch("SELECT x FROM t") == [(1,)]  # all or nothing
            with pytest.raises(isthmus_postgres.ProgrammingError, match="multiple commands"):
                await db.fetch("SELECT 1; SELECT 2")

    loop.run(main)


def test_errors(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            await db.execute("CREATE TABLE t (id int PRIMARY KEY, parent int REFERENCES t, x int CHECK (x > 0))")
            await db.execute("INSERT INTO t VALUES (1)")
            cases = [
                ("SELEC 1", isthmus_postgres.ProgrammingError, "42601"),
                ("SELECT * FROM missing", isthmus_postgres.ProgrammingError, "42P01"),
                ("SELECT missing()", isthmus_postgres.ProgrammingError, "42883"),
                ("SELECT 1 / 0", isthmus_postgres.DataError, "22012"),
                ("SELECT 'x'::int", isthmus_postgres.DataError, "22P02"),
                ("INSERT INTO t VALUES (1)", isthmus_postgres.IntegrityError, "23505"),
                ("INSERT INTO t VALUES (2, 3)", isthmus_postgres.IntegrityError, "23503"),
                ("INSERT INTO t VALUES (2, NULL, 0)", isthmus_postgres.IntegrityError, "23514"),
                ("DROP DATABASE postgres", isthmus_postgres.OperationalError, "55006"),
                ("DO $$ BEGIN RAISE 'own'; END $$", isthmus_postgres.InternalError, "P0001"),
                ("DO $$ BEGIN RAISE 'own' USING ERRCODE = 'ZZ001'; END $$", isthmus_postgres.DatabaseError, "ZZ001"),
                ("ALTER SYSTEM SET data_directory = 'x'", isthmus_postgres.OperationalError, "55P02"),
                ("COPY t FROM STDIN", isthmus_postgres.NotSupportedError, "0A000"),
                ("COPY t TO STDOUT", isthmus_postgres.NotSupportedError, "0A000"),
            ]
            for sql, kind, state in cases:
                for method in (db.execute, db.fetch):
                    with pytest.raises(isthmus_postgres.DatabaseError) as caught:
                        await method(sql)
                    assert type(caught.value) is kind, sql
                    assert caught.value.sqlstate == state, sql
                    assert caught.value.severity == "ERROR"
            assert await db.fetch("SELECT id FROM t") == [(1,)]

            with pytest.raises(isthmus_postgres.IntegrityError) as duplicate:
                await db.execute("INSERT INTO t VALUES (1)")
            error = duplicate.value
            assert (error.schema, error.table, error.constraint) == ("public", "t", "t_pkey")
            assert error.detail == "Key (id)=(1) already exists."
            with pytest.raises(isthmus_postgres.ProgrammingError) as misspelt:
                await db.fetch("SELECT idd FROM t")
            assert misspelt.value.position == 8
            assert "t.id" in misspelt.value.hint

    loop.run(main)


def test_prepared_statements(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            await db.execute("CREATE TABLE t (id int, name text)")
            insert = await db.prepare("INSERT INTO t VALUES ($1, $2)")
            assert await insert.execute(1, "a") == "INSERT 0 1"
            await insert.executemany([(2, "b"), [3, None]])
            select = await db.prepare("SELECT id, name FROM t WHERE id >= $1 ORDER BY id")
            assert await select.fetch(2) == [(2, "b"), (3, None)]
            assert await select.fetchrow(1) == (1, "a")
            assert await select.fetchrow(4) is None
            assert await select.fetchval(2) == 2
            assert await select.fetchval(4) is None
            with pytest.raises(isthmus_postgres.OperationalError, match="bind message supplies 2 parameters"):
                await select.fetch(1, 2)
            with pytest.raises(isthmus_postgres.ProgrammingError, match="syntax error"):
                await db.prepare("SELEC 1")

    loop.run(main)


def test_statements_are_deallocated(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            for number in range(10):
                assert await (await db.prepare(f"SELECT {number}")).fetchval() == number
            kept = await db.prepare("SELECT 'kept'")
            count = "SELECT count(*) FROM pg_prepared_statements"
            assert await db.fetchval(count) == 1
            await db.execute("DEALLOCATE ALL")
            with pytest.raises(isthmus_postgres.OperationalError, match="does not exist"):
                await kept.fetchval()
            del kept
            assert await (await db.prepare("SELECT 2")).fetchval() == 2

    loop.run(main)


def test_what_comes_again_is_prepared(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            prepared = "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'SELECT $1::int%'"
            for number in range(4):
                assert await db.fetchval("SELECT $1::int", number) == number
                assert await db.fetchval(prepared) == (1 if number else 0)
            for number in range(300):  # more than are kept
                for _ in range(2):
                    assert await db.fetchval(f"SELECT $1::int + {number}", 1) == number + 1
            await (await db.prepare("SELECT 1")).fetch()
            assert 100 < await db.fetchval(prepared) <= 128

    loop.run(main)


def test_prepared_statements_that_are_outdated(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            await db.execute("CREATE TABLE t (a int); INSERT INTO t VALUES (1)")
            for _ in range(3):
                assert await db.fetch("SELECT * FROM t") == [(1,)]
            await db.execute("ALTER TABLE t ADD b int")
            for _ in range(3):
                assert await db.fetch("SELECT * FROM t") == [(1, None)]
            await db.execute("DISCARD ALL")
            for _ in range(3):
                assert await db.fetch("SELECT * FROM t") == [(1, None)]
            await db.execute("ALTER TABLE t DROP b")
            with pytest.raises(isthmus_postgres.NotSupportedError, match="cached plan"):
                async with db.transaction():
                    await db.fetch("SELECT * FROM t")
            assert await db.fetch("SELECT * FROM t") == [(1,)]

    loop.run(main)


def test_bulk(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            await db.execute("CREATE TABLE t (id int PRIMARY KEY, name text)")
            count = 20_000
            await db.executemany("INSERT INTO t VALUES ($1, $2)", ((i, f"name {i}") for i in range(count)))
            assert await db.fetchrow("SELECT count(*), sum(id), max(name) FROM t") == (
                count,
                count * (count - 1) // 2,
                "name 9999",
            )
            await db.executemany("INSERT INTO t VALUES ($1, $2)", [])
            with pytest.raises(isthmus_postgres.IntegrityError):  # all or nothing
                await db.executemany("INSERT INTO t VALUES ($1, '')", [(count,), (count + 1,), (1,), (count + 2,)])
            assert await db.fetchval("SELECT max(id) FROM t") == count - 1
            with pytest.raises(isthmus_postgres.OperationalError, match="bind message"):
                await db.executemany("INSERT INTO t VALUES ($1, $2)", [(count, ""), (count + 1,)])
            with pytest.raises(isthmus_postgres.InterfaceError):
                await db.executemany("INSERT INTO t VALUES ($1, $2)", [(count, ""), (count + 1, "\0")])
            assert await db.fetchval("SELECT max(id) FROM t") == count - 1
            numbers = list(range(60_000))
            assert await db.fetchval("SELECT count(*) FROM unnest($1::int[])", numbers) == len(numbers)
            names = ", ".join(f"${i + 1}::int" for i in range(1600))
            assert await db.fetchrow(f"SELECT {names}", *range(1600)) == tuple(range(1600))
            many = ", ".join(f"${i + 1}" for i in range(20_000))
            assert await db.fetchval(f"SELECT cardinality(ARRAY[{many}]::int[])", *range(20_000)) == 20_000

    loop.run(main)


def test_big_results(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            rows = await db.fetch("SELECT i, 'row ' || i FROM generate_series(1, 100000) AS i")
            assert len(rows) == 100_000
            assert rows[0] == (1, "row 1")
            assert rows[-1] == (100_000, "row 100000")

    loop.run(main)


def test_a_big_result_does_not_stop_the_loop(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        turns = 0

        async def count_turns() -> None:
            nonlocal turns
            while True:
                await loop.sleep(0)
                turns += 1

        async with isthmus_postgres.connect(dsn) as db, loop.started(count_turns):
            await db.fetch("SELECT repeat('x', 1000) FROM generate_series(1, 20000)")
        assert turns > 10

    loop.run(main)


def test_notices(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            assert db.take_notices() == []
            await db.execute("DROP TABLE IF EXISTS missing")
            await db.execute("DO $$ BEGIN RAISE WARNING 'look %', 1 USING HINT = 'there'; END $$")
            notices = db.take_notices()
            assert [notice.severity for notice in notices] == ["NOTICE", "WARNING"]
            assert notices[1].message == "look 1"
            assert notices[1].hint == "there"
            assert repr(notices[1]) == "Notice(WARNING: 'look 1')"
            assert db.take_notices() == []
            await db.execute("DO $$ BEGIN FOR i IN 1..150 LOOP RAISE NOTICE '%', i; END LOOP; END $$")
            assert [notice.message for notice in db.take_notices()] == [str(i) for i in range(51, 151)]

    loop.run(main)


def test_one_task_at_a_time(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, isthmus_postgres.connect(dsn) as other:
            async with loop.started(lambda: db.fetchval("SELECT pg_sleep(0.1)::text")) as sleeping:
                await until_active(loop, db, other)
                for _ in range(2):
                    with pytest.raises(isthmus_postgres.InterfaceError, match="another task uses this connection"):
                        await db.fetch("SELECT 1")
                with pytest.raises(isthmus_postgres.InterfaceError, match="another task uses this connection"):
                    await db.transaction().__aenter__()
                assert await sleeping.finish() == ""
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_a_connection_outlives_its_loop(loop: Loop, dsn: str) -> None:
    async def connect() -> isthmus_postgres.Connection:
        return await isthmus_postgres.connect(dsn)

    db = loop.run(connect)

    async def use() -> None:
        assert await db.fetchval("SELECT 1") == 1

    loop.run(use)
    loop.run(db.close)
