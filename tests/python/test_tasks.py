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
import sniffio
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


def test_awaitables_of_other_libraries(loop: Loop) -> None:
    async def main() -> list[int]:
        with pytest.raises(IndexError, match="negative"):
            await ext.others_answer(-1, 10)
        with pytest.raises(TimeoutError):
            await ext.others_answer_or_limit(1, 20_000)  # it cannot be cancelled, but is waited for
        return [await ext.others_answer(each, each * 100) for each in range(20)]

    assert loop.run(main) == list(range(20))


def test_cancelling_waits_for_awaitables_of_other_libraries(loop: Loop) -> None:
    ended: list[float] = []

    async def main() -> None:
        async def waits() -> None:
            start = time.monotonic()
            try:
                await ext.others_answer(1, 50_000)
            except loop.cancelled:
                ended.append(time.monotonic() - start)
                raise

        async with loop.background(waits) as cancel:
            await loop.sleep(0.005)
            cancel()

    loop.run(main)
    assert len(ended) == 1
    assert ended[0] >= 0.05


def test_awaitables_of_other_libraries_outlive_the_task() -> None:
    async def main() -> None:
        for i in range(100):
            waits = ext.others_answer(1, i * 20)
            with contextlib.suppress(StopIteration):  # the thread was faster
                waits.send(None)
            del waits
            await asyncio.sleep(0)
        await asyncio.sleep(0.02)

    asyncio.run(main())


def test_events_are_set_by_threads(loop: Loop) -> None:
    assert loop.run(lambda: ext.wait_for_event(100, 2000)) == 100


def test_cancelling_what_waits_for_an_event(loop: Loop) -> None:
    async def main() -> None:
        async with loop.background(ext.wait_for_ever) as cancel:
            await loop.sleep(0.002)
            cancel()

    loop.run(main)


def test_each_operation_in_a_coroutine_that_knows_python(loop: Loop) -> None:
    async def main() -> str:
        read, write = os.pipe()
        try:
            log: str = await ext.each_directly(read, write)
        finally:
            os.close(read)
            os.close(write)
        return log

    assert loop.run(main) == "slept, wrote, read, event, completion, py::completion, others, late"


LIMITS = [ext.limit_await, ext.limit_coroutine, ext.limit_until]


@pytest.mark.parametrize("limited", LIMITS)
def test_a_limit_of_time_for_what_python_awaits(loop: Loop, limited: Callable[..., Coroutine[Any, Any, Any]]) -> None:
    found: list[object] = []

    async def nap(seconds: float) -> str:
        try:
            await loop.sleep(seconds)
        except BaseException as error:
            found.append(type(error))
            raise
        return "slept"

    async def fail() -> None:
        raise KeyError("own")

    async def main() -> None:
        assert await limited(10_000, nap(0)) == "slept"
        with pytest.raises(TimeoutError, match="timed out"):
            await limited(2, nap(10))
        with pytest.raises(KeyError, match="own"):
            await limited(10_000, fail())
        with pytest.raises(TimeoutError):
            await limited(-5, nap(10))
        with pytest.raises(TypeError, match="can't be used in 'await' expression|can't be awaited"):
            await limited(10_000, 3)
        with pytest.raises(TimeoutError, match="timed out"):
            await ext.limit_nothing(1, nap(10))
        await loop.sleep(0.02)  # nothing of it cancels what comes later

    loop.run(main)
    assert found == [loop.cancelled] * 3


def test_a_limit_that_is_cancelled_lets_the_cancellation_pass(loop: Loop) -> None:
    seen: list[object] = []

    async def main() -> None:
        async def waits() -> None:
            try:
                await ext.limit_await(10_000, loop.sleep(10))
            except BaseException as error:
                seen.append(type(error))
                raise

        async with loop.background(waits) as cancel:
            await loop.sleep(0.002)
            cancel()

    loop.run(main)
    assert seen == [loop.cancelled]


