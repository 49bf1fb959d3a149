"""py::in_thread and py::completion: blocking functions and callback APIs, awaited under asyncio and uvloop."""

import asyncio
import functools
import gc
import os
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from typing import Any

import nb_threads as ext
import pytest
import support
from support import LOOPS, SANITIZED, resident_bytes, run_python

Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Run:
    """Runs a coroutine on each loop."""
    return functools.partial(support.run, loop=request.param)


async def until(condition: Callable[[], bool]) -> None:
    """Waits until something is true on another thread; fails by the test's timeout."""
    while not condition():
        await asyncio.sleep(0.001)


def test_results(run: Run) -> None:
    async def main() -> list[object]:
        return [await ext.add(1, 2), await ext.greet("you"), await ext.nothing(), await ext.twice(4)]

    assert run(main()) == [3, "hello you", None, 8]


def test_a_worker_never_has_the_gil(run: Run) -> None:
    assert run(ext.has_gil()) is False


def test_an_exception_arrives_at_the_await(run: Run) -> None:
    with pytest.raises(IndexError, match="out of reach"):
        run(ext.fails(0))


def test_the_loop_is_not_blocked(run: Run) -> None:
    async def main() -> int:
        ticks = 0
        work = asyncio.ensure_future(ext.blocks(100))
        while not work.done():
            await asyncio.sleep(0.001)
            ticks += 1
        return ticks

    assert run(main()) > 5


def test_calls_run_at_the_same_time(run: Run) -> None:
    async def main() -> float:
        start = time.monotonic()
        assert await asyncio.gather(*[ext.blocks(200) for _ in range(5)]) == [200] * 5
        return time.monotonic() - start

    assert run(main()) < 1.0


def test_many_results_wake_the_loop_once() -> None:
    """While the loop is busy, 200 results come; then one run of the reader delivers them all."""

    class Counting(asyncio.SelectorEventLoop):
        drains = 0

        def add_reader(self, fd: Any, callback: Any, *args: Any) -> None:  # type: ignore[override]
            def counted() -> None:
                self.drains += 1
                callback(*args)

            super().add_reader(fd, counted)

    async def main() -> int:
        tasks = [asyncio.ensure_future(ext.completes(0, i)) for i in range(200)]
        await asyncio.sleep(0)  # all have started
        time.sleep(0.5)  # noqa: ASYNC251 - the loop shall be busy
        assert await asyncio.gather(*tasks) == list(range(200))
        return loop.drains

    loop = Counting()
    try:
        assert loop.run_until_complete(main()) == 1
    finally:
        loop.close()


def test_a_loop_has_one_reader_for_all() -> None:
    """It is added with the first result, and stays, as the loop's own wake-up does."""

    async def main() -> list[int]:
        selector = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]
        counts = [len(selector.get_map())]
        for _ in range(3):
            await asyncio.gather(ext.add(1, 2), ext.completes(0, 1))
            counts.append(len(selector.get_map()) - counts[0])
        return counts[1:]

    assert asyncio.run(main()) == [1, 1, 1]


def test_cancellation_requests_stop(run: Run) -> None:
    async def main() -> None:
        stopped = ext.stopped()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ext.until_stopped(), 0.02)
        await until(lambda: ext.stopped() == stopped + 1)

    run(main())


def test_what_was_abandoned_dies_on_the_loops_thread(run: Run) -> None:
    async def main() -> None:
        with_gil, without = ext.deaths()
        await ext.observed(0)
        task = asyncio.ensure_future(ext.observed(50))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        # Twice a callable and a result.
        await until(lambda: ext.deaths()[0] == with_gil + 4)
        assert ext.deaths()[1] == without

    run(main())


def test_self_lives_until_the_worker_is_done(run: Run) -> None:
    async def main() -> None:
        alive = ext.solvers()
        task = asyncio.ensure_future(ext.Solver(41).run(100))
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del task
        gc.collect()
        assert ext.solvers() == alive + 1
        await until(lambda: ext.solvers() == alive)
        assert ext.Solver.last() == 41

    run(main())


def test_cancelled_and_completed_at_the_same_time(run: Run) -> None:
    """Whichever wins, the task ends, and nothing is left pending."""

    async def main() -> None:
        tasks = [asyncio.ensure_future(ext.completes(i % 3, i)) for i in range(300)]
        await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(isinstance(r, asyncio.CancelledError) or r == i for i, r in enumerate(results))
        assert await ext.add(1, 1) == 2

    run(main())


