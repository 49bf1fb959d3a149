"""What these tests have in common."""

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import isthmus_sqlite

T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]

# Counts for far longer than any test may take.
ENDLESS = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
COUNT_TO = "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < ?) SELECT i FROM n"


async def with_people() -> isthmus_sqlite.Connection:
    db = await isthmus_sqlite.connect(":memory:")
    await db.execute("CREATE TABLE people (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, age INTEGER)")
    await db.executemany("INSERT INTO people (name, age) VALUES (?, ?)", [("Ada", 36), ("Grace", 85), ("Alan", 41)])
    return db


async def names(db: isthmus_sqlite.Connection) -> list[Any]:
    return [name for (name,) in await db.fetchall("SELECT name FROM people ORDER BY id")]


async def is_locked(path: Path, for_seconds: float = 0) -> bool:
    """Whether a query that is still open keeps others from writing."""
    async with isthmus_sqlite.connect(path, timeout=for_seconds) as other:
        try:
            await other.execute("DELETE FROM t WHERE x = -1")
        except isthmus_sqlite.OperationalError:
            return True
        return False
