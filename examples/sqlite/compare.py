"""The same work by isthmus_sqlite and by aiosqlite, in turns, in one process."""

import asyncio
import gc
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import aiosqlite
import codes
import isthmus_sqlite
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

Rows = Sequence[Any]
ROUNDS = 7
LOOK_UPS = 2000
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


class Driver(Protocol):
    """What both can do. Both keep their statements prepared, and neither begins a transaction by itself."""

    async def open(self, path: Path) -> None: ...
    async def close(self) -> None: ...
    async def execute(self, sql: str) -> None: ...
    async def insert(self, tables: list[codes.Table]) -> None: ...
    async def fetchall(self, sql: str, parameters: Sequence[Any] = ()) -> Rows: ...
    def query(self, sql: str) -> AsyncIterator[Any]: ...


class Isthmus:
    db: isthmus_sqlite.Connection

    async def open(self, path: Path) -> None:
        self.db = await isthmus_sqlite.connect(path)

    async def close(self) -> None:
        await self.db.close()

    async def execute(self, sql: str) -> None:
        await self.db.execute(sql)

    async def insert(self, tables: list[codes.Table]) -> None:
        async with self.db.transaction():
            for table in tables:
                await self.db.execute(table.create)
                await self.db.executemany(table.insert, table.rows)

    async def fetchall(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        return await self.db.fetchall(sql, parameters)

    def query(self, sql: str) -> AsyncIterator[Any]:
        return self.db.query(sql)


class Aiosqlite:
    db: aiosqlite.Connection

    async def open(self, path: Path) -> None:
        self.db = await aiosqlite.connect(path, isolation_level=None)

    async def close(self) -> None:
        await self.db.close()

    async def execute(self, sql: str) -> None:
        await (await self.db.execute(sql)).close()

    async def insert(self, tables: list[codes.Table]) -> None:
        await self.db.execute("BEGIN")
        for table in tables:
            await self.db.execute(table.create)
            await self.db.executemany(table.insert, table.rows)
        await self.db.execute("COMMIT")

    async def fetchall(self, sql: str, parameters: Sequence[Any] = ()) -> Rows:
        return list(await self.db.execute_fetchall(sql, parameters))

    async def query(self, sql: str) -> AsyncIterator[Any]:
        async with self.db.execute(sql) as cursor:
            async for row in cursor:
                yield row


LOOK_UP = "SELECT name, type FROM language WHERE code = ?"
READ = "SELECT code, name, scope, type FROM language"

Work = Callable[[list[Driver]], Awaitable[Any]]


def works(tables: list[codes.Table]) -> dict[str, Work]:
    languages = [row[0] for row in tables[2].rows]
    wanted = [(languages[i * 7 % len(languages)],) for i in range(LOOK_UPS)]

    async def insert(drivers: list[Driver]) -> None:
        await drivers[0].insert(tables)

    async def one_by_one(drivers: list[Driver]) -> list[Rows]:
        return [await drivers[0].fetchall(LOOK_UP, code) for code in wanted]

    async def at_once(drivers: list[Driver]) -> list[Rows]:
        return await asyncio.gather(*(drivers[0].fetchall(LOOK_UP, code) for code in wanted))

    async def at_once_on_all(drivers: list[Driver]) -> list[Rows]:
        return await asyncio.gather(*(drivers[i % 4].fetchall(LOOK_UP, code) for i, code in enumerate(wanted)))

    async def read(drivers: list[Driver]) -> Rows:
        return [await drivers[0].fetchall(READ) for _ in range(4)][-1]

    async def iterate(drivers: list[Driver]) -> Rows:
        return [[row async for row in drivers[0].query(READ)] for _ in range(4)][-1]

    return {
        f"insert {sum(len(table.rows) for table in tables):,} rows": insert,
        f"{LOOK_UPS:,} look-ups in sequence": one_by_one,
        f"{LOOK_UPS:,} at once, 1 connection": at_once,
        f"{LOOK_UPS:,} at once, 4 connections": at_once_on_all,
        f"{len(languages):,} languages x 4: fetchall": read,
        f"{len(languages):,} languages x 4: async for": iterate,
    }


class Measured(NamedTuple):
    seconds: float
    cpu_seconds: float
    result: Any


async def measure(make: Callable[[], Driver], doing: dict[str, Work]) -> dict[str, Measured]:
    measured: dict[str, Measured] = {}
    with tempfile.TemporaryDirectory() as folder:
        drivers = [make() for _ in range(4)]
        for driver in drivers:
            await driver.open(Path(folder) / "codes.db")
        await drivers[0].execute("PRAGMA journal_mode = WAL")
        for name, work in doing.items():
            gc.collect()
            start, cpu_start = time.perf_counter(), time.process_time()
            result = await work(drivers)
            measured[name] = Measured(time.perf_counter() - start, time.process_time() - cpu_start, result)
        for driver in drivers:
            await driver.close()
    return measured


def new_table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False, min_width=60)


def times_as_fast(ours: list[float], theirs: list[float]) -> str:
    ratio = statistics.median(theirs) / statistics.median(ours)
    style = "green" if ratio >= 1.1 else "red" if ratio <= 0.9 else "yellow"
    return f"[{style}]{ratio:.2f} x[/]"


def compare(console: Console, tables: list[codes.Table], rounds: int = ROUNDS) -> None:
    """Prints a table for each event loop. Raises if the two do not give the same results."""
    doing = works(tables)
    found: dict[tuple[str, str, str], list[Measured]] = {}
    with Progress(console=console, transient=True) as progress:
        for number in progress.track(range(rounds), description="comparing with aiosqlite"):
            for loop, factory in LOOPS.items():
                results = []
                for make in (Isthmus, Aiosqlite) if number % 2 else (Aiosqlite, Isthmus):
                    with asyncio.Runner(loop_factory=factory) as runner:
                        measured = runner.run(measure(make, doing))
                    for name, each in measured.items():
                        found.setdefault((loop, name, make.__name__), []).append(each._replace(result=None))
                    results.append({name: each.result for name, each in measured.items()})
                assert results[0] == results[1], "isthmus_sqlite and aiosqlite do not agree"
    for loop in LOOPS:
        table = new_table(f"Beside aiosqlite under {loop}: medians of {rounds} rounds")
        table.add_column("the same work, with the same results")
        for heading in ("isthmus", "aiosqlite", "faster", "less CPU"):
            table.add_column(heading, justify="right")
        for name in doing:
            ours, theirs = found[loop, name, "Isthmus"], found[loop, name, "Aiosqlite"]
            seconds = [each.seconds for each in ours], [each.seconds for each in theirs]
            cpu_seconds = [each.cpu_seconds for each in ours], [each.cpu_seconds for each in theirs]
            medians = (f"{statistics.median(each) * 1000:.1f} ms" for each in seconds)
            table.add_row(name, *medians, times_as_fast(*seconds), times_as_fast(*cpu_seconds))
        console.print(table)
