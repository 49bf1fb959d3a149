"""What these tests have in common."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import isthmus_postgres
import trio
import uvloop

T = TypeVar("T")
Main = Callable[[], Coroutine[Any, Any, T]]


class WasCancelled(Exception):
    """What Started.finish() raises of what was cancelled."""


class Started:
    """What runs in the background."""

    def cancel(self) -> None:
        raise NotImplementedError

    async def finish(self) -> Any:
        """Waits for its result."""
        raise NotImplementedError


class Loop:
    """What the tests need of a loop, in its own terms."""

    def run(self, main: Main[T]) -> T:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    async def nothing(self) -> None:
        await self.sleep(0)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        raise NotImplementedError

    def started(self, function: Callable[[], Awaitable[Any]]) -> AbstractAsyncContextManager[Started]:
        """Runs it in the background. At the end of the block it is cancelled and waited for."""
        raise NotImplementedError

    async def gather(self, *functions: Callable[[], Awaitable[T]]) -> list[T]:
        raise NotImplementedError


class AsyncioStarted(Started):
    def __init__(self, task: asyncio.Future[Any]) -> None:
        self.task = task

    def cancel(self) -> None:
        self.task.cancel()

    async def finish(self) -> Any:
        await asyncio.wait([self.task])
        if self.task.cancelled():
            raise WasCancelled
        return self.task.result()


class Asyncio(Loop):
    def run(self, main: Main[T]) -> T:
        return asyncio.run(main())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def timeout(self, seconds: float) -> AbstractAsyncContextManager[object]:
        return asyncio.timeout(seconds)

    @contextlib.asynccontextmanager
    async def started(self, function: Callable[[], Awaitable[Any]]) -> AsyncIterator[Started]:
        task = asyncio.ensure_future(function())
        try:
            yield AsyncioStarted(task)
        finally:
            task.cancel()
            await asyncio.wait([task])

    async def gather(self, *functions: Callable[[], Awaitable[T]]) -> list[T]:
        return await asyncio.gather(*(function() for function in functions))


class Uvloop(Asyncio):
    def run(self, main: Main[T]) -> T:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(main())


class TrioStarted(Started):
    def __init__(self, function: Callable[[], Awaitable[Any]]) -> None:
        self.function = function
        self.scope = trio.CancelScope()
        self.over = trio.Event()
        self.result: Any = None
        self.error: Exception = WasCancelled()

    async def run(self) -> None:
        with self.scope:
            try:
                self.result = await self.function()
                self.error = None  # type: ignore[assignment]
            except Exception as error:
                self.error = error
        self.over.set()

    def cancel(self) -> None:
        self.scope.cancel()

    async def finish(self) -> Any:
        await self.over.wait()
        if self.error is not None:
            raise self.error
        return self.result


class Trio(Loop):
    def run(self, main: Main[T]) -> T:
        result: T = trio.run(main)
        return result

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def timeout(self, seconds: float) -> AsyncIterator[None]:
        try:
            with trio.fail_after(seconds):
                yield
        except trio.TooSlowError:
            raise TimeoutError from None

    @contextlib.asynccontextmanager
    async def started(self, function: Callable[[], Awaitable[Any]]) -> AsyncIterator[Started]:
        started = TrioStarted(function)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(started.run)
            try:
                yield started
            finally:
                started.cancel()

    async def gather(self, *functions: Callable[[], Awaitable[T]]) -> list[T]:
        results: dict[int, T] = {}

        async def run(number: int) -> None:
            results[number] = await functions[number]()

        async with trio.open_nursery() as nursery:
            for number in range(len(functions)):
                nursery.start_soon(run, number)
        return [results[number] for number in range(len(functions))]


async def is_active(other: isthmus_postgres.Connection, pid: int) -> bool:
    """Whether the server executes something for the connection of that process."""
    return await other.fetchrow("SELECT state FROM pg_stat_activity WHERE pid = $1", pid) == ("active",)


async def until_active(loop: Loop, db: isthmus_postgres.Connection, other: isthmus_postgres.Connection) -> None:
    """Waits until the server executes a command of `db`."""
    async with loop.timeout(20):
        while not await is_active(other, db.pid):
            await loop.sleep(0.005)
