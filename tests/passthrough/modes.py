"""The pass-throughs: functions that make, of anything awaitable, a coroutine that does nothing but await it."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

PassThrough: TypeAlias = Callable[[Any], Any]


async def stand_in(awaited: Any) -> Any:
    return await awaited


def choose(mode: str) -> PassThrough:
    if mode == "none":
        return lambda awaited: awaited
    if mode == "python":
        return stand_in
    import raw_passthrough  # an extension module: only where it is needed

    functions: dict[str, PassThrough] = {
        "await": raw_passthrough.passthrough,
        "forward": raw_passthrough.forwarding,
    }
    return functions[mode]


MODES = {
    "none": "nothing is wrapped: this is what the tests give by themselves",
    "python": "`async def passthrough(x): return await x`",
    "await": "`py::coroutine<py::object> passthrough(py::object x) { co_return co_await py::await(x); }`",
    "forward": "a C++ coroutine that awaits a user's own class, whose send, throw_ and close call those of x",
}


class Wrapper:
    """Puts the pass-through of a mode around coroutines, and counts them."""

    def __init__(self, mode: str) -> None:
        self.passthrough = choose(mode)
        self.native = mode == "none"
        self.wrapped = 0

    def __call__(self, awaited: Any) -> Any:
        self.wrapped += 1
        if self.native:
            return awaited
        made = self.passthrough(awaited)
        # Tests compare names: those are the function's, not the pass-through's.
        made.__name__ = getattr(awaited, "__name__", made.__name__)
        made.__qualname__ = getattr(awaited, "__qualname__", made.__qualname__)
        return made


def mark_as_coroutine_function(function: Callable[..., Any]) -> None:
    """Makes inspect and asyncio take an ordinary function for a coroutine function, as far as they let it."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(function)
    else:  # 3.11: asyncio alone has a mark
        from asyncio import coroutines

        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