def test_the_result_of_what_was_cancelled_in_vain_counts(loop: Loop) -> None:
    async def stubborn() -> str:
        try:
            await loop.sleep(10)
        except loop.cancelled:
            if isinstance(loop, Trio):
                raise  # trio's own must pass
        return "stayed"

    async def main() -> object:
        try:
            return await ext.limit_await(1, stubborn())
        except TimeoutError:
            return "timed out"

    assert loop.run(main) == ("timed out" if isinstance(loop, Trio) else "stayed")


@pytest.mark.parametrize(
    ("outer", "inner", "afterwards", "expected"),
    [
        (5, 10_000, 0, ["inner: cancelled", "outer: timed out"]),
        (150, 5, 10_000, ["inner: timed out", "outer: timed out"]),
        (10_000, 5, 1, ["inner: timed out", "outer: in time"]),
    ],
)
def test_of_nested_limits_the_one_that_is_over_says_so(
    loop: Loop, outer: int, inner: int, afterwards: int, expected: list[str]
) -> None:
    async def main() -> object:
        return await ext.nested_scopes(outer, inner, afterwards, loop.sleep(100))

    assert loop.run(main) == expected


@pytest.mark.parametrize("limited", LIMITS)
def test_a_limit_that_is_closed_limits_nothing(limited: Callable[..., Coroutine[Any, Any, Any]]) -> None:
    async def main() -> str:
        loop = asyncio.get_running_loop()
        closed = limited(10, loop.create_future())
        closed.send(None)
        closed.close()
        ext.drop_limited(10, loop.create_future())
        await asyncio.sleep(0.03)
        return "not cancelled"

    assert asyncio.run(main()) == "not cancelled"


def test_a_limit_needs_a_loop() -> None:
    async def never() -> None:
        raise AssertionError

    waits = never()
    with pytest.raises(RuntimeError, match="needs a running event loop: asyncio, uvloop or trio"):
        ext.limit_await(1, waits).send(None)
    waits.close()


def test_a_limit_needs_a_task_of_asyncio() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        over = loop.create_future()

        def outside_of_a_task() -> None:
            with pytest.raises(RuntimeError, match="inside a task"):
                ext.limit_await(1, over).send(None)
            over.set_result(None)

        loop.call_soon(outside_of_a_task)
        await over

    asyncio.run(main())


def test_the_loop_is_found_as_sniffio_finds_it(loop: Loop) -> None:
    """By the thread's variable, then by the context's, then asyncio's own; an unknown one is named."""

    async def main() -> None:
        waits = ext.nap(1, 1)
        outer, sniffio.thread_local.name = sniffio.thread_local.name, "curio"
        try:
            with pytest.raises(RuntimeError, match="asyncio, uvloop or trio; this is curio"):
                waits.send(None)
        finally:
            sniffio.thread_local.name = outer
        if not isinstance(loop, Trio):
            token = sniffio.current_async_library_cvar.set("curio")
            with pytest.raises(RuntimeError, match="this is curio"):
                ext.nap(1, 1).send(None)
            sniffio.current_async_library_cvar.set("asyncio")
            assert await ext.nap(1, 2) == 2
            sniffio.current_async_library_cvar.reset(token)
        assert await ext.nap(1, 3) == 3

    loop.run(main)


def test_trio_is_not_asked_under_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its answer would be an exception, for each operation."""
    trio.run(lambda: ext.nap(1, 1))  # so that it is known
    asked: list[None] = []
    monkeypatch.setattr(trio.lowlevel, "current_task", lambda: asked.append(None))
    assert asyncio.run(ext.nap(1, 5)) == 5
    assert asked == []


def test_trio_as_a_guest_of_asyncio() -> None:
    """Two loops on one thread: each task waits on its own."""

    async def naps() -> int:
        total = 0
        for _ in range(20):
            total += await ext.nap(1, 1)
        return total

    async def host() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[Any] = loop.create_future()
        trio.lowlevel.start_guest_run(
            naps,
            run_sync_soon_threadsafe=loop.call_soon_threadsafe,
            done_callback=over.set_result,
        )
        return await naps(), (await over).unwrap()

    assert asyncio.run(host()) == (20, 20)


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
