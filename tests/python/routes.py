"""The two kinds of Python object that a C++ coroutine can become: what each passes, and what it costs.

    python tests/python/routes.py          prints the table in docs/python.md, which a test compares with it; before
                                           CPython 3.14 without what is new in that
    python tests/python/routes.py --time   measures

PYTHONPATH has to name the folder with the extension modules, build/py-3.12/tests/python say.
"""

import asyncio
import inspect
import itertools
import sys
import time
import types
from collections.abc import Callable, Generator
from typing import Any

import native
import raw_protocol
from support import VERSION, Boom, Iterator, NotPermitted, Recorder, asyncio_tool, awaitable, functions_in, outcome

ROUTES = {"`to_python` (default)": raw_protocol, "`to_native`": raw_protocol.native_route}


def raises(error: type[BaseException], call: Callable[..., Any], *arguments: Any) -> bool:
    kind, raised = outcome(call, *arguments)
    return kind == "raised" and isinstance(raised, error)


def is_of_the_type(route: Any) -> bool:
    with_it = route.value(1)
    with_it.close()
    return type(with_it) is types.CoroutineType


def is_a_coroutine(route: Any) -> bool:
    with_it = route.value(1)
    with_it.close()
    return inspect.iscoroutine(with_it) and inspect.isawaitable(with_it)


def is_no_iterator(route: Any) -> bool:
    coroutine = route.yields([1])
    refused = raises(TypeError, next, coroutine)
    coroutine.close()
    return refused


def can_be_yielded_from(route: Any) -> bool:
    coroutine = route.yields([1])

    @types.coroutine
    def based() -> Generator[Any, Any, Any]:
        return (yield from coroutine)

    passes = outcome(based().send, None) == ("yielded", 1)
    coroutine.close()
    return passes


def cannot_come_from_await(route: Any) -> bool:
    coroutine = route.value(1)

    class Cls:
        def __await__(self) -> Any:
            return coroutine

    refused = raises(TypeError, native.pass_through(Cls()).send, None)
    coroutine.close()
    return refused


def is_on_the_stack(route: Any) -> bool:
    names: list[str] = []

    def look(_: object) -> None:
        names.extend(entry.function for entry in inspect.stack(0))

    outcome(route.script([("call", look, None, [])]).send, None)
    return "script" in names


def is_on_the_stack_in_throw(route: Any) -> bool:
    names: list[str] = []

    def on_throw(error: BaseException) -> None:
        names.extend(entry.function for entry in inspect.stack(0))
        raise error

    awaited = Recorder(1)
    awaited.on_throw = on_throw
    coroutine = native.guarded(route.pass_through(awaited), [])
    coroutine.send(None)
    outcome(coroutine.throw, Boom())
    return "pass_through" in names


def shows_the_line_it_is_at(route: Any) -> bool:
    coroutine = route.yields([1])
    coroutine.send(None)
    passes = coroutine.cr_frame.f_lineno != coroutine.cr_code.co_firstlineno
    coroutine.close()
    return bool(passes)


def passes_arguments_of_throw_on(route: Any) -> bool:
    awaited = Recorder(1)
    coroutine = route.pass_through(awaited)
    coroutine.send(None)
    outcome(coroutine.throw, Boom)
    return awaited.calls[-1] == ("throw", Boom)


def stays_when_nothing_is_resumed(route: Any) -> bool:
    class Odd(Iterator):
        @property
        def throw(self) -> Any:
            raise OSError

    coroutine = route.pass_through(Odd(1))
    coroutine.send(None)
    outcome(coroutine.throw, Boom())
    suspended = inspect.getcoroutinestate(coroutine) == "CORO_SUSPENDED"
    coroutine.close()
    return suspended


def is_not_in_the_traceback_of_pep_479(route: Any) -> bool:
    kind, error = outcome(route.script([("raise", StopIteration(), None, [])]).send, None)
    return kind == "raised" and "script" not in functions_in(error)


