"""asynkit, which starts native coroutines at once."""

from collections.abc import Awaitable

import asynkit
import python_coroutines as native


def immediate_none() -> Awaitable[None]:
    """Has run when it is returned."""
    started: Awaitable[None] = asynkit.CoroStart(native.immediate_none())
    return started


def immediate_value() -> Awaitable[int]:
    """Has its value when it is returned."""
    started: Awaitable[int] = asynkit.CoroStart(native.immediate_value())
    return started
