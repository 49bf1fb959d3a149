"""The same bytes for sansio_http and for h11: the same events, or both refuse. What differs on purpose is listed."""

import re
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import h11
import pytest
import sansio_http as http
from hypothesis import event, given, settings
from hypothesis import strategies as st

Events = list[tuple[Any, ...]]


class Result(NamedTuple):
    events: Events
    refusal: str = ""  # what the error says; empty if all was read


def fields(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The headers, but with the coding in lower case, as h11 writes it; sansio_http leaves it as it was sent."""
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in headers]


def note(events: Events, found: Any) -> bool:
    """Writes an event of either library down in the same form; whether the connection may go on. Of a version after
    HTTP/1.1 sansio_http says that it is 1.1, and h11 what it is.
    """
    match found:
        case http.Request() | h11.Request():
            version = min(bytes(found.http_version), b"1.1")
            events.append(("request", bytes(found.method), bytes(found.target), version, fields(found.headers)))
        case http.Response() | h11.Response() | h11.InformationalResponse():
            version = min(bytes(found.http_version), b"1.1")
            events.append(("response", found.status_code, bytes(found.reason), version, fields(found.headers)))
        case http.Data() | h11.Data() if events[-1][0] == "data":  # where pieces end is not the protocol's matter
            events[-1] = ("data", events[-1][1] + bytes(found.data))
        case http.Data() | h11.Data():
            events.append(("data", bytes(found.data)))
        case http.EndOfMessage() | h11.EndOfMessage():
            events.append(("end", list(found.headers)))
        case http.ConnectionClosed() | h11.ConnectionClosed():
            return False
        case http.Paused() | h11.PAUSED:
            events.append(("switched",))
            return False
    return True


def by_sansio(pieces: Iterable[bytes], method: str | None) -> Result:
    connection = http.Connection(http.Role.CLIENT if method else http.Role.SERVER, max_header_bytes=16384)
    events: Events = []
    feed = iter([*pieces, b""])
    try:
        if method:
            connection.send(http.Request(method, "/", [("Host", "a"), ("Upgrade", "b")]))
            connection.send(http.EndOfMessage())
        while note(events, found := connection.next_event()):
            if isinstance(found, http.NeedData):
                connection.receive_data(next(feed))
            elif isinstance(found, http.EndOfMessage):
                if method:
                    break
                connection.send(http.Response(404))
                connection.send(http.EndOfMessage())
    except http.RemoteProtocolError as error:
        return Result(events, f"{type(error).__name__}: {error}")
    return Result(events)


def by_h11(pieces: Iterable[bytes], method: str | None) -> Result:
    connection = h11.Connection(h11.CLIENT if method else h11.SERVER, max_incomplete_event_size=24576)
    events: Events = []
    feed = iter([*pieces, b""])
    try:
        if method:
            connection.send(h11.Request(method=method, target="/", headers=[("Host", "a"), ("Upgrade", "b")]))
            connection.send(h11.EndOfMessage())
        while True:
            found = connection.next_event()
            if repr(connection.their_state) == "MIGHT_SWITCH_PROTOCOL" and found is h11.PAUSED:
                found = h11.NEED_DATA  # our server goes on when it has answered; so does this one
            if not note(events, found):
                break
            if found is h11.NEED_DATA:
                connection.receive_data(next(feed))
            elif type(found) is h11.EndOfMessage:
                if method:
                    break
                connection.send(h11.Response(status_code=404, headers=[]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is h11.MUST_CLOSE:
                    break
                connection.start_next_cycle()
    except h11.RemoteProtocolError as error:
        return Result(events, str(error))
    return Result(events)


# ---- what differs on purpose ----------------------------------------------------------------------------------------

GET = b"GET / HTTP/1.1\r\nHost: a\r\n"
CHUNKED = GET + b"Transfer-Encoding: chunked\r\n\r\n"


class Difference(NamedTuple):
    """What one refuses and the other accepts: the refusal, as a pattern, and an example."""

    refusal: str
    why: str
    example: bytes
    method: str | None = None

    def explains(self, refusing: Result, accepting: Result) -> bool:
        return re.match(self.refusal, refusing.refusal) is not None and not accepting.refusal


STRICTER = [  # what sansio_http refuses
    Difference("BadLineEnd: ", "a LF alone may end a line for one recipient and not for the next", GET + b"A: 1\n\r\n"),
    Difference("BadField: a folded line", "RFC 9112, 5.2: refuse, or replace the fold", GET + b"A: 1\r\n 2\r\n\r\n"),
    Difference(
        "BadField: a control character", "RFC 9110, 5.5: control characters are invalid", GET + b"A: \x01\r\n\r\n"
    ),
    Difference("BadField: a trailer that may", "RFC 9110, 6.5.1", CHUNKED + b"0\r\nContent-Length: 1\r\n\r\n"),
    Difference(
        "BadHost: Host is no host",
        "RFC 9112, 3.2: an invalid Host must be refused",
        b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    ),
    Difference("BadHost: no Host", "RFC 9112, 3.2, also in a later HTTP/1.x", b"GET / HTTP/1.2\r\n\r\n"),
    Difference("BadStartLine: a status line", "control characters in the reason", b"HTTP/1.1 200 \x01\r\n\r\n", "GET"),
    Difference("UnsupportedVersion: ", "only HTTP/1.x is spoken here", b"GET / HTTP/3.1\r\nHost: a\r\n\r\n"),
    Difference(
        "AmbiguousFraming: both",
        "RFC 9112, 6.3: it might be an attempt at request smuggling",
        GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    Difference(
        "AmbiguousFraming: Transfer-Encoding in HTTP/1.0",
        "RFC 9112, 6.1: the framing is faulty",
        b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    Difference(
        "BadContentLength: .*too large",
        "more than 64 bits",
        b"HTTP/1.1 304 \r\nContent-Length: 99999999999999999999\r\n\r\n",
        "GET",
    ),
    Difference(
        "BadChunk: a chunk without size",
        "control characters in an extension, or more than 64 bits",
        CHUNKED + b"0;\x01\r\n\r\n",
    ),
    Difference(
        "BadChunk: a line is too long",
        "a chunk's size and extensions have a limit of their own",
        CHUNKED + b"0;" + b"x" * 300 + b"\r\n\r\n",
    ),
    Difference(
        "StartLineTooLong: ",
        "the start line has a limit of its own",
        b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    ),
    Difference("FieldsTooLarge: too many fields", "so has their number", GET + b"A: 1\r\n" * 100 + b"\r\n"),
]


MORE_TOLERANT = [  # what h11 refuses
    Difference(
        "(no request line received|illegal request line)$",
        "RFC 9112, 2.2: an empty line before a request is ignored",
        b"\r\n" + GET + b"\r\n",
    ),
    Difference(
        "illegal chunk header", "RFC 9112, 7.1.1: space before an extension's semicolon", CHUNKED + b"0 ;x\r\n\r\n"
    ),
]


def both(pieces: list[bytes], method: str | None) -> tuple[Result, Result]:
    return by_sansio(pieces, method), by_h11(pieces, method)


@pytest.mark.parametrize("difference", STRICTER, ids=lambda difference: difference.refusal)
def test_stricter(difference: Difference) -> None:
    ours, theirs = both([difference.example], difference.method)
    assert difference.explains(ours, theirs)


@pytest.mark.parametrize("difference", MORE_TOLERANT, ids=lambda difference: difference.refusal)
def test_more_tolerant(difference: Difference) -> None:
    ours, theirs = both([difference.example], difference.method)
    assert difference.explains(theirs, ours)


def compare(data: bytes, pieces: list[bytes], method: str | None) -> None:
    ours, theirs = both(pieces, method)
    assert by_sansio([data] if data else [], method) == ours  # however it is split
    if ours.refusal and theirs.refusal:
        event("both refuse")
    elif ours.refusal:
        event("stricter: " + ours.refusal.partition(":")[0])
        assert any(each.explains(ours, theirs) for each in STRICTER), (ours, theirs)
    elif theirs.refusal:
        event("more tolerant")
        assert any(each.explains(theirs, ours) for each in MORE_TOLERANT), (ours, theirs)
    else:
        event("both accept")
        assert ours.events == theirs.events
        return
    shorter, longer = sorted([ours.events, theirs.events], key=len)
    for one, other in zip(shorter, longer, strict=False):  # up to the refusal they agree
        assert one == other or one[0] == other[0] == "data"


# ---- random messages ------------------------------------------------------------------------------------------------

NAMES = ["Host", "host", "A", "X-Long-Name", "Connection", "Expect", "Content-Length", "content-length", "Upgrade"]
NAMES += ["Transfer-Encoding", "Bad Name", "Bad\x00", ""]
VALUES = ["", "a", "1", "5", "5, 5", "5,6", "close", "keep-alive, Close", "chunked", "Chunked", "gzip, chunked", "+5"]
VALUES += ["100-continue", "a b\tc", "\xe9", "x\x01", "x\x7f", "[::1]:80", "18446744073709551616", "[0]/", "005"]
BITS = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b";",
    b"0",
    b"\x00",
    b"\xff",
    b"a",
    b"HTTP/1.1",
    b"\r\n ",
    b"chunked",
    b"g",
]

field = st.tuples(
    st.sampled_from(NAMES), st.sampled_from(["", " ", "\t "]), st.sampled_from(VALUES), st.sampled_from(["", " "])
)
plain_field = st.tuples(
    st.sampled_from(["A", "a", "X-Long-Name", "Connection", "Expect"]),
    st.just(" "),
    st.sampled_from(["a", "1", "x y"]),
    st.just(""),
)

rarely = st.sampled_from([False] * 9 + [True])


def chunked_body(chunks: list[tuple[bytes, str]], trailers: list[tuple[str, ...]]) -> bytes:
    body = b"".join(b"%x%s\r\n%s\r\n" % (len(data), extension.encode(), data) for data, extension in chunks if data)
    return body + b"0\r\n" + section(trailers)


def section(fields: list[tuple[str, ...]]) -> bytes:
    return (
        b"".join(f"{name}:{before}{value}{after}\r\n".encode("latin-1") for name, before, value, after in fields)
        + b"\r\n"
    )


chunks = st.lists(
    st.tuples(st.binary(max_size=20), st.sampled_from(["", ";a", ';a="b"', " ", " ;a", ";\x01"])), max_size=4
)
trailers = st.lists(st.one_of(*[plain_field] * 7, field), max_size=2)


@st.composite
def messages(draw: st.DrawFn, start_lines: list[bytes]) -> bytes:
    start: bytes = draw(st.one_of(*[st.sampled_from(start_lines[:4])] * 5, st.sampled_from(start_lines)))
    lines: list[tuple[str, ...]] = [("Host", " ", "example.org", "")] if not draw(rarely) else []
    lines += draw(st.lists(st.one_of(*[plain_field] * 7, field), max_size=3))
    match draw(st.sampled_from(["none", "length", "chunked", "length", "chunked", "raw"])):
        case "length":
            body = draw(st.binary(max_size=30))
            lines.append(("Content-Length", " ", str(len(body)), ""))
        case "chunked":
            body = chunked_body(draw(chunks), draw(trailers))
            lines.append(("Transfer-Encoding", " ", "chunked", ""))
        case "raw":
            body = draw(st.binary(max_size=10))
        case _:
            body = b""
    return start + b"\r\n" + section(lines) + body


@st.composite
def mutated(draw: st.DrawFn, start_lines: list[bytes]) -> bytes:
    """One to three messages, at times with a few bytes changed."""
    data: bytes = b"".join(draw(st.lists(messages(start_lines), min_size=1, max_size=3)))
    for _ in range(draw(st.sampled_from([0, 0, 0, 1, 1, 2]))):
        at = draw(st.integers(0, len(data)))
        data = data[:at] + draw(st.sampled_from(BITS)) + data[at + draw(st.integers(0, 2)) :]
    return data[: draw(st.integers(0, len(data)))] if draw(rarely) else data


def split(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(data), *(cut % (len(data) + 1) for cut in cuts)})
    return [data[a:b] for a, b in pairwise(places)]


REQUESTS = [
    b"GET / HTTP/1.1",
    b"POST /a?b HTTP/1.1",
    b"HEAD * HTTP/1.1",
    b"M-SEARCH http://a/ HTTP/1.1",
    b"GET / HTTP/1.0",
]
REQUESTS += [
    b"GET /\xe9 HTTP/1.1",
    b"GET  / HTTP/1.1",
    b"GET / HTTP/1.2",
    b"GET / HTTP/2.0",
    b"G@T / HTTP/1.1",
    b"",
    b"GET /",
]
RESPONSES = [
    b"HTTP/1.1 200 OK",
    b"HTTP/1.1 404 Not Found",
    b"HTTP/1.1 100 Continue",
    b"HTTP/1.1 500 ",
    b"HTTP/1.0 200 OK",
]
RESPONSES += [
    b"HTTP/1.1 204 No",
    b"HTTP/1.1 304",
    b"HTTP/1.1 101 Go",
    b"HTTP/1.1 99 x",
    b"HTTP/1.1  200",
    b"HTTP/1.1 999 \xe9",
]
RESPONSES += [b"HTTP/2.0 200 OK", b"HTTP/1.1 099 x", b"", b"HTTP/1.1 200 \x01"]

cuts = st.lists(st.integers(0, 10_000), max_size=8)
thorough: Callable[..., Any] = settings(max_examples=600, deadline=None, derandomize=True)


@thorough
@given(mutated(REQUESTS), cuts)
def test_random_requests(data: bytes, cuts: list[int]) -> None:
    compare(data, split(data, cuts), None)


@thorough
@given(mutated(RESPONSES), cuts, st.sampled_from(["GET", "HEAD", "CONNECT", "POST"]))
def test_random_responses(data: bytes, cuts: list[int], method: str) -> None:
    compare(data, split(data, cuts), method)


CORPUS: list[tuple[bytes, str | None]] = [
    (GET + b"\r\n" + CHUNKED + b"5;x=y\r\nhello\r\n0\r\nA: b\r\n\r\n" + GET + b"Connection: close\r\n\r\n" + GET, None),
    (GET + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc", None),
    (b"GET / HTTP/1.0\r\n\r\nmore", None),
    (b"HTTP/1.1 100 \r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", "GET"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", "HEAD"),
    (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", "GET"),
    (b"HTTP/1.1 101 Go\r\nUpgrade: b\r\n\r\nraw", "GET"),
    (b"HTTP/1.1 200 OK\r\n\r\nraw", "CONNECT"),
]


@pytest.mark.parametrize(("data", "method"), CORPUS)
def test_corpus(data: bytes, method: str | None) -> None:
    """Both accept these, at every split."""
    assert not by_h11([data], method).refusal
    for at in range(len(data)):
        pieces = split(data, [at])
        assert by_sansio(pieces, method) == by_h11(pieces, method)
