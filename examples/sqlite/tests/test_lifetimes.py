"""Dropped connections, reference cycles, memory, and the exit of the interpreter."""

import asyncio
import gc
import os
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import isthmus_sqlite
import pytest
from support import COUNT_TO, ENDLESS, Run


def open_files(path: Path) -> int:
    return sum(os.path.realpath(f"/proc/self/fd/{fd}") == str(path) for fd in os.listdir("/proc/self/fd"))


def until(done: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 5
    while not done() and time.monotonic() < deadline:
        time.sleep(0.001)
    return done()


def test_a_dropped_connection_is_closed(run: Run[None], path: Path) -> None:
    async def main() -> None:
        for _ in range(20):
            db = await isthmus_sqlite.connect(path)
            await db.execute("CREATE TABLE IF NOT EXISTS t (x)")
            await db.executemany("INSERT INTO t VALUES (?)", [(1,)] * 300)
            query = db.query("SELECT x FROM t")
            await anext(query)
            del db, query
        await asyncio.sleep(0.01)
        assert until(lambda: open_files(path) == 0)
        # While a call is being made, which nobody waits for any more.
        db = await isthmus_sqlite.connect(path)
        running = asyncio.ensure_future(db.fetchone(ENDLESS))
        await asyncio.sleep(0.01)
        running.cancel()
        del db
        with pytest.raises(asyncio.CancelledError):
            await running
        del running
        await asyncio.sleep(0.01)
        assert until(lambda: open_files(path) == 0)

    run(main())


def test_a_call_keeps_its_connection(run: Run[None]) -> None:
    async def main() -> None:
        db = await isthmus_sqlite.connect(":memory:")
        call = asyncio.ensure_future(db.fetchall(COUNT_TO, (1000,)))
        query = db.query(COUNT_TO, (1000,))
        transaction = db.transaction()
        del db
        assert len(await call) == 1000
        assert len([row async for row in query]) == 1000
        async with transaction:
            pass

    run(main())


def test_objects_die(run: Run[None]) -> None:
    class Callback:
        async def __call__(self, row: tuple[Any, ...]) -> None:
            await asyncio.sleep(0)

    async def main() -> weakref.ref[Callback]:
        callback = Callback()
        async with isthmus_sqlite.connect(":memory:") as db:
            await db.for_each(COUNT_TO, (300,), callback)
            call = db.for_each(COUNT_TO, (300,), callback)
            call.close()
        return weakref.ref(callback)

    dead: Any = run(main())  # type: ignore[func-returns-value, arg-type]
    gc.collect()
    assert dead() is None


def test_memory_stays_flat(run: Run[None], path: Path) -> None:
    def resident() -> int:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    async def main() -> None:
        async def once() -> None:
            async with isthmus_sqlite.connect(path) as db:
                await db.execute("CREATE TABLE IF NOT EXISTS t (x TEXT)")
                with pytest.raises(isthmus_sqlite.OperationalError):
                    async with db.transaction():
                        await db.executemany("INSERT INTO t VALUES (?)", [("x" * 10_000,)] * 10)
                        async for (x,) in db.query("SELECT x FROM t"):
                            assert len(x) == 10_000
                            break
                        await db.fetchall("SELECT x FROM t, missing")
                waiting = [asyncio.ensure_future(db.fetchall(COUNT_TO, (1000,))) for _ in range(5)]
                await asyncio.sleep(0)
                for task in waiting:
                    task.cancel()
                await asyncio.wait(waiting)

        for _ in range(100):
            await once()
        gc.collect()
        before = resident()
        for _ in range(300):
            await once()
        gc.collect()
        assert resident() - before < 4_000_000

    run(main())


EXITS = {
    "while a query runs": """
        async def main():
            db = await isthmus_sqlite.connect(":memory:")
            task = asyncio.ensure_future(db.fetchone(ENDLESS))
            await asyncio.wait([task], timeout=0.1)
            print("exiting", flush=True)
            sys.exit(7)
    """,
    "without closing the loop": """
        async def main():
            db = await isthmus_sqlite.connect(":memory:")
            keep.append(asyncio.ensure_future(db.fetchone(ENDLESS)))
            keep.append(asyncio.ensure_future(db.fetchone("SELECT 1")))
            await asyncio.wait(keep, timeout=0.1)
        keep = []
        loop = new_event_loop()
        loop.run_until_complete(main())
        print("exiting", flush=True)
        sys.exit(7)
    """,
    "with all things alive": """
        keep = []
        async def main():
            db = await isthmus_sqlite.connect(":memory:")
            query = db.query("SELECT 1 UNION SELECT 2")
            transaction = db.transaction()
            await transaction.__aenter__()
            await anext(query)
            keep.extend([db, query, transaction, db.fetchone("SELECT 1")])
            keep[-1].close()
            print("exiting", flush=True)
            sys.exit(7)
    """,
}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("how", EXITS)
def test_interpreter_exit(loop: str, how: str) -> None:
    lines = EXITS[how].splitlines()
    body = "\n".join(line.removeprefix(" " * 8) for line in lines)
    program = (
        "import asyncio, sys, uvloop, isthmus_sqlite\n"
        f"ENDLESS = {ENDLESS!r}\n"
        f"new_event_loop = {loop}.new_event_loop\n"
        f"{body}\n"
        "with asyncio.Runner(loop_factory=new_event_loop) as runner:\n"
        "    runner.run(main())\n"
    )
    before = time.perf_counter()
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30, check=False)
    assert result.stdout == "exiting\n", result.stderr
    assert result.returncode == 7, result.stderr
    assert "leak" not in result.stderr, result.stderr
    assert "Segmentation" not in result.stderr, result.stderr
    assert time.perf_counter() - before < 10
