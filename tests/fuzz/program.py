"""Random programs: their statements, the two forms they are written in, and how they are made.

A program is a few coroutine functions, f0 the root's, and the operations that a driver does on the root. Written as
Python source it runs in CPython (`reference.py`); written as tokens it is read by the interpreter in C++
(`interpreter.cpp`, which documents that form). Every statement that leaves a trace has a number of its own, and every
value, too, so that equal traces mean equal identities.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

# ---- what a driver does --------------------------------------------------------------------------------------------

ERRORS = ("E1", "E2", "GeneratorExit", "GX")  # GX: a subclass of GeneratorExit, with a payload


@dataclass(frozen=True, slots=True)
class Operation:
    """send(value), throw(error) or close(); on the root, or on the shared coroutine with the index `on`."""

    verb: str
    value: int | None = None
    error: str = ""
    on: int = -1

    def python(self) -> str:
        match self.verb:
            case "throw":
                return f'"throw", {exception(self.error, self.value)}'
            case "send":
                return f'"send", {self.value}'
            case _:
                return '"close"'

    def text(self) -> str:
        match self.verb:
            case "throw":
                return f"t {self.error} {self.value}"
            case "send":
                return f"s {'N' if self.value is None else self.value}"
            case _:
                return "c"


def exception(name: str, payload: int | None) -> str:
    return "GeneratorExit()" if name == "GeneratorExit" else f"{name}({payload})"


# ---- statements ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Target:
    """A coroutine by name: v = the function's own variable, g = a shared one, R = the root, N = the nearest ancestor
    (or the function's own coroutine) that lives in a variable, else the root."""

    kind: str
    index: int = 0

    def python(self) -> str:
        return {"v": f"v[{self.index}]", "g": f"g[{self.index}]", "R": "root()", "N": "near()"}[self.kind]

    def text(self) -> str:
        return f"{self.kind} {self.index}"


class Statement:
    """One statement; simple unless it has blocks."""

    __slots__ = ()

    def python(self) -> str:
        raise NotImplementedError

    def text(self) -> str:
        raise NotImplementedError

    def lines(self, indent: str) -> Iterator[str]:
        yield indent + self.python()

    def blocks(self) -> list[Block]:
        return []


Block: TypeAlias = list[Statement]


@dataclass(slots=True)
class Mark(Statement):
    number: int

    def python(self) -> str:
        return f"mark({self.number})"

    def text(self) -> str:
        return f"m {self.number}"


@dataclass(slots=True)
class Yield(Statement):
    number: int
    value: int

    def python(self) -> str:
        return f"sent({self.number}, await y({self.value}))"

    def text(self) -> str:
        return f"y {self.number} {self.value}"


@dataclass(slots=True)
class AwaitCall(Statement):
    """Awaits a new coroutine: a temporary (C++: an rvalue); through its await-iterator, which owns it in C++; or one
    that is kept until the program ends."""

    number: int
    function: int
    kept: bool
    through: bool = False

    def python(self) -> str:
        maker = f"kept(f{self.function})" if self.kept else f"new(f{self.function}, near)"
        return f"got({self.number}, await {f'through({maker})' if self.through else maker})"

    def text(self) -> str:
        return f"{'K' if self.kept else 'W' if self.through else 'a'} {self.number} {self.function}"


@dataclass(slots=True)
class Await(Statement):
    """Awaits a coroutine that exists, directly or through an object whose __await__ returns its __await__()."""

    number: int
    target: Target
    through: bool

    def python(self) -> str:
        return f"got({self.number}, await {'through' if self.through else 'checked'}({self.target.python()}))"

    def text(self) -> str:
        return f"{'w' if self.through else 'A'} {self.number} {self.target.text()}"


@dataclass(slots=True)
class Drive(Statement):
    """Drives a coroutine by hand and records what came of it; an error is swallowed, or raised on."""

    number: int
    target: Target
    operation: Operation
    reraise: bool

    def python(self) -> str:
        name = "drive_or_raise" if self.reraise else "drive"
        return f"{name}({self.number}, {self.target.python()}, {self.operation.python()})"

    def text(self) -> str:
        return f"{'D' if self.reraise else 'd'} {self.number} {self.target.text()} {self.operation.text()}"


@dataclass(slots=True)
class State(Statement):
    number: int
    target: Target

    def python(self) -> str:
        return f"state({self.number}, {self.target.python()})"

    def text(self) -> str:
        return f"q {self.number} {self.target.text()}"


@dataclass(slots=True)
class New(Statement):
    variable: int
    function: int

    def python(self) -> str:
        return f"v[{self.variable}] = new(f{self.function}, slot(v, {self.variable}))"

    def text(self) -> str:
        return f"n {self.variable} {self.function}"


@dataclass(slots=True)
class Swap(Statement):
    first: int
    second: int

    def python(self) -> str:
        return f"v[{self.first}], v[{self.second}] = v[{self.second}], v[{self.first}]"

    def text(self) -> str:
        return f"x {self.first} {self.second}"


@dataclass(slots=True)
class Drop(Statement):
    """Lets go of a shared coroutine, perhaps while it runs; from then on a finished one is in its place."""

    shared: int

    def python(self) -> str:
        return f"drop({self.shared})"

    def text(self) -> str:
        return f"z {self.shared}"


@dataclass(slots=True)
class Return(Statement):
    value: int

    def python(self) -> str:
        return f"return {self.value}"

    def text(self) -> str:
        return f"r {self.value}"


@dataclass(slots=True)
class Raise(Statement):
    error: str
    payload: int

    def python(self) -> str:
        return f"raise {exception(self.error, self.payload)}"

    def text(self) -> str:
        return f"e {self.error} {self.payload} -"


@dataclass(slots=True)
class Reraise(Statement):
    def python(self) -> str:
        return "raise"

    def text(self) -> str:
        return "b"


@dataclass(slots=True)
class Break(Statement):
    def python(self) -> str:
        return "break"

    def text(self) -> str:
        return "k"


@dataclass(slots=True)
class Continue(Statement):
    def python(self) -> str:
        return "continue"

    def text(self) -> str:
        return "u"


@dataclass(slots=True)
class Loop(Statement):
    count: int
    body: Block

    def lines(self, indent: str) -> Iterator[str]:
        yield f"{indent}for _ in range({self.count}):"
        yield from block_lines(self.body, indent + "    ")

    def text(self) -> str:
        return f"o {self.count} {block_text(self.body)}"

    def blocks(self) -> list[Block]:
        return [self.body]


@dataclass(slots=True)
class Handler:
    catches: str
    number: int
    body: Block


@dataclass(slots=True)
class Try(Statement):
    body: Block
    handlers: list[Handler]
    final: Block | None
    number: int

    def lines(self, indent: str) -> Iterator[str]:
        inner = indent + "    "
        yield f"{indent}try:"
        yield from block_lines(self.body, inner)
        for handler in self.handlers:
            yield f"{indent}except {handler.catches}:"
            yield f"{inner}caught({handler.number})"
            yield from block_lines(handler.body, inner, empty=False)
        if self.final is not None:
            yield f"{indent}finally:"
            yield f"{inner}final({self.number})"
            yield from block_lines(self.final, inner, empty=False)

    def text(self) -> str:
        handlers = " ".join(f"{h.catches} {h.number} {block_text(h.body)}" for h in self.handlers)
        final = "-" if self.final is None else f"{self.number} {block_text(self.final)}"
        return f"T {block_text(self.body)} {len(self.handlers)} {handlers} {final}"

    def blocks(self) -> list[Block]:
        return [self.body, *(h.body for h in self.handlers), *([] if self.final is None else [self.final])]


def block_lines(block: Block, indent: str, empty: bool = True) -> Iterator[str]:
    for statement in block:
        yield from statement.lines(indent)
    if empty and not block:
        yield f"{indent}pass"


def block_text(block: Block) -> str:
    return "{ " + "".join(statement.text() + " " for statement in block) + "}"


# ---- programs ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Function:
    """`variables` holds the function of each coroutine variable at the start; a plain one neither yields nor awaits
    what does, and is a coroutine without a Yield type in C++. Returns 1000 + its index when it reaches its end."""

    body: Block
    variables: list[int] = field(default_factory=list)
    plain: bool = False


def callees(function: Function) -> Iterator[int]:
    yield from function.variables
    blocks = [function.body]
    while blocks:
        for statement in blocks.pop():
            if isinstance(statement, AwaitCall | New):
                yield statement.function
            else:
                blocks.extend(statement.blocks())


@dataclass(slots=True)
class Program:
    """`mode` chooses between forms that must not differ: 0 send, throw_(E&&) and close, 1 the try_ forms, 2 send,
    throw_(exception_ptr) and close of the await-iterator."""

    functions: list[Function]
    operations: list[Operation]
    shared: list[int]
    mode: int

    def python(self) -> str:
        """The functions, as they run in CPython."""
        out: list[str] = []
        for index in sorted(self.reachable()):
            function = self.functions[index]
            out.append(f"async def f{index}(near):")
            if function.variables:
                out.append(f"    v = [None] * {len(function.variables)}")
                out.extend(f"    {New(i, f).python()}" for i, f in enumerate(function.variables))
            out.extend(block_lines(function.body, "    ", empty=False))
            out.append(f"    return {1000 + index}")
        return "\n".join(out) + "\n"

    def reachable(self) -> set[int]:
        """The functions that can run at all."""
        found: set[int] = set()
        new = {0, *self.shared}
        while new:
            found |= new
            new = {callee for index in new for callee in callees(self.functions[index])} - found
        return found

    def text(self) -> str:
        """One line for the interpreter in C++."""
        out = [f"P {self.mode} {len(self.functions)}"]
        reachable = self.reachable()
        for index, function in enumerate(self.functions):
            if index not in reachable:
                out.append("c 0 { }")
                continue
            variables = " ".join(map(str, function.variables))
            out.append(
                f"{'p' if function.plain else 'c'} {len(function.variables)} {variables} {block_text(function.body)}"
            )
        out.append(f"{len(self.shared)} {' '.join(map(str, self.shared))}")
        out.append(f"{len(self.operations)} {' '.join(f'{op.on} {op.text()}' for op in self.operations)}")
        return " ".join(" ".join(out).split())

    def listing(self) -> str:
        """All of it as Python source for a reader."""
        out = [self.python(), "", "root = f0"]
        out.extend(f"g[{index}] = f{function}" for index, function in enumerate(self.shared))
        for op in self.operations:
            out.append(f"drive({'root' if op.on < 0 else f'g[{op.on}]'}, {op.python()})")
        return "\n".join(out)


# ---- making them ---------------------------------------------------------------------------------------------------

CALL_BUDGET = 150  # statements that a function may execute at most, with what it calls

# How often a mixed program has which statement.
STATEMENTS = {
    "yield": 28.0,
    "call": 17.0,
    "keep": 4.0,
    "await": 11.0,
    "through": 6.0,
    "drive": 20.0,
    "try": 28.0,
    "raise": 4.0,
    "return": 2.0,
    "mark": 2.0,
    "reraise": 4.0,
    "loop": 3.0,
    "leave": 6.0,
    "new": 2.0,
    "swap": 1.5,
    "enter": 3.0,
    "await running": 1.0,
    "plain": 3.0,
    "state": 3.0,
    "await shared": 11.0,
    "drive shared": 11.0,
    "drop shared": 1.5,
}
CATCHES = {
    "E1": 3.0,
    "E2": 1.5,
    "GeneratorExit": 3.0,
    "RuntimeError": 1.0,
    "ValueError": 0.4,
    "Exception": 1.0,
    "BaseException": 2.5,
}


class Maker:
    """Makes one program from one random generator."""

    def __init__(self, rng: random.Random, mode: int) -> None:
        self.random = rng.random
        self.mode = mode
        self.numbers = 0
        self.costs: dict[int, int] = {}
        self.functions: dict[int, Function] = {}
        self.shared = 0

    def below(self, n: int) -> int:
        return int(self.random() * n)

    def chance(self, probability: float) -> bool:
        return self.random() < probability

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def pick(self, weights: dict[str, float]) -> str:
        at = self.random() * sum(weights.values())
        for name, weight in weights.items():
            at -= weight
            if at < 0:
                return name
        return name

    def operation(self, first: bool = False) -> Operation:
        at = self.random()
        if first and at < 0.75:
            return Operation("send")
        at = self.random()
        if at < 0.34:
            return Operation("send")
        if at < 0.52:
            return Operation("send", self.number())
        if at < 0.85:
            return Operation("throw", self.number(), self.pick({"E1": 12, "E2": 6, "GeneratorExit": 12, "GX": 4}))
        return Operation("close")

    def operations(self) -> list[Operation]:
        """Half of the drivers only send most of the time, so that programs get far."""
        gentle = 0.6 if self.chance(0.5) else 0.0
        return [
            Operation("send") if self.chance(gentle) else self.operation(first=i == 0)
            for i in range(1 + self.below(12))
        ]

    # ---- chains ----

    def chain(self) -> Program:
        levels = 2 + self.below(4)
        functions = [Function(self.level(index, index == levels - 1)) for index in range(levels)]
        return Program(functions, self.operations(), [], self.mode)

    def level(self, index: int, leaf: bool) -> Block:
        inner: Block = []
        if leaf:
            inner.extend(self.a_yield() for _ in range(1 + self.below(3)))
        else:
            if self.chance(0.15):
                inner.append(self.a_yield())
            at = self.random()
            inner.append(AwaitCall(self.number(), index + 1, kept=at < 0.2, through=at > 0.85))
            if self.chance(0.2):
                inner.append(self.a_yield())
        handlers: list[Handler] = []
        while self.chance(0.6) and len(handlers) < 2:
            catches = self.pick({"E1": 3, "GeneratorExit": 3, "BaseException": 3, "RuntimeError": 0.7, "E2": 0.7})
            handlers.append(Handler(catches, self.number(), self.reaction(in_handler=True)))
        final = self.reaction(in_handler=False) if self.chance(0.25) else None
        body: Block = inner
        if handlers or final is not None:
            body = [Try(inner, handlers, final, self.number())]
        if self.chance(0.15):
            body.insert(0, self.a_yield())
        if self.chance(0.35):
            body.append(self.a_yield())
        return body

    def reaction(self, in_handler: bool) -> Block:
        """What a small handler does: return, raise, yield (more than once, and then one of the others), or go on."""
        block: Block = []
        while self.chance(0.3) and len(block) < 2:
            block.append(self.a_yield())
        at = self.random()
        if at < 0.3:
            block.append(Return(self.number()))
        elif at < 0.5:
            block.append(Raise(self.pick(dict.fromkeys(ERRORS, 1.0)), self.number()))
        elif at < 0.65 and in_handler:
            block.append(Reraise())
        return block

    def a_yield(self) -> Yield:
        return Yield(self.number(), self.number())

    # ---- mixed ----

    def mixed(self, shared: bool = False) -> Program:
        count = 2 + self.below(3)
        plain = 1 + self.below(2) if self.chance(0.15) else 0
        self.shared = 1 + self.below(2) if shared else 0
        moving = self.chance(0.4)  # then variables change their coroutines, and nobody awaits the ancestor
        for index in reversed(range(count + plain)):
            body = Body(self, index, count, count + plain, moving)
            self.functions[index] = body.function
            self.costs[index] = body.spent
        functions = [self.functions[index] for index in range(count + plain)]
        operations = self.operations()
        if shared:
            operations = [
                Operation(op.verb, op.value, op.error, self.below(self.shared)) if self.chance(0.3) else op
                for op in operations
            ]
        return Program(functions, operations, [1 + self.below(count - 1) for _ in range(self.shared)], self.mode)


class Body:
    """Makes one function of a mixed program; it calls only functions of higher indices, which exist already."""

    def __init__(self, maker: Maker, index: int, count: int, total: int, moving: bool) -> None:
        self.maker = maker
        self.index = index
        self.callable = range(index + 1, count)
        self.plain_callable = range(max(index + 1, count), total)
        self.moving = moving
        self.spent = 1
        self.factor = 1  # how often the statement at hand runs at most
        self.function = Function([], plain=index >= count)
        if self.callable and not self.function.plain:
            wanted = maker.below(3) if index else maker.below(2) + maker.below(2)
            for _ in range(wanted):
                callee = self.callee(self.callable)
                if callee is not None:
                    self.function.variables.append(callee)
        self.weights = self.weigh()
        self.function.body = self.block(0, in_handler=False, in_loop=False)

    def weigh(self) -> dict[str, float]:
        weights = dict(STATEMENTS)
        if self.function.plain:
            for name in ("yield", "await running"):
                del weights[name]
            weights["mark"] = 20
            weights["raise"] = 15
        if self.function.plain or not self.callable:
            del weights["call"], weights["keep"]
        variables = len(self.function.variables)
        if not variables:
            del weights["await"], weights["through"], weights["drive"]
        if not variables or not self.moving:
            del weights["new"]
        if variables < 2 or not self.moving:
            del weights["swap"]
        if not self.plain_callable:
            del weights["plain"]
        if not self.maker.shared or self.function.plain:
            del weights["await shared"], weights["drive shared"]
        if not self.maker.shared:
            del weights["drop shared"]
        return weights

    def callee(self, among: range) -> int | None:
        """A function to call whose cost still fits; it is spent."""
        callee = among[self.maker.below(len(among))]
        cost = self.maker.costs[callee] * self.factor
        if self.spent + cost > CALL_BUDGET:
            return None
        self.spent += cost
        return callee

    def block(self, depth: int, in_handler: bool, in_loop: bool) -> Block:
        maker = self.maker
        block: Block = []
        wanted = 1 + maker.below(2 + (depth < 2))
        if not depth and maker.chance(0.6):
            block.append(self.a_try(depth, in_handler, in_loop))
        while len(block) < wanted and self.spent < CALL_BUDGET:
            self.spent += self.factor
            what = maker.pick(self.weights)
            if what == "try":
                if depth >= 2:
                    continue
                block.append(self.a_try(depth, in_handler, in_loop))
                continue
            if what == "loop":
                if depth >= 2:
                    continue
                count = 2 + maker.below(2)
                self.factor *= count
                block.append(Loop(count, self.block(depth + 1, in_handler, in_loop=True)))
                self.factor //= count
                continue
            statement = self.simple(what, depth, in_handler, in_loop)
            if statement is None:
                continue
            block.append(statement)
            if isinstance(statement, Return | Raise | Reraise | Break | Continue):
                break
        return block

    def a_try(self, depth: int, in_handler: bool, in_loop: bool) -> Try:
        maker = self.maker
        body = self.block(depth + 1, in_handler, in_loop)
        handlers: list[Handler] = []
        wanted = 1 + maker.below(2) if maker.chance(0.75) else 0
        for _ in range(wanted):
            catches = maker.pick(CATCHES)
            handlers.append(Handler(catches, maker.number(), self.block(depth + 1, True, in_loop)))
        final = None
        if not handlers or maker.chance(0.2):
            final = self.block(depth + 1, in_handler, in_loop)
        return Try(body, handlers, final, maker.number())

    def simple(self, what: str, depth: int, in_handler: bool, in_loop: bool) -> Statement | None:
        maker = self.maker
        match what:
            case "yield":
                return maker.a_yield()
            case "mark":
                return Mark(maker.number())
            case "call" | "keep":
                callee = self.callee(self.callable)
                if callee is None:
                    return None
                kept = what == "keep"
                return AwaitCall(maker.number(), callee, kept, through=not kept and maker.chance(0.2))
            case "plain":
                callee = self.callee(self.plain_callable)
                return None if callee is None else AwaitCall(maker.number(), callee, kept=False)
            case "await" | "through":
                return Await(maker.number(), self.variable(), through=what == "through")
            case "drive":
                return self.drive(self.variable(), first=maker.chance(0.5))
            case "enter":
                return self.drive(self.ancestor())
            case "await running":
                return Await(maker.number(), Target("R") if self.moving else self.ancestor(), maker.chance(0.4))
            case "await shared":
                return Await(maker.number(), self.a_shared(), maker.chance(0.4))
            case "drive shared":
                return self.drive(self.a_shared(), first=maker.chance(0.3))
            case "drop shared":
                return Drop(maker.below(maker.shared))
            case "state":
                return State(maker.number(), self.anything())
            case "raise":
                if not depth and maker.chance(0.7):
                    return None
                return Raise(maker.pick({"E1": 4, "E2": 2, "GeneratorExit": 2, "GX": 1}), maker.number())
            case "return":
                return Return(maker.number()) if depth or maker.chance(0.3) else None
            case "reraise":
                return Reraise() if in_handler else None
            case "leave":
                return (Break() if maker.chance(0.5) else Continue()) if in_loop else None
            case "new":
                callee = self.callee(self.callable)
                return None if callee is None else New(maker.below(len(self.function.variables)), callee)
            case _:
                return Swap(0, maker.below(len(self.function.variables) - 1) + 1)

    def drive(self, target: Target, first: bool = False) -> Drive:
        return Drive(self.maker.number(), target, self.maker.operation(first), reraise=self.maker.chance(0.15))

    def variable(self) -> Target:
        return Target("v", self.maker.below(len(self.function.variables)))

    def a_shared(self) -> Target:
        return Target("g", self.maker.below(self.maker.shared))

    def ancestor(self) -> Target:
        return Target("N" if self.maker.chance(0.6) else "R")

    def anything(self) -> Target:
        if self.function.variables and self.maker.chance(0.5):
            return self.variable()
        if self.maker.shared and self.maker.chance(0.5):
            return self.a_shared()
        return self.ancestor()


KINDS = ("mixed", "chains", "shared")


def make(kind: str, seed: str, index: int) -> Program:
    """The program with this index; equal arguments give an equal program in every process and Python version."""
    maker = Maker(random.Random(f"{seed}/{kind}/{index}"), index % 2 or index % 4)
    match kind:
        case "chains":
            return maker.chain()
        case "mixed":
            return maker.mixed()
        case "shared":
            return maker.mixed(shared=True)
        case _:
            raise ValueError(kind)
