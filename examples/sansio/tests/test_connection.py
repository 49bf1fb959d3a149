"""The module as its users see it: events, sending, errors, and awaiting a stream."""

import asyncio
import gc
import weakref

import pytest
import sansio_http as http

POST = b"POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Two: 1\r\nx-two: 2\r\n\r\nhello"


def server_with(data: bytes) -> http.Connection:
    connection = http.Connection(http.Role.SERVER)
    connection.receive_data(data)
    return connection


def test_events() -> None:
    server = server_with(POST[:-2])
    request = server.next_event()
    assert isinstance(request, http.Request)
    assert (request.method, request.target, request.http_version) == (b"POST", b"/x", b"1.1")
    assert request.headers == [(b"host", b"a"), (b"content-length", b"5"), (b"x-two", b"1"), (b"x-two", b"2")]
    assert [name for name, _ in request.raw_headers] == [b"Host", b"Content-Length", b"X-Two", b"x-two"]
    assert server.next_event() == http.Data(b"hel")
    assert isinstance(server.next_event(), http.NeedData)
    assert isinstance(server.next_event(), http.NeedData)
    server.receive_data(b"l")
    server.receive_data(b"o")
    assert server.next_event() == http.Data(b"lo")
    assert server.next_event() == http.EndOfMessage()
    assert isinstance(server.next_event(), http.NeedData)
    server.receive_data(b"")
    assert isinstance(server.next_event(), http.ConnectionClosed)
    assert isinstance(server.next_event(), http.ConnectionClosed)
    with pytest.raises(http.LocalProtocolError, match="ended before"):
        server.receive_data(b"x")


def test_send() -> None:
    client = http.Connection(http.Role.CLIENT)
    assert client.send(http.Request("PUT", b"/", [("Host", "a"), (b"Transfer-Encoding", b"chunked")])) == (
        b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    assert client.send(http.Data(b"x" * 17)) == b"11\r\n" + b"x" * 17 + b"\r\n"
    assert client.send(http.EndOfMessage([("Sum", "1")])) == b"0\r\nSum: 1\r\n\r\n"
    client.receive_data(b"HTTP/1.1 418 I'm a teapot\r\nContent-Length: 0\r\n\r\n")
    assert client.next_event() == http.Response(418, [("Content-Length", "0")], "I'm a teapot")
    assert client.next_event() == http.EndOfMessage()


def test_objects() -> None:
    request = http.Request("GET", "/", {"Host": "a"}.items())
    assert request == http.Request(b"GET", b"/", [(b"Host", b"a")])
    assert request != http.Request("GET", "/", [("Host", "b")])
    assert request != 1
    assert repr(request) == "<Request GET />"
    assert repr(http.Response(404)) == "<Response 404>"
    assert repr(http.Data(b"abc")) == "<Data: 3 bytes>"
    assert http.Response(100).interim
    with pytest.raises(TypeError, match="unhashable"):
        hash(request)
    for wrong in ([("a",)], [1], 5, [(1, 2)]):
        with pytest.raises((TypeError, RuntimeError)):
            http.Request("GET", "/", wrong)  # type: ignore[arg-type]


def test_errors() -> None:
    server = server_with(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(2):
        with pytest.raises(http.AmbiguousFraming, match="both Transfer-Encoding and Content-Length") as caught:
            server.next_event()
        assert caught.value.status == 400
    assert server.must_close
    assert server.send(http.Response(400)).startswith(b"HTTP/1.1 400 \r\n")
    with pytest.raises(http.LocalProtocolError, match="no response can be sent now"):
        server.send(http.Response(400))
    assert issubclass(http.AmbiguousFraming, http.RemoteProtocolError)
    assert issubclass(http.RemoteProtocolError, http.ProtocolError)
    statuses = {error.__name__: error.status for error in http.RemoteProtocolError.__subclasses__()}
    assert len(statuses) == 14
    assert {name: status for name, status in statuses.items() if status != 400} == {
        "BodyTooLarge": 413,
        "StartLineTooLong": 414,
        "FieldsTooLarge": 431,
        "UnsupportedCoding": 501,
        "UnsupportedVersion": 505,
    }


def test_limits() -> None:
    server = http.Connection(http.Role.SERVER, max_start_line=20, max_header_bytes=100, max_header_count=2, max_body=4)
    server.receive_data(POST[:6])
    assert isinstance(server.next_event(), http.NeedData)
    server.receive_data(POST[6:])
    with pytest.raises(http.FieldsTooLarge):
        server.next_event()


def test_continue_and_switch() -> None:
    server = server_with(
        b"PUT / HTTP/1.1\r\nHost: a\r\nUpgrade: x\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
    )
    server.next_event()
    assert server.waiting_for_continue
    assert not server.sending
    assert server.send(http.Response(100)) == b"HTTP/1.1 100 \r\n\r\n"
    assert not server.waiting_for_continue
    server.receive_data(b"1raw")
    assert server.next_event() == http.Data(b"1")
    assert server.next_event() == http.EndOfMessage()
    assert isinstance(server.next_event(), http.Paused)
    server.send(http.Response(101, [("Upgrade", "x")]))
    assert server.switched
    assert isinstance(server.next_event(), http.Paused)
    assert server.trailing_data == b"raw"


def test_read_awaits_the_stream() -> None:
    async def main() -> list[object]:
        reader = asyncio.StreamReader()
        server = http.Connection(http.Role.SERVER)

        async def feed() -> None:
            for byte in POST:
                reader.feed_data(bytes([byte]))
                await asyncio.sleep(0)
            reader.feed_eof()

        feeding = asyncio.create_task(feed())
        events: list[object] = []
        while not isinstance(event := await server.read(reader), http.ConnectionClosed):
            events.append(event)
        await feeding
        return events

    request, *data, end = asyncio.run(main())
    assert isinstance(request, http.Request)
    assert b"".join(piece.data for piece in data if isinstance(piece, http.Data)) == b"hello"
    assert end == http.EndOfMessage()


def test_read_raises() -> None:
    async def main(data: bytes) -> None:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        server = http.Connection(http.Role.SERVER)
        with pytest.raises(http.BadHost):
            await server.read(reader)
        reader.set_exception(ConnectionResetError("gone"))
        with pytest.raises(ConnectionResetError, match="gone"):
            await http.Connection(http.Role.SERVER).read(reader)
        waiting = asyncio.create_task(http.Connection(http.Role.SERVER).read(asyncio.StreamReader()))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(main(b"GET / HTTP/1.1\r\n\r\n"))


def test_objects_are_freed() -> None:
    class Stream(asyncio.StreamReader):
        pass

    async def main() -> weakref.ref[Stream]:
        stream = Stream()
        stream.feed_data(POST)
        await http.Connection(http.Role.SERVER).read(stream)
        return weakref.ref(stream)

    freed = asyncio.run(main())
    gc.collect()
    assert freed() is None
