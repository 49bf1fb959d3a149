"""An echo server under asyncio: sends each request's body back, as it comes. Usage: echo.py [PORT]"""

import asyncio
import sys
from asyncio import StreamReader, StreamWriter

import sansio_http as http


async def echo(reader: StreamReader, writer: StreamWriter) -> None:
    connection = http.Connection(http.Role.SERVER)
    try:
        while not isinstance(event := await connection.read(reader), http.ConnectionClosed):
            if isinstance(event, http.Request):
                if connection.waiting_for_continue:
                    writer.write(connection.send(http.Response(100)))
                writer.write(connection.send(http.Response(200)))
            elif isinstance(event, http.Data | http.EndOfMessage):
                writer.write(connection.send(event))
            await writer.drain()
    except http.RemoteProtocolError as error:
        if not connection.sending:
            writer.write(connection.send(http.Response(error.status)))
            writer.write(connection.send(http.EndOfMessage()))
    writer.close()


async def main() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 8080)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
