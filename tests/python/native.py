"""The functions of raw_protocol.cpp as native coroutines, name by name: the oracle of the tests."""

from collections.abc import Awaitable
from typing import Any

Step = tuple[str, Any, Any, list[Any]]


class once:
    """Awaiting it yields one object to the driver and gives what the driver sends.

    It has no throw and no close, so what is thrown in is raised at the await, as at a co_yield.
    """

    def __init__(self, item: object) -> None:
        self.items = [item]

    def __await__(self) -> Any:
        return self

    def __iter__(self) -> "once":
        return self

    def __next__(self) -> object:
        return self.send(None)

    def send(self, value: object) -> object:
        if self.items:
            return self.items.pop()
        raise StopIteration(value)


async def value(result: Any) -> Any:
    return result


async def nothing() -> None:
    return


async def pass_through(awaited: Awaitable[Any]) -> Any:
    return await awaited


async def guarded(awaited: Awaitable[Any], log: list[str]) -> Any:
    try:
        try:
            return await awaited
        finally:
            log.append("inner guard")
    finally:
        log.append("outer guard")


async def catch_std_exception(awaited: Awaitable[Any]) -> Any:
    try:
        return await awaited
    except Exception as e:
        text = str(e)
        return f"caught {type(e).__name__}: {text}" if text else f"caught {type(e).__name__}"


async def yields(objects: list[Any]) -> list[Any]:
    sent = []
    for item in objects:  # a comprehension would be a coroutine of its own before 3.12
        sent.append(await once(item))
    return sent


async def deep(levels: int, awaited: Awaitable[Any]) -> Any:
    return await awaited if levels <= 1 else await deep(levels - 1, awaited)


async def deep_guarded(levels: int, awaited: Awaitable[Any], log: list[str]) -> Any:
    try:
        return await awaited if levels <= 1 else await deep_guarded(levels - 1, awaited, log)
    finally:
        log.append(str(levels))


async def plain(levels: int, pauses: int) -> int:
    if levels > 1:
        return await plain(levels - 1, pauses) + 1
    for _ in range(pauses):
        await once(None)
    return 1


async def deep_plain(levels: int, pauses: int) -> int:
    return await plain(levels, pauses)


async def by_reference(awaited: Awaitable[str]) -> str:
    return "got " + await awaited


async def script(steps: list[Step]) -> Any:
    todo = steps[::-1]
    last: Any = None
    while todo:
        kind, operand, caught, handler = todo.pop()
        try:
            match kind:
                case "await":
                    last = await operand
                case "yield":
                    last = await once(operand)
                case "call":
                    last = operand(last)
                case "return":
                    return operand
                case "give":
                    return last
                case "raise":
                    raise operand
                case _:
                    raise last
        except BaseException as e:
            if caught is None or not isinstance(e, caught):
                raise
            last = e
            todo = handler[::-1]
    return None
