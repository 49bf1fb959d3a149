"""C++ tasks of a library that knows no Python, awaited under asyncio, uvloop and trio: one file, the same results."""

import asyncio
import contextlib
import gc
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import raw_tasks as ext
import trio
import uvloop

Main = Callable[[], Coroutine[Any, Any, Any]]


class Loop:
    """What the tests need of a loop, in its own terms."""

    cancelled: type[BaseException]

    def run(self, main: Main) -> Any:
        raise NotImplementedError

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError

    @contextlib.asynccontextmanager
    async def background(self, awaitable: Callable[[], Awaitable[Any]]) -> AsyncIterator[Callable[[], None]]:
        """Runs something meanwhile; what is given cancels it. At the end it is waited for, cancelled or not."""
        raise NotImplementedError
        yield


class Asyncio(Loop):
    cancelled = asyncio.CancelledError

    def run(self, main: Main) -> Any:
        return asyncio.run(main())

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def background(self, awaitable: Callable[[], Awaitable[Any]]) -> AsyncIterator[Callable[[], None]]:
        task = asyncio.ensure_future(awaitable())
        try:
            yield lambda: (task.cancel(), None)[1]
        finally:
            with contextlib.suppress(asyncio.CancelledError):
                await task


class Uvloop(Asyncio):
    def run(self, main: Main) -> Any:
        return uvloop.run(main())


class Trio(Loop):
    cancelled = trio.Cancelled

    def run(self, main: Main) -> Any:
        return trio.run(main)

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)

    @contextlib.asynccontextmanager
    async def background(self, awaitable: Callable[[], Awaitable[Any]]) -> AsyncIterator[Callable[[], None]]:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(awaitable)
            yield nursery.cancel_scope.cancel


@pytest.fixture(params=[Asyncio, Uvloop, Trio])
def loop(request: pytest.FixtureRequest) -> Loop:
    made: Loop = request.param()
    return made


@pytest.fixture(autouse=True)
def nothing_left_in_flight() -> Any:
    before = ext.in_flight()
    yield
    gc.collect()
    assert ext.in_flight() == before


def test_results(loop: Loop) -> None:
    async def main() -> list[object]:
        return [
            await ext.nap(2, 5),
            await ext.nap(0, 6),
            await ext.answer_of_thread(7, 100),
            await ext.sum_of_naps(100, 3),
            await ext.first_of(1, 500),
            await ext.with_limit(500, 1),
        ]

    assert loop.run(main) == [5, 6, 7, 4950, 1, 1]


def test_it_is_a_coroutine_with_the_tasks_name() -> None:
    made = ext.nap(0, 1)
    assert made.__name__ == "nap"
    assert isinstance(made, Coroutine)
    made.close()


def test_many_at_once(loop: Loop) -> None:
    """A thousand naps of 20 ms in one task take little more than one of them."""

    async def main() -> float:
        start = time.monotonic()
        await ext.sum_of_naps(1000, 20)
        return time.monotonic() - start

    assert 0.02 <= loop.run(main) < 2


def test_errors_arrive_at_the_await(loop: Loop) -> None:
    async def main() -> str:
        with pytest.raises(IndexError, match="far away"):
            await ext.fail(1, "far away")
        with pytest.raises(TimeoutError, match="timed out"):
            await ext.with_limit(1, 10_000)
        with pytest.raises(ExceptionGroup, match="task group") as group:
            await ext.failing_group(3)
        return ", ".join(str(error) for error in group.value.exceptions)

    assert loop.run(main) == "number 0, number 1, number 2"


def test_mixed_with_python(loop: Loop) -> None:
    async def second() -> str:
        await loop.sleep(0.001)
        return "python"

    async def main() -> object:
        return await ext.mixed(second())

    assert loop.run(main) == (1, "python", 3)


def test_7_6_a_task_is_awaited_once(loop: Loop) -> None:
    async def main() -> None:
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await ext.await_twice()

    loop.run(main)


def test_descriptors(loop: Loop) -> None:
    async def main() -> str:
        read, write = os.pipe()
        try:
            text = ""

            async def reads() -> None:
                nonlocal text
                text = await ext.read_some(read)

            async with loop.background(reads):
                await loop.sleep(0.01)
                os.write(write, b"hello")
            return text
        finally:
            os.close(read)
            os.close(write)

    assert loop.run(main) == "hello"


