"""The hot paths from Python under callgrind, each done `times` times and twice as often: see bench/counts/run.py.

Usage: counted.py TIMES, with raw_bench and raw_callgrind on the path. `counted.py bytes`, without callgrind, writes as
JSON what suspended coroutines take, with their GC heads.
"""

import gc
import json
import sys
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from itertools import repeat  # a range would allocate
from types import FunctionType
from typing import Any

import python_coroutines as native
import raw_bench
import raw_callgrind
from memory import SUSPENDS

MODULES: dict[str, Any] = {"isthmus": raw_bench, "native": native}
# Those on the path, for the report.
PEERS = [peer for peer in ("mypyc", "cython", "pyawaitable", "pyo3") if find_spec(f"{peer}_peer")]

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


def cases_of_all(module: Any) -> dict[str, Work]:
    """What is counted of the peers too, where they can do it."""
    awaits_none, awaits_value = fresh(awaits), fresh(awaits)
    made: dict[str, Work] = {
        "immediate None": lambda count: run(awaits_none(module.immediate_none, count)),
        "immediate value": lambda count: run(awaits_value(module.immediate_value, count)),
    }
    if hasattr(module, "awaits_own"):
        made["awaits its own"] = lambda count: run(module.awaits_own(count))
    return made


def cases(module: Any) -> dict[str, Work]:
    """What is counted, of the C++ coroutines and of the native ones."""
    own_hops = fresh(hops)
    return {
        **cases_of_all(module),
        "resume/1": resumes(module.nested(1)),
        "resume/500": resumes(module.nested(500)),
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
    counted = {who: cases(module) for who, module in MODULES.items()}
    counted |= {peer: cases_of_all(import_module(f"{peer}_peer")) for peer in PEERS}
    for who, made in counted.items():
        for name, work in made.items():
            work(times)
            for factor in (1, 2):
                raw_callgrind.dump("before")  # CALLGRIND_ZERO_STATS would keep the counts of some functions
                work(factor * times)
                raw_callgrind.dump(f"{name}|{who}|{factor}")


if __name__ == "__main__":
    main()