def has_one_traceback_entry(route: Any) -> bool:
    kind, error = outcome(route.script([("raise", Boom(), None, [])]).send, None)
    return kind == "raised" and functions_in(error).count("script") == 1


def is_shown_to_another_process(route: Any) -> bool:
    async def main() -> bool:
        future = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(route.pass_through(future))
        await asyncio.sleep(0)
        printed = asyncio_tool("ps")
        future.set_result(None)
        await task
        return "pass_through" in printed

    return asyncio.run(main())


PROPERTIES: list[tuple[str, Callable[[Any], bool]]] = [
    ("`inspect.iscoroutine(c)` (16.1)", is_a_coroutine),
    ("`type(c) is types.CoroutineType` (1.3)", is_of_the_type),
    ("`next(c)` is refused (7.11)", is_no_iterator),
    ("`yield from c` in a `types.coroutine` generator (7.12)", can_be_yielded_from),
    ("`__await__` must not return it (7.3)", cannot_come_from_await),
    ("it has a frame on the stack while it runs (13.4)", is_on_the_stack),
    ("also while something is thrown in (5.25)", is_on_the_stack_in_throw),
    ("`cr_frame` shows the line of the `co_await`", shows_the_line_it_is_at),
    ("all arguments of `throw` reach what it awaits (5.20)", passes_arguments_of_throw_on),
    ("it stays suspended if looking up `throw` fails (5.22)", stays_when_nothing_is_resumed),
    ("a traceback has one entry for it (5.14)", has_one_traceback_entry),
    ("it has no frame in the error for a StopIteration (4.1)", is_not_in_the_traceback_of_pep_479),
]
PS = "`python -m asyncio ps` shows it (18.14)"
if VERSION >= (3, 14):
    PROPERTIES.insert(7, (PS, is_shown_to_another_process))


def table() -> str:
    lines = ["| | " + " | ".join(ROUTES) + " |", "|---|" + "---|" * len(ROUTES)]
    for text, passes in PROPERTIES:
        try:
            verdicts = ["yes" if passes(route) else "no" for route in ROUTES.values()]
        except NotPermitted:
            continue
        lines.append(f"| {text} | {' | '.join(verdicts)} |")
    return "\n".join([*lines, ""])


# ---- what it costs -------------------------------------------------------------------------------


async def await_values(make: Callable[[Any], Any], count: int) -> None:
    for _ in range(count):
        await make(None)


def best(run: Callable[[int], Any], count: int = 2_000, rounds: int = 300) -> float:
    """Nanoseconds for one of `count`, in the fastest of the rounds, which are short: others use the machine too."""
    times = []
    for _ in range(rounds):
        start = time.perf_counter_ns()
        run(count)
        times.append(time.perf_counter_ns() - start)
    return min(times) / count


def time_await(route: Any) -> float:
    return best(lambda count: outcome(await_values(route.value, count).send, None))


def time_resume(route: Any) -> float:
    def resume(count: int) -> None:
        send = route.pass_through(awaitable(lambda: itertools.repeat(None))).send
        for _ in range(count):
            send(None)

    return best(resume)


def time_call(function: Callable[[str], Any]) -> float:
    def call(count: int) -> None:
        for _ in range(count):
            function("").close()

    return best(call)


def measure() -> None:
    print(f"CPython {sys.version.split()[0]}, ns: an immediate await, a resume")
    for name, route in {"async def": native, **ROUTES}.items():
        print(f"{name:28} {time_await(route):6.0f} {time_resume(route):6.0f}")
    try:
        import nb_bindings
        import raw_functions
    except ImportError:
        return
    plain = nb_bindings.mixed  # with an overload that gives no coroutine, it is not marked
    marked = raw_functions.as_coroutine_function(plain)
    print(f"{'a function of nanobind':28} {time_call(plain):6.0f}")
    print(f"{'the same, marked':28} {time_call(marked):6.0f}")


if __name__ == "__main__":
    measure() if "--time" in sys.argv[1:] else print(table(), end="")
