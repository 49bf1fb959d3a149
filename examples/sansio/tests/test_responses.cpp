// examples/sansio/tests/test_responses.cpp — what a client reads, however the bytes are split.
// SPDX-License-Identifier: MIT

#include "support.hpp"

namespace {

using test::expect_responses;

const std::string ok = "HTTP/1.1 200 OK\r\n";

TEST(Responses, MayFollowEachOther) {
    expect_responses(ok + "Content-Length: 2\r\n\r\nab" + ok +
                         "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n",
                     {"response 200 OK 1.1 [Content-Length: 2]", "data ab", "end",
                      "response 200 OK 1.1 [Transfer-Encoding: chunked]", "data x", "end [A: b]", "closed"},
                     {"GET", "GET"});
}

TEST(Responses, EndWithTheConnectionWhereNothingElseIsSaid) { // RFC 9112, 6.3
    expect_responses(ok + "\r\nabc", {"response 200 OK 1.1", "data abc", "end", "closed"});
    expect_responses("HTTP/1.0 200 OK\r\n\r\nHTTP/1.0 200 OK\r\n\r\n",
                     {"response 200 OK 1.0", "data HTTP/1.0 200 OK\r\n\r\n", "end", "closed"}, {"GET", "GET"});
    expect_responses(ok + "\r\n", {"response 200 OK 1.1", "end", "closed"});
}

TEST(Responses, MayHaveNoBody) { // RFC 9112, 6.3
    expect_responses(ok + "Content-Length: 5\r\n\r\n" + ok + "Content-Length: 1\r\n\r\nx",
                     {"response 200 OK 1.1 [Content-Length: 5]", "end", "response 200 OK 1.1 [Content-Length: 1]",
                      "data x", "end", "closed"},
                     {"HEAD", "GET"});
    for (const std::string status : {"204", "304"}) {
        expect_responses("HTTP/1.1 " + status + " -\r\nTransfer-Encoding: chunked\r\n\r\n",
                         {"response " + status + " - 1.1 [Transfer-Encoding: chunked]", "end", "closed"});
    }
}

TEST(Responses, MayBeInterim) {
    expect_responses("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103\r\nLink: x\r\n\r\n" + ok + "Content-Length: 0\r\n\r\n",
                     {"response 100 Continue 1.1", "response 103  1.1 [Link: x]",
                      "response 200 OK 1.1 [Content-Length: 0]", "end", "closed"});
}

TEST(Responses, MaySwitchToAnotherProtocol) {
    expect_responses("HTTP/1.1 101 Go\r\nUpgrade: b\r\n\r\n\x01\x02", {"response 101 Go 1.1 [Upgrade: b]", "closed"});
    http::connection client(http::role::client);
    EXPECT_EQ(client.send(http::request("CONNECT", "a:1", {{"Host", "a:1"}})).joined(),
              "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n");
    static_cast<void>(client.send(http::end_of_message()));
    client.receive("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nraw");
    client.receive(" bytes");
    EXPECT_TRUE(std::holds_alternative<http::response>(client.next_event()));
    EXPECT_TRUE(std::holds_alternative<http::paused>(client.next_event()));
    EXPECT_TRUE(client.switched());
    EXPECT_EQ(client.unread(), "raw bytes");
}

TEST(Responses, RefuseASwitchThatWasNotAskedFor) {
    http::connection client(http::role::client);
    static_cast<void>(client.send(http::request("GET", "/", {{"Host", "a"}})));
    client.receive("HTTP/1.1 101 Go\r\n\r\n");
    EXPECT_THROW(client.next_event(), http::unexpected_data);
}

TEST(Responses, AreToRequests) { // RFC 9112, 9.2
    expect_responses("", {"closed"}, {});
    expect_responses(ok, {"error unexpected_data"}, {});
    http::connection client(http::role::client);
    client.receive(ok);
    EXPECT_EQ(test::error_of([&] { static_cast<void>(client.send(http::request("GET", "/", {{"Host", "a"}}))); }),
              "local_error: the server has sent data before this request");
}

TEST(Responses, RefuseBadStatusLines) {
    for (const std::string line :
         {"HTTP/1.1", "HTTP/1.1 ", "HTTP/1.1 20", "HTTP/1.1 2000", "HTTP/1.1 099 X", "HTTP/1.1 2x0", "HTTP/1.1  200",
          "HTTP/1.1 200OK", "http/1.1 200 OK", "HTTP/1.1\t200 OK", "HTTP/1.1 200 \x01", "HTTP/1.1 200 O\rK", "",
          "garbage", "HTTP/1.1 -20 OK"}) {
        SCOPED_TRACE(line);
        expect_responses(line + "\r\n\r\n", {"error bad_start_line"});
    }
    expect_responses("HTTP/2.0 200 OK\r\n\r\n", {"error unsupported_version"});
    expect_responses("HTTP/1.1 200\r\n\r\n", {"response 200  1.1", "end", "closed"});
    expect_responses("HTTP/1.1 200 \r\n\r\n", {"response 200  1.1", "end", "closed"});
    expect_responses("HTTP/1.1 999 \xe9 a\tb\r\n\r\n", {"response 999 \xe9 a\tb 1.1", "end", "closed"});
}

TEST(Responses, RefuseAmbiguousFraming) { // response splitting: RFC 9112, 6.3
    expect_responses(ok + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", {"error ambiguous_framing"});
    expect_responses(ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", {"error bad_content_length"});
    expect_responses("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", {"error ambiguous_framing"});
    expect_responses(ok + "Transfer-Encoding: gzip\r\n\r\n", {"error unsupported_coding"});
}

TEST(Responses, RefuseToEndTooEarly) {
    expect_responses("", {"error unexpected_end"});
    expect_responses("HTTP/1.1 100 Continue\r\n\r\n", {"response 100 Continue 1.1", "error unexpected_end"});
    expect_responses(ok + "Content-Length: 2\r\n\r\na",
                     {"response 200 OK 1.1 [Content-Length: 2]", "data a", "error unexpected_end"});
}

TEST(Responses, KeepToTheLimitOfBodies) {
    http::limits limits;
    limits.body = 3;
    expect_responses(ok + "\r\nabc", {"response 200 OK 1.1", "data abc", "end", "closed"}, {"GET"}, limits);
    expect_responses(ok + "\r\nabcd", {"response 200 OK 1.1", "data abc", "error body_too_large"}, {"GET"}, limits);
}

} // namespace
