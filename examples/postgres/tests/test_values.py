"""What goes in and comes out."""

import math
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import isthmus_postgres
import pytest
from support import Loop

IDENTIFIER = UUID("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")
BERLIN = timezone(timedelta(hours=1))

VALUES: list[tuple[str, Any]] = [
    ("bool", True),
    ("bool", False),
    ("int2", -32768),
    ("int4", 2147483647),
    ("int8", -9223372036854775808),
    ("oid", 4294967295),
    ("float4", 0.5),
    ("float8", 0.1),
    ("float8", 5e-324),
    ("float8", 1.7976931348623157e308),
    ("float8", math.inf),
    ("float8", -math.inf),
    ("numeric", Decimal("123456789012345678901234567890.000000000100")),
    ("numeric", Decimal("-0.5")),
    ("numeric", 10**40),
    ("text", ""),
    ("text", "ünïcödé 🐘 'quotes' \"double\" \\ {brace}, NULL\n"),
    ("varchar(5)", "hello"),
    ("char(3)", "ab "),
    ("name", "a_name"),
    ("bytea", b""),
    ("bytea", bytes(range(256))),
    ("date", date(1, 1, 1)),
    ("date", date(9999, 12, 31)),
    ("time", time(23, 59, 59, 999999)),
    ("time", time(12, 30)),
    ("timestamp", datetime(2024, 2, 29, 12, 30, 59, 250000)),
    ("timestamp", datetime(9999, 12, 31, 23, 59, 59, 999999)),
    ("timestamp", datetime(1, 1, 1)),
    ("timestamptz", datetime(2024, 2, 29, 12, 30, 59, 1, tzinfo=UTC)),
    ("timestamptz", datetime(1999, 12, 31, 23, 59, 59, tzinfo=BERLIN)),
    ("uuid", IDENTIFIER),
    ("json", {"a": [1, 2.5, None, "x"], "b": {}}),
    ("jsonb", {"ä": True}),
    ("bool[]", [True, None, False]),
    ("int4[]", []),
    ("int4[]", [1, None, -3]),
    ("int8[]", [[1, 2], [3, 4]]),
    ("float8[]", [0.1, math.inf]),
    ("text[]", ["", "NULL", "null", None, "a,b", '"', "\\", "{}", " spaced ", "🐘"]),
    ("text[]", [[["x"], ["y"]], [["z"], [None]]]),
    ("bytea[]", [b"\x00\xff", None, b"\\"]),
    ("date[]", [date(2024, 1, 1)]),
    ("time[]", [time(1, 2, 3)]),
    ("timestamp[]", [datetime(2024, 1, 1, 1, 2, 3)]),
    ("timestamptz[]", [datetime(2024, 1, 1, 1, 2, 3, tzinfo=UTC)]),
    ("numeric[]", [Decimal("1.50"), None]),
    ("uuid[]", [IDENTIFIER]),
    ("jsonb[]", [{"a": 1}, None]),
    ("varchar[]", ["x"]),
]


def test_round_trips(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            for kind, value in VALUES:
                found = await db.fetchval(f"SELECT $1::{kind}", value)
                assert found == value, kind
                assert type(found) is type(value) or kind == "numeric", kind
                assert await db.fetchval(f"SELECT $1::{kind}", None) is None, kind

    loop.run(main)


def test_read_only_values(loop: Loop, dsn: str) -> None:
    """What PostgreSQL writes, but the parameters of these types are written otherwise."""

    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            assert math.isnan(await db.fetchval("SELECT 'NaN'::float8"))
            assert (await db.fetchval("SELECT 'NaN'::numeric")).is_nan()
            assert await db.fetchval("SELECT '[1, 2]'::jsonb") == [1, 2]
            assert await db.fetchval("SELECT 'null'::json") is None
            assert await db.fetchval("SELECT '[0:1]={1,2}'::int[]") == [1, 2]
            assert await db.fetchval("SELECT '10.1.2.3/8'::inet") == "10.1.2.3/8"  # a type that is not known
            assert await db.fetchval("SELECT '(1,2)'::point") == "(1,2)"
            assert await db.fetchval("SELECT ROW(1, 'x')") == "(1,x)"
            assert await db.fetchval("SELECT $1::interval = '1 day 2 hours -3 seconds'", timedelta(1, 7197)) is True
            await db.execute("SET bytea_output = 'escape'")
            assert await db.fetchval("SELECT '\\x00ff5c'::bytea") == b"\x00\xff\\"

    loop.run(main)


@pytest.mark.parametrize(
    ("zone", "hours"), [("UTC", 0), ("Europe/Berlin", 1), ("Asia/Kathmandu", 5.75), ("America/St_Johns", -3.5)]
)
def test_time_zones(loop: Loop, dsn: str, zone: str, hours: float) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            await db.execute(f"SET timezone = '{zone}'")
            found = await db.fetchval("SELECT '2024-01-15 12:00:00.5+00'::timestamptz")
            assert found == datetime(2024, 1, 15, 12, 0, 0, 500000, tzinfo=UTC)
            assert found.utcoffset() == timedelta(hours=hours)

    loop.run(main)


def test_the_format_of_dates_is_set(loop: Loop, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGDATESTYLE", "German")

    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            assert await db.fetchval("SELECT '2024-02-01'::date") == date(2024, 2, 1)

    loop.run(main)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 'infinity'::date",
        "SELECT '0044-03-15 BC'::date",
        "SELECT '10000-01-01'::date",
        "SELECT '-infinity'::timestamp",
        "SELECT '10000-01-01 00:00:00+00'::timestamptz",
    ],
)
def test_values_that_python_does_not_have(loop: Loop, dsn: str, sql: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            with pytest.raises(isthmus_postgres.DataError, match="Python has no date"):
                await db.fetch(sql)
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_values_that_postgres_does_not_have(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            with pytest.raises(TypeError, match="PostgreSQL has no type for a object"):
                await db.fetch("SELECT $1", object())
            with pytest.raises(isthmus_postgres.InterfaceError, match="null character"):
                await db.fetch("SELECT $1::text", "a\0b")
            with pytest.raises(isthmus_postgres.InterfaceError, match="null character"):
                await db.fetch("SELECT 1\0")
            with pytest.raises(UnicodeEncodeError):
                await db.fetch("SELECT $1::text", "\ud800")
            with pytest.raises(isthmus_postgres.InterfaceError, match="65535 parameters"):
                await db.fetch("SELECT 1", *range(65536))
            with pytest.raises(isthmus_postgres.DataError, match="out of range"):
                await db.fetch("SELECT $1::int4", 2**31)
            with pytest.raises(TypeError, match="sequence"):
                await db.executemany("SELECT $1", ["ab"])
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_big_values(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            big = bytes(range(256)) * 40_000  # 10 MB, for which no socket has room
            assert await db.fetchval("SELECT $1::bytea", big) == big
            assert await db.fetchval("SELECT $1::text", "x" * 5_000_000) == "x" * 5_000_000

    loop.run(main)
