"""The coroutines that are measured, in Python: interpreted, and as they are compiled by Cython and by mypyc."""

from collections.abc import Awaitable, Callable, Generator


async def immediate_none() -> None:
    """Ends at once."""


async def immediate_value() -> int:
    """Returns at once."""
    return 1000


async def awaits_own(count: int) -> None:
    """Awaits coroutines of its own kind."""
    for _ in range(count):
        await immediate_none()


async def awaits_python(make: Callable[[], Awaitable[object]], count: int) -> None:
    """Awaits what `make` gives."""
    for _ in range(count):
        await make()


async def pass_through(awaitable: Awaitable[object]) -> object:
    """The level between two Python ones."""
    return await awaitable


class Forever:
    """Suspends again and again."""

    def __await__(self) -> Generator[None, None, None]:
        while True:
            yield


async def nested(depth: int) -> None:
    """A chain of `depth` levels above what suspends."""
    if depth <= 1:
        await Forever()
    else:
        await nested(depth - 1)
