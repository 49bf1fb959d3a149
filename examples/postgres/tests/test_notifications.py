"""LISTEN and NOTIFY."""

from collections.abc import AsyncIterator

import isthmus_postgres
import pytest
from support import Loop, until_active


def test_notifications(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, isthmus_postgres.connect(dsn) as other:
            received = []
            async with db.listen("news", 'a "quoted" näme') as notifications:
                assert isinstance(notifications, AsyncIterator)
                assert aiter(notifications) is notifications
                for number in range(3):
                    await other.fetch("SELECT pg_notify('news', $1)", str(number))
                await other.execute("""NOTIFY "a ""quoted"" näme" """)
                await other.execute("NOTIFY elsewhere")
                async for notification in notifications:
                    received.append((notification.channel, notification.payload, notification.pid))
                    if len(received) == 4:
                        break
            news = [("news", str(number), other.pid) for number in range(3)]
            assert received == [*news, ('a "quoted" näme', "", other.pid)]
            assert repr(notification) == "Notification(channel='a \"quoted\" näme', payload='')"

    loop.run(main)


def test_waiting_and_using_the_connection(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, isthmus_postgres.connect(dsn) as other:
            payloads: list[str] = []
            notifications = await db.listen("channel").__aenter__()

            async def listen() -> None:
                async for notification in notifications:
                    payloads.append(notification.payload)
                    if notification.payload == "end":
                        return

            async with loop.started(listen) as listening:
                await loop.sleep(0.02)
                await other.execute("NOTIFY channel, 'while it only waits'")
                async with loop.timeout(20):
                    while payloads != ["while it only waits"]:
                        await loop.sleep(0.005)
                async with loop.started(lambda: db.fetchval("SELECT pg_sleep(0.1)::text")) as sleeping:
                    await until_active(loop, db, other)
                    await other.execute("NOTIFY channel, 'during a command'")
                    await sleeping.finish()
                await db.execute("NOTIFY channel, 'of its own'")
                for number in range(200):
                    await db.fetch("SELECT pg_notify('channel', $1)", str(number))
                    await other.fetch("SELECT pg_notify('channel', $1)", str(-number))
                await other.execute("NOTIFY channel, 'end'")
                await listening.finish()
            assert payloads[:3] == ["while it only waits", "during a command", "of its own"]
            assert [p for p in payloads[3:-1] if not p.startswith("-") and p != "0"] == [str(n) for n in range(1, 200)]
            assert len(payloads) == 404

    loop.run(main)


def test_several_listeners(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db, isthmus_postgres.connect(dsn) as other:
            async with db.listen("a") as a, db.listen("a", "b") as both:

                async def notify() -> None:
                    await loop.sleep(0.02)
                    await other.execute("NOTIFY a, 'x'")
                    await other.execute("NOTIFY b, 'y'")

                async def listen(notifications: isthmus_postgres.Notifications) -> str:
                    return (await anext(notifications)).payload

                first = await loop.gather(
                    lambda: listen(a), lambda: listen(both), lambda: db.fetchval("SELECT 'z'"), notify
                )
                assert first == ["x", "x", "z", None]
                assert await listen(both) == "y"
                await a.aclose()
                await other.execute("NOTIFY a, 'for the other one'")  # which still has it
                assert await listen(both) == "for the other one"
            assert await db.fetch("SELECT pg_listening_channels()") == []

    loop.run(main)


async def is_listening(db: isthmus_postgres.Connection) -> bool:
    try:
        return await db.fetch("SELECT pg_listening_channels()") != []
    except isthmus_postgres.InterfaceError:  # it executes the LISTEN
        return False


def test_the_end(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        async with isthmus_postgres.connect(dsn) as db:
            with pytest.raises(isthmus_postgres.InterfaceError, match="no channel"):
                db.listen()
            notifications = db.listen("channel")
            begun = []

            async def listen() -> object:
                begun.append(True)
                return await anext(notifications)

            async with loop.started(listen) as listening:
                while not begun:  # trio starts tasks in any order
                    await loop.sleep(0)
                with pytest.raises(isthmus_postgres.InterfaceError, match="another task"):  # which begins to listen
                    await anext(notifications)
                async with loop.timeout(20):
                    while not await is_listening(db):
                        await loop.sleep(0.005)
                await loop.sleep(0.02)
                with pytest.raises(isthmus_postgres.InterfaceError, match="another task"):  # which waits
                    await anext(notifications)
                await notifications.aclose()
                await notifications.aclose()
                with pytest.raises(StopAsyncIteration):
                    await listening.finish()
            for _ in range(2):
                with pytest.raises(StopAsyncIteration):
                    await anext(notifications)
            assert await db.fetch("SELECT pg_listening_channels()") == []
            del listening

            for kept in (db.listen("channel"), db.listen("channel")):  # left early, and dropped
                await kept.__aenter__()
                await db.execute("NOTIFY channel; NOTIFY channel, 'unread'")
                async for _ in kept:
                    break
                del kept
            await db.execute("NOTIFY channel")
            assert await db.fetchval("SELECT 1") == 1

    loop.run(main)


def test_the_connection_breaks(loop: Loop, dsn: str) -> None:
    async def main() -> None:
        db = await isthmus_postgres.connect(dsn)
        async with isthmus_postgres.connect(dsn) as other:
            notifications = db.listen("channel")
            await notifications.__aenter__()
            async with loop.started(lambda: anext(notifications)) as listening:
                await loop.sleep(0.02)
                await other.execute(f"SELECT pg_terminate_backend({db.pid})")
                with pytest.raises(isthmus_postgres.ConnectionLost, match="administrator command"):
                    await listening.finish()
            assert not db.is_open
            await notifications.aclose()

    loop.run(main)
