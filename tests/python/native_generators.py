"""The functions of raw_generators.cpp as CPython's own generators, name by name: the oracle of the tests."""

import types
from collections.abc import Generator
from typing import Any

Step = tuple[str, Any, Any]


def count(limit: int) -> Generator[int, None, None]:
    yield from range(limit)


def yields(objects: list[Any]) -> Generator[Any, Any, list[Any]]:
    sent = []
    for item in objects:
        sent.append((yield item))
    return sent


def delegates(objects: list[Any]) -> Generator[Any, Any, list[Any]]:
    return (yield from yields(objects))


def guarded(objects: list[Any], log: list[str]) -> Generator[Any, Any, list[Any]]:
    try:
        try:
            return (yield from yields(objects))
        finally:
            log.append("inner guard")
    finally:
        log.append("outer guard")


kept: list[Any] = []
"""What a script yields from, if it closes late: destroying a C++ generator throws nothing into it (12.1)."""


def script(steps: list[Step]) -> Generator[Any, Any, Any]:
    last: Any = None
    for kind, operand, caught in steps:
        try:
            match kind:
                case "yield":
                    last = yield operand
                case "from":
                    kept.append(script(operand))
                    last = yield from kept[-1]
                case "call":
                    last = operand(last)
                case "raise":
                    raise operand
                case _:
                    return operand
        except BaseException as e:
            if caught is None or not isinstance(e, caught):
                raise
            last = e
    return None


def pass_through_script(steps: list[Step]) -> Generator[Any, Any, Any]:
    kept.append(script(steps))
    return (yield from kept[-1])


@types.coroutine
def yields_as_coroutine(objects: list[Any]) -> Generator[Any, Any, list[Any]]:
    return (yield from yields(objects))
