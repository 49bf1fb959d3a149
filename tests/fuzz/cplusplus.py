"""Writes a random program as C++ source: coroutines on the public API, with a main() that drives them.

    g++ -std=c++20 -I include -I tests/fuzz program.cpp && ./a.out

C++ cannot suspend in a catch block, so a handler runs after it, and so does a `finally` block; what the `try` statement
ended in waits in a variable meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from program import (
    Await,
    AwaitCall,
    Block,
    Break,
    Continue,
    Cross,
    Drive,
    Drop,
    Function,
    Guarded,
    Loop,
    Mark,
    New,
    Operation,
    Program,
    Raise,
    Reraise,
    Return,
    State,
    Statement,
    Swap,
    Target,
    Try,
    Yield,
)

KINDS = {
    "E1": "kind::e1",
    "E2": "kind::e2",
    "GeneratorExit": "kind::exit",
    "GX": "kind::derived_exit",
    "RuntimeError": "kind::runtime",
    "ValueError": "kind::value",
    "Exception": "kind::exception",
    "BaseException": "kind::base",
}
TYPES = {"c": "chain", "x": "chain", "g": "plain_generator", "p": "plain_chain"}


@dataclass(frozen=True)
class Region:
    """A part of a loop or of a `try` statement, around the statement at hand."""

    part: str  # loop, body, handler or final
    number: int = 0  # of the `try` statement
    has_final: bool = False


def operation(op: Operation) -> str:
    match op.verb:
        case "send":
            return f"send_value({'' if op.value is None else op.value})"
        case "throw":
            return f"throw_error({KINDS[op.error]}, {op.value or 0})"
        case _:
            return "close_it()"


class Writer:
    """Writes one program."""

    def __init__(self, program: Program, value_of_close: bool) -> None:
        self.program = program
        self.value_of_close = value_of_close
        self.tries = 0
        self.function = Function([])

    def source(self) -> str:
        used = sorted(self.program.reachable())
        out = ['#include "listing.hpp"', "", "using namespace fuzz;", ""]
        signatures = {i: f"{TYPES[self.program.functions[i].form]} f{i}([[maybe_unused]] thing* near)" for i in used}
        out.extend(f"{signature};" for signature in signatures.values())
        for index in used:
            self.function = self.program.functions[index]
            out += ["", f"{signatures[index]} {{", *self.body(index), "}"]
        out += ["", "int main() {"]
        out.append(f"    how = {{{self.program.mode % 4}, {str(self.value_of_close).lower()}}};")
        out.append(f"    root = {self.make(0, '&root')};")
        out.extend(f"    shared.push_back({self.make(function, '&root')});" for function in self.program.shared)
        for op in self.program.operations:
            on = "root" if op.on < 0 else f"shared.at({op.on})"
            out.append(f"    let_go({on});" if op.verb == "let go" else f"    driver({on}, {operation(op)});")
        return "\n".join([*out, "    close_all();", "}"]) + "\n"

    def body(self, index: int) -> Iterator[str]:
        function = self.function
        if function.variables:
            yield f"    thing v[{len(function.variables)}];"
            yield from (f"    v[{i}] = {self.make(f, f'&v[{i}]')};" for i, f in enumerate(function.variables))
        if self.program.mode >= 4 and function.form != "p":
            yield "    std::exception_ptr error;"
            yield "    try {"
            yield from self.block(function.body, "        ", ())
            yield f"        co_return {1000 + index};"
            yield "    } catch (...) {"
            yield "        error = std::current_exception();"
            yield "    }"
            yield "    co_yield isthmus::with_error(error);"
        else:
            yield from self.block(function.body, "    ", ())
        yield f"    co_return {1000 + index};"

    # ---- what is awaited ----

    def call(self, function: int, near: str) -> str:
        call = f"f{function}({near})"
        if self.program.functions[function].form == "g":
            return f"isthmus::from_generator({call})"
        return f"erased({call})" if self.program.functions[function].form == "x" else call

    def make(self, function: int, near: str) -> str:
        return f"thing({self.call(function, near)})"

    def target(self, target: Target) -> str:
        return {"v": f"v[{target.index}]", "g": f"shared.at({target.index})", "R": "root", "N": "(*near)"}[target.kind]

    def form_of(self, target: Target) -> str:
        """Of what is in a variable; empty if that is only known when the program runs."""
        match target.kind:
            case "v":
                return self.program.functions[self.function.variables[target.index]].form
            case "g":
                return self.program.functions[self.program.shared[target.index]].form
            case "R":
                return self.program.functions[0].form
            case _:
                return ""

    def awaits(self, number: int, operand: str, indent: str, how: str = "p") -> Iterator[str]:
        operand = {"n": f"isthmus::nothrow({operand})", "o": f"isthmus::as_outcome({operand})"}.get(how, operand)
        yield f"{indent}got({number}, co_await {operand});"

    def yields_from(self, number: int, sub: str, indent: str) -> Iterator[str]:
        yield f"{indent}{{"
        yield f"{indent}    auto&& sub = {sub};"
        yield f"{indent}    got({number}, co_yield isthmus::yield_from(sub));"
        yield f"{indent}}}"

    def await_thing(self, number: int, held: str, form: str, iterator: bool, how: str, indent: str) -> Iterator[str]:
        """Awaits, or yields from, what a variable holds."""
        if not form:
            yield f"{indent}if ({held}.as_chain() != nullptr) {{"
            yield from self.await_thing(number, held, "c", iterator, how, indent + "    ")
            yield f"{indent}}} else if ({held}.as_generator() != nullptr) {{"
            yield from self.await_thing(number, held, "g", iterator, how, indent + "    ")
            yield f"{indent}}} else {{"
            yield from self.await_thing(number, held, "x", iterator, how, indent + "    ")
            yield f"{indent}}}"
            return
        got = {"c": f"*{held}.as_chain()", "g": f"*{held}.as_generator()", "x": f"{held}.as_erased()"}[form]
        if self.function.form == "g":
            yield from self.yields_from(number, f"{held}.as_chain()->await()" if form == "c" else got, indent)
        elif iterator and form != "g":
            got = f"{held}.as_chain()->await()" if form == "c" else f"{got}.await()"
            yield from self.awaits(number, got, indent)
        else:
            yield from self.awaits(number, got, indent, how)

    def await_call(self, s: AwaitCall, indent: str) -> Iterator[str]:
        form = self.program.functions[s.function].form
        if s.kept:
            yield f"{indent}thing& kept{s.number} = kept.emplace_back({self.make(s.function, '&root')});"
            yield from self.await_thing(s.number, f"kept{s.number}", form, False, "p", indent)
        elif self.function.form == "g":
            yield f"{indent}{{"
            yield f"{indent}    thing owned = {self.make(s.function, 'near')};"
            yield from self.await_thing(s.number, "owned", form, False, "p", indent + "    ")
            yield f"{indent}}}"
        else:
            iterator = ".await()" if s.through and form != "g" else ""
            yield from self.awaits(s.number, f"{self.call(s.function, 'near')}{iterator}", indent)

    def cross(self, s: Cross, indent: str) -> Iterator[str]:
        new = isinstance(s.awaited, int)
        form = self.program.functions[s.awaited].form if isinstance(s.awaited, int) else self.form_of(s.awaited)
        held = self.make(s.awaited, "near") if isinstance(s.awaited, int) else self.target(s.awaited)
        if self.function.form == "g":
            yield f"{indent}{{"
            indent += "    "
            if new:
                yield f"{indent}thing owned = {held};"
                held = "owned"
            if s.via == "d":
                yield from self.await_thing(s.number, held, form, False, "p", indent)
            else:
                via = {"x": f"erase({held})", "y": f"erase({held})", "z": f"erased(full_duck({held}))"}
                yield from self.yields_from(s.number, via.get(s.via, f"duck<{s.via}>({held})"), indent)
            yield f"{indent[4:]}}}"
        elif s.via == "d":
            if isinstance(s.awaited, int):
                yield from self.awaits(s.number, self.call(s.awaited, "near"), indent, s.how)
            else:
                yield from self.await_thing(s.number, held, form, False, s.how, indent)
        elif s.via in "xyz":
            operands = {"x": f"erase({held})", "y": f"erase({held}).await()", "z": f"erased(full_duck({held}))"}
            yield from self.awaits(s.number, operands[s.via], indent, s.how if s.via == "x" else "p")
        else:
            yield from self.awaits(s.number, f"duck<{s.via}>({held})", indent, s.how if s.via == "7" else "p")

    # ---- statements ----

    def block(self, block: Block, indent: str, around: tuple[Region, ...]) -> Iterator[str]:
        for statement in block:
            yield from self.statement(statement, indent, around)

    def statement(self, s: Statement, indent: str, around: tuple[Region, ...]) -> Iterator[str]:
        inner = indent + "    "
        match s:
            case Mark():
                yield f"{indent}mark({s.number});"
            case Yield():
                yield f"{indent}sent({s.number}, co_yield {s.value});"
            case AwaitCall():
                yield from self.await_call(s, indent)
            case Await():
                held, form = self.target(s.target), self.form_of(s.target)
                yield from self.await_thing(s.number, held, form, s.through, "p", indent)
            case Cross():
                yield from self.cross(s, indent)
            case Drive():
                name = "drive_or_raise" if s.reraise else "drive"
                yield f"{indent}{name}({s.number}, {self.target(s.target)}, {operation(s.operation)});"
            case State():
                yield f"{indent}state({s.number}, {self.target(s.target)});"
            case New():
                yield f"{indent}v[{s.variable}] = {self.make(s.function, f'&v[{s.variable}]')};"
            case Swap():
                yield f"{indent}std::swap(v[{s.first}], v[{s.second}]);"
            case Drop():
                yield f"{indent}shared.at({s.shared}) = thing();"
            case Return():
                yield from self.leave("returned", str(s.value), indent, around)
            case Break():
                yield from self.leave("broken", "", indent, around)
            case Continue():
                yield from self.leave("continued", "", indent, around)
            case Raise():
                cause = ""
                if s.cause == "handled":
                    cause = f", {self.handled(around)}"
                elif s.cause:
                    cause = f", make_error({KINDS[s.cause]}, {s.cause_payload})"
                payload = 0 if s.error == "GeneratorExit" else s.payload
                yield f"{indent}raise({KINDS[s.error]}, {payload}{cause});"
            case Reraise():
                yield f"{indent}std::rethrow_exception({self.handled(around)});"
            case Loop():
                yield f"{indent}for (int i = 0; i < {s.count}; ++i) {{"
                yield from self.block(s.body, inner, (*around, Region("loop")))
                yield f"{indent}}}"
            case Guarded():
                yield f"{indent}{{"
                yield f"{inner}const guard guard{s.number}({s.number});"
                yield from self.block(s.body, inner, around)
                yield f"{indent}}}"
            case Try():
                yield from self.try_statement(s, indent, around)
            case _:
                raise TypeError(s)

    def try_statement(self, s: Try, indent: str, around: tuple[Region, ...]) -> Iterator[str]:
        self.tries += 1
        n, inner = self.tries, indent + "    "
        ending, final = f"end{n}", s.final is not None
        yield f"{indent}{{"
        yield f"{inner}ending {ending};"
        yield from self.caught(s.body, ending, inner, (*around, Region("body", n, final)))
        for i, handler in enumerate(s.handlers):
            yield f"{inner}{'} else ' if i else ''}if ({ending}.caught_by({KINDS[handler.catches]})) {{"
            yield f"{inner}    const raised handled{n} = {ending}.take();"
            yield f"{inner}    caught({handler.number}, handled{n});"
            yield from self.caught(handler.body, ending, inner + "    ", (*around, Region("handler", n, final)))
        if s.handlers:
            yield f"{inner}}}"
        if s.final is not None:
            yield f"{indent}final{n}:"
            yield f'{inner}note("finally", {s.number});'
            yield f"{inner}{{"
            yield from self.block(s.final, inner + "    ", (*around, Region("final", n)))
            yield f"{inner}}}"
        yield f"{inner}{ending}.go_on();"
        for how in self.leaves([s.body, *(h.body for h in s.handlers)]) if final else []:
            yield f"{inner}if ({ending}.how == ending::{how}) {{"
            yield from self.leave(how, f"{ending}.result", inner + "    ", around)
            yield f"{inner}}}"
        yield f"{indent}}}"

    def caught(self, body: Block, ending: str, indent: str, around: tuple[Region, ...]) -> Iterator[str]:
        """A block whose errors `ending` keeps."""
        yield f"{indent}try {{"
        yield from self.block(body, indent + "    ", around)
        yield f"{indent}}} catch (...) {{"
        yield f"{indent}    {ending}.raise();"
        yield f"{indent}}}"

    def leaves(self, blocks: list[Block], loops: bool = True) -> list[str]:
        """How the blocks can be left, beside their end and an error."""
        found: set[str] = set()
        for block in blocks:
            for s in block:
                if isinstance(s, Return):
                    found.add("returned")
                elif isinstance(s, Break | Continue) and loops:
                    found.add("broken" if isinstance(s, Break) else "continued")
                found.update(self.leaves(s.blocks(), loops and not isinstance(s, Loop)))
        return sorted(found)

    def leave(self, how: str, result: str, indent: str, around: tuple[Region, ...]) -> Iterator[str]:
        """return, break or continue: out of what is around, by way of the `finally` blocks."""
        for region in reversed(around):
            if region.has_final:
                yield f"{indent}end{region.number} = {{ending::{how}, {{}}, {result or 0}}};"
                yield f"{indent}goto final{region.number};"
                return
            if region.part == "loop" and how != "returned":
                break
        yield indent + {"returned": f"co_return {result};", "broken": "break;", "continued": "continue;"}[how]

    def handled(self, around: tuple[Region, ...]) -> str:
        """The exception that the innermost handler or `finally` block is dealing with."""
        text = "nullptr"
        for region in around:
            if region.part == "handler":
                text = f"handled{region.number}.error"
            elif region.part == "final":
                error = f"end{region.number}.error.error"
                text = f"({error} ? {error} : {text})"
        return text


def cplusplus(program: Program, value_of_close: bool) -> str:
    return Writer(program, value_of_close).source()
