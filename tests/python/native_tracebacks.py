"""The functions of raw_tracebacks.cpp as native coroutines, name by name and comment by comment."""

from collections.abc import Awaitable, Callable
from typing import Any

from native import once


async def raises(error: BaseException) -> Any:
    raise error  # raised here


async def raises_unthrown(error: BaseException) -> Any:
    raise error  # raised here


async def raises_new() -> Any:
    raise LookupError("new")  # raised here


async def raises_second(awaited: Awaitable[Any]) -> Any:
    await awaited  # first
    raise LookupError("new")  # raised here


async def calls(function: Callable[[], Any]) -> Any:
    return function()  # call


async def passes(awaited: Awaitable[Any]) -> Any:
    return await awaited  # await


async def passes_nothrow(awaited: Awaitable[Any]) -> Any:
    return await awaited  # await


async def passes_outcome(awaited: Awaitable[Any]) -> Any:
    return await awaited  # await


async def yields(item: object) -> Any:
    return await once(item)  # yield


async def never_starts() -> Any:  # first line
    return None


async def plain_raises(error: BaseException) -> Any:
    raise error  # raised here


async def awaits_plain(error: BaseException) -> Any:
    return await plain_raises(error)  # await


async def deep(levels: int, awaited: Awaitable[Any]) -> Any:
    if levels > 1:
        return await deep(levels - 1, awaited)  # deeper
    return await awaited  # await


async def deep_nothrow(levels: int, awaited: Awaitable[Any]) -> Any:
    if levels > 1:
        return await deep_nothrow(levels - 1, awaited)  # deeper
    return await awaited  # await


async def handles(awaited: Awaitable[Any]) -> Any:
    try:
        await awaited  # await
    except BaseException as e:
        return e


async def reraises(awaited: Awaitable[Any]) -> Any:
    try:
        await awaited  # await
    except BaseException:
        raise


async def cleans_up(awaited: Awaitable[Any], cleanup: Awaitable[Any]) -> Any:
    try:
        return await awaited  # await
    finally:
        await cleanup  # cleanup


async def raises_from(awaited: Awaitable[Any]) -> Any:
    try:
        await awaited  # await
    except BaseException as e:
        raise LookupError("new") from e  # raised here


async def retries(make: Callable[[], Awaitable[Any]]) -> Any:
    for _ in range(2):
        try:
            return await make()  # await
        except Exception:
            pass
    return await make()  # last


async def raises_when_closed(awaited: Awaitable[Any]) -> Any:
    try:
        await awaited  # await
    except GeneratorExit:
        raise LookupError("new") from None  # raised here


async def raises_below_when_closed(awaited: Awaitable[Any]) -> Any:
    return await raises_when_closed(awaited)  # outer
