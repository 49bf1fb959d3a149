"""Makes a failing program smaller while it still fails: removes what a driver does, statements and handlers."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from program import Await, AwaitCall, Block, Cross, Drive, Function, Guarded, Loop, Program, Raise, Target, Try


def shrink(program: Program, fails: Callable[[Program], bool], seconds: float = 60) -> Program:
    """The smallest program found in that time; no single edit of it fails, if there was time to try them all."""
    deadline = time.monotonic() + seconds
    smaller = True
    while smaller:
        smaller = False
        at = 0
        while time.monotonic() < deadline:
            edited = edit(program, at)
            if edited is None:
                break
            if fails(edited):
                program = edited  # and what follows has moved here
                smaller = True
            else:
                at += 1
    return program


def edit(program: Program, number: int) -> Program | None:
    """The program after the edit with this number, None if there are no more. Edits of a kind are in order, so after
    one was applied the same number is the next one."""
    for index, candidate in enumerate(edits(program)):
        if index == number:
            return candidate()
    return None


def edits(program: Program) -> Iterator[Callable[[], Program]]:
    operations = program.operations
    size = len(operations) // 2
    while size:
        for start in range(0, len(operations), size):
            yield partial(replace, program, operations=operations[:start] + operations[start + size :])
        size //= 2
    if program.mode:
        yield partial(replace, program, mode=0)
    for index, function in enumerate(program.functions):
        if function.form in "gx":
            yield partial(with_form_c, program, index)
    for index, operation in enumerate(operations):
        if operation.verb == "send" and operation.value is not None:
            plain = replace(operation, value=None)
            yield partial(replace, program, operations=[*operations[:index], plain, *operations[index + 1 :]])
    for where, block in enumerate(blocks_of(program)):
        for at in range(len(block)):
            for change in changes(block, at):
                yield partial(changed, program, where, change)
    for index, function in enumerate(program.functions):
        if len(function.variables) > highest_variable(function) + 1:
            yield partial(without_variable, program, index)


def blocks_of(program: Program) -> list[Block]:
    """Every block, always in the same order."""
    reachable = program.reachable()
    found: list[Block] = []
    for index, function in enumerate(program.functions):
        if index in reachable:
            found.extend(nested(function.body))
    return found


def nested(block: Block) -> Iterator[Block]:
    yield block
    for statement in block:
        for inner in statement.blocks():
            yield from nested(inner)


Change = Callable[[Block], None]


def changes(block: Block, at: int) -> Iterator[Change]:
    """What can be done to one statement, as functions of (a copy of) its block."""
    statement = block[at]

    def delete(b: Block) -> None:
        del b[at]

    yield delete
    if isinstance(statement, Loop | Guarded | Try):

        def hoist(b: Block) -> None:
            s = b[at]
            assert isinstance(s, Loop | Guarded | Try)
            b[at : at + 1] = s.body

        yield hoist
    if isinstance(statement, Try):
        for index in range(len(statement.handlers)):
            if len(statement.handlers) > 1 or statement.final is not None:

                def drop(b: Block, index: int = index) -> None:
                    s = b[at]
                    assert isinstance(s, Try)
                    del s.handlers[index]

                yield drop
        if statement.handlers and statement.final is not None:

            def drop_final(b: Block) -> None:
                s = b[at]
                assert isinstance(s, Try)
                s.final = None

            yield drop_final
    for name, simple in (("how", "p"), ("via", "d")):
        if isinstance(statement, Cross) and getattr(statement, name) != simple:

            def plain(b: Block, name: str = name, simple: str = simple) -> None:
                setattr(b[at], name, simple)

            yield plain
    if isinstance(statement, Raise) and statement.cause:

        def without_cause(b: Block) -> None:
            s = b[at]
            assert isinstance(s, Raise)
            s.cause = ""

        yield without_cause
    for name in ("kept", "through", "reraise"):
        if isinstance(statement, AwaitCall | Await | Drive) and getattr(statement, name, False):

            def simplify(b: Block, name: str = name) -> None:
                setattr(b[at], name, False)

            yield simplify


def changed(program: Program, where: int, change: Change) -> Program:
    result = copy.deepcopy(program)
    change(blocks_of(result)[where])
    return result


def with_form_c(program: Program, index: int) -> Program:
    result = copy.deepcopy(program)
    result.functions[index].form = "c"
    return result


def highest_variable(function: Function) -> int:
    highest = -1
    for block in nested(function.body):
        for statement in block:
            target = statement.awaited if isinstance(statement, Cross) else getattr(statement, "target", None)
            if isinstance(target, Target) and target.kind == "v":
                highest = max(highest, target.index)
            elif variables := [getattr(statement, name, -1) for name in ("variable", "first", "second")]:
                highest = max(highest, *variables)
    return highest


def without_variable(program: Program, index: int) -> Program:
    result = copy.deepcopy(program)
    result.functions[index].variables.pop()
    return result
