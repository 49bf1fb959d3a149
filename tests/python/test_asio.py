"""Asio's operations, on a thread of their own, awaited under asyncio, uvloop and trio."""

import asyncio
import gc
import inspect
import subprocess
import sys
import threading
import time
from typing import Any

import pytest
import raw_asio as ext
import trio
from test_tasks import Asyncio, Loop, Trio, Uvloop


@pytest.fixture(params=[Asyncio, Uvloop, Trio])
def loop(request: pytest.FixtureRequest) -> Loop:
    made: Loop = request.param()
    return made


@pytest.fixture(scope="module")
def port() -> int:
    result: int = ext.serve(False)
    return result


@pytest.fixture(autouse=True)
def nothing_left_in_flight() -> Any:
    before = ext.in_flight()
    yield
    gc.collect()
    assert ext.in_flight() == before


def test_an_echo_server(loop: Loop, port: int) -> None:
    async def main() -> list[object]:
        return [await ext.talk(port, "hello"), await ext.many_talks(port, 100), await ext.answer_without_value()]

    assert loop.run(main) == ["hello", 4950, 0]


def test_a_thousand_at_once(port: int) -> None:
    async def main() -> list[int]:
        return list(await asyncio.gather(*(ext.wait(10, n) for n in range(1000))))

    start = time.monotonic()
    assert asyncio.run(main()) == list(range(1000))
    assert time.monotonic() - start < 5


def test_completions_come_in_batches() -> None:
    """What has completed while the loop was busy wakes it once."""
    rounds = 0

    async def main() -> None:
        nonlocal rounds
        waits = [asyncio.ensure_future(ext.wait(5, n)) for n in range(200)]
        await asyncio.sleep(0)
        ext.ticks_without_gil(50)
        while not all(wait.done() for wait in waits):
            rounds += 1
            await asyncio.sleep(0)

    asyncio.run(main())
    assert rounds < 20


def test_errors_arrive_at_the_await(loop: Loop) -> None:
    async def main() -> None:
        with pytest.raises(ConnectionRefusedError):
            await ext.talk(1, "nobody is there")
        with pytest.raises(TimeoutError):
            await ext.wait_at_most(1, 10_000)

    loop.run(main)


def test_a_coroutine_that_also_awaits_python(loop: Loop) -> None:
    async def middle() -> str:
        await loop.sleep(0.001)
        return "python"

    assert loop.run(lambda: ext.direct(middle())) == "python"


@pytest.mark.parametrize("swallow", [False, True])
def test_cancelling_reaches_the_operation(loop: Loop, swallow: bool) -> None:
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


def test_cancelling_waits_for_what_cannot_be_cancelled(loop: Loop) -> None:
    ended: list[float] = []

    async def main() -> None:
        async def waits() -> None:
            start = time.monotonic()
            try:
                await ext.cannot_be_cancelled(50)
            finally:
                ended.append(time.monotonic() - start)

        async with loop.background(waits) as cancel:
            await loop.sleep(0.01)
            cancel()

    loop.run(main)
    assert len(ended) == 1
    assert ended[0] >= 0.05


def test_cancelling_while_it_completes(loop: Loop) -> None:
    async def main() -> int:
        rounds = 0
        for i in range(100):

            async def waits(milliseconds: int = i % 3) -> None:
                assert await ext.wait(milliseconds, 3) == 3

            async with loop.background(waits) as cancel:
                await loop.sleep(0.001)
                cancel()
            rounds += 1
        return rounds

    assert loop.run(main) == 100


@pytest.mark.parametrize("asyncio_loop", [Asyncio, Uvloop])
@pytest.mark.parametrize("end", ["close", "drop"])
def test_nothing_is_written_after_it_is_destroyed(asyncio_loop: type[Loop], end: str) -> None:
    """Destroying waits for the operation, which fills a buffer that dies with it (the sanitizers would see that)."""
    flood = ext.serve(True)

    async def main() -> None:
        for i in range(20):
            reads = ext.read_for_ever(flood)
            future = reads.send(None)
            while not future.done():
                await asyncio.sleep(0)
            reads.send(None)  # it is connected, and reads
            time.sleep(i / 10_000)  # noqa: ASYNC251
            if end == "close":
                reads.close()
            del reads
            assert ext.in_flight() == 0

    asyncio_loop().run(main)


