"""Random programs: their statements, the two forms they are written in, and how they are made.

A program is a few coroutine functions, f0 the root's, and the operations that a driver does on the root. Written as
Python source it runs in CPython (`reference.py`); written as tokens it is read by the interpreter in C++
(`interpreter.cpp`, which documents that form). Every statement that leaves a trace has a number of its own, and every
value, too, so that equal traces mean equal identities.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

# ---- what a driver does --------------------------------------------------------------------------------------------

ERRORS = ("E1", "E2", "GeneratorExit", "GX")  # GX: a subclass of GeneratorExit, with a payload


@dataclass(frozen=True, slots=True)
class Operation:
    """send(value), throw(error) or close(), or let go of it; on the root, or on the shared coroutine number `on`."""

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
            case "let go":
                return "x"
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


DUCKS = "01234567"  # which of send(value) (1), throw (2) and close (4) an awaitable class has
VIA = {"x": "erased", "y": "through_erased", "z": "erased_duck", **{d: f"duck{d}" for d in DUCKS}}


@dataclass(slots=True)
class Cross(Statement):
    """Awaits a new or an existing coroutine through something that is no coroutine of the library: an any_coroutine (x,
    y: its await-iterator, z: one that holds a duck) or a duck, an awaitable class. Or directly (d), but with
    nothrow() or as_outcome() in C++, which also the others may have; in Python `how` makes no difference."""

    number: int
    awaited: int | Target
    via: str
    how: str

    def python(self) -> str:
        what = f"new(f{self.awaited}, near)" if isinstance(self.awaited, int) else self.awaited.python()
        return f"got({self.number}, await {VIA.get(self.via, 'checked')}({what}))"

    def text(self) -> str:
        if isinstance(self.awaited, int):
            return f"C {self.number} {self.via} {self.how} {self.awaited}"
        return f"B {self.number} {self.via} {self.how} {self.awaited.text()}"


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
    """Raises E1 or E2 perhaps from a cause: `handled` is the exception that is being handled, else a class."""

    error: str
    payload: int
    cause: str = ""
    cause_payload: int = 0

    def python(self) -> str:
        cause = "handled()" if self.cause == "handled" else exception(self.cause, self.cause_payload)
        return f"raise {exception(self.error, self.payload)}" + (f" from {cause}" if self.cause else "")

    def text(self) -> str:
        cause = "h" if self.cause == "handled" else f"{self.cause} {self.cause_payload}" if self.cause else "-"
        return f"e {self.error} {self.payload} {cause}"


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
class Guarded(Statement):
    """A block with a local variable whose destructor leaves a trace."""

    number: int
    body: Block

    def lines(self, indent: str) -> Iterator[str]:
        yield f"{indent}try:"
        yield from block_lines(self.body, indent + "    ")
        yield f"{indent}finally:"
        yield f"{indent}    died({self.number})"

    def text(self) -> str:
        return f"G {self.number} {block_text(self.body)}"

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
    """`variables` holds the function of each coroutine variable at the start. The form: c, a coroutine; x, one in an
    any_coroutine in C++; g, a generator-based one; p, a plain one, which neither yields nor awaits what does, and has
    no Yield type in C++. Returns 1000 + its index when it reaches its end."""

    body: Block
    variables: list[int] = field(default_factory=list)
    form: str = "c"

    def python(self, index: int) -> Iterator[str]:
        if self.form == "g":
            yield "@types.coroutine"
        yield f"{'def' if self.form == 'g' else 'async def'} f{index}(near):"
        if self.variables:
            yield f"    v = [None] * {len(self.variables)}"
            yield from (f"    {New(i, f).python()}" for i, f in enumerate(self.variables))
        lines = block_lines(self.body, "    ", empty=False)
        yield from map(of_generator, lines) if self.form == "g" else lines
        if self.form == "g":
            yield "    yield from ()"  # so that it is one
        yield f"    return {1000 + index}"


def of_generator(line: str) -> str:
    """A line of a coroutine as it is in a generator."""
    line = re.sub(r"await y\((\d+)\)", r"(yield \1)", line)
    return re.sub(r"await (.*)\)$", r"(yield from \1))", line)


def callees(function: Function) -> Iterator[int]:
    yield from function.variables
    blocks = [function.body]
    while blocks:
        for statement in blocks.pop():
            if isinstance(statement, AwaitCall | New):
                yield statement.function
            elif isinstance(statement, Cross) and isinstance(statement.awaited, int):
                yield statement.awaited
            else:
                blocks.extend(statement.blocks())


@dataclass(slots=True)
class Program:
    """`mode` chooses between forms that must not differ: 0 send, throw_(E&&) and close, 1 the try_ forms, 2 send,
    throw_(exception_ptr) and close of the await-iterator; with 4 added, what leaves a function is raised by with_error.
    In a `dying` one coroutines that die suspended are compared, too."""

    functions: list[Function]
    operations: list[Operation]
    shared: list[int]
    mode: int
    dying: bool = False

    def python(self) -> str:
        """The functions, as they run in CPython."""
        out: list[str] = []
        for index in sorted(self.reachable()):
            out.extend(self.functions[index].python(index))
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
            out.append(f"{function.form} {len(function.variables)} {variables} {block_text(function.body)}")
        out.append(f"{len(self.shared)} {' '.join(map(str, self.shared))}")
        out.append(f"{len(self.operations)} {' '.join(f'{op.on} {op.text()}' for op in self.operations)}")
        return " ".join(" ".join(out).split())

    def listing(self) -> str:
        """All of it as Python source for a reader."""
        out = [self.python(), "", "root = f0"]
        out.extend(f"g[{index}] = f{function}" for index, function in enumerate(self.shared))
        for op in self.operations:
            name = "root" if op.on < 0 else f"g[{op.on}]"
            out.append(f"{name} = None" if op.verb == "let go" else f"drive({name}, {op.python()})")
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
# What a program of the kind `crossing` has beside that, and what one of the kind `dying` has.
CROSSING = {"cross": 20.0, "cross variable": 9.0, "cross shared": 9.0, "cross running": 1.0, "call": 8.0, "await": 7.0}
DYING = {"yield": 28.0, "cross": 18.0, "call": 12.0, "guard": 26.0, "mark": 3.0, "loop": 3.0}
DYING_QUIETLY = {"drive": 16.0, "new": 3.0, "swap": 2.0}  # no errors, but variables
DYING_LOUDLY = {"try": 14.0, "raise": 6.0, "reraise": 4.0}
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

    def __init__(self, rng: random.Random, mode: int, kind: str = "mixed") -> None:
        self.random = rng.random
        self.mode = mode
        self.crossing = kind == "crossing"
        self.dying = kind == "dying"
        self.quiet = False  # a dying program without errors
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

    def form(self) -> str:
        return self.pick({"c": 5, "g": 4, "x": 2}) if self.crossing or self.dying else "c"

    def cross(self, awaited: int | Target, in_generator: bool, in_try: bool) -> Cross:
        via = self.pick({"d": 6, "x": 3, "y": 1.5, "z": 1.5, "7": 2, **dict.fromkeys(DUCKS[:-1], 0.6)})
        if self.dying and via in DUCKS:
            via = str(int(via) | 1)  # an AttributeError would refer to the object that lacks send(value)
        how = "p" if in_generator else self.pick({"p": 2, "o": 1} if in_try else {"p": 2, "o": 1, "n": 2})
        return Cross(self.number(), awaited, via, how)

    def a_raise(self, errors: dict[str, float], in_handler: bool) -> Raise:
        error = self.pick(errors)
        if error not in ("E1", "E2") or self.chance(0.7):
            return Raise(error, self.number())
        cause = "handled" if in_handler and self.chance(0.7) else self.pick({"E1": 1, "E2": 1})
        return Raise(error, self.number(), cause, self.number())

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
        functions = [self.level(index, index == levels - 1, self.form()) for index in range(levels)]
        return Program(functions, self.operations(), [], self.mode)

    def level(self, index: int, leaf: bool, form: str) -> Function:
        inner: Block = []
        if leaf:
            inner.extend(self.a_yield() for _ in range(1 + self.below(3)))
        else:
            if self.chance(0.15):
                inner.append(self.a_yield())
            at = self.random()
            awaits: Statement = AwaitCall(self.number(), index + 1, kept=at < 0.2, through=at > 0.85)
            if self.crossing and at > 0.2:
                awaits = self.cross(index + 1, form == "g", in_try=True)
            inner.append(awaits)
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
        if body is inner and not leaf and form != "g" and self.chance(0.4):
            for statement in inner:
                if isinstance(statement, Cross):
                    statement.how = "n"
        return Function(body, form=form)

    def reaction(self, in_handler: bool) -> Block:
        """What a small handler does: return, raise, yield (more than once, and then one of the others), or go on."""
        block: Block = []
        while self.chance(0.3) and len(block) < 2:
            block.append(self.a_yield())
        at = self.random()
        if at < 0.3:
            block.append(Return(self.number()))
        elif at < 0.5:
            block.append(self.a_raise(dict.fromkeys(ERRORS, 1.0), in_handler))
        elif at < 0.65 and in_handler:
            block.append(Reraise())
        return block

    def a_yield(self) -> Yield:
        return Yield(self.number(), self.number())

    # ---- mixed ----

    def mixed(self, shared: bool = False) -> Program:
        """Through an any_coroutine or a duck that refers to a variable, what is awaited is whatever is there; so in a
        crossing program, variables keep what they have."""
        count = 2 + self.below(3)
        plain = 1 + self.below(2) if self.chance(0.15) else 0
        self.shared = 1 + self.below(2) if shared else 0
        # If so, variables change their coroutines, and nobody awaits the ancestor.
        moving = self.chance(0.4) and not self.crossing
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

    # ---- dying ----

    def dying_program(self) -> Program:
        """In the end the driver lets go of the root. What a coroutine does then is only the order of destructors, so
        nothing catches a GeneratorExit. Where errors occur there are no variables, since in CPython a traceback keeps
        them alive."""
        self.quiet = self.chance(0.5)
        count = 2 + self.below(3)
        for index in reversed(range(count)):
            body = Body(self, index, count, count, moving=True)
            self.functions[index] = body.function
            self.costs[index] = body.spent
        if self.quiet:
            values = [self.number() if i and self.chance(0.3) else None for i in range(self.below(6))]
            operations = [Operation("send", value) for value in values]
        else:
            operations = self.operations()[:7]
        functions = [self.functions[index] for index in range(count)]
        return Program(functions, [*operations, Operation("let go")], [], self.mode, dying=True)


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
        self.plain = index >= count
        self.function = Function([], form="p" if self.plain else maker.form())
        self.in_generator = self.function.form == "g"
        self.trying = 0
        if self.in_generator:
            self.plain_callable = range(0)
        if self.callable and not self.plain and not (maker.dying and not maker.quiet):
            wanted = maker.below(3) if index else maker.below(2) + maker.below(2)
            for _ in range(wanted):
                callee = self.callee(self.callable)
                if callee is not None:
                    self.function.variables.append(callee)
        self.weights = self.weigh()
        self.function.body = self.block(0, in_handler=False, in_loop=False)

    def weigh(self) -> dict[str, float]:
        weights = dict(STATEMENTS)
        if self.maker.dying:
            weights = {**DYING, **(DYING_QUIETLY if self.maker.quiet else DYING_LOUDLY)}
        elif self.maker.crossing:
            weights.update(CROSSING)
            del weights["drop shared"]
        if self.plain:
            weights = {name: weight for name, weight in weights.items() if name not in ("yield", "await running")}
            weights["mark"] = 20
            weights["raise"] = 15
        unusable: set[str] = set()
        if self.plain or not self.callable:
            unusable |= {"call", "keep", "cross"}
        variables = len(self.function.variables)
        if not variables:
            unusable |= {"await", "through", "drive", "cross variable"}
        if not variables or not self.moving:
            unusable.add("new")
        if variables < 2 or not self.moving:
            unusable.add("swap")
        if not self.plain_callable:
            unusable.add("plain")
        if not self.maker.shared or self.plain:
            unusable |= {"await shared", "drive shared", "cross shared"}
        if not self.maker.shared:
            unusable.add("drop shared")
        if self.plain:
            unusable.add("cross running")
        return {name: weight for name, weight in weights.items() if name not in unusable}

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
        if not depth and "try" in self.weights and maker.chance(0.3 if maker.crossing or maker.dying else 0.6):
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
            if what == "guard":
                if depth < 3:
                    block.append(Guarded(maker.number(), self.block(depth + 1, in_handler, in_loop)))
                continue
            statement = self.simple(what, depth, in_handler, in_loop)
            if statement is None:
                continue
            block.append(statement)
            if isinstance(statement, Return | Raise | Reraise | Break | Continue):
                break
        return block

    def a_try(self, depth: int, in_handler: bool, in_loop: bool) -> Try:
        self.trying += 1
        made = self.try_statement(depth, in_handler, in_loop)
        self.trying -= 1
        return made

    def try_statement(self, depth: int, in_handler: bool, in_loop: bool) -> Try:
        maker = self.maker
        body = self.block(depth + 1, in_handler, in_loop)
        handlers: list[Handler] = []
        wanted = 1 + maker.below(2) if maker.chance(0.75) else 0
        for _ in range(wanted):
            catches = maker.pick({"E1": 2, "E2": 1} if maker.dying else CATCHES)
            handlers.append(Handler(catches, maker.number(), self.block(depth + 1, True, in_loop)))
        final = None
        if maker.dying and not handlers:
            handlers.append(Handler("E1", maker.number(), []))
        if not maker.dying and (not handlers or maker.chance(0.2)):
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
            case "cross":
                callee = self.callee(self.callable)
                return None if callee is None else maker.cross(callee, self.in_generator, self.trying > 0)
            case "cross variable":
                return maker.cross(self.variable(), self.in_generator, self.trying > 0)
            case "cross shared":
                return maker.cross(self.a_shared(), self.in_generator, self.trying > 0)
            case "cross running":
                return maker.cross(self.ancestor(), self.in_generator, self.trying > 0)
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
                errors = {"E1": 4.0, "E2": 2.0}
                if not maker.dying:
                    errors |= {"GeneratorExit": 2.0, "GX": 1.0}
                return maker.a_raise(errors, in_handler)
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
        if self.maker.dying:
            return Drive(self.maker.number(), target, Operation("send"), reraise=False)
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


KINDS = ("mixed", "chains", "shared", "crossing", "dying")


def make(kind: str, seed: str, index: int) -> Program:
    """The program with this index; equal arguments give an equal program in every process and Python version."""
    mode = index % 2 or index % 4
    if kind in ("crossing", "dying") and index // 4 % 2:
        mode += 4
    maker = Maker(random.Random(f"{seed}/{kind}/{index}"), mode, kind)
    match kind:
        case "chains":
            return maker.chain()
        case "mixed":
            return maker.mixed()
        case "shared":
            return maker.mixed(shared=True)
        case "crossing":
            return maker.chain() if index % 3 == 0 else maker.mixed(shared=index % 3 == 1)
        case "dying":
            return maker.dying_program()
        case _:
            raise ValueError(kind)