def test_completion_values_and_errors(run: Run) -> None:
    async def main() -> None:
        assert await ext.completes(1, 9) == 9
        await ext.completes_at_once()
        assert await ext.completes_before_await(asyncio.sleep(0.02)) == 7
        assert await ext.unwraps() == 5
        with pytest.raises(ValueError, match="refused"):
            await ext.completes_with_error()
        with pytest.raises(RuntimeError, match="[Bb]roken promise"):
            await ext.completes_never()
        with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
            await ext.awaited_twice()

    run(main())


@pytest.mark.parametrize("worker", [True, False])
def test_errors_without_a_throw(run: Run, worker: bool) -> None:
    """nothrow() and as_outcome() of what another thread brings."""

    async def main() -> None:
        with pytest.raises(ValueError, match="refused"):
            await ext.passes_error(worker)
        assert await ext.observes_error(worker, False) == "refused"
        assert await ext.observes_error(worker, True) == "refused"

    run(main())


def test_many_threads_complete_at_random(run: Run) -> None:
    async def main() -> None:
        results = await asyncio.gather(
            *[ext.completes(i % 7, i) for i in range(1000)], *[ext.add(i, i) for i in range(1000)]
        )
        assert results == [*range(1000), *range(0, 2000, 2)]

    run(main())


@pytest.mark.parametrize("make", [lambda: ext.add(1, 2), lambda: ext.completes(0, 1)])
def test_without_a_loop(make: Callable[[], Coroutine[Any, Any, int]]) -> None:
    with pytest.raises(RuntimeError, match="needs a running event loop"):
        make().send(None)


