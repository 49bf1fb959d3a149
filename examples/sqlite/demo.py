"""isthmus_sqlite, an SQLite driver in C++, on the codes of the world's countries, languages, currencies and scripts.

Loads them, asks much at once under asyncio and under uvloop, has C++ await a Python `async def`, interrupts a query,
and compares the driver with aiosqlite. `make demo` builds the driver and runs this.
"""

import argparse
import asyncio
import itertools
import sqlite3
import tempfile
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import codes
import isthmus_sqlite
from compare import LOOPS, ROUNDS, compare, new_table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

QUESTIONS = {
    "What is divided most?": """
        SELECT country.flag || ' ' || country.name, count(*) || ' (' || lower(division.type) || ')'
        FROM division JOIN country ON country.code = division.country
        GROUP BY division.country, division.type ORDER BY count(*) DESC LIMIT 3""",
    "Where do people live farthest north?": """
        SELECT country.flag || ' ' || zone.name, printf('%.1f° N', latitude)
        FROM zone JOIN country ON country.code = zone.country
        ORDER BY latitude DESC LIMIT 3""",
    "Which country has most time zones?": """
        SELECT country.flag || ' ' || country.name, count(*)
        FROM zone JOIN country ON country.code = zone.country
        GROUP BY zone.country ORDER BY count(*) DESC LIMIT 3""",
    "How are the languages?": """
        SELECT CASE type WHEN 'L' THEN 'living' WHEN 'E' THEN 'extinct' WHEN 'A' THEN 'ancient'
                         WHEN 'H' THEN 'historic' WHEN 'C' THEN 'constructed' ELSE 'special' END, count(*)
        FROM language GROUP BY type ORDER BY count(*) DESC LIMIT 3""",
    "Which currencies are called the same?": """
        SELECT replace(name, rtrim(name, replace(name, ' ', '')), ''), count(*)
        FROM currency WHERE name LIKE '% %' GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 3""",
}
ENDLESS = """
    SELECT count(*) FROM language AS a, language AS b, language AS c WHERE a.name < b.name AND b.name < c.name"""

Row = tuple[Any, ...]
console = Console(highlight=False)


