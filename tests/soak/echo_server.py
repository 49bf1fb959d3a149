"""The soak test's server: sends back what it receives; it may drop a connection at any time.

Usage: echo_server.py SOCKET.
"""

import asyncio
import contextlib
import pathlib
import random
import sys


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One connection."""
    with contextlib.suppress(OSError):
        while (text := await reader.read(256)) and random.random() > 0.02:
            writer.write(text)
            await writer.drain()
    writer.transport.abort()


async def main(path: pathlib.Path) -> None:
    """Serves until it is killed."""
    server = await asyncio.start_unix_server(serve, path, backlog=4096)
    async with server:
        await server.serve_forever()


address = pathlib.Path(sys.argv[1])
address.unlink(missing_ok=True)
asyncio.run(main(address))