@pytest.mark.parametrize("end", ["close", "drop", "collect"])
@pytest.mark.parametrize("several", [False, True])
def test_destroying_on_the_thread_of_its_operation(end: str, several: bool) -> None:
    """It cannot wait there: close() says so, as of a coroutine that awaits when it cleans up (6.5), and what the
    operation needs outlives the coroutine."""
    before = ext.in_flight()
    said: list[object] = []
    gone: list[object] = []

    class Reader:
        def __del__(self) -> None:
            gone.append(True)

    def destroy() -> None:
        loop = asyncio.new_event_loop()
        asyncio.events._set_running_loop(loop)
        sys.unraisablehook = lambda about: said.append(str(about.exc_value))
        try:
            reader = Reader()
            waits = ext.wait_with(reader, 10_000, several)
            waits.send(None)
            assert ext.in_flight() > before
            if end == "close":
                with pytest.raises(RuntimeError, match="coroutine ignored GeneratorExit"):
                    waits.close()
                assert inspect.getcoroutinestate(waits) == "CORO_SUSPENDED"
            elif end == "collect":
                reader.cycle = [waits, reader]  # type: ignore[attr-defined]
            del reader, waits
            gc.collect()
            assert ext.in_flight() > before
            assert not gone or end == "collect"  # the collector asks all finalizers first
        except BaseException as error:
            said.append(error)
        finally:
            sys.unraisablehook = sys.__unraisablehook__
            asyncio.events._set_running_loop(None)
            loop.close()

    ext.call_on_asio_thread(destroy)
    for _ in range(500):  # until the Asio thread has called the handlers, and a step has dropped what that left
        if ext.in_flight() != before:
            time.sleep(0.01)
            asyncio.run(ext.answer_without_value())
    assert said == ["coroutine ignored GeneratorExit"]
    assert ext.in_flight() == before
    assert gone == [True]


def test_destroying_does_not_wait_for_itself(loop: Loop) -> None:
    """The Asio thread wants the GIL, and who destroys a task waits for that thread."""

    async def main() -> None:
        waits = ext.wait(10_000, 1)
        if isinstance(loop, Trio):
            with trio.move_on_after(0.001):
                await waits
        else:
            waits.send(None)
        ext.occupy_with_python(20)
        del waits
        ext.occupy_with_python(1)
        await ext.wait(0, 1)  # until the Asio thread has had the GIL

    loop.run(main)


def test_the_asio_thread_needs_no_gil(loop: Loop, port: int) -> None:
    """Tasks complete, and tell a loop whose thread keeps the GIL all the time."""

    ticks: list[int] = []

    async def main() -> None:
        async def talks() -> None:
            await ext.many_talks(port, 20)

        async with loop.background(talks):
            await loop.sleep(0)
            ticks.append(ext.ticks_without_gil(20))

    loop.run(main)
    assert ticks == [20]


def test_loops_on_several_threads(port: int) -> None:
    results: list[int] = []

    def run(kind: type[Loop]) -> None:
        results.append(kind().run(lambda: ext.many_talks(port, 50)))

    threads = [threading.Thread(target=run, args=(kind,)) for kind in (Asyncio, Uvloop, Trio)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [1225] * 3


EXITS = """
import asyncio, sys, threading
import raw_asio as ext
port = ext.serve(False)
async def main():
    global kept
    kept = [asyncio.ensure_future(ext.wait(100_000, 1)) for _ in range(3)]
    left = ext.wait(100_000, 2)
    left.send(None)
    kept.append(left)
    print(await ext.talk(port, "hello"))
    if "stop" in sys.argv:
        for task in kept[:3]:
            task.cancel()
        print(len(await asyncio.gather(*kept[:3], return_exceptions=True)))
        left.close()
        ext.stop()
        print(await ext.talk(ext.serve(False), "again"))
    if "loop" in sys.argv:
        asyncio.get_running_loop().stop()
        await asyncio.sleep(1)
if "thread" in sys.argv:
    other = threading.Thread(target=asyncio.run, args=(main(),))
    other.start()
    other.join()
elif "loop" in sys.argv:
    loop = asyncio.new_event_loop()
    loop.create_task(main())
    loop.run_forever()
else:
    asyncio.run(main())
print("end")
"""


@pytest.mark.parametrize("how", ["", "stop", "thread", "loop"])
def test_the_process_ends(how: str) -> None:
    """With operations in flight, and a thread that is a static object of the module."""
    result = subprocess.run([sys.executable, "-c", EXITS, how], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.splitlines() == ["hello", *(["3", "again"] if how == "stop" else []), "end"], result.stderr
