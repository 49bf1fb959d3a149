"""The hot paths from Python under callgrind, each done `times` times and twice as often: see bench/counts/run.py.

Usage: counted.py TIMES, with raw_bench and raw_callgrind on the path. `counted.py bytes`, without callgrind, writes as
JSON what suspended coroutines take, with their GC heads.
"""

import gc
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from itertools import repeat  # a range would allocate
from types import FunctionType
from typing import Any

import python_coroutines as native
import raw_bench
import raw_callgrind
from memory import SUSPENDS

MODULES: dict[str, Any] = {"isthmus": raw_bench, "native": native}

Work = Callable[[int], None]


async def awaits(make: Callable[[], Awaitable[object]], count: int) -> None:
    """Python awaits what `make` gives."""
    for _ in repeat(None, count):
        await make()


async def hops(module: Any, count: int) -> None:
    """Python awaits what awaits Python."""
    for _ in repeat(None, count):
        await module.pass_through(native.immediate_none())


def fresh(function: Any) -> Any:
    """A copy that CPython's interpreter specialises for itself."""
    return FunctionType(function.__code__.replace(), function.__globals__)


def run(made: Coroutine[Any, Any, Any]) -> None:
    """Runs a coroutine that never suspends."""
    try:
        made.send(None)
    except StopIteration:
        return
    raise AssertionError("it suspended")


def resumes(chain: Coroutine[Any, Any, Any]) -> Work:
    """Resumes a chain."""
    chain.send(None)
    send = chain.send

    def work(count: int) -> None:
        for _ in repeat(None, count):
            send(None)

    return work


def cases(module: Any) -> dict[str, Work]:
    """What is counted, of the C++ coroutines and of the native ones."""
    awaits_none, awaits_value, own_hops = fresh(awaits), fresh(awaits), fresh(hops)
    return {
        "immediate None": lambda count: run(awaits_none(module.immediate_none, count)),
        "immediate value": lambda count: run(awaits_value(module.immediate_value, count)),
        "resume/1": resumes(module.nested(1)),
        "resume/500": resumes(module.nested(500)),
        "awaits its own": lambda count: run(module.awaits_own(count)),
        "awaits Python": lambda count: run(module.awaits_python(native.immediate_none, count)),
        "hop": lambda count: run(own_hops(module, count)),
    }


def bytes_of_each(make: Callable[[], Coroutine[Any, Any, Any]]) -> int:
    """What each of many takes that are suspended: the Python object, and its part of malloc's memory. Those before them
    have filled all holes."""
    number, before = 10_000, 0
    held: list[Any] = [None] * (2 * number)
    for i in range(2 * number):
        if i == number:
            before = raw_callgrind.allocated()
        held[i] = make()
        held[i].send(None)
    allocated: int = raw_callgrind.allocated() - before
    return sys.getsizeof(held[0]) + round(allocated / number)


def print_bytes() -> None:
    """Of the C++ coroutines, and of a native one."""
    sizes = {}
    for who, module in MODULES.items():
        sizes[f"suspended|{who}"] = bytes_of_each(partial(module.pass_through, SUSPENDS))
    sizes["suspended by itself|isthmus"] = bytes_of_each(raw_bench.forever)
    print(json.dumps(sizes))


def main() -> None:
    """Counts all."""
    gc.disable()
    if sys.argv[1] == "bytes":
        print_bytes()
        return
    times = int(sys.argv[1])
    for who, module in MODULES.items():
        for name, work in cases(module).items():
            work(times)
            for factor in (1, 2):
                raw_callgrind.dump("before")  # CALLGRIND_ZERO_STATS would keep the counts of some functions
                work(factor * times)
                raw_callgrind.dump(f"{name}|{who}|{factor}")


if __name__ == "__main__":
    main()
