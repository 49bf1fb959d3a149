"""The soak test under a Python loop: C++ coroutines by the thousand, which threads cancel at random, round after round.

Usage: soak.py LOOP KIND ADDRESS SECONDS SEED. Prints the accounts; ends with 1 if they do not balance, with 77 if it
was built without what the kind needs.
"""

import array
import asyncio
import gc
import itertools
import random
import sys
import threading
import time
import warnings
from collections.abc import Callable, Coroutine
from typing import Any

import raw_soak
import trio
import uvloop

FEWEST_ROUNDS = 6
dice = random.Random()


class Cancellers:
    """Threads that cancel what they are told to, a little later."""

    def __init__(self, count: int) -> None:
        self._waiting: list[Callable[[], object]] = []
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(count)]
        for thread in self._threads:
            thread.start()

    def add(self, cancel: Callable[[], object]) -> None:
        """To be called once, on one of the threads."""
        self._waiting.append(cancel)

    def _run(self) -> None:
        while not self._stop.wait(random.random() / 1000):
            for _ in range(min(len(self._waiting), 20)):
                try:
                    cancel = self._waiting.pop()
                except IndexError:
                    break
                cancel()

    def join(self) -> None:
        """Ends the threads."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


async def nested(inner: Coroutine[Any, Any, None], pause: Coroutine[Any, Any, None]) -> None:
    """Python between two C++ coroutines."""
    await pause
    await inner


def operation(pause: Callable[[float], Coroutine[Any, Any, None]]) -> Coroutine[Any, Any, None]:
    """One operation, chosen at random."""
    seed = dice.getrandbits(31) + 1
    if dice.random() < 0.5:
        made: Coroutine[Any, Any, None] = raw_soak.act(seed)
    elif dice.random() < 0.5:
        made = raw_soak.act_in_python(seed, pause(dice.random() / 500))
    else:
        made = raw_soak.act_in_python(seed, nested(raw_soak.act(seed), pause(dice.random() / 500)))
    return made


async def asyncio_round(cancellers: Cancellers, at_once: int) -> None:
    """One round under asyncio or uvloop."""
    loop = asyncio.get_running_loop()

    def cancel_later(task: asyncio.Task[None]) -> None:
        cancellers.add(lambda: loop.call_soon_threadsafe(task.cancel))

    tasks = [asyncio.create_task(operation(asyncio.sleep)) for _ in range(at_once)]
    for task in tasks:
        if dice.random() < 0.3:
            cancel_later(task)
            if dice.random() < 0.3:  # twice
                cancel_later(task)
    for task in tasks:
        try:
            await task
        except asyncio.CancelledError:
            assert task.cancelled()


async def trio_round(cancellers: Cancellers, at_once: int) -> None:
    """One round under trio."""
    token = trio.lowlevel.current_trio_token()

    async def run_one() -> None:
        with trio.CancelScope() as scope:
            if dice.random() < 0.3:
                cancellers.add(lambda: token.run_sync_soon(scope.cancel))
            if dice.random() < 0.1:
                scope.deadline = trio.current_time() + dice.random() / 200
            await operation(trio.sleep)

    async with trio.open_nursery() as nursery:
        for _ in range(at_once):
            nursery.start_soon(run_one)


def main() -> int:
    """Rounds until the time is over."""
    name, kind, address, seconds, seed = sys.argv[1:]
    dice.seed(seed)
    warnings.simplefilter("ignore", RuntimeWarning)  # what is cancelled early has not awaited all that it was given
    end = time.monotonic() + float(seconds)
    at_once = 2 * raw_soak.open_world(kind, address, 4)
    if at_once == 0:
        print(f"this was built without {kind}", file=sys.stderr)
        return 77
    cancellers = Cancellers(3)
    memory = [array.array("q") for _ in range(3)]  # which takes no object for each number

    async def rounds(one_round: Callable[[Cancellers, int], Coroutine[Any, Any, None]]) -> None:
        while time.monotonic() < end or len(memory[0]) < FEWEST_ROUNDS:
            await one_round(cancellers, at_once)
            while cancellers._waiting:  # what they hold keeps tasks alive
                await (trio.sleep if name == "trio" else asyncio.sleep)(0.001)
            gc.collect()
            if raw_soak.faults():
                return
            now = raw_soak.allocated_bytes(), sys.getallocatedblocks(), raw_soak.open_descriptors()
            for values, value in zip(memory, now, strict=True):
                values.append(value)

    if name == "trio":
        trio.run(rounds, trio_round)
    else:
        (uvloop.run if name == "uvloop" else asyncio.run)(rounds(asyncio_round))
    cancellers.join()

    faults: int = raw_soak.faults()
    count = len(memory[0])
    if count < 4:  # there was a fault
        return 1
    bounds = [count * i // 4 for i in range(5)]
    quarters = [slice(start, stop) for start, stop in itertools.pairwise(bounds)]
    allocated, blocks, files = ([min(values[quarter]) for quarter in quarters] for values in memory)
    print(
        f"{count} rounds of {at_once}\n{raw_soak.accounts()}allocated, KiB: {[a // 1024 for a in allocated]}; "
        f"blocks of Python's: {blocks}; descriptors: {files}; {faults} faults"
    )
    # What is cached grows to its limit in the first rounds.
    if allocated[3] > allocated[1] + raw_soak.tolerance() or blocks[3] > blocks[1] + 2000 or files[3] > files[1]:
        print("soak: memory or descriptors grow", file=sys.stderr)
        faults += 1
    raw_soak.close_world()
    return min(faults, 1)


sys.exit(main())
