"""The same work by isthmus_postgres, asyncpg and psycopg, in turns, in one process, with a server of its own."""

import argparse
import asyncio
import gc
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple, Protocol

import asyncpg
import isthmus_postgres
import psycopg
import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from server import Server

Row = Any  # a tuple, or what is like one
Rows = Sequence[Row]
ROUNDS = 9
LOOK_UPS = 1000
CONNECTIONS = 8
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}

CREATE = """
    CREATE TABLE item (id int PRIMARY KEY, name text, price numeric(10, 2), weight float8, made timestamptz);
    INSERT INTO item SELECT i, 'item ' || i, i / 7.0, i / 3.0, '2024-01-01'::timestamptz + i * interval '1 minute'
    FROM generate_series(1, 10000) AS i;
    ANALYZE item"""


class Driver(Protocol):
    """What all of them can do. `look_up` may keep the statement prepared, `prepared` has prepared it before."""

    async def open(self, server: Server) -> None: ...
    async def close(self) -> None: ...
    async def look_up(self, key: int) -> Row: ...
    async def prepared(self, key: int) -> Row: ...
    async def fetch(self, sql: str) -> Rows: ...


class Isthmus:
    db: isthmus_postgres.Connection
    statement: isthmus_postgres.Statement

    async def open(self, server: Server) -> None:
        self.db = await isthmus_postgres.connect(server.dsn)
        self.statement = await self.db.prepare("SELECT id, name FROM item WHERE id = $1 AND id > 0")

    async def close(self) -> None:
        await self.db.close()

    async def look_up(self, key: int) -> Row:
        return await self.db.fetchrow("SELECT id, name FROM item WHERE id = $1", key)

    async def prepared(self, key: int) -> Row:
        return await self.statement.fetchrow(key)

    async def fetch(self, sql: str) -> Rows:
        return await self.db.fetch(sql)


class Asyncpg:
    async def open(self, server: Server) -> None:
        self.db = await asyncpg.connect(host=str(server.folder), user="tests", database="postgres")
        self.statement = await self.db.prepare("SELECT id, name FROM item WHERE id = $1 AND id > 0")

    async def close(self) -> None:
        await self.db.close()

    async def look_up(self, key: int) -> Row:
        return await self.db.fetchrow("SELECT id, name FROM item WHERE id = $1", key)

    async def prepared(self, key: int) -> Row:
        return await self.statement.fetchrow(key)

    async def fetch(self, sql: str) -> Rows:
        rows: Rows = await self.db.fetch(sql)
        return rows


class Psycopg:
    async def open(self, server: Server) -> None:
        self.db = await psycopg.AsyncConnection.connect(server.dsn, autocommit=True)
        await self.ask("SELECT id, name FROM item WHERE id = %s AND id > 0", (1,), prepare=True)

    async def close(self) -> None:
        await self.db.close()

    async def ask(self, sql: str, values: tuple[int, ...] = (), prepare: bool | None = None) -> Rows:
        cursor = await self.db.execute(sql.encode(), values, prepare=prepare)
        return await cursor.fetchall()

    async def look_up(self, key: int) -> Row:
        return (await self.ask("SELECT id, name FROM item WHERE id = %s", (key,)))[0]

    async def prepared(self, key: int) -> Row:
        return (await self.ask("SELECT id, name FROM item WHERE id = %s AND id > 0", (key,), prepare=True))[0]

    async def fetch(self, sql: str) -> Rows:
        return await self.ask(sql)


DRIVERS: list[Callable[[], Driver]] = [Isthmus, Asyncpg, Psycopg]
NAMES = ["isthmus", "asyncpg", "psycopg"]
Work = Callable[[list[Driver]], Awaitable[Rows]]


