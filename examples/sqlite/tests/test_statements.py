"""Values, parameters, results and errors."""

import contextlib
import math
import sqlite3
from collections.abc import Iterator
from types import MappingProxyType
from typing import Any

import isthmus_sqlite
import pytest
from support import Run, names, with_people


@pytest.mark.parametrize(
    "value",
    [
        None,
        0,
        -1,
        2**63 - 1,
        -(2**63),
        0.5,
        -1e300,
        math.inf,
        "",
        "text",
        "\u00e4\u20ac\U0001f600",
        "a\0b",
        "x" * 100_000,
        b"",
        b"\0\xff",
        b"x" * 100_000,
    ],
    ids=lambda value: repr(value)[:20],
)
def test_values_come_back(run: Run[None], value: isthmus_sqlite.Value) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            row = await db.fetchone("SELECT ?", (value,))
            assert row == (value,)
            assert row is not None
            assert type(row[0]) is type(value)

    run(main())


def test_other_values(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            assert await db.fetchone("SELECT ?, ?", (True, False)) == (1, 0)
            assert await db.fetchone("SELECT ?, ?", (bytearray(b"ab"), memoryview(b"cd"))) == (b"ab", b"cd")
            assert await db.fetchone("SELECT ?", (math.nan,)) == (None,)  # SQLite has none
            assert await db.fetchone("SELECT 1, 2.5, 'a', x'00', NULL, 1 > 2") == (1, 2.5, "a", b"\0", None, 0)

    run(main())


def test_the_same_as_the_standard_library(run: Run[None]) -> None:
    sql = "SELECT typeof(?), typeof(?), typeof(?), typeof(?), typeof(?), quote(?), ? || 'x', ? + 1"
    values: tuple[Any, ...] = (1, 1.0, "1", b"1", None, b"1", None, "1")

    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            with contextlib.closing(sqlite3.connect(":memory:")) as standard:
                assert await db.fetchall(sql, values) == standard.execute(sql, values).fetchall()

    run(main())


def test_parameters(run: Run[None]) -> None:
    class OneTwo:
        def __len__(self) -> int:
            return 2

        def __getitem__(self, index: int) -> int:
            return range(1, 3)[index]

    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            assert await db.fetchone("SELECT ?, ?", [1, 2]) == (1, 2)
            assert await db.fetchone("SELECT ?, ?", OneTwo()) == (1, 2)  # type: ignore[arg-type]
            assert await db.fetchone("SELECT ?2, ?1", (1, 2)) == (2, 1)
            assert await db.fetchone("SELECT :a, @b, $c, :a", {"a": 1, "b": 2, "c": 3}) == (1, 2, 3, 1)
            assert await db.fetchone("SELECT :a", MappingProxyType({"a": 1, "unused": 2})) == (1,)
            assert await db.fetchone("SELECT :a", {"a": 1, "unused": object()}) == (1,)  # type: ignore[dict-item]
            assert await db.fetchone("SELECT :a, :b", (1, 2)) == (1, 2)

    run(main())


def test_wrong_parameters(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            wrong: list[tuple[str, Any, str]] = [
                ("SELECT ?", (), "The current statement uses 1, and there are 0 supplied"),
                ("SELECT ?", (1, 2), "The current statement uses 1, and there are 2 supplied"),
                ("SELECT ?", (object(),), "Error binding parameter 1: type 'object' is not supported"),
                ("SELECT :a", {"a": {}}, "Error binding parameter :a: type 'dict' is not supported"),
                ("SELECT :a", {"b": 1}, "You did not supply a value for binding parameter :a"),
                ("SELECT ?", {"a": 1}, "Binding 1 has no name"),
                ("SELECT ?", "a", "must be a sequence or a mapping, not str"),
                ("SELECT ?", 1, "must be a sequence or a mapping, not int"),
            ]
            for sql, parameters, message in wrong:
                with pytest.raises(isthmus_sqlite.ProgrammingError, match=message):
                    await db.execute(sql, parameters)
            with pytest.raises(OverflowError, match="too large"):
                await db.execute("SELECT ?", (2**63,))
            with pytest.raises(OverflowError, match="too large"):
                db.query("SELECT ?", (2**63,))
            with pytest.raises(UnicodeEncodeError):
                await db.execute("SELECT ?", ("\ud800",))
            with pytest.raises(TypeError, match="names of parameters must be str"):
                await db.execute("SELECT :a", {1: 2})  # type: ignore[dict-item]
            with pytest.raises(TypeError, match="'int' object is not iterable"):
                await db.executemany("SELECT ?", 1)  # type: ignore[arg-type]
            assert await db.fetchone("SELECT 1") == (1,)

    run(main())


def test_an_error_in_the_parameters_is_the_callers_own(run: Run[None]) -> None:
    def rows() -> Iterator[tuple[int]]:
        yield (1,)
        raise LookupError("no more")

    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.execute("CREATE TABLE t (x)")
            with pytest.raises(LookupError, match="no more"):
                await db.executemany("INSERT INTO t VALUES (?)", rows())
            assert await db.fetchall("SELECT x FROM t") == []

    run(main())


def test_text_that_is_no_utf8(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            with pytest.raises(isthmus_sqlite.OperationalError, match="UTF-8"):
                await db.fetchone("SELECT CAST(x'ff' AS TEXT)")
            assert await db.fetchone("SELECT 1") == (1,)

    run(main())


def test_results(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            created = await db.execute("CREATE TABLE t (x)")
            assert (created.rowcount, created.lastrowid) == (-1, 0)
            inserted = await db.execute("INSERT INTO t VALUES (1), (2), (3)")
            assert (inserted.rowcount, inserted.lastrowid) == (3, 3)
            assert repr(inserted) == "Result(rowcount=3, lastrowid=3)"
            assert (await db.execute("-- a comment\n /* one more */ update t SET x = 0 WHERE x > 1")).rowcount == 2
            assert (await db.execute("SELECT x FROM t")).rowcount == -1
            assert (await db.execute("DELETE FROM t WHERE x = 5")).rowcount == 0
            assert (await db.execute("WITH n AS (SELECT 1) DELETE FROM t WHERE x IN n")).rowcount == 1
            assert (await db.executemany("INSERT INTO t VALUES (?)", ((i,) for i in range(10)))).rowcount == 10
            assert (await db.executemany("INSERT INTO t VALUES (?)", [])).rowcount == 0

    run(main())


def test_fetching(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        assert await db.fetchall("SELECT name, age FROM people WHERE age > :age ORDER BY age", {"age": 40}) == [
            ("Alan", 41),
            ("Grace", 85),
        ]
        assert await db.fetchall("SELECT 1 WHERE 0") == []
        assert await db.fetchone("SELECT name FROM people ORDER BY age") == ("Ada",)
        assert await db.fetchone("SELECT 1 WHERE 0") is None
        assert await db.fetchall("INSERT INTO people (name) VALUES ('Edsger') RETURNING id, age") == [(4, None)]
        assert await db.fetchall("DELETE FROM people WHERE 0") == []
        await db.close()

    run(main())


def test_a_changed_schema(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        assert await db.fetchone("SELECT * FROM people") == (1, "Ada", 36)
        await db.execute("ALTER TABLE people ADD COLUMN city TEXT DEFAULT 'London'")
        assert await db.fetchone("SELECT * FROM people") == (1, "Ada", 36, "London")
        await db.close()

    run(main())


def test_more_statements_than_are_kept(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            for _ in range(3):
                for i in range(200):
                    assert await db.fetchone(f"SELECT {i}, ?", (i,)) == (i, i)

    run(main())


def test_scripts(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.executescript("CREATE TABLE t (x); INSERT INTO t VALUES ('a;b'); -- done\n SELECT 1;  ")
            assert await db.fetchall("SELECT x FROM t") == [("a;b",)]
            await db.executescript("")
            with pytest.raises(isthmus_sqlite.OperationalError, match="no such table: u"):
                await db.executescript("INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); INSERT INTO t VALUES (2)")
            assert await db.fetchone("SELECT count(*) FROM t") == (2,)

    run(main())


def test_one_statement_at_a_time(run: Run[None]) -> None:
    async def main() -> None:
        async with isthmus_sqlite.connect(":memory:") as db:
            assert await db.fetchone("SELECT 1; -- and no more") == (1,)
            for sql, message in [
                ("SELECT 1; SELECT 2", "one statement at a time"),
                ("", "no statement"),
                ("-- nothing", "no statement"),
                ("SELECT '\0'", "null character"),
            ]:
                with pytest.raises(isthmus_sqlite.ProgrammingError, match=message):
                    await db.execute(sql)

    run(main())


def test_executemany_is_all_or_nothing(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        with pytest.raises(isthmus_sqlite.IntegrityError):
            await db.executemany("INSERT INTO people (name) VALUES (?)", [("Edsger",), ("Ada",), ("Barbara",)])
        assert await names(db) == ["Ada", "Grace", "Alan"]
        async with db.transaction():
            await db.execute("INSERT INTO people (name) VALUES ('Barbara')")
            with pytest.raises(isthmus_sqlite.IntegrityError):
                await db.executemany("INSERT INTO people (name) VALUES (?)", [("Edsger",), ("Ada",)])
        assert await names(db) == ["Ada", "Grace", "Alan", "Barbara"]
        await db.close()

    run(main())


def test_the_hierarchy() -> None:
    assert issubclass(isthmus_sqlite.Error, Exception)
    for name in ("InterfaceError", "DatabaseError"):
        assert getattr(isthmus_sqlite, name).__base__ is isthmus_sqlite.Error
    for name in "DataError OperationalError IntegrityError InternalError ProgrammingError NotSupportedError".split():
        error = getattr(isthmus_sqlite, name)
        assert error.__base__ is isthmus_sqlite.DatabaseError
        assert error.__module__ == "isthmus_sqlite"


def test_errors_have_their_codes(run: Run[None]) -> None:
    async def main() -> None:
        db = await with_people()
        await db.execute("CREATE TABLE t (x CHECK (x > 0))")
        failing: list[tuple[type[isthmus_sqlite.Error], str, str]] = [
            (isthmus_sqlite.OperationalError, "SELEC 1", "SQLITE_ERROR"),
            (isthmus_sqlite.OperationalError, "SELECT * FROM missing", "SQLITE_ERROR"),
            (isthmus_sqlite.IntegrityError, "INSERT INTO people (name) VALUES ('Ada')", "SQLITE_CONSTRAINT_UNIQUE"),
            (isthmus_sqlite.IntegrityError, "INSERT INTO people (age) VALUES (1)", "SQLITE_CONSTRAINT_NOTNULL"),
            (isthmus_sqlite.IntegrityError, "INSERT INTO t VALUES (0)", "SQLITE_CONSTRAINT_CHECK"),
            (isthmus_sqlite.DataError, "SELECT zeroblob(2000000000)", "SQLITE_TOOBIG"),
        ]
        for error, sql, name in failing:
            with pytest.raises(isthmus_sqlite.Error) as caught:
                await db.execute(sql)
            assert caught.type is error
            assert caught.value.sqlite_errorname == name
            assert caught.value.sqlite_errorcode == getattr(sqlite3, name)
            with contextlib.closing(sqlite3.connect(":memory:")) as standard, pytest.raises(sqlite3.Error) as known:
                standard.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER)")
                standard.execute("INSERT INTO people (name) VALUES ('Ada')")
                standard.execute("CREATE TABLE t (x CHECK (x > 0))")
                standard.execute(sql)
            assert known.type.__name__ == caught.type.__name__
            assert str(known.value) == str(caught.value)
        await db.close()

    run(main())
