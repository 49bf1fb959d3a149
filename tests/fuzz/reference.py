"""Runs a random program in CPython and records its trace.

Python's functions are real `async def` functions, and what they yield goes up through a `types.coroutine` generator.
Every line of the trace is also written by the interpreter in C++.

What a coroutine does when it dies suspended is left out of the comparison (but for programs made for it, `dying`),
since there C++ differs by nature: CPython closes it, so its except and finally blocks run, where C++ only runs the
destructors of its frames (clause 12.1). Instead of leaving all such programs out, this side holds a reference to every
coroutine until the trace is complete. So nothing dies early here, a coroutine that is dropped simply is not heard of
again, and that is what must happen in C++, too. At the end the driver closes the root, then each shared coroutine and
each kept one, a few times if need be, and that still belongs to the trace; afterwards everything left over is closed
with the trace thrown away.

In a dying program nothing but the program holds its coroutines, so they die where the last reference goes. It has only
`finally` blocks that leave a trace, which are local variables in C++, and nothing that keeps a coroutine alive beyond
that in CPython: variables that errors pass by, whose traceback refers to them, or errors that refer to an object.

Left out, with the reason in `left_out`, are programs
- where a coroutine that is dropped suspended awaits one that outlives it (the root, a shared or a kept one): C++ then
  destroys that one's frame, too, and it reads as closed, where here it goes on;
- that let go of a coroutine while another waits for it: in C++ nobody else holds it, and it ends there, too;
- that touch a coroutine in the middle of a delegated throw or close, on CPython below 3.13: there throw(), close() and
  await do not see that it is running, and recurse or corrupt it (clause 6.12).

The value of close() is recorded on CPython 3.13 and later, which return it (6.3); below, both sides write `*`.
"""

from __future__ import annotations

import gc
import re
import sys
import types
import warnings
from collections.abc import Callable, Generator
from functools import partial
from typing import Any, TypeAlias, cast

from program import Operation, Program

CLOSE_HAS_VALUE = sys.version_info >= (3, 13)
WINDOWS = sys.version_info < (3, 13)
CLOSES = 4  # how often the driver closes a coroutine that ignores it

Chain: TypeAlias = "types.CoroutineType[int, int | None, int | None] | types.GeneratorType[int, int | None, int | None]"
Near: TypeAlias = Callable[[], Chain]


class E1(Exception):
    def __init__(self, payload: int) -> None:
        self.payload = payload


class E2(Exception):
    def __init__(self, payload: int) -> None:
        self.payload = payload


class GX(GeneratorExit):
    def __init__(self, payload: int) -> None:
        self.payload = payload


CLASSES: dict[str, type[E1 | E2 | GX]] = {"E1": E1, "E2": E2, "GX": GX}


def describe(error: BaseException) -> str:
    """The class and the text, and the cause. That a class has no send() is said of the class in CPython (3.2)."""
    text = str(error.payload) if isinstance(error, E1 | E2 | GX) else str(error)
    if isinstance(error, AttributeError):
        text = re.sub(r"^'\w+' ", "", text)
    if error.__cause__ is not None:
        text += f" from {describe(error.__cause__)}"
    return f"{type(error).__name__} {text}".rstrip()


@types.coroutine
def y(value: int) -> Generator[int, int | None, int | None]:
    return (yield value)


class Through:
    """An awaitable whose __await__ gives another's await-iterator (clause 7.9)."""

    def __init__(self, chain: types.CoroutineType[int, int | None, int | None]) -> None:
        self.chain = chain

    def __await__(self) -> Generator[Any, Any, int | None]:
        return self.chain.__await__()

    __iter__ = __await__  # for `yield from`


class Duck:
    """An awaitable class of a user's own that drives a coroutine step by step, and is its own await-iterator."""

    def __init__(self, chain: Chain, machine: Machine) -> None:
        self.chain = chain
        self.machine = machine

    def __await__(self) -> Duck:
        return self

    __iter__ = __await__

    def __next__(self) -> int:
        return self.chain.send(None)


def send(duck: Duck, value: int | None) -> int:
    return duck.chain.send(value)


def throw(duck: Duck, error: BaseException) -> int:
    duck.machine.check_window(duck.chain)
    return duck.chain.throw(error)


def close(duck: Duck) -> None:
    duck.machine.check_window(duck.chain)
    duck.chain.close()


def duck_class(members: int) -> type[Duck]:
    """The members of the protocol that are optional: send(value) (1), throw (2) and close (4)."""
    given = {"send": send, "throw": throw, "close": close}
    return type(f"Duck{members}", (Duck,), {name: given[name] for i, name in enumerate(given) if members & 1 << i})


DUCK_CLASSES = [duck_class(members) for members in range(8)]


def state_of(chain: Chain) -> str:
    if isinstance(chain, types.GeneratorType):
        running, suspended, frame = chain.gi_running, chain.gi_suspended, chain.gi_frame
    else:
        running, suspended, frame = chain.cr_running, chain.cr_suspended, chain.cr_frame
    if running:
        return "running"
    if suspended:
        return "suspended"
    return "closed" if frame is None else "created"


