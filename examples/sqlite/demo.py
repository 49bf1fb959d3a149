"""Loads the world's countries, subdivisions and languages into SQLite, and asks many questions at once.

The driver is C++ (isthmus_sqlite); aiosqlite does the same work in the same run, and must give the same answers.
`make demo` builds the driver and runs this.
"""

import argparse
import asyncio
import contextlib
import json
import pathlib
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from typing import Any, Protocol

import aiosqlite
import isthmus_sqlite
import uvloop

SHARES = ("/usr/share", "/usr/local/share", "/opt/homebrew/share")
SCHEMA = """
    CREATE TABLE country (code TEXT PRIMARY KEY, name TEXT NOT NULL);
    CREATE TABLE subdivision (code TEXT PRIMARY KEY, country TEXT NOT NULL, name TEXT NOT NULL, type TEXT NOT NULL);
    CREATE TABLE language (code TEXT PRIMARY KEY, name TEXT NOT NULL, scope TEXT NOT NULL, type TEXT NOT NULL);
    CREATE INDEX subdivision_country ON subdivision (country);
"""
INSERTS = {
    "country": "INSERT INTO country VALUES (?, ?)",
    "subdivision": "INSERT INTO subdivision VALUES (?, ?, ?, ?)",
    "language": "INSERT INTO language VALUES (?, ?, ?, ?)",
}
BY_COUNTRY = "SELECT name, type FROM subdivision WHERE country = ? ORDER BY name"
BY_NAME = "SELECT code, name FROM language WHERE name LIKE ? ORDER BY code"
HEAVY = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 1000000000) SELECT sum(i) FROM n"

Row = tuple[Any, ...]
Tables = dict[str, list[Row]]


def read_tables() -> Tables:
    """The tables of Debian's package iso-codes."""
    folders = [pathlib.Path(share, "iso-codes/json") for share in SHARES]
    folder = next((folder for folder in folders if (folder / "iso_3166-2.json").exists()), None)
    if folder is None:
        sys.exit("The demo needs the data of the package iso-codes: apt-get install iso-codes")

    def entries(name: str) -> list[dict[str, str]]:
        found: list[dict[str, str]] = json.loads((folder / f"iso_{name}.json").read_text("utf-8"))[name]
        return found

    return {
        "country": [(e["alpha_2"], e["name"]) for e in entries("3166-1")],
        "subdivision": [(e["code"], e["code"].split("-")[0], e["name"], e["type"]) for e in entries("3166-2")],
        "language": [(e["alpha_3"], e["name"], e["scope"], e["type"]) for e in entries("639-3")],
    }


class Driver(Protocol):
    """What the work below needs of a driver."""

    async def load(self, sql: str, rows: Sequence[Row]) -> None: ...
    async def fetchall(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]: ...


class Isthmus:
    """isthmus_sqlite, as it is."""

    def __init__(self, db: isthmus_sqlite.Connection) -> None:
        self.db = db
        self.fetchall = db.fetchall

    async def load(self, sql: str, rows: Sequence[Row]) -> None:
        async with self.db.transaction():
            await self.db.executemany(sql, rows)


class Aiosqlite:
    """aiosqlite, by its one-call forms."""

    def __init__(self, db: aiosqlite.Connection) -> None:
        self.db = db

    async def load(self, sql: str, rows: Sequence[Row]) -> None:
        await self.db.executemany(sql, rows)
        await self.db.commit()

    async def fetchall(self, sql: str, parameters: Sequence[object] = ()) -> list[Row]:
        return [tuple(row) for row in await self.db.execute_fetchall(sql, parameters)]


@contextlib.asynccontextmanager
async def isthmus_driver(path: str) -> AsyncIterator[Driver]:
    async with isthmus_sqlite.connect(path) as db:
        yield Isthmus(db)


@contextlib.asynccontextmanager
async def aiosqlite_driver(path: str) -> AsyncIterator[Driver]:
    async with aiosqlite.connect(path) as db:
        yield Aiosqlite(db)


Connect = Callable[[str], contextlib.AbstractAsyncContextManager[Driver]]
DRIVERS: dict[str, Connect] = {"isthmus_sqlite": isthmus_driver, "aiosqlite": aiosqlite_driver}
LOOPS: dict[str, Callable[[Coroutine[Any, Any, Any]], Any]] = {"asyncio": asyncio.run, "uvloop": uvloop.run}


def progress(done: int, total: int, what: str) -> None:
    """A bar that is drawn again in its place, where there is a terminal."""
    if sys.stdout.isatty():
        filled = 40 * done // total
        end = "\n" if done == total else ""
        print(f"\r  [{'█' * filled}{'·' * (40 - filled)}] {done:>6,}/{total:,} {what:<12}", end=end, flush=True)
    elif done == total:
        print(f"  {total:,} rows loaded")


