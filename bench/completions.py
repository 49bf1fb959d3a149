"""Measures how results come from C++ threads to an event loop: Isthmus beside what asyncio itself offers.

Throughput with many results under way, latency with one, under asyncio and uvloop. Each figure is a ratio of rounds
that alternate in one run; each round checks that every item arrived. Usage: completions.py --build <CMake's binary
folder> [--items N]
"""

import argparse
import asyncio
import importlib
import pathlib
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import uvloop
from run import table

ext: Any
ROUNDS = 5


class Ways:
    """How a coroutine can wait for `count` results of a C++ thread, with `window` of them under way at once."""

    def __init__(self) -> None:
        self.worker = ext.Worker()

    async def isthmus(self, count: int, window: int) -> int:
        """py::completion, in a C++ coroutine."""
        total: int = await self.worker.await_completions(count, window)
        return total

    async def _call_soon(self, count: int, window: int, *, attach_once: bool) -> int:
        loop = asyncio.get_running_loop()
        total = 0
        for first in range(0, count, window):
            futures: list[asyncio.Future[int]] = [loop.create_future() for _ in range(window)]
            setters = [future.set_result for future in futures]
            ext.bring_with_call_soon(self.worker, loop.call_soon_threadsafe, setters, first, attach_once)
            for future in futures:
                total += await future
        return total

    async def call_soon(self, count: int, window: int) -> int:
        """loop.call_soon_threadsafe per item, as a thread that does something else in between would."""
        return await self._call_soon(count, window, attach_once=False)

    async def call_soon_attached(self, count: int, window: int) -> int:
        """The same where the thread takes the GIL once for all items of a window."""
        return await self._call_soon(count, window, attach_once=True)

    async def _gather(self, make: Callable[[int], Awaitable[int]], count: int, window: int) -> int:
        total = 0
        for first in range(0, count, window):
            total += sum(await asyncio.gather(*[make(i) for i in range(first, first + window)]))
        return total

    async def in_thread(self, count: int, window: int) -> int:
        """py::in_thread."""
        return await self._gather(ext.in_thread, count, window)

    async def run_in_executor(self, count: int, window: int) -> int:
        """loop.run_in_executor."""
        loop = asyncio.get_running_loop()
        return await self._gather(lambda i: loop.run_in_executor(None, ext.same, i), count, window)

    async def to_thread(self, count: int, window: int) -> int:
        """asyncio.to_thread."""
        return await self._gather(lambda i: asyncio.to_thread(ext.same, i), count, window)


CASES = {
    "isthmus: completion": (Ways.isthmus, 1),
    "call_soon_threadsafe per item": (Ways.call_soon, 20),
    "call_soon_threadsafe, one attach per window": (Ways.call_soon_attached, 1),
    "isthmus: in_thread": (Ways.in_thread, 10),
    "run_in_executor": (Ways.run_in_executor, 20),
    "asyncio.to_thread": (Ways.to_thread, 20),
}


def seconds_per_item(run: Callable[..., Any], ways: Ways, way: Any, count: int, window: int) -> float:
    """One round."""

    async def main() -> float:
        start = time.perf_counter()
        total = await way(ways, count, window)
        taken = time.perf_counter() - start
        assert total == count * (count - 1) // 2, "an item was lost"
        return taken / count

    taken: float = run(main())
    return taken


def measure(title: str, run: Callable[..., Any], items: int, window: int) -> None:
    """All ways in turn, some rounds of each."""
    ways = Ways()
    times: dict[str, list[float]] = {name: [] for name in CASES}
    for _ in range(ROUNDS):
        for name, (way, less) in CASES.items():
            count = max(window, items // less // window * window)
            times[name].append(seconds_per_item(run, ways, way, count, window))
    ours = times["isthmus: completion"]
    rows = []
    for name, each in times.items():
        ratios = sorted(other / our for other, our in zip(each, ours, strict=True))
        rows.append(
            [
                name,
                f"{statistics.median(each) * 1e6:.2f}",
                f"{statistics.median(ratios):.2f}",
                f"{ratios[0]:.2f} to {ratios[-1]:.2f}",
            ]
        )
    table(title, ["", "us an item", "times a completion", "spread"], rows)


def main() -> None:
    """Measures and prints everything."""
    global ext  # a module that is found where it was built
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--items", type=int, default=200_000, help="1,000,000 to look for lost ones")
    options = parser.parse_args()
    sys.path.insert(0, str((options.build / "bench").resolve()))
    ext = importlib.import_module("nb_completions")
    for name, run in (("asyncio", asyncio.run), ("uvloop", uvloop.run)):
        measure(f"Results of a C++ thread under {name}, 1,000 under way", run, options.items, 1000)
        measure(f"Results of a C++ thread under {name}, one under way", run, options.items // 50, 1)


if __name__ == "__main__":
    main()
