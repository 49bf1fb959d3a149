"""What the program runs: a server whose requests Python answers, on Asio's thread, and clients under asyncio."""

import asyncio
import threading

import host

ASIO_THREAD = threading.get_ident()


async def answer(connection: host.Connection) -> None:
    """On Asio's thread, for each connection; no asyncio is there."""
    assert threading.get_ident() == ASIO_THREAD
    while (line := await connection.read_line()) is not None:
        await host.sleep(0.001)
        await connection.write_line(line.upper())


async def ask(port: int, *lines: str) -> list[str]:
    """Under asyncio, with its streams."""
    assert threading.get_ident() != ASIO_THREAD
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    answers = []
    for line in lines:
        writer.write(f"{line}\n".encode())
        answers.append((await reader.readline()).decode().strip())
    writer.close()
    return answers


async def ask_several(port: int) -> list[list[str]]:
    """Under asyncio, which also awaits what is C++."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(ask(port, f"client {n}", "bye")) for n in range(3)]
        connection = await host.connect(port)
        await connection.write_line("from C++")
        print(await connection.read_line())
    return [task.result() for task in tasks]


async def main() -> str:
    port = host.serve(answer)
    connection = await host.connect(port)
    await connection.write_line("hello")
    print(await connection.read_line())
    for answers in await host.in_asyncio(ask_several(port)):
        print(", ".join(answers))
    return "the end"
