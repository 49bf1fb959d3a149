"""Prints the resident bytes that each of COUNT suspended coroutines takes. Usage: memory.py WHO COUNT

Some that are made before fill what importing modules has left of memory, which would count for nothing otherwise.

"isthmus, by itself" stands for C++ coroutines that await nothing and suspend by co_yield; all others await an object.
"""

import gc
import importlib
import os
import sys
from typing import Any

from peers import MODULES


def resident() -> int:
    """The resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def main() -> None:
    """Makes them, suspends each, and measures. The list that holds them is there before."""
    first = 10_000
    name, _, by_itself = sys.argv[1].partition(", ")
    module, count = importlib.import_module(MODULES[name]), int(sys.argv[2])
    gc.disable()
    held: list[Any] = [None] * (first + count)
    before = 0
    for i in range(first + count):
        if i == first:
            before = resident()
        held[i] = made = module.forever() if by_itself else module.pass_through(SUSPENDS)
        made.send(None)
    print((resident() - before) / count, flush=True)
    os._exit(0)  # nobody needs to wait until all are closed


class Suspends:
    """What all of them await, as small as it can be."""

    def __await__(self) -> "Suspends":
        return self

    def __iter__(self) -> "Suspends":
        return self

    def __next__(self) -> None:
        return None


SUSPENDS = Suspends()

if __name__ == "__main__":
    main()