def awaited_by(chain: Chain) -> Chain | None:
    """The coroutine that this one waits for, or None if it waits for something else."""
    waits_for: Any = chain.gi_yieldfrom if isinstance(chain, types.GeneratorType) else chain.cr_await
    while True:
        if type(waits_for).__name__ == "coroutine_wrapper":
            waits_for = gc.get_referents(waits_for)[0]
        elif isinstance(waits_for, Duck):
            waits_for = waits_for.chain
        else:
            break
    return waits_for if isinstance(waits_for, types.CoroutineType | types.GeneratorType) else None


async def nothing() -> int:
    return 0


FINISHED: Chain = cast("Chain", nothing())
FINISHED.close()

TOOLS = (
    "root slot new kept drop checked through erased through_erased erased_duck drive drive_or_raise state sent got "
    "mark caught handled final died"
)


class Machine:
    """One program at a time."""

    def __init__(self) -> None:
        self.trace: list[str] = []
        self.everything: list[Chain] = []
        self.kept_chains: list[Chain] = []
        self.shared: list[Chain] = []
        self.the_root: Chain | None = None
        self.ever_shared: list[Chain] = []
        self.dropped: set[Chain] = set()
        self.left_out = ""
        self.dying = False  # nothing but the program holds its coroutines
        self.namespace: dict[str, object] = {
            "E1": E1,
            "E2": E2,
            "GX": GX,
            "y": y,
            "types": types,
            "g": self.shared,
            **{name: getattr(self, name) for name in TOOLS.split()},
            **{f"duck{members}": partial(self.duck, members) for members in range(8)},
        }

    # ---- what the programs call ----

    def root(self) -> Chain:
        assert self.the_root is not None
        return self.the_root

    def slot(self, variables: list[Chain], index: int) -> Near:
        return self.root if self.dying else lambda: variables[index]  # no cycle where reference counts matter

    def new(self, function: Callable[[Near], Chain], near: Near) -> Chain:
        chain = function(near)
        if not self.dying:
            self.everything.append(chain)
        return chain

    def kept(self, function: Callable[[Near], Chain]) -> Chain:
        chain = self.new(function, self.root)
        self.kept_chains.append(chain)
        return chain

    def drop(self, index: int) -> None:
        """C++ empties the coroutine object, which then is as a finished one; one that runs goes on to its next
        suspension, and further if it is being awaited."""
        chain = self.shared[index]
        if state_of(chain) == "closed":
            return
        if any(state_of(other) == "suspended" and awaited_by(other) is chain for other in self.everything):
            self.left_out = "lets go of a coroutine while another waits for it"
        self.dropped.add(chain)
        self.shared[index] = FINISHED

    def checked(self, chain: Chain) -> Chain:
        self.check_window(chain)
        return chain

    def through(self, chain: Chain) -> Chain | Through:
        self.check_window(chain)
        return chain if isinstance(chain, types.GeneratorType) else Through(chain)

    def duck(self, members: int, chain: Chain) -> Duck:
        self.check_window(chain)
        return DUCK_CLASSES[members](chain, self)

    def erased_duck(self, chain: Chain) -> Duck:
        return self.duck(7, chain)

    def erased(self, chain: Chain) -> Chain | Duck:
        """An any_coroutine, which cannot hold a generator, but a duck that drives one."""
        return self.duck(7, chain) if isinstance(chain, types.GeneratorType) else self.checked(chain)

    def through_erased(self, chain: Chain) -> Chain | Through | Duck:
        return self.duck(7, chain) if isinstance(chain, types.GeneratorType) else self.through(chain)

    def sent(self, number: int, value: int | None) -> None:
        self.trace.append(f"sent {number} {value}")

    def got(self, number: int, value: int | None) -> None:
        self.trace.append(f"got {number} {value}")

    def mark(self, number: int) -> None:
        self.trace.append(f"mark {number}")

    def caught(self, number: int) -> None:
        error = sys.exc_info()[1]
        assert error is not None
        if self.dying:
            error.__traceback__ = None  # which refers to the coroutine, which now holds the error
        self.trace.append(f"caught {number} {describe(error)}")

    def handled(self) -> BaseException | None:
        return sys.exc_info()[1]

    def died(self, number: int) -> None:
        self.trace.append(f"died {number}")

    def final(self, number: int) -> None:
        self.trace.append(f"finally {number}")

    def state(self, number: int, chain: Chain) -> None:
        self.trace.append(f"state {number} {self.state_of(chain)}")

    def drive(self, number: int, chain: Chain, verb: str, value: Any = None) -> BaseException | None:
        outcome, error = self.operate(chain, verb, value)
        self.trace.append(f"drive {number} {outcome}")
        return error

    def drive_or_raise(self, number: int, chain: Chain, verb: str, value: Any = None) -> None:
        error = self.drive(number, chain, verb, value)
        if error is not None:
            raise error

    # ---- driving ----

    def operate(self, chain: Chain, verb: str, value: Any) -> tuple[str, BaseException | None]:
        error: BaseException | None = None
        try:
            if verb == "send":
                outcome = f"yielded {chain.send(value)}"
            elif verb == "throw":
                self.check_window(chain)
                outcome = f"yielded {chain.throw(value)}"
            else:
                self.check_window(chain)
                close: Callable[[], object] = chain.close  # as CPython 3.13 declares it
                result = close()
                outcome = f"closed {result if CLOSE_HAS_VALUE else '*'}"
        except StopIteration as stop:
            outcome = f"returned {stop.value}"
        except KeyboardInterrupt:
            raise
        except BaseException as raised:
            error = raised
            if self.dying:
                error.__traceback__ = None  # which refers to this frame, and that to the coroutine
            outcome = f"raised {describe(raised)}"
        return f"{self.state_of(chain)} {outcome}", error

    def state_of(self, chain: Chain) -> str:
        return "closed" if chain in self.dropped else state_of(chain)

    def check_window(self, chain: Chain | None) -> None:
        """Below 3.13 a coroutine in a delegated throw or close is running, yet still awaits something."""
        if not WINDOWS:
            return
        while chain is not None:
            if state_of(chain) == "running" and awaited_by(chain) is not None:
                self.left_out = "touches a coroutine in a delegated throw or close"
                raise RuntimeError("left out")
            chain = awaited_by(chain)

    def run(self, program: Program) -> list[str] | None:
        """The trace, or None if the program is left out."""
        self.trace.clear()
        self.left_out = ""
        self.dying = program.dying
        functions = dict(self.namespace)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)  # return, break and continue in finally, since 3.14
            warnings.simplefilter("ignore", RuntimeWarning)  # never awaited
            exec(compile(program.python(), "<program>", "exec", dont_inherit=True), functions)
            self.drive_all(program, functions)
        trace = self.trace[:]
        self.drop_all()
        return None if self.left_out else trace

    def drive_all(self, program: Program, functions: dict[str, Any]) -> None:
        self.the_root = self.new(functions["f0"], self.root)
        self.shared.extend(self.new(functions[f"f{function}"], self.root) for function in program.shared)
        self.ever_shared.extend(self.shared)
        for operation in program.operations:
            if operation.verb == "let go":
                self.let_go(operation.on)
                continue
            self.drive_one(self.the_root if operation.on < 0 else self.shared[operation.on], operation)
            if self.left_out:
                return
        self.close("root", self.the_root)
        for chain in self.shared:
            self.close("shared", chain)
        for chain in self.kept_chains:  # grows meanwhile
            self.close("kept", chain)
        if self.drops_an_awaiter():
            self.left_out = "drops a coroutine that awaits one that outlives it"

    def drops_an_awaiter(self) -> bool:
        """A coroutine has been dropped if nothing leads to it from those that live to the end: no await, no variable.
        If it was suspended then, it still is."""
        outliving = [self.root(), *self.shared, *self.kept_chains]
        ids = set(map(id, outliving))
        outlived = {*ids, *map(id, self.ever_shared)}
        awaiters = [
            chain
            for chain in self.everything
            if id(chain) not in ids and state_of(chain) == "suspended" and id(awaited_by(chain)) in outlived
        ]
        if not awaiters:
            return False
        for chain in outliving:  # grows meanwhile
            frame = chain.gi_frame if isinstance(chain, types.GeneratorType) else chain.cr_frame
            for found in (awaited_by(chain), *(frame.f_locals.get("v", ()) if frame is not None else ())):
                if found is not None and id(found) not in ids:
                    ids.add(id(found))
                    outliving.append(found)
        return any(id(chain) not in ids for chain in awaiters)

    def let_go(self, on: int) -> None:
        if on < 0:
            self.the_root = FINISHED
        else:
            self.shared[on] = FINISHED
        self.trace.append("driver let go")

    def drive_one(self, chain: Chain, operation: Operation) -> None:
        value: object = operation.value
        if operation.verb == "throw":
            assert operation.value is not None
            error = CLASSES.get(operation.error)
            value = GeneratorExit() if error is None else error(operation.value)
        self.trace.append(f"driver {self.operate(chain, operation.verb, value)[0]}")

    def close(self, name: str, chain: Chain) -> None:
        for _ in range(CLOSES):
            if self.left_out or self.state_of(chain) != "suspended":
                return
            self.trace.append(f"{name} {self.operate(chain, 'close', None)[0]}")

    def drop_all(self) -> None:
        """Every function is finite, so closing again and again ends each coroutine."""
        for chain in self.everything:  # grows meanwhile
            while state_of(chain) != "closed":
                try:
                    chain.close()
                except KeyboardInterrupt:
                    raise
                except BaseException:
                    pass
        self.everything.clear()
        self.kept_chains.clear()
        self.shared.clear()
        self.ever_shared.clear()
        self.dropped.clear()
        self.the_root = None