def test_a_descriptor_can_be_waited_for_again_and_by_several(loop: Loop) -> None:
    async def main() -> list[str]:
        read, write = os.pipe()
        texts: list[str] = []

        async def reads() -> None:
            texts.append(await ext.read_some(read))

        try:
            for _ in range(3):
                async with loop.background(reads):
                    await loop.sleep(0.002)
                    os.write(write, b"x")
            async with loop.background(reads) as cancel:
                await loop.sleep(0.002)
                cancel()
            os.write(write, b"y")
            await reads()
        finally:
            os.close(read)
            os.close(write)
        return texts

    assert loop.run(main) == ["x", "x", "x", "y"]


@pytest.mark.parametrize("swallow", [False, True])
def test_cancelling_reaches_the_task(loop: Loop, swallow: bool) -> None:
    """The task sees isthmus::cancelled, and the exception that Python sees is the one that was thrown in (5.19)."""
    before = ext.cancellations()
    seen: list[object] = []

    async def main() -> None:
        async def waits() -> None:
            try:
                seen.append(await ext.note_cancellation(10_000, swallow))
            except BaseException as error:
                seen.append(type(error))
                raise

        async with loop.background(waits) as cancel:
            await loop.sleep(0.01)
            cancel()

    start = time.monotonic()
    loop.run(main)
    assert time.monotonic() - start < 5
    assert ext.cancellations() == before + 1
    assert seen == ["swallowed" if swallow else loop.cancelled]


def test_cancelling_waits_for_what_cannot_be_cancelled_at_once(loop: Loop) -> None:
    ended: list[float] = []

    async def main() -> None:
        async def waits() -> None:
            start = time.monotonic()
            try:
                await ext.cannot_be_cancelled(100)
            except loop.cancelled:
                ended.append(time.monotonic() - start)
                raise

        async with loop.background(waits) as cancel:
            await loop.sleep(0.01)
            cancel()

    start = time.process_time()
    loop.run(main)
    assert len(ended) == 1
    assert ended[0] >= 0.1
    assert time.process_time() - start < 0.08  # it slept meanwhile


def test_cancelling_what_waits_for_a_thread(loop: Loop) -> None:
    """A thread that is about to complete, again and again: no result is lost, none comes twice, nothing hangs."""

    async def main() -> int:
        rounds = 0
        for i in range(100):

            async def waits(microseconds: int = i * 20) -> None:
                assert await ext.answer_of_thread(3, microseconds) == 3

            async with loop.background(waits) as cancel:
                await loop.sleep(0.001)
                cancel()
            rounds += 1
        await loop.sleep(0.05)  # until the threads are done
        return rounds

    assert loop.run(main) == 100


def test_threads_bring_many_answers(loop: Loop) -> None:
    async def main() -> int:
        result: int = await ext.many_answers(500)
        return result

    assert loop.run(main) == 500


def test_a_task_that_dies_while_it_waits_leaves_nothing(loop: Loop) -> None:
    async def main() -> None:
        waits = ext.nap(10_000, 1)
        if isinstance(loop, Trio):
            with trio.move_on_after(0.001):
                await waits
        else:
            waits.send(None)
        del waits
        await loop.sleep(0.001)

    loop.run(main)


def test_two_loops_one_after_the_other(loop: Loop) -> None:
    for _ in range(3):
        assert loop.run(lambda: ext.sum_of_naps(3, 1)) == 3


def test_no_loop_is_a_clear_error() -> None:
    made = ext.nap(1, 1)
    with pytest.raises(RuntimeError, match="needs a running event loop: asyncio, uvloop or trio"):
        made.send(None)


def test_descriptors_are_not_leaked(loop: Loop) -> None:
    loop.run(lambda: ext.nap(1, 1))
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        loop.run(lambda: ext.nap(1, 1))
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_11_1_11_2_only_python_says_that_a_task_was_never_awaited() -> None:
    before = ext.never_awaited()
    with pytest.warns(RuntimeWarning, match="coroutine 'nap' was never awaited") as warned:
        ext.nap(1, 1)
    assert len(warned) == 1
    warned.clear()  # each keeps its source
    made = ext.nap(1, 1)
    with pytest.raises(KeyError):
        made.throw(KeyError)
    ext.nap(1, 1).close()
    del made
    gc.collect()
    assert ext.never_awaited() == before
