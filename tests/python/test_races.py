"""Threads that come to the same object, or to what is made when it is first needed, at the same time.

With a GIL they take turns. What is at stake here shows in a free-threaded CPython, and there under ThreadSanitizer.
"""

import inspect
import threading
import types
from collections.abc import Callable
from typing import Any

import native
import pytest
import raw_functions
import raw_introspection
import raw_protocol
from support import Iterator, finish, outcome, run_python

THREADS = 4


def together(*calls: Callable[[], Any]) -> list[Any]:
    """What the calls give, each on a thread of its own, begun at the same time."""
    barrier = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def run(index: int) -> None:
        try:
            barrier.wait()
            results[index] = calls[index]()
        except BaseException as e:
            errors.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return results


def test_the_first_use_in_an_interpreter() -> None:
    run_python("""
        import threading
        import raw_functions, raw_protocol
        barrier = threading.Barrier(8)
        found = []

        def use():
            barrier.wait()
            coroutine = raw_protocol.deep(3, iter([1]))
            native = raw_protocol.native_route.value(1)
            code = raw_functions.as_coroutine_function(raw_protocol.value).__code__
            found.append((type(coroutine), type(coroutine.__await__()), type(native), coroutine.cr_code, code.co_flags))
            coroutine.close()
            native.close()

        threads = [threading.Thread(target=use) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len(set(found)) == 1, found
    """)


def test_what_is_asked_of_a_function_is_made_once() -> None:
    for _ in range(50):
        function = raw_functions.as_coroutine_function(raw_protocol.pass_through)

        def look(asked: Any = function) -> Any:
            assert inspect.iscoroutinefunction(asked)
            return asked.__code__

        assert len(set(map(id, together(*[look] * THREADS)))) == 1


def test_attributes_of_a_function_set_by_all() -> None:
    function: Any = raw_functions.as_coroutine_function(raw_protocol.pass_through)

    def set_some(number: int) -> None:
        for i in range(200):
            function.__doc__ = f"{number}"
            setattr(function, f"own_{number}", i)
            assert function.__doc__.isdigit()
            assert function.__name__ == "pass_through"

    together(*[lambda i=i: set_some(i) for i in range(THREADS)])
    assert [getattr(function, f"own_{i}") for i in range(THREADS)] == [199] * THREADS


def test_functions_marked_by_all() -> None:
    def mark() -> type:
        types_ = {type(raw_functions.as_coroutine_function(raw_protocol.value)) for _ in range(100)}
        assert len(types_) == 1
        marked = raw_functions.as_coroutine_function(raw_protocol.value)
        assert raw_functions.as_coroutine_function(marked) is marked
        return types_.pop()

    assert len(set(together(*[mark] * THREADS))) == 1


def test_native_coroutines_of_one_function() -> None:
    def use() -> None:
        for i in range(200):
            coroutine = raw_protocol.native_route.value(i)
            assert type(coroutine) is types.CoroutineType
            assert finish(coroutine) == i

    together(*[use] * THREADS)


def test_2_8_one_thread_drives_it_and_the_others_are_refused() -> None:
    for _ in range(20):
        items = range(500)
        coroutine = raw_introspection.outer(Iterator(*items, result="end"))
        taken: list[int] = []

        def drive(driven: Any = coroutine, taken: list[int] = taken) -> None:
            while True:
                kind, what = outcome(driven.send, None)
                if kind == "yielded":
                    taken.append(what)
                elif kind == "returned":
                    return
                elif isinstance(what, ValueError):
                    assert str(what) == "coroutine already executing"
                else:
                    assert isinstance(what, RuntimeError)
                    assert str(what) == "cannot reuse already awaited coroutine"
                    return

        together(*[drive] * THREADS)
        assert sorted(what for what in taken if what in items) == [*items]


@pytest.mark.parametrize("kind", ["driven", "ended"])
def test_some_look_while_one_drives(kind: str) -> None:
    names = ["outer", "middle", "inner"]

    for _ in range(5 if kind == "driven" else 30):
        coroutine = raw_introspection.outer(Iterator(*range(500 if kind == "driven" else 3)))
        coroutine.send(None)
        ended = threading.Event()

        def drive(driven: Any = coroutine, ended: threading.Event = ended) -> None:
            finish(driven)
            ended.set()

        def look(asked: Any = coroutine, ended: threading.Event = ended) -> None:
            while not ended.is_set():
                level = asked
                for name in names:
                    if level is None or not hasattr(level, "cr_frame"):
                        break  # it runs, or has ended
                    assert level.__name__ == name
                    assert level.cr_state.startswith("CORO_")
                    frame = level.cr_frame
                    assert frame is None or frame.f_lineno > 0
                    level = level.cr_await
                asked.__qualname__ = "outer"
                assert "outer" in repr(asked)

        together(drive, *[look] * (THREADS - 1))
        assert coroutine.cr_state == "CORO_CLOSED"


def test_chains_of_their_own() -> None:
    """And those of other threads' coroutines die with the threads."""

    def use() -> None:
        for i in range(100):
            chain = raw_protocol.pass_through(native.pass_through(raw_protocol.deep(5, Iterator(1, result=i))))
            assert chain.send(None) == 1
            assert outcome(chain.send, None) == ("returned", i)
            suspended = raw_protocol.pass_through(Iterator(1))
            suspended.send(None)

    together(*[use] * THREADS)
