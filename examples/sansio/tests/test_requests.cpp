// examples/sansio/tests/test_requests.cpp — what a server reads, however the bytes are split.
// SPDX-License-Identifier: MIT

#include "support.hpp"

namespace {

using test::expect_requests;

/// A request with these header lines, each with its line end.
std::string get(const std::string& lines) { return "GET / HTTP/1.1\r\n" + lines + "\r\n"; }
/// A request with a Host, these header lines and this body.
std::string post(const std::string& lines, const std::string& body) {
    return "POST / HTTP/1.1\r\nHost: a\r\n" + lines + "\r\n" + body;
}
/// The same with the chunked coding.
std::string chunked(const std::string& body) { return post("Transfer-Encoding: chunked\r\n", body); }
const std::string posted = "request POST / 1.1 [Host: a]";
const std::string posted_chunked = posted + " [Transfer-Encoding: chunked]";

TEST(Requests, KeepTheOrderAndTheWritingOfFields) {
    expect_requests(
        "GET /a?b=c HTTP/1.1\r\nhOsT: example.org:80\r\nB:  2\t \r\nA:1\r\nB: \r\nC: x \xe9 y\r\n\r\n",
        {"request GET /a?b=c 1.1 [hOsT: example.org:80] [B: 2] [A: 1] [B: ] [C: x \xe9 y]", "end", "closed"});
}

TEST(Requests, MayBePipelined) {
    expect_requests(get("Host: a\r\n") + post("Content-Length: 3\r\n", "abc") + chunked("1\r\nx\r\n0\r\n\r\n") +
                        get("Host: b\r\n"),
                    {"request GET / 1.1 [Host: a]", "end", posted + " [Content-Length: 3]", "data abc", "end",
                     posted_chunked, "data x", "end", "request GET / 1.1 [Host: b]", "end", "closed"});
}

TEST(Requests, AreFollowedByNoneAfterConnectionClose) { // RFC 9112, 9.6
    expect_requests(get("Host: a\r\nConnection: x, Close\r\n") + get("Host: b\r\n"),
                    {"request GET / 1.1 [Host: a] [Connection: x, Close]", "end", "closed"});
    expect_requests("GET / HTTP/1.0\r\n\r\nGET / HTTP/1.0\r\n\r\n", {"request GET / 1.0", "end", "closed"});
}

TEST(Requests, MayHaveOneEmptyLineBefore) { // RFC 9112, 2.2
    expect_requests("\r\n" + get("Host: a\r\n"), {"request GET / 1.1 [Host: a]", "end", "closed"});
    expect_requests("\r\n", {"closed"});
    expect_requests("\r\n\r\n" + get("Host: a\r\n"), {"error bad_start_line"});
    expect_requests("", {"closed"});
}

TEST(Requests, RefuseBadStartLines) {
    for (const char* line :
         {"GET /", "GET", " ", "GET  / HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1", "GET / HTTP/1.",
          "GET / HTTP/11", "GET / http/1.1", "GET / HTTP/1.x", "G@T / HTTP/1.1", "GET /\x7f HTTP/1.1",
          "GET /\xe9 HTTP/1.1", "GET /\r HTTP/1.1", "GET\t/ HTTP/1.1", "\x16\x03\x01"}) {
        SCOPED_TRACE(line);
        expect_requests(std::string(line) + "\r\nHost: a\r\n\r\n", {"error bad_start_line"});
    }
    expect_requests("GET / HTTP/2.0\r\n\r\n", {"error unsupported_version"});
    expect_requests("GET / HTTP/0.9\r\n\r\n", {"error unsupported_version"});
    expect_requests("GET / HTTP/1.7\r\nHost: a\r\n\r\n", {"request GET / 1.1 [Host: a]", "end", "closed"});
}

TEST(Requests, RefuseBareLineFeeds) {
    expect_requests("GET / HTTP/1.1\nHost: a\r\n\r\n", {"error bad_line_end"});
    expect_requests("GET / HTTP/1.1\r\nHost: a\n\r\n", {"error bad_line_end"});
    expect_requests("GET / HTTP/1.1\r\nHost: a\r\n\n", {"error bad_line_end"});
    expect_requests(chunked("1\nx\r\n0\r\n\r\n"), {posted_chunked, "error bad_line_end"});
}

TEST(Requests, RefuseBadFields) { // RFC 9112, 5.1 and 5.2; RFC 9110, 5.5
    for (const std::string line : {"A : 1", "A\t: 1", ": 1", "A", " A: 1", "\tfolded", "A\r: 1", "A: 1\r2", "A: \x01",
                                   "A: \x7f", "A(: 1", "\xe9: 1", "A: 1\v2"}) {
        SCOPED_TRACE(line);
        expect_requests(get("Host: a\r\n" + line + "\r\n"), {"error bad_field"});
    }
    expect_requests(get(std::string("Host: a\r\nA: 1\0002\r\n", 17)), {"error bad_field"});
}

TEST(Requests, HaveOneGoodHost) { // RFC 9112, 3.2
    expect_requests(get(""), {"error bad_host"});
    expect_requests(get("Host: a\r\nhost: a\r\n"), {"error bad_host"});
    expect_requests(get("Host: a b\r\n"), {"error bad_host"});
    expect_requests(get("Host: a@b\r\n"), {"error bad_host"});
    expect_requests(get("Host: a/b\r\n"), {"error bad_host"});
    expect_requests(get("Host: [::1]:80\r\n"), {"request GET / 1.1 [Host: [::1]:80]", "end", "closed"});
    expect_requests(get("Host:\r\n"), {"request GET / 1.1 [Host: ]", "end", "closed"});
}

TEST(Requests, RefuseTransferEncodingBesideContentLength) { // RFC 9112, 6.3
    expect_requests(post("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n", "0\r\n\r\n"),
                    {"error ambiguous_framing"});
    expect_requests(post("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
                    {"error ambiguous_framing"});
    expect_requests("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                    {"error ambiguous_framing"}); // 6.1
}

TEST(Requests, RefuseOtherTransferCodings) { // RFC 9112, 6.1
    for (const std::string coding :
         {"gzip, chunked", "chunked, chunked", "identity", "", "chunked;x", "x\r\nTransfer-Encoding: chunked",
          "chunked\r\nTransfer-Encoding: chunked", "\"chunked\""}) {
        SCOPED_TRACE(coding);
        expect_requests(post("Transfer-Encoding: " + coding + "\r\n", "0\r\n\r\n"), {"error unsupported_coding"});
    }
    expect_requests(post("Transfer-Encoding:\tChunkeD \r\n", "0\r\n\r\n"),
                    {posted + " [Transfer-Encoding: ChunkeD]", "end", "closed"});
}

TEST(Requests, RefuseBadContentLengths) { // RFC 9112, 6.3
    for (const std::string length : {"-1", "+1", "1 ", "0x1", "1,2", "1, 01", "", ",", "1,", "1\r\nContent-Length: 2",
                                     "a", "1.0", "18446744073709551616", "1 1", "1\r\nContent-Length: "}) {
        if (length == "1 ") {
            continue; // the space is not part of the value
        }
        SCOPED_TRACE(length);
        expect_requests(post("Content-Length: " + length + "\r\n", "xx"), {"error bad_content_length"});
    }
    expect_requests(post("Content-Length: 1 \r\n", "x"), {posted + " [Content-Length: 1]", "data x", "end", "closed"});
}

TEST(Headers, AreFoundWithoutCaseAndReplacedInPlace) {
    http::headers fields = {{"A", "1"}, {"b", "2, Three"}, {"a", "3"}, {"C", "4"}};
    EXPECT_EQ(fields.find("a"), "1");
    EXPECT_EQ(fields.count("A"), 2U);
    EXPECT_FALSE(fields.find("D"));
    EXPECT_TRUE(fields.lists("B", "three"));
    EXPECT_FALSE(fields.lists("B", "thre"));
    fields.set("a", "5");
    fields.set("D", "6");
    EXPECT_EQ(fields, (http::headers{{"a", "5"}, {"b", "2, Three"}, {"C", "4"}, {"D", "6"}}));
    fields.remove("B");
    EXPECT_EQ(test::text_of(fields), " [a: 5] [C: 4] [D: 6]");
}

TEST(Requests, KeepOneOfEqualContentLengths) { // RFC 9112, 6.3
    expect_requests(post("Content-Length: 1\r\nA: b\r\nContent-Length: 1 , 1\r\n", "x"),
                    {posted + " [Content-Length: 1] [A: b]", "data x", "end", "closed"});
}

TEST(Requests, HaveChunksAndTrailers) {
    expect_requests(
        chunked("5\r\nhello\r\n00A;name=\"value\"\r\n, chunked!\r\n1 ; x\r\n?\r\n0;last\r\nSum: 1\r\nB: \r\n\r\n"),
        {posted_chunked, "data hello, chunked!?", "end [Sum: 1] [B: ]", "closed"});
}

TEST(Requests, RefuseBadChunks) {
    for (const std::string body :
         {"\r\n", "g\r\n", "-1\r\nx\r\n", "+1\r\nx\r\n", "0x1\r\nx\r\n", "1 1\r\nx\r\n", " 1\r\nx\r\n", "1,\r\nx\r\n",
          "10000000000000000\r\n", "1;\x01\r\nx\r\n", ";a\r\n"}) {
        SCOPED_TRACE(body);
        expect_requests(chunked(body), {posted_chunked, "error bad_chunk"});
    }
    expect_requests(chunked("1\r\nxy\r\n"), {posted_chunked, "data x", "error bad_chunk"});
    expect_requests(chunked("1\r\nx0\r\n\r\n"), {posted_chunked, "data x", "error bad_chunk"});
    expect_requests(chunked("1\r\nx\n0\r\n\r\n"), {posted_chunked, "data x", "error bad_line_end"});
    expect_requests(chunked("1;" + std::string(300, 'x') + "\r\nx\r\n0\r\n\r\n"), {posted_chunked, "error bad_chunk"});
}

TEST(Requests, RefuseBadTrailers) { // RFC 9110, 6.5.1
    for (const std::string line : {"A : 1", " A: 1", "Content-Length: 1", "transfer-encoding: chunked", "Host: a"}) {
        SCOPED_TRACE(line);
        expect_requests(chunked("0\r\n" + line + "\r\n\r\n"), {posted_chunked, "error bad_field"});
    }
}

TEST(Requests, RefuseToEndTooEarly) {
    const std::string whole = chunked("5\r\nhello\r\n0\r\nA: b\r\n\r\n");
    for (std::size_t length = 1; length < whole.size(); ++length) {
        const test::trace found = test::read_as_server({whole.substr(0, length)});
        EXPECT_EQ(found.back(), "error unexpected_end") << length;
    }
    expect_requests(post("Content-Length: 5\r\n", "abcd"),
                    {posted + " [Content-Length: 5]", "data abcd", "error unexpected_end"});
}

TEST(Requests, KeepToTheLimits) {
    http::limits limits;
    limits.start_line = 16; // "GET / HTTP/1.1" and its line end
    limits.field_bytes = 18;
    limits.field_count = 2;
    limits.body = 4;
    const test::trace fine = {"request GET / 1.1 [Host: a]", "end", "closed"};
    expect_requests(get("Host: a\r\n"), fine, limits);
    expect_requests("GET /x HTTP/1.1\r\nHost: a\r\n\r\n", {"error start_line_too_long"}, limits);
    expect_requests(std::string(16, 'x'), {"error start_line_too_long"}, limits);
    expect_requests(get("Host: a\r\nB: 34\r\n"), {"request GET / 1.1 [Host: a] [B: 34]", "end", "closed"}, limits);
    expect_requests(get("Host: a\r\nB: 345\r\n"), {"error fields_too_large"}, limits);
    expect_requests(get("Host: a\r\nB:\r\nC:\r\n"), {"error fields_too_large"}, limits);
    limits.field_bytes = 1000;
    expect_requests(get("Host: a\r\nB:\r\nC:\r\n"), {"error fields_too_large"}, limits);
    expect_requests(post("Content-Length: 4\r\n", "abcd"), {"error start_line_too_long"}, limits);
    limits.start_line = 100;
    expect_requests(post("Content-Length: 4\r\n", "abcd"),
                    {posted + " [Content-Length: 4]", "data abcd", "end", "closed"}, limits);
    expect_requests(post("Content-Length: 5\r\n", "abcde"), {"error body_too_large"}, limits);
    expect_requests(chunked("3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n"), {posted_chunked, "data abcd", "end", "closed"}, limits);
    expect_requests(chunked("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"), {posted_chunked, "data abc", "error body_too_large"},
                    limits);
}

TEST(Requests, SayWhatTheServerShouldAnswer) {
    http::connection server(http::role::server);
    server.receive("GET / HTTP/3.0\r\n\r\n");
    int status = 0;
    try {
        server.next_event();
    } catch (const http::remote_error& error) {
        status = error.status();
    }
    EXPECT_EQ(status, 505);
    EXPECT_THROW(server.next_event(), http::unsupported_version); // again
    EXPECT_EQ(server.send(http::response(status, {{"Content-Length", "0"}})).joined(),
              "HTTP/1.1 505 \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

} // namespace
