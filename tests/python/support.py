"""What several of the tests use: programs for script(), a record of one step, subprocesses, and the event loops."""

import asyncio
import gc
import os
import subprocess
import sys
import sysconfig
import textwrap
import traceback
from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from typing import Any, TypeAlias

import native
from native import Step

VERSION = sys.version_info[:2]
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
SANITIZED = "libasan" in os.environ.get("LD_PRELOAD", "")

LOOPS = ["asyncio"]
try:
    import uvloop
except ImportError:
    pass
else:
    LOOPS.append("uvloop")


def run(main: Coroutine[Any, Any, Any], loop: str = "asyncio", *, debug: bool | None = None) -> Any:
    """asyncio.run() on one of LOOPS. Also takes a coroutine that is none of CPython's own."""
    factory = uvloop.new_event_loop if loop == "uvloop" else None
    with asyncio.Runner(loop_factory=factory, debug=debug) as runner:
        return runner.run(main)


class Boom(Exception):
    """An ordinary error of user code."""


class SubExit(GeneratorExit):
    """An exit of the user's own."""


GUARDS = ["inner guard", "outer guard"]
"""What guarded() logs when it ends."""

Outcome: TypeAlias = tuple[str, Any]


def outcome(call: Callable[..., Any], *arguments: Any) -> Outcome:
    """What a step gave: ("yielded", object), ("returned", value) or ("raised", the exception)."""
    try:
        return ("yielded", call(*arguments))
    except StopIteration as e:
        return ("returned", e.value)
    except BaseException as e:
        return ("raised", e)


def comparable(result: Outcome) -> Outcome:
    """The same with type and text in the place of an exception, so that two runs can be compared."""
    kind, what = result
    return (kind, (type(what), str(what))) if kind == "raised" else result


def finish(coroutine: Any) -> Any:
    """Drives a coroutine by hand, with nothing but send(None), and returns its result."""
    while True:
        try:
            coroutine.send(None)
        except StopIteration as e:
            return e.value


# ---- steps of a script, see native.script --------------------------------------------------------


def do_await(awaited: object, caught: Any = None, handler: list[Step] | None = None) -> Step:
    return ("await", awaited, caught, handler or [])


def do_yield(item: object, caught: Any = None, handler: list[Step] | None = None) -> Step:
    return ("yield", item, caught, handler or [])


def do_call(function: Callable[[Any], Any], caught: Any = None, handler: list[Step] | None = None) -> Step:
    """Calls a function with the result of the step before; what it returns becomes the result of this one."""
    return ("call", function, caught, handler or [])


def do_log(log: list[Any], entry: object) -> Step:
    def add(before: Any) -> Any:
        log.append(entry)
        return before

    return do_call(add)


def do_note(log: list[Any]) -> Step:
    """Logs the result of the step before, and passes it on."""

    def add(before: Any) -> Any:
        log.append(before)
        return before

    return do_call(add)


def do_return(value: object) -> Step:
    return ("return", value, None, [])


def do_raise(exception: BaseException) -> Step:
    return ("raise", exception, None, [])


GIVE: Step = ("give", None, None, [])
RERAISE: Step = ("reraise", None, None, [])


# ---- awaitables of many kinds --------------------------------------------------------------------


class Iterator:
    """An await-iterator with nothing but __next__: yields what it is given, then returns."""

    def __init__(self, *items: object, result: object = None) -> None:
        self.items = list(items)
        self.result = result

    def __await__(self) -> "Iterator":
        return self

    def __iter__(self) -> "Iterator":
        return self

    def __next__(self) -> object:
        if not self.items:
            raise StopIteration(self.result)
        return self.items.pop(0)


class Recorder(Iterator):
    """An await-iterator with all methods, which records each call, with its arguments."""

    def __init__(self, *items: object, result: object = None) -> None:
        super().__init__(*items, result=result)
        self.calls: list[tuple[Any, ...]] = []
        self.on_throw: Callable[..., Any] | None = None
        self.on_close: Callable[[], Any] | None = None

    def __next__(self) -> object:
        self.calls.append(("next",))
        return super().__next__()

    def send(self, value: object) -> object:
        self.calls.append(("send", value))
        return super().__next__()

    def throw(self, *arguments: Any) -> object:
        self.calls.append(("throw", *arguments))
        if self.on_throw is not None:
            return self.on_throw(*arguments)
        raise arguments[0]

    def close(self) -> object:
        self.calls.append(("close",))
        return self.on_close() if self.on_close is not None else None


def awaitable(give: Callable[[], Any]) -> Any:
    """An object whose __await__ is this function."""

    class Cls:
        def __await__(self) -> Any:
            return give()

    return Cls()


def generator_awaitable(generator: Generator[Any, Any, Any]) -> Any:
    """An object whose __await__ returns this generator."""
    return awaitable(lambda: generator)


async def fail(error: BaseException) -> None:
    raise error


def tower(levels: int, bottom: Any, *languages: Any) -> Any:
    """A coroutine that awaits one that awaits ... `bottom`, in alternating languages."""
    for i in range(levels):
        bottom = languages[i % len(languages)].pass_through(bottom)
    return bottom


@contextmanager
def too_deep_a_tower(levels: int, *languages: Any) -> Generator[Any, None, None]:
    """tower() of so many levels that some will not be reached. Those are closed one by one: if they died all at once,
    one within the other, CPython would fail to warn of each, for lack of stack."""
    chain = [native.value(1)]
    for i in range(levels):
        chain.append(languages[i % len(languages)].pass_through(chain[-1]))
    yield chain[-1]
    while chain:
        chain.pop().close()


# ---- the state of the process --------------------------------------------------------------------


def collect() -> None:
    """Collects all garbage, also what finalizers have made."""
    while gc.collect():
        pass


def resident_bytes() -> int:
    """The memory of this process that is in RAM."""
    with open("/proc/self/statm") as f:
        return int(f.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def functions_in(exception: BaseException) -> list[str]:
    """The Python functions in the traceback of an exception, from the outermost to where it was raised."""
    return [entry.name for entry in traceback.extract_tb(exception.__traceback__)]


class NotPermitted(Exception):
    """This process may not be read by another one."""


def asyncio_tool(command: str) -> str:
    """What `python -m asyncio COMMAND` (3.14) prints of this process, which stands still meanwhile."""
    result = subprocess.run(
        [sys.executable, "-m", "asyncio", command, str(os.getpid())],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    if result.returncode != 0 and ("permission" in result.stdout or "not permitted" in result.stdout):
        raise NotPermitted(result.stdout)
    assert result.returncode == 0, f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def run_python(code: str, *options: str, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    """Runs a program in an interpreter of its own, which must end with status 0."""
    result = subprocess.run(
        [sys.executable, *options, "-c", textwrap.dedent(code)],
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
    )
    assert result.returncode == 0, f"status {result.returncode}\n{result.stdout}\n{result.stderr}"
    return result