def test_several_loops_at_once() -> None:
    results: list[int] = []

    def one() -> None:
        async def main() -> None:
            results.extend(await asyncio.gather(*[ext.add(i, 0) for i in range(100)]))

        asyncio.run(main())

    threads = [threading.Thread(target=one) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == sorted(list(range(100)) * 4)


def test_memory_is_flat() -> None:
    async def many() -> None:
        for _ in range(100):
            await asyncio.gather(*[ext.add(i, i) for i in range(100)])

    asyncio.run(many())
    objects, before = len(gc.get_objects()), resident_bytes()
    for _ in range(3):
        asyncio.run(many())
    gc.collect()
    assert len(gc.get_objects()) < objects + 100
    # AddressSanitizer keeps what is freed in quarantine.
    assert resident_bytes() < before + 8 * 1024 * 1024 or SANITIZED


@pytest.mark.parametrize("work", ["ext.until_stopped()", "ext.blocks(5000)", "ext.completes(5000, 1)"])
@pytest.mark.parametrize("closed", [True, False])
def test_interpreter_exit_with_work_in_flight(work: str, closed: bool) -> None:
    """A callable with a stop token is waited for; others go on, detached. Neither crashes or hangs."""
    result = run_python(
        "import asyncio, warnings, nb_threads as ext\n"
        "warnings.simplefilter('ignore')\n"
        "async def main():\n"
        f"    tasks.append(asyncio.ensure_future({work}))\n"
        "    await asyncio.sleep(0.05)\n"
        "tasks = []\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(main())\n" + ("loop.close()\n" if closed else "") + "print('end')\n",
        timeout=10,
    )
    assert result.stdout == "end\n", result.stderr
    assert "Error" not in result.stderr


def test_fork() -> None:
    """A child makes threads and descriptors of its own."""
    result = run_python(
        "import asyncio, os, warnings, nb_threads as ext\n"
        "warnings.simplefilter('ignore')\n"
        "assert asyncio.run(ext.add(1, 2)) == 3\n"
        "if (pid := os.fork()) == 0:\n"
        "    assert asyncio.run(ext.add(3, 4)) == 7\n"
        "    os._exit(7)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7\n"
        "assert asyncio.run(ext.add(5, 6)) == 11\n"
        "print('end')\n"
    )
    assert result.stdout == "end\n", result.stderr


def test_fork_with_work_in_flight() -> None:
    result = run_python(
        "import asyncio, os, sys, warnings, nb_threads as ext\n"
        "warnings.simplefilter('ignore')\n"
        "async def main():\n"
        "    task = asyncio.ensure_future(ext.until_stopped())\n"
        "    await asyncio.sleep(0.02)\n"
        "    pid = os.fork()\n"
        "    if pid == 0:\n"
        "        os._exit(5)\n"
        "    task.cancel()\n"
        "    return pid\n"
        "pid = asyncio.run(main())\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 5\n"
        "if (pid := os.fork()) == 0:\n"
        "    assert asyncio.run(ext.add(3, 4)) == 7\n"
        "    sys.exit(6)\n"
        "assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 6\n"
        "print('end')\n"
    )
    assert result.stdout == "end\n", result.stderr


@pytest.mark.parametrize("wait", [lambda: ext.completes(100, 1), lambda: ext.observed(100)])
def test_a_task_that_nobody_holds_is_collected_while_it_waits(run: Run, wait: Callable[[], Any]) -> None:
    """12.5: the collector sees what a coroutine waits for, also if that waits for a thread."""

    class Marker:
        pass

    async def waits(marker: Marker) -> None:
        await wait()

    async def main() -> None:
        marker = Marker()
        died = weakref.ref(marker)
        coroutine = waits(marker)
        coroutine.send(None)
        cycle: list[object] = [coroutine, marker]
        cycle.append(cycle)
        marker.cycle = cycle  # type: ignore[attr-defined]
        del coroutine, marker, cycle
        gc.collect()
        assert died() is None

    run(main())


@pytest.mark.parametrize("wait", [lambda: ext.completes(100, 1), lambda: ext.observed(100)])
def test_a_cycle_through_what_is_waited_for_is_collected(run: Run, wait: Callable[[], Any]) -> None:
    """12.5: the Future that a coroutine waits for calls back the coroutine's own Task."""

    async def main() -> None:
        coroutine = wait()
        died = weakref.ref(coroutine)
        future = coroutine.send(None)
        future.add_done_callback(lambda _, held=coroutine: held)
        del coroutine, future
        gc.collect()
        assert died() is None

    run(main())


def test_descriptors_of_ended_loops_are_closed(run: Run) -> None:
    """Also if a loop ends while a result is on its way to it."""

    async def main() -> None:
        task = asyncio.ensure_future(ext.observed(20))
        await asyncio.sleep(0)
        task.cancel()

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    run(main())
    before = descriptors()
    for _ in range(20):
        run(main())
    deadline = time.monotonic() + 10
    while descriptors() > before and time.monotonic() < deadline:
        time.sleep(0.01)
        gc.collect()
        run(ext.add(1, 1))  # entering Isthmus drops what other threads could not
    assert descriptors() <= before


def test_what_a_closed_loop_did_not_fetch_dies_with_the_gil() -> None:
    result = run_python(
        "import asyncio, time, nb_threads as ext\n"
        "async def abandon():\n"
        "    task = asyncio.ensure_future(ext.observed(20))\n"
        "    await asyncio.sleep(0)\n"
        "    task.cancel()\n"
        "for _ in range(5):\n"
        "    asyncio.run(abandon())\n"
        "deadline = time.monotonic() + 10\n"
        "while ext.witnesses() > 0 and time.monotonic() < deadline:\n"
        "    time.sleep(0.01)\n"
        "    asyncio.run(ext.add(1, 1))\n"  # entering Isthmus drops what other threads could not
        "print(ext.witnesses(), ext.deaths()[1])\n"
    )
    assert result.stdout == "0 0\n", result.stderr


def test_what_a_loop_that_was_never_closed_did_not_fetch_dies_at_exit() -> None:
    """The callable, its result and `self` are gone before nanobind looks for what leaked."""
    result = run_python(
        "import asyncio, time, warnings, nb_threads as ext\n"
        "warnings.simplefilter('ignore', ResourceWarning)\n"  # debug builds show it: the loop is never closed
        "async def main():\n"
        "    coroutine = ext.Solver(1).run(10)\n"
        "    coroutine.send(None)\n"
        "    return coroutine\n"
        "loop = asyncio.new_event_loop()\n"
        "loop.run_until_complete(main()).close()\n"
        "time.sleep(0.1)\n"
        "print('end')\n"
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "end\n", "")
