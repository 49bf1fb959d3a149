"""The pass-throughs: functions that make, of anything awaitable, a coroutine that does nothing but await it."""

import inspect
from collections.abc import Callable
from typing import Any, TypeAlias

Function: TypeAlias = Callable[..., Any]

MODES = {
    "none": "nothing is wrapped",
    "python": "`async def passthrough(x): return await x`",
    "await": "`py::coroutine<py::object> passthrough(py::object x) { co_return co_await py::await(x); }`",
    "forward": "a C++ coroutine that awaits a class of the user's own, whose send, throw_ and close call those of x",
}


async def stand_in(awaited: Any) -> Any:
    return await awaited


def mark(function: Function) -> Function:
    """Makes inspect and asyncio take an ordinary function for a coroutine function, as far as they let it."""
    if hasattr(inspect, "markcoroutinefunction"):
        inspect.markcoroutinefunction(function)
    else:  # 3.11: asyncio alone has a mark
        from asyncio import coroutines

        function._is_coroutine = coroutines._is_coroutine  # type: ignore[attr-defined]
    return function


class Wrapper:
    """Puts the pass-through of a mode around coroutines, and counts them."""

    def __init__(self, mode: str) -> None:
        self.wrapped = 0
        self.mark = mark
        self.passthrough: Function
        if mode == "python":
            self.passthrough = stand_in
        else:
            import raw_passthrough  # an extension module: only where it is needed

            self.passthrough = raw_passthrough.forwarding if mode == "forward" else raw_passthrough.passthrough
            self.mark = raw_passthrough.as_coroutine_function

    def __call__(self, awaited: Any) -> Any:
        self.wrapped += 1
        made = self.passthrough(awaited)
        # Tests compare names: those are the function's, not the pass-through's.
        made.__name__ = getattr(awaited, "__name__", made.__name__)
        made.__qualname__ = getattr(awaited, "__qualname__", made.__qualname__)
        return made