async def load(path: Path, tables: list[codes.Table]) -> None:
    """Loads all tables in one transaction, with a progress bar."""
    columns = TextColumn("  {task.description:<12}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, console=console) as progress:
        async with isthmus_sqlite.connect(path) as db:
            await db.execute("PRAGMA journal_mode = WAL")
            async with db.transaction():
                for table in tables:
                    task = progress.add_task(table.name, total=len(table.rows))
                    await db.execute(table.create)
                    for start in range(0, len(table.rows), 250):
                        inserted = await db.executemany(table.insert, table.rows[start : start + 250])
                        progress.advance(task, inserted.rowcount)
            await db.execute("CREATE INDEX division_country ON division (country)")
    console.print()


class Times:
    """Milliseconds under each event loop."""

    def __init__(self) -> None:
        self.of_loop: dict[str, float] = {}

    def add(self, loop: str, since: float) -> None:
        self.of_loop[loop] = (time.perf_counter() - since) * 1000

    def __str__(self) -> str:
        return ", ".join(f"{loop} {milliseconds:.0f} ms" for loop, milliseconds in self.of_loop.items())


async def ask_at_once(path: Path) -> tuple[int, list[list[Row]]]:
    """Several connections answer all questions, and thousands of small ones, at once."""
    connections = [await isthmus_sqlite.connect(path) for _ in range(4)]
    languages = await connections[0].fetchall("SELECT code, name FROM language")
    answers, found = await asyncio.gather(
        asyncio.gather(*(connections[i % 4].fetchall(sql) for i, sql in enumerate(QUESTIONS.values()))),
        asyncio.gather(
            *(
                connections[i % 4].fetchone("SELECT code, name FROM language WHERE code = :code", {"code": code})
                for i, (code, _) in enumerate(languages)
            )
        ),
    )
    assert found == languages
    await asyncio.gather(*(db.close() for db in connections))
    return len(found), answers


async def call_back(path: Path) -> list[Row]:
    """C++ awaits a Python coroutine for each row, which itself awaits the loop and the same connection."""
    found: list[Row] = []
    async with isthmus_sqlite.connect(path) as db:

        async def visit(row: Row) -> bool:
            await asyncio.sleep(0)
            country = await db.fetchone("SELECT flag || ' ' || name FROM country WHERE code = ?", (row[1],))
            assert country is not None
            found.append((row[0].partition("/")[2], country[0]))
            return len({name for _, name in found}) < 4

        await db.for_each("SELECT name, country FROM zone ORDER BY latitude", (), visit)
    return found


async def call_back_often(path: Path) -> int:
    count = 0

    async def visit(row: Row) -> None:
        nonlocal count
        await asyncio.sleep(0)
        count += 1

    async with isthmus_sqlite.connect(path) as db:
        visited = await db.for_each("SELECT code, name, type FROM language", (), visit)
    assert count == visited
    return count


async def roll_back(path: Path) -> str:
    """An exception leaves a transaction."""
    async with isthmus_sqlite.connect(path) as db:
        try:
            async with db.transaction():
                deleted = await db.execute("DELETE FROM division")
                await db.execute("INSERT INTO country (code, name) VALUES (:code, :name)", {"code": "CH", "name": "?"})
        except isthmus_sqlite.IntegrityError as error:
            left = await db.fetchone("SELECT count(*) FROM division")
            assert left == (deleted.rowcount,)
            return f"{error.sqlite_errorname}\n  {deleted.rowcount:,} rows were deleted, {left[0]:,} are back"
    raise AssertionError("there are two countries with one code now")


async def interrupt(path: Path) -> list[tuple[str, str, float]]:
    """A timeout ends a query that would take years; what waits behind it and what runs beside it are unharmed."""
    log: list[tuple[str, str, float]] = []
    start = time.perf_counter()

    async def timed(call: str, answer: Awaitable[Row | None]) -> None:
        try:
            row = await answer
            assert row is not None
            result = f"{row[0]:,}"
        except TimeoutError:
            result = "TimeoutError"
        log.append((call, result, (time.perf_counter() - start) * 1000))

    async with isthmus_sqlite.connect(path) as db, isthmus_sqlite.connect(path) as other:
        endless = asyncio.ensure_future(timed("the endless query", asyncio.wait_for(db.fetchone(ENDLESS), 0.3)))
        await asyncio.sleep(0.01)
        await asyncio.gather(
            timed("a query beside it, on another connection", other.fetchone("SELECT count(*) FROM division")),
            timed("a query behind it, on the same connection", db.fetchone("SELECT count(*) FROM language")),
            endless,
        )
    return sorted(log, key=lambda entry: entry[:2])


def tour(path: Path) -> None:
    """What the driver does, under each loop: the results once, for they are the same, and all the times."""
    asking, calling, rolling = Times(), Times(), Times()
    answers, visits, rolled_back, interrupted = [], [], [], []
    for loop, factory in LOOPS.items():
        with asyncio.Runner(loop_factory=factory) as runner:
            start = time.perf_counter()
            answers.append(runner.run(ask_at_once(path)))
            asking.add(loop, start)
            visits.append(runner.run(call_back(path)))
            start = time.perf_counter()
            count = runner.run(call_back_often(path))
            calling.add(loop, start)
            start = time.perf_counter()
            rolled_back.append(runner.run(roll_back(path)))
            rolling.add(loop, start)
            interrupted.append(runner.run(interrupt(path)))
    assert all(each == answers[0] for each in answers)
    assert all(each == visits[0] for each in visits)

    look_ups, found = answers[0]
    table = new_table(f"{len(QUESTIONS)} questions and {look_ups:,} look-ups at once: {asking}")
    table.add_column("question")
    table.add_column("answer")
    for question, rows in zip(QUESTIONS, found, strict=True):
        table.add_row(question, "\n".join(f"{name}: {value}" for name, value in rows), end_section=True)
    console.print(table)

    console.print("\n[bold]C++ awaits a Python `async def` for each row")
    for country, places in itertools.groupby(visits[0], key=lambda row: row[1]):
        console.print(f"  {country}: {', '.join(place for place, _ in places)}")
    console.print("  … and there it returned False.")
    console.print(f"  For each of {count:,} languages: {calling}")

    console.print("\n[bold]An exception leaves a transaction")
    console.print(f"  {rolled_back[0]}: {rolling}\n")

    table = new_table("A query that would take years has a timeout of 300 ms: what ended when")
    table.add_column("call")
    table.add_column("result")
    for loop in LOOPS:
        table.add_column(loop, justify="right")
    for log in zip(*interrupted, strict=True):
        (call, result, _), *others = log
        assert all(other[:2] == (call, result) for other in others)
        table.add_row(call, result, *(f"{milliseconds:.0f} ms" for _, _, milliseconds in log))
    console.print(table)
    console.print()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="of the comparison with aiosqlite")
    parser.add_argument("--only-compare", action="store_true", help="nothing but that comparison")
    options = parser.parse_args()
    tables = codes.load()
    if not options.only_compare:
        rows = sum(len(table.rows) for table in tables)
        console.print(f"[bold]Loading {rows:,} rows of iso-codes and tzdata into SQLite {sqlite3.sqlite_version}")
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "codes.db"
            asyncio.run(load(path, tables))
            tour(path)
    compare(console, tables, options.rounds)


if __name__ == "__main__":
    main()
