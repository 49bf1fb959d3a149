"""Measures Isthmus beside what it is compared with, and prints ratios.

Each figure is a ratio of medians of rounds that alternate in one run, since a machine's speed changes from minute to
minute. Usage: run.py --build <CMake's binary folder> [--rounds N]
"""

import argparse
import asyncio
import importlib
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator
from types import coroutine as generator_coroutine
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parent.parent


def table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Prints rows in aligned columns."""
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    print(f"\n{title}")
    for row in [header, ["-" * width for width in widths], *rows]:
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def measure_core(program: pathlib.Path, rounds: int) -> None:
    """Runs the Google Benchmark program; its repetitions are interleaved."""
    command = [str(program), "--benchmark_format=json", f"--benchmark_repetitions={rounds}"]
    command += ["--benchmark_min_time=0.05", "--benchmark_enable_random_interleaving=true"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    times: dict[str, list[float]] = {}
    for run in report["benchmarks"]:
        if run["run_type"] == "iteration":
            times.setdefault(run["run_name"], []).append(run["cpu_time"])
    medians = {name: statistics.median(values) for name, values in times.items()}
    bare, least = medians["handle_resume"], medians["handle_exchange"]
    create = medians["handle_create_destroy"]
    rows = [
        ["coroutine_handle::resume, bare", f"{bare:.2f}", "1.00", f"{bare / least:.2f}"],
        ["the least promise that passes a value in and out", f"{least:.2f}", f"{least / bare:.2f}", "1.00"],
    ]
    for depth in (0, 1000, 1_000_000):
        value = medians[f"isthmus_send/{depth}"]
        rows.append([f"isthmus send, depth {depth:,}", f"{value:.2f}", f"{value / bare:.2f}", f"{value / least:.2f}"])
    for name, text in (
        ("isthmus_send_erased", "isthmus send, any_coroutine"),
        ("isthmus_send_through_erased/0", "isthmus send, any_coroutine awaited"),
        ("isthmus_send_through_erased/1000", "isthmus send, any_coroutine awaited, depth 1,000 + 1,000"),
    ):
        value = medians[name]
        rows.append([text, f"{value:.2f}", f"{value / bare:.2f}", f"{value / least:.2f}"])
    table("C++: one resume", ["", "ns", "to bare", "to least"], rows)
    value = medians["isthmus_create_await_destroy"]
    rows = [
        ["bare handle: create, resume, destroy (malloc)", f"{create:.1f}", "1.00"],
        ["isthmus: create, await, destroy a child", f"{value:.1f}", f"{value / create:.2f}"],
    ]
    table("C++: one life", ["", "ns", "ratio"], rows)


def drive(made: Coroutine[Any, Any, Any]) -> None:
    """Runs a coroutine that never suspends."""
    try:
        made.send(None)
    except StopIteration:
        return
    raise AssertionError("it suspended")


def seconds(work: Callable[[], None]) -> float:
    """The time of one call."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def compare(native: Callable[[], None], ours: Callable[[], None], rounds: int) -> tuple[float, float, float]:
    """Medians of both, in seconds, and the median ratio of each alternated pair."""
    native()
    ours()
    pairs = [(seconds(native), seconds(ours)) for _ in range(rounds)]
    ratio = statistics.median(our / its for its, our in pairs)
    return statistics.median(its for its, _ in pairs), statistics.median(our for _, our in pairs), ratio


async def native_none() -> None:
    """The native coroutine that ends at once."""


async def native_value() -> int:
    """The native coroutine that returns at once."""
    return 1000


async def awaits(make: Callable[[], Awaitable[object]], count: int) -> None:
    """Python awaits what `make` gives."""
    for _ in range(count):
        await make()


@generator_coroutine
def forever() -> Generator[None, None, None]:
    """Suspends again and again."""
    while True:
        yield


async def nested(depth: int) -> None:
    """A chain of native coroutines."""
    if depth <= 1:
        await forever()
    else:
        await nested(depth - 1)


async def pass_through(awaitable: Awaitable[object]) -> object:
    """The level between two Python ones."""
    return await awaitable


def resumes(made: Coroutine[Any, Any, Any], count: int) -> Callable[[], None]:
    """Resumes a chain `count` times for each call."""
    made.send(None)
    send = made.send

    def work() -> None:
        for _ in range(count):
            send(None)

    return work