def show(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """A table with aligned columns."""
    cells = [[str(cell) for cell in row] for row in [header, *rows]]
    widths = [max(len(row[i]) for row in cells) for i in range(len(header))]
    cells.insert(1, ["─" * width for width in widths])
    for row in cells:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def batches(tables: Tables, size: int) -> Iterator[tuple[str, list[Row]]]:
    """The rows in transactions of `size`."""
    for table, rows in tables.items():
        for start in range(0, len(rows), size):
            yield table, rows[start : start + size]


async def load(driver: Driver, tables: Tables, bar: bool = False) -> None:
    """Loads all tables, 250 rows a transaction."""
    total, done = sum(map(len, tables.values())), 0
    for table, rows in batches(tables, 250):
        await driver.load(INSERTS[table], rows)
        done += len(rows)
        if bar:
            progress(done, total, table)


async def questions(drivers: Sequence[Driver], tables: Tables) -> list[list[Row]]:
    """Hundreds of queries at once, over several connections."""
    asked = [(BY_COUNTRY, (code,)) for code, _ in tables["country"]]
    asked += [(BY_NAME, (f"%{a}{b}%",)) for a in "aeiou" for b in "bdfghklmnprstvwz"]
    return await asyncio.gather(*[drivers[i % len(drivers)].fetchall(*q) for i, q in enumerate(asked)])


async def create(path: str) -> None:
    """An empty database with the demo's tables; SQLite need not wait for the disk, since nothing is to last."""
    async with isthmus_sqlite.connect(path) as db:
        await db.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;" + SCHEMA)


async def round_of_work(connect: Connect, folder: str, tables: Tables) -> tuple[float, float, list[list[Row]]]:
    """The seconds of loading and of the queries, and their answers."""
    with tempfile.NamedTemporaryFile(dir=folder, suffix=".db") as file:
        await create(file.name)
        async with contextlib.AsyncExitStack() as stack:
            drivers = [await stack.enter_async_context(connect(file.name)) for _ in range(4)]
            start = time.perf_counter()
            await load(drivers[0], tables)
            loaded = time.perf_counter()
            answers = await questions(drivers, tables)
            return loaded - start, time.perf_counter() - loaded, answers


async def tour(folder: str, tables: Tables) -> None:
    """What one connection can do, for somebody to look at."""
    path = f"{folder}/tour.db"
    await create(path)
    print("\nLoading the tables of iso-codes:")
    async with isthmus_sqlite.connect(path) as db:
        await load(Isthmus(db), tables, bar=True)

        print("\nThe countries with the most subdivisions:")
        top = await db.fetchall(
            "SELECT country.name, count(*), group_concat(DISTINCT type) FROM subdivision JOIN country"
            " ON country.code = subdivision.country GROUP BY country.code ORDER BY 2 DESC, 1 LIMIT 5"
        )
        show(["country", "number", "kinds"], [(name, n, kinds[:60]) for name, n, kinds in top])

        print("\nC++ awaits a Python `async def` for each row, until it says that it is enough:")
        seen: list[str] = []

        async def enough(row: Row) -> bool:
            await asyncio.sleep(0)
            seen.append(row[0])
            return len(seen) < 5

        await db.for_each("SELECT name FROM language WHERE type = 'C' ORDER BY name", (), enough)
        print("  constructed languages: " + ", ".join(seen))

        print("\n`async for`, left early:")
        async for name, code in db.query("SELECT name, code FROM language WHERE type = 'A' ORDER BY name"):
            print(f"  the first of the ancient languages: {name} ({code})")
            break

        print("\nA transaction that fails is rolled back:")
        try:
            async with db.transaction():
                await db.execute("DELETE FROM country")
                await db.execute(INSERTS["language"], ("eng", "English", "I", "L"))
        except isthmus_sqlite.IntegrityError as error:
            left = await db.fetchone("SELECT count(*) FROM country")
            assert left == (len(tables["country"]),)
            print(f"  {type(error).__name__}: {error}; still {left[0]} countries")

        print("\nA query that would take minutes, with a timeout, while another waits on the same connection:")
        start = time.perf_counter()
        heavy = asyncio.create_task(asyncio.wait_for(db.fetchall(HEAVY), 0.2))
        waiting = asyncio.create_task(db.fetchone("SELECT count(*) FROM language"))
        with contextlib.suppress(TimeoutError):
            await heavy
            raise AssertionError("it should not have come so far")
        answer = await waiting
        print(f"  interrupted after {time.perf_counter() - start:.2f} s; the other one: {answer[0]:,} languages")


def compare(folder: str, tables: Tables, rounds: int) -> None:
    """The same work by both drivers, in turn, under each loop."""
    rows = []
    for loop, run in LOOPS.items():
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in DRIVERS}
        expected: list[list[Row]] | None = None
        for _ in range(rounds):
            for name, connect in DRIVERS.items():
                load_time, query_time, answers = run(round_of_work(connect, folder, tables))
                times[name].append((load_time, query_time))
                expected = expected or answers
                assert answers == expected, f"{name} gave other answers"
        assert expected is not None
        for i, what in enumerate(("load", "queries")):
            ours = [pair[i] for pair in times["isthmus_sqlite"]]
            theirs = [pair[i] for pair in times["aiosqlite"]]
            ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
            milliseconds = [f"{statistics.median(of) * 1e3:.0f} ms" for of in (ours, theirs)]
            rows.append([loop, what, *milliseconds, f"{ratio:.2f}"])
    total, asked = sum(map(len, tables.values())), len(expected or ())
    print(f"\n{total:,} rows loaded in transactions of 250, then {asked} queries at once over 4 connections")
    print(f"(medians of {rounds} rounds in turn; both gave the same answers):")
    show(["loop", "work", *DRIVERS, "ratio"], rows)


def main() -> None:
    """Runs the demo."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only-compare", action="store_true", help="without the tour: for `make bench`")
    options = parser.parse_args()
    tables = read_tables()
    with tempfile.TemporaryDirectory() as folder:
        if not options.only_compare:
            asyncio.run(tour(folder, tables))
        compare(folder, tables, options.rounds)


if __name__ == "__main__":
    main()