def works() -> dict[str, Work]:
    keys = [1 + i * 7 % 10_000 for i in range(LOOK_UPS)]

    async def look_up(drivers: list[Driver]) -> Rows:
        return [await drivers[0].look_up(key) for key in keys]

    async def prepared(drivers: list[Driver]) -> Rows:
        return [await drivers[0].prepared(key) for key in keys]

    async def on_all(drivers: list[Driver]) -> Rows:
        async def some(number: int) -> list[Row]:
            return [await drivers[number].look_up(key) for key in keys[number::CONNECTIONS]]

        found = await asyncio.gather(*(some(number) for number in range(CONNECTIONS)))
        return [row for rows in found for row in rows]

    async def fetch_numbers(drivers: list[Driver]) -> Rows:
        return await drivers[0].fetch("SELECT id, weight FROM item ORDER BY id")

    async def fetch_all(drivers: list[Driver]) -> Rows:
        return await drivers[0].fetch("SELECT id, name, price, weight, made FROM item ORDER BY id")

    return {
        f"{LOOK_UPS:,} rows by key, in sequence": look_up,
        f"{LOOK_UPS:,} rows by key, prepared": prepared,
        f"{LOOK_UPS:,} rows by key, {CONNECTIONS} connections": on_all,
        "10,000 rows of two numbers": fetch_numbers,
        "10,000 rows of five types": fetch_all,
    }


class Measured(NamedTuple):
    seconds: float
    cpu_seconds: float


async def measure(server: Server, doing: dict[str, Work], first: int, found: dict[str, list[list[Measured]]]) -> None:
    """Each work once with each driver, beginning with another one each time."""
    sets: list[list[Driver]] = []
    for make in DRIVERS:
        sets.append([make() for _ in range(CONNECTIONS)])
        for driver in sets[-1]:
            await driver.open(server)
    for name, work in doing.items():
        results: dict[int, Rows] = {}
        for i in range(len(DRIVERS)):
            which = (first + i) % len(DRIVERS)
            gc.collect()
            start, cpu_start = time.perf_counter(), time.process_time()
            rows = await work(sets[which])
            times = Measured(time.perf_counter() - start, time.process_time() - cpu_start)
            found[name][which].append(times)
            results[which] = [tuple(row) for row in rows]
        assert results[0] == results[1] == results[2], f"they do not agree: {name}"
    for drivers in sets:
        for driver in drivers:
            await driver.close()


def ratio(ours: list[float], theirs: list[float]) -> str:
    """The median of the rounds' ratios, and how far its quartiles are from each other."""
    ratios = sorted(their / our for our, their in zip(ours, theirs, strict=True))
    median = statistics.median(ratios)
    low, _, high = statistics.quantiles(ratios, n=4)
    style = "green" if low > 1 else "red" if high < 1 else "yellow"
    return f"[{style}]{median:.2f}[/] ({low:.2f} to {high:.2f})"


def compare(console: Console, rounds: int) -> None:
    doing = works()
    with Server() as server:

        async def create() -> None:
            async with isthmus_postgres.connect(server.dsn) as db:
                await db.execute(CREATE)

        asyncio.run(create())
        for loop, factory in LOOPS.items():
            found: dict[str, list[list[Measured]]] = {name: [[], [], []] for name in doing}
            for number in range(rounds + 1):
                if number == 1:  # the first was to warm up
                    found = {name: [[], [], []] for name in doing}
                with asyncio.Runner(loop_factory=factory) as runner:
                    runner.run(measure(server, doing, number, found))
            title = (
                f"PostgreSQL under {loop}: medians of {rounds} rounds; how many times as fast as the others (quartiles)"
            )
            table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)
            table.add_column("the same work, with the same results")
            for heading in (*NAMES, "/ asyncpg", "CPU / asyncpg", "/ psycopg", "CPU / psycopg"):
                table.add_column(heading, justify="right")
            for name in doing:
                seconds = [[each.seconds for each in times] for times in found[name]]
                cpu = [[each.cpu_seconds for each in times] for times in found[name]]
                medians = [f"{statistics.median(each) * 1000:.1f} ms" for each in seconds]
                ratios = [ratio(kind[0], kind[other]) for other in (1, 2) for kind in (seconds, cpu)]
                table.add_row(name, *medians, *ratios)
            console.print(table)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    compare(Console(highlight=False, width=160), parser.parse_args().rounds)
