"""Cancellation through chains of Python and C++: at any moment, twice, during clean-up, shielded, by timeouts within.

Each plan is run with native levels alone and with some, or all, of them in C++; what each level saw, in which order,
and the state afterwards must be the same. Cancelling happens at numbered checkpoints, so a plan is deterministic.
"""

import asyncio
import contextlib
import inspect
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import raw_cancellation as ext
import support
import trio

Level = Coroutine[Any, Any, Any]


async def native_level(log: list[str], name: str, inner: Level, clean_up: Callable[[], Level], swallow: bool) -> Any:
    """Raw_cancellation.level() in Python."""
    caught = None
    try:
        result = await inner
    except BaseException as raised:
        log.append(f"{name} caught {type(raised).__name__}")
        caught = raised
    if caught is not None:
        try:
            await clean_up()
        except BaseException as raised:
            log.append(f"{name} could not clean up: {type(raised).__name__}")
            raise
        if not swallow:
            raise caught
        result = "swallowed"
    log.append(f"{name} returns")
    return result


class Plan:
    """A chain, and at which of its checkpoints it is cancelled."""

    def __init__(self, seed: int) -> None:
        dice = random.Random(seed)
        self.levels = [
            dice.choice(["handles", "handles", "handles", "swallows", "shields", "limits"]) for _ in range(5)
        ]
        self.in_cpp = [dice.random() < 0.5 for _ in self.levels]
        self.work = dice.randrange(1, 6)
        self.clean_up = dice.randrange(4)
        self.shielded_clean_up = dice.random() < 0.3
        self.fails = dice.random() < 0.2
        self.cancels = [dice.randrange(10) for _ in range(dice.choice([0, 1, 1, 2, 2, 3]))]
        self.expires = [dice.randrange(1, 10) for _ in range(dice.randrange(3))]


class Run:
    """One run of a plan. `language`: native, mixed or cpp."""

    def __init__(self, plan: Plan, language: str) -> None:
        self.plan = plan
        self.log: list[str] = []
        self.tick = 0
        self.limits: list[Callable[[], object]] = []
        self.made: list[Level] = []
        self._language = language

    def cancel(self) -> object:
        """Cancels the whole."""
        raise NotImplementedError

    async def pause(self) -> None:
        """Lets others run."""
        raise NotImplementedError

    async def shield(self, inner: Level) -> Any:
        """Keeps cancellation from what is within."""
        raise NotImplementedError

    async def limit(self, inner: Level) -> Any:
        """Ends what is within when self.limits says so."""
        raise NotImplementedError

    async def checkpoint(self) -> None:
        """Where the plan happens."""
        self.tick += 1
        if self.tick in self.plan.expires and self.limits:
            self.log.append(f"limit at {self.tick}")
            self.limits[-1]()
        if self.tick in self.plan.cancels:
            self.log.append(f"cancel at {self.tick}")
            for _ in range(self.plan.cancels.count(self.tick)):
                self.cancel()
        await self.pause()

    async def work(self) -> str:
        """The leaf."""
        for _ in range(self.plan.work):
            await self.checkpoint()
        if self.plan.fails:
            raise support.Boom
        return "result"

    async def _tidy(self) -> None:
        for _ in range(self.plan.clean_up):
            await self.checkpoint()

    def clean_up(self) -> Level:
        """What a level awaits when it was cancelled."""
        return self.shield(self._tidy()) if self.plan.shielded_clean_up else self._tidy()

    def chain(self) -> Level:
        """The levels, innermost first."""
        inner: Level = self.work()
        for i, kind in enumerate(self.plan.levels):
            if kind == "shields":
                inner = self.shield(inner)
            elif kind == "limits":
                inner = self.limit(inner)
            else:
                in_cpp = self._language == "cpp" or (self._language == "mixed" and self.plan.in_cpp[i])
                level = ext.level if in_cpp else native_level
                inner = level(self.log, f"{i}", inner, self.clean_up, kind == "swallows")
            self.made.append(inner)
        return inner

    def note_end(self, how: str) -> None:
        """What is left of the chain."""
        self.log.append(how)
        self.log.append(", ".join(inspect.getcoroutinestate(each) for each in self.made))


class AsyncioRun(Run):
    """Under asyncio or uvloop."""

    task: "asyncio.Task[Any]"

    def cancel(self) -> object:
        return self.task.cancel("from outside")

    async def pause(self) -> None:
        await asyncio.sleep(0)

    async def shield(self, inner: Level) -> Any:
        return await asyncio.shield(inner)

    async def limit(self, inner: Level) -> Any:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(None) as scope:

                def expire() -> None:
                    if not scope.expired():
                        scope.reschedule(loop.time())

                self.limits.append(expire)
                try:
                    return await inner
                finally:
                    self.limits.remove(expire)
        except TimeoutError:
            self.log.append("time is over")
            return "late"

    async def main(self) -> list[str]:
        """The whole run."""
        self.task = asyncio.create_task(self.chain())
        if 0 in self.plan.cancels:
            self.log.append("cancel at the start")
            self.task.cancel("before it starts")
        await asyncio.wait([self.task])
        how = "cancelled" if self.task.cancelled() else repr(self.task.exception() or self.task.result())
        for other in asyncio.all_tasks() - {asyncio.current_task()}:  # what was shielded
            with contextlib.suppress(asyncio.CancelledError, support.Boom):
                await other
        self.note_end(f"{how}, {self.task.cancelling()} requests")
        return self.log


class TrioRun(Run):
    """Under trio."""

    scope: trio.CancelScope

    def cancel(self) -> object:
        self.scope.cancel()
        return None

    async def pause(self) -> None:
        await trio.lowlevel.checkpoint()

    async def shield(self, inner: Level) -> Any:
        with trio.CancelScope(shield=True):
            return await inner

    async def limit(self, inner: Level) -> Any:
        with trio.CancelScope() as scope:
            self.limits.append(scope.cancel)
            try:
                return await inner
            finally:
                self.limits.remove(scope.cancel)
        self.log.append("time is over")
        return "late"

    async def main(self) -> list[str]:
        """The whole run."""
        how = "cancelled"
        with trio.CancelScope() as self.scope:
            if 0 in self.plan.cancels:
                self.log.append("cancel at the start")
                self.scope.cancel()
            try:
                how = repr(await self.chain())
            except support.Boom as raised:
                how = repr(raised)
        self.note_end(f"{how}, {self.scope.cancelled_caught}")
        return self.log


def run(plan: Plan, language: str, loop: str) -> list[str]:
    """What one run of the plan has logged."""
    if loop == "trio":
        return trio.run(TrioRun(plan, language).main)
    log: list[str] = support.run(AsyncioRun(plan, language).main(), loop)
    return log


@pytest.mark.parametrize("loop", [*support.LOOPS, "trio"])
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # by what was cancelled first
def test_18_3_a_mixed_chain_is_cancelled_as_a_native_one(loop: str) -> None:
    logs = set()
    for seed in range(150):
        plan = Plan(seed)
        expected = run(plan, "native", loop)
        assert run(plan, "mixed", loop) == expected, f"plan {seed}"
        assert run(plan, "cpp", loop) == expected, f"plan {seed}"
        logs.add(tuple(expected))
        support.collect()
    assert len(logs) > 75  # the plans are not all the same
