"""C++ coroutines on asyncio and uvloop, and driven by hand: each test also holds for CPython's own coroutines."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Generator
from typing import Any

import native
import pytest
import raw_protocol
from support import (
    GIVE,
    GUARDS,
    LOOPS,
    RERAISE,
    VERSION,
    Boom,
    do_await,
    do_call,
    do_log,
    do_note,
    do_raise,
    do_return,
    do_yield,
    finish,
    outcome,
    run,
    too_deep_a_tower,
    tower,
)

pytestmark = pytest.mark.parametrize("loop", LOOPS)


async def cancel(task: asyncio.Task[Any]) -> None:
    """Cancels a task once it has started; it must end by that."""
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


# ---- running -------------------------------------------------------------------------------------


def test_18_2_19_1_asyncio_run(language: Any, loop: str) -> None:
    if loop == "asyncio":
        assert asyncio.run(language.value(42)) == 42
    assert run(language.pass_through(asyncio.sleep(0, "slept")), loop) == "slept"
    assert run(language.pass_through(asyncio.sleep(0.001, "slept")), loop, debug=True) == "slept"
    error = Boom("left")
    with pytest.raises(Boom) as caught:
        run(language.script([do_await(asyncio.sleep(0)), do_raise(error)]), loop)
    assert caught.value is error


def test_gather_of_ten_thousand(language: Any, loop: str) -> None:
    count = 10_000

    async def main() -> Any:
        return await asyncio.gather(*(language.pass_through(asyncio.sleep(0, i)) for i in range(count)))

    assert run(main(), loop) == list(range(count))


def test_gather_with_errors(language: Any, loop: str) -> None:
    error = Boom()

    async def main() -> Any:
        coroutines = [language.value(1), language.script([do_raise(error)]), language.pass_through(asyncio.sleep(0, 3))]
        return await asyncio.gather(*coroutines, return_exceptions=True)

    assert run(main(), loop) == [1, error, 3]


def test_wait_for(language: Any, loop: str) -> None:
    log: list[str] = []

    async def main() -> None:
        future = asyncio.get_running_loop().create_future()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(language.guarded(future, log), 0.01)
        assert log == GUARDS
        assert future.cancelled()
        assert await asyncio.wait_for(language.pass_through(asyncio.sleep(0, "in time")), 10) == "in time"

    run(main(), loop)


def test_timeout_within(language: Any, loop: str) -> None:
    log: list[str] = []

    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await language.guarded(asyncio.sleep(10), log)

    run(main(), loop)
    assert log == GUARDS


def test_task_group_cancels_the_others(language: Any, loop: str) -> None:
    log: list[str] = []
    error = Boom()

    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(language.guarded(asyncio.sleep(10), log))
            group.create_task(language.script([do_await(asyncio.sleep(0)), do_raise(error)]))

    with pytest.raises(ExceptionGroup) as caught:
        run(main(), loop)
    assert caught.value.exceptions == (error,)
    assert log == GUARDS * 3


def test_task_group_that_is_cancelled_from_outside(language: Any, loop: str) -> None:
    log: list[str] = []

    async def group() -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(language.guarded(asyncio.sleep(10), log))
            await language.guarded(asyncio.sleep(10), log)

    async def main() -> None:
        task = asyncio.create_task(group())
        await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main(), loop)
    assert log == GUARDS * 2


def test_shield(language: Any, loop: str) -> None:
    async def main() -> None:
        inner = asyncio.ensure_future(language.pass_through(asyncio.sleep(0.01, "done")))
        task = asyncio.create_task(language.pass_through(asyncio.shield(inner)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await inner == "done"
        assert await asyncio.shield(language.value("shielded")) == "shielded"

    run(main(), loop)


def test_wait_and_as_completed(language: Any, loop: str) -> None:
    async def main() -> None:
        tasks = [asyncio.create_task(language.pass_through(asyncio.sleep(0.001 * i, i))) for i in range(3)]
        done, pending = await asyncio.wait(tasks)
        assert sorted(task.result() for task in done) == [0, 1, 2]
        assert not pending
        waiting = [language.pass_through(asyncio.sleep(0, i)) for i in range(3)]
        assert sorted([await first for first in asyncio.as_completed(waiting)]) == [0, 1, 2]

    run(main(), loop)


def test_18_2_18_5_create_task(language: Any, loop: str) -> None:
    async def main() -> None:
        coroutine = language.pass_through(asyncio.sleep(0, "result"))
        task = asyncio.create_task(coroutine, name="named")
        assert task.get_coro() is coroutine
        assert task.get_name() == "named"
        assert "named" in repr(task)
        assert "pass_through" in repr(task)
        assert await task == "result"
        assert "result='result'" in repr(task)
        error = Boom()
        failed = asyncio.create_task(language.script([do_raise(error)]))
        await asyncio.wait([failed])
        assert failed.exception() is error
        refused = language.value(1)
        with pytest.raises(TypeError, match="Passing coroutines is forbidden"):
            await asyncio.wait([refused])
        refused.close()

    run(main(), loop)


@pytest.mark.parametrize("error", [GeneratorExit(), StopAsyncIteration()], ids=repr)
def test_18_5_other_exceptions_are_the_tasks(language: Any, loop: str, error: BaseException) -> None:
    async def main() -> None:
        task = asyncio.create_task(language.script([do_await(asyncio.sleep(0)), do_raise(error)]))
        await asyncio.wait([task])
        assert task.exception() is error

    run(main(), loop)


def test_18_7_repr_of_a_task(language: Any, loop: str) -> None:
    async def main() -> None:
        task = asyncio.create_task(language.pass_through(asyncio.sleep(0)))
        await asyncio.sleep(0)
        assert "coro=<pass_through() " in repr(task) or "coro=<pass_through()>" in repr(task)
        assert "defined at" not in repr(task)
        await task

    run(main(), loop)


def test_18_3_the_task_that_is_written_in_python(language: Any, loop: str) -> None:
    async def main() -> None:
        log: list[str] = []
        make: Callable[[Any], asyncio.Task[Any]] = asyncio.tasks._PyTask  # type: ignore[attr-defined]
        assert await make(language.pass_through(asyncio.sleep(0.001, "result"))) == "result"
        await cancel(make(language.guarded(asyncio.sleep(10), log)))
        assert log == GUARDS

    run(main(), loop)


def test_18_9_eager_tasks(language: Any, loop: str) -> None:
    if VERSION < (3, 12):
        pytest.skip("eager tasks came with 3.12")
    if loop == "uvloop" and VERSION >= (3, 13):
        pytest.skip("uvloop 0.23 passes eager_start=None, which CPython 3.13.0 does not know, and later ones heed")
    log: list[Any] = []

    async def main() -> None:
        running = asyncio.get_running_loop()
        running.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        try:
            done = asyncio.create_task(language.value("at once"))
            assert done.done()
            assert done.result() == "at once"
            task = asyncio.create_task(
                language.script([do_log(log, "started"), do_await(asyncio.sleep(0, "later")), GIVE])
            )
            assert log == ["started"]
            assert not task.done()
            assert await task == "later"
            error = Boom()
            failed = asyncio.create_task(language.script([do_raise(error)]))
            assert failed.exception() is error
            assert await asyncio.gather(*(language.pass_through(asyncio.sleep(0, i)) for i in range(100))) == [
                *range(100)
            ]
        finally:
            running.set_task_factory(None)

    run(main(), loop)


def test_run_coroutine_threadsafe(language: Any, loop: str) -> None:
    async def main() -> None:
        running = asyncio.get_running_loop()
        results: list[Any] = []

        def other() -> None:
            future = asyncio.run_coroutine_threadsafe(language.pass_through(asyncio.sleep(0, "across")), running)
            results.append(future.result(10))

        thread = threading.Thread(target=other)
        thread.start()
        while thread.is_alive():
            await asyncio.sleep(0.001)
        assert results == ["across"]

    run(main(), loop)


def test_primitives(language: Any, loop: str) -> None:
    async def main() -> None:
        queue: asyncio.Queue[int] = asyncio.Queue(2)
        lock = asyncio.Lock()
        event = asyncio.Event()

        async def produce() -> None:
            for i in range(10):
                await language.pass_through(queue.put(i))
            await language.pass_through(event.wait())

        task = asyncio.create_task(produce())
        assert [await language.pass_through(queue.get()) for _ in range(10)] == list(range(10))
        assert await language.pass_through(lock.acquire()) is True
        lock.release()
        event.set()
        await language.pass_through(task)

    run(main(), loop)


def test_13_1_context_variables(language: Any, loop: str) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    seen: list[str] = []

    def look(_: object) -> None:
        seen.append(variable.get())
        variable.set("changed")

    async def main() -> None:
        variable.set("of the task")
        await asyncio.create_task(language.script([do_call(look), do_await(asyncio.sleep(0)), do_call(look)]))
        assert variable.get() == "of the task"
        await language.script([do_call(look)])
        assert variable.get() == "changed"

    run(main(), loop)
    assert seen == ["of the task", "changed", "of the task"]


# ---- what the loop refuses -----------------------------------------------------------------------


def test_18_4_bad_yield(language: Any, loop: str) -> None:
    with pytest.raises(RuntimeError, match="Task got bad yield: 1"):
        run(language.yields([1]), loop)
    error = run(language.script([do_yield(1, RuntimeError, [do_await(asyncio.sleep(0)), do_return("goes on")])]), loop)
    assert error == "goes on"


def test_18_4_yield_none_reschedules(language: Any, loop: str) -> None:
    assert run(language.yields([None, None]), loop) == [None, None]
    assert run(language.deep_plain(10, 5), loop) == 10


# ---- cancellation --------------------------------------------------------------------------------


def test_18_3_cancel_before_the_start(language: Any, loop: str) -> None:
    log: list[str] = []

    async def main() -> None:
        task = asyncio.create_task(language.script([do_log(log, "ran")]))
        task.cancel("message")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(main(), loop)
    assert log == []


def test_18_3_cancel_with_a_message(language: Any, loop: str) -> None:
    seen: list[Any] = []

    async def main() -> None:
        steps = [do_await(asyncio.sleep(10), asyncio.CancelledError, [do_note(seen), RERAISE])]
        task = asyncio.create_task(language.script(steps))
        await asyncio.sleep(0)
        task.cancel("message")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    run(main(), loop)
    assert [error.args for error in seen] == [("message",)]


def test_cancel_that_is_swallowed(language: Any, loop: str) -> None:
    async def main() -> None:
        steps = [
            do_await(asyncio.sleep(10), asyncio.CancelledError, [do_await(asyncio.sleep(0)), do_return("survived")])
        ]
        task = asyncio.create_task(language.script(steps))
        await asyncio.sleep(0)
        task.cancel()
        assert await task == "survived"
        assert not task.cancelled()

    run(main(), loop)


EXITS = [asyncio.CancelledError("c"), KeyboardInterrupt("k"), SystemExit(3)]


@pytest.mark.parametrize("error", EXITS, ids=repr)
def test_exits_pass_through_cpp_frames(language: Any, loop: str, error: BaseException) -> None:
    log: list[str] = []
    caught: list[BaseException] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def main() -> None:
        try:
            await language.catch_std_exception(language.guarded(fail(), log))
        except BaseException as e:
            caught.append(e)

    run(main(), loop)
    assert caught == [error]
    assert log == GUARDS


@pytest.mark.parametrize("error", EXITS[1:], ids=repr)
def test_18_5_exits_leave_the_loop(language: Any, loop: str, error: BaseException) -> None:
    log: list[str] = []

    async def fail() -> None:
        await asyncio.sleep(0)
        raise error

    async def main() -> None:
        await asyncio.create_task(language.catch_std_exception(language.guarded(fail(), log)))

    with pytest.raises(type(error)) as caught:
        run(main(), loop)
    assert caught.value is error
    assert log == GUARDS


@pytest.mark.parametrize("error", EXITS, ids=repr)
def test_exits_that_are_thrown_in(language: Any, loop: str, error: BaseException) -> None:
    assert loop in LOOPS
    log: list[str] = []
    coroutine = language.catch_std_exception(language.guarded(native.once(1), log))
    coroutine.send(None)
    assert outcome(coroutine.throw, error) == ("raised", error)
    assert log == GUARDS


def test_ordinary_errors_are_std_exceptions(language: Any, loop: str) -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise Boom("text")

    assert run(language.catch_std_exception(fail()), loop) == "caught Boom: text"


# ---- chains --------------------------------------------------------------------------------------


@pytest.mark.parametrize("levels", [1, 2, 3, 200])
def test_mixed_chains(language: Any, loop: str, levels: int) -> None:
    languages = (language, native)

    async def main() -> None:
        assert await tower(levels, asyncio.sleep(0.001, "bottom"), *languages) == "bottom"
        error = Boom()

        async def fail() -> None:
            await asyncio.sleep(0)
            raise error

        with pytest.raises(Boom) as caught:
            await tower(levels, fail(), *languages)
        assert caught.value is error
        log: list[str] = []
        await cancel(asyncio.create_task(tower(levels, language.guarded(asyncio.sleep(10), log), *languages)))
        assert log == GUARDS

    run(main(), loop)


def test_too_deep_a_chain(language: Any, loop: str) -> None:
    if VERSION >= (3, 14) and language is native:
        pytest.skip("since 3.14 native coroutines need no stack to await one another")

    async def main() -> None:
        with too_deep_a_tower(5000, language, native) as chain, pytest.raises(RecursionError):
            await chain

    run(main(), loop)


def test_a_body_that_drives_itself(language: Any, loop: str) -> None:
    found: list[str] = []

    def drive(_: object) -> None:
        task = asyncio.current_task()
        assert task is not None
        coroutine: Any = task.get_coro()
        for call in (lambda: coroutine.send(None), lambda: coroutine.throw(Boom()), coroutine.close):
            with pytest.raises(ValueError, match="coroutine already executing") as caught:
                call()
            found.append(str(caught.value))

    async def main() -> None:
        steps = [do_call(drive), do_await(asyncio.sleep(0)), do_call(drive), do_return("end")]
        assert await asyncio.create_task(language.script(steps)) == "end"

    run(main(), loop)
    assert len(found) == 6


def test_a_body_that_runs_a_loop_of_its_own(language: Any, loop: str) -> None:
    def nested(_: object) -> Any:
        result: list[Any] = []
        thread = threading.Thread(
            target=lambda: result.append(run(language.pass_through(asyncio.sleep(0, "in")), loop))
        )
        thread.start()
        thread.join()
        return result[0]

    assert run(language.script([do_await(asyncio.sleep(0)), do_call(nested), GIVE]), loop) == "in"


def test_two_tasks_interleave(language: Any, loop: str) -> None:
    log: list[Any] = []

    def worker(name: str) -> Any:
        steps = []
        for i in range(3):
            steps += [do_log(log, (name, i)), do_await(asyncio.sleep(0))]
        return language.script(steps)

    async def main() -> None:
        await asyncio.gather(worker("a"), worker("b"))

    run(main(), loop)
    assert log == [(name, i) for i in range(3) for name in ("a", "b")]


def test_one_coroutine_awaited_by_two_tasks(language: Any, loop: str) -> None:
    async def main() -> None:
        shared = language.pass_through(asyncio.sleep(0.001, "once"))
        first = asyncio.create_task(native.pass_through(shared))
        second = asyncio.create_task(native.pass_through(shared))
        assert await first == "once"
        with pytest.raises(RuntimeError, match="coroutine is being awaited already"):
            await second

    run(main(), loop)


# ---- without a loop ------------------------------------------------------------------------------


def test_a_driver_of_ones_own(language: Any, loop: str) -> None:
    """A scheduler of a few lines, whose requests and answers are its own."""
    assert loop in LOOPS

    class Request:
        def __init__(self, number: int) -> None:
            self.number = number

        def __await__(self) -> Generator[Any, Any, Any]:
            return (yield self)

    async def total() -> int:
        parts = [await language.pass_through(Request(n)) for n in range(10)]
        return sum(parts)

    coroutine = language.pass_through(total())
    answer: Any = None
    while True:
        kind, result = outcome(coroutine.send, answer)
        if kind == "returned":
            break
        assert kind == "yielded"
        answer = result.number**2
    assert result == sum(n**2 for n in range(10))


def test_a_driver_that_only_sends_none(language: Any, loop: str) -> None:
    assert loop in LOOPS
    assert finish(language.deep(50, native.value("bottom"))) == "bottom"
    assert finish(language.deep(50, native.nothing())) is None
    assert finish(language.yields([1, 2, 3])) == [None] * 3


def test_cpp_and_native_are_not_told_apart(loop: str) -> None:
    """The same code on both, in one loop, awaiting each other."""

    async def main() -> Any:
        both = [native, raw_protocol]
        chains = [tower(i % 7, asyncio.sleep(0, i), *both[:: 1 if i % 2 else -1]) for i in range(1, 500)]
        return await asyncio.gather(*chains)

    assert run(main(), loop) == list(range(1, 500))
