"""The fixtures of these tests."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import isthmus_postgres
import pytest
from support import Asyncio, Loop, Trio, Uvloop

sys.path.insert(0, str(Path(__file__).parent.parent))
from server import Server


@pytest.fixture(params=[Asyncio, Uvloop, Trio])
def loop(request: pytest.FixtureRequest) -> Loop:
    made: Loop = request.param()
    return made


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with Server() as running:
        for loop in (Asyncio(), Uvloop(), Trio()):  # some keep descriptors from their first use on
            loop.run(loop.nothing)
        yield running


@pytest.fixture
def dsn(server: Server) -> Iterator[str]:
    """Of the server, whose database is empty before and after."""
    yield server.dsn

    async def clear() -> None:
        async with isthmus_postgres.connect(server.dsn) as db:
            await db.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
            await db.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")

    Asyncio().run(clear)


@pytest.fixture(autouse=True)
def no_descriptor_is_left(server: Server) -> Iterator[None]:
    gc.collect()
    before = len(os.listdir("/proc/self/fd"))
    yield
    gc.collect()
    assert len(os.listdir("/proc/self/fd")) <= before
