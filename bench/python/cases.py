"""The cases that are measured from Python, as a pyperf program: each case with each implementation, one by one.

bench/measure.py runs it, some rounds on each CPython. BENCH_PAIRS in its environment names the pairs of a case and an
implementation, as JSON; with --check instead of pyperf's options it says which of them do not work.
"""

import asyncio
import importlib
import json
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import python_coroutines as native
from peers import MODULES, OFFERS

Work = Callable[[], float]  # does all of it, and returns the seconds it took


async def awaits(make: Callable[[], Awaitable[object]], count: int) -> None:
    """Python awaits what `make` gives."""
    for _ in range(count):
        await make()


def drive(made: Coroutine[Any, Any, Any]) -> float:
    """Runs a coroutine that never suspends."""
    start = perf_counter()
    try:
        made.send(None)
    except StopIteration:
        return perf_counter() - start
    raise AssertionError("it suspended")


def resume(module: Any, depth: int, count: int) -> float:
    """Resumes one chain."""
    chain = module.nested(depth)
    chain.send(None)
    send = chain.send
    start = perf_counter()
    for _ in range(count):
        send(None)
    return perf_counter() - start


def hop(module: Any, count: int) -> float:
    """Python awaits what awaits Python."""
    through, make = module.pass_through, native.immediate_none
    return drive(awaits(lambda: through(make()), count))


def create_tasks(module: Any, count: int) -> float:
    """Makes a task and awaits it, again and again."""

    async def main() -> float:
        make = module.immediate_value
        start = perf_counter()
        for _ in range(count):
            await asyncio.create_task(make())
        return perf_counter() - start

    return asyncio.run(main())


def gather(module: Any, count: int) -> float:
    """Many tasks at once."""

    async def main() -> float:
        make = module.immediate_value
        start = perf_counter()
        await asyncio.gather(*[make() for _ in range(count)])
        return perf_counter() - start

    return asyncio.run(main())


def throw(module: Any, depth: int, count: int) -> float:
    """Throws into the leaves of chains, out of which it comes through every level."""
    error = RuntimeError("thrown in")
    chains = [module.nested(depth) for _ in range(count)]
    for chain in chains:
        chain.send(None)
    start = perf_counter()
    for chain in chains:
        try:
            chain.throw(error)
        except RuntimeError:
            error.__traceback__ = None
    return perf_counter() - start


@dataclass
class Case:
    """What is measured, `count` times in one go, with those that offer all these functions."""

    count: int
    work: Callable[[Any, int], float]
    needs: frozenset[str]
    only: frozenset[str] = frozenset(MODULES)


def cases() -> dict[str, Case]:
    """By name, with the number it depends on behind a slash."""

    def needs(*functions: str) -> frozenset[str]:
        return frozenset(functions)

    tasks = frozenset({"native", "isthmus", "isthmus, nanobind", "cython", "mypyc", "pyo3"})
    made = {
        "immediate None": Case(40_000, lambda m, n: drive(awaits(m.immediate_none, n)), needs("immediate_none")),
        "immediate value": Case(40_000, lambda m, n: drive(awaits(m.immediate_value, n)), needs("immediate_value")),
        "awaits its own": Case(40_000, lambda m, n: drive(m.awaits_own(n)), needs("awaits_own")),
        "awaits Python": Case(
            20_000, lambda m, n: drive(m.awaits_python(native.immediate_none, n)), needs("awaits_python")
        ),
        "hop": Case(20_000, hop, needs("pass_through")),
        "create_task": Case(2_000, create_tasks, needs("immediate_value"), tasks),
        "gather of 10,000": Case(10_000, gather, needs("immediate_value"), tasks),
    }
    for depth, count in ((1, 40_000), (10, 20_000), (100, 10_000), (500, 5_000)):
        made[f"resume/{depth}"] = Case(count, lambda m, n, depth=depth: resume(m, depth, n), needs("nested"))  # type: ignore[misc]
    for depth, count in ((1, 1_000), (10, 400), (100, 100)):
        made[f"throw/{depth}"] = Case(
            count,
            lambda m, n, depth=depth: throw(m, depth, n),  # type: ignore[misc]
            needs("nested"),
            frozenset({"native", "cython", "mypyc", "isthmus"}),
        )
    return made


CASES = cases()

# Chains in C++ that know no Python, beside CPython's.
THROWS = {"C++, throw_": "throw", "C++, try_throw": "try", "C++, try_throw, nothrow frames": "nothrow"}


def pairs_of(names: list[str]) -> list[tuple[str, str]]:
    """All pairs of a case and one of these implementations."""
    pairs = []
    for case, what in CASES.items():
        pairs += [(case, who) for who in names if who in what.only and what.needs <= OFFERS[who]]
        if case.startswith("throw/"):
            pairs += [(case, who) for who in THROWS]
    return pairs


def seconds(case: str, who: str, count: int) -> float:
    """One measurement: seconds for all."""
    if who in THROWS:
        depth = int(case.partition("/")[2])
        taken: float = importlib.import_module("raw_bench").throws(depth, count, THROWS[who])
        return taken
    return CASES[case].work(importlib.import_module(MODULES[who]), count)


def check(pairs: list[tuple[str, str]]) -> None:
    """Prints which pairs work, and why the others do not."""
    failed = {}
    for case, who in pairs:
        try:
            seconds(case, who, 3)
        except Exception as problem:
            failed[f"{case}|{who}"] = f"{type(problem).__name__}: {problem}"
    print(json.dumps(failed))


def main() -> None:
    """Measures all pairs, each in a process of its own, in the order that they are named."""
    pairs = [(case, who) for case, who in json.loads(os.environ["BENCH_PAIRS"])]
    if sys.argv[1:] == ["--check"]:
        check(pairs)
        return
    import pyperf

    def timed(loops: int, case: str, who: str) -> float:
        return sum(seconds(case, who, CASES[case].count) for _ in range(loops))

    runner = pyperf.Runner()
    for case, who in pairs:
        runner.bench_time_func(f"{case}|{who}", timed, case, who, inner_loops=CASES[case].count)


if __name__ == "__main__":
    main()