def measure_python(ext: Any, rounds: int) -> None:
    """The Python side: each case against the same code in native `async def`."""
    many = 20_000
    cases: list[tuple[str, int, Callable[[], None], Callable[[], None]]] = []

    def add(name: str, count: int, native: Callable[[], None], ours: Callable[[], None]) -> None:
        cases.append((name, count, native, ours))

    for label, prefix in (("raw C API", "raw_"), ("nanobind", "")):
        none, value = getattr(ext, prefix + "immediate_none"), getattr(ext, prefix + "immediate_value")
        add(
            f"Python awaits an immediate None ({label})",
            many,
            lambda: drive(awaits(native_none, many)),
            lambda none=none: drive(awaits(none, many)),  # type: ignore[misc]
        )
        add(
            f"Python awaits an immediate value ({label})",
            many,
            lambda: drive(awaits(native_value, many)),
            lambda value=value: drive(awaits(value, many)),  # type: ignore[misc]
        )
    add("C++ awaits C++", many, lambda: drive(awaits(native_none, many)), lambda: drive(ext.awaits_cpp(many)))
    add(
        "C++ awaits a Python coroutine",
        many,
        lambda: drive(awaits(native_none, many)),
        lambda: drive(ext.awaits_python(native_none, many)),
    )
    add(
        "Python -> C++ -> Python, one hop",
        many,
        lambda: drive(awaits(lambda: pass_through(native_none()), many)),
        lambda: drive(awaits(lambda: ext.pass_through(native_none()), many)),
    )
    for depth in (1, 10, 100, 500):
        count = max(200, many // depth)
        add(f"resume at depth {depth}", count, resumes(nested(depth), count), resumes(ext.nested(depth), count))

    rows = []
    for name, count, native, ours in cases:
        its, our, ratio = compare(native, ours, rounds)
        rows.append([name, f"{its / count * 1e9:.0f}", f"{our / count * 1e9:.0f}", f"{ratio:.3f}"])
    version = ".".join(map(str, sys.version_info[:3]))
    table(f"CPython {version}: ns, beside native `async def`", ["", "native", "isthmus", "ratio"], rows)


def measure_gather(ext: Any, rounds: int) -> None:
    """10,000 tasks on asyncio."""

    def gather(make: Callable[[], Coroutine[Any, Any, object]]) -> Callable[[], None]:
        async def main() -> None:
            await asyncio.gather(*[make() for _ in range(10_000)])

        return lambda: asyncio.run(main())

    its, our, ratio = compare(gather(native_value), gather(ext.immediate_value), max(3, rounds // 3))
    table(
        "asyncio.gather of 10,000, ms",
        ["native", "isthmus", "ratio"],
        [[f"{its * 1e3:.0f}", f"{our * 1e3:.0f}", f"{ratio:.3f}"]],
    )


def measure_throws(ext: Any, rounds: int) -> None:
    """An exception thrown in at the leaf that leaves through all levels, in CPython and in C++ without Python."""
    error = RuntimeError("thrown in")

    def native(depth: int, count: int) -> float:
        chains = [nested(depth) for _ in range(count)]
        for chain in chains:
            chain.send(None)
        start = time.perf_counter()
        for chain in chains:
            try:
                chain.throw(error)
            except RuntimeError:
                error.__traceback__ = None
        return time.perf_counter() - start

    rows = []
    for depth in (1, 10, 100):
        count = max(100, 4000 // depth)
        times: dict[str, list[float]] = {"CPython": [], "throw": [], "try": [], "nothrow": []}
        for _ in range(rounds):
            times["CPython"].append(native(depth, count) / count)
            for how in ("throw", "try", "nothrow"):
                times[how].append(ext.throws(depth, count, how) / count)
        its = statistics.median(times["CPython"])
        row = [f"{depth}", f"{its * 1e6:.2f}"]
        for how in ("throw", "try", "nothrow"):
            ratio = statistics.median(our / a for our, a in zip(times[how], times["CPython"], strict=True))
            row.append(f"{statistics.median(times[how]) * 1e6:.2f} ({ratio:.2f})")
        rows.append(row)
    version = ".".join(map(str, sys.version_info[:3]))
    table(
        "An exception through a chain, us (ratio to CPython)",
        ["levels", f"CPython {version}", "throw_", "try_throw", "try_throw, nothrow frames"],
        rows,
    )


def main() -> None:
    """Measures and prints everything."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--build", type=pathlib.Path, required=True)
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    folder = options.build / "bench"
    sys.path.insert(0, str(folder.resolve()))
    measure_core(folder / "isthmus_bench_core", options.rounds)
    ext = importlib.import_module("nb_bench")
    measure_python(ext, options.rounds)
    measure_throws(ext, options.rounds)
    measure_gather(ext, options.rounds)


if __name__ == "__main__":
    main()
