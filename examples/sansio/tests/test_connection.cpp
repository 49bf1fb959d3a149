// examples/sansio/tests/test_connection.cpp — both sides of a connection: what may be sent when, and what is sent.
// SPDX-License-Identifier: MIT

#include "support.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace {

using test::error_of;

const http::headers host = {{"Host", "a"}};

/// A server that has read a request with these lines after its Host, up to where it needs more.
class reading_server : public http::connection {
public:
    explicit reading_server(const std::string& lines = "", const std::string& start = "GET / HTTP/1.1")
        : http::connection(http::role::server) {
        receive(start + "\r\nHost: a\r\n" + lines + "\r\n");
        while (!std::holds_alternative<http::need_data>(last = next_event())) {
            trace(last);
        }
    }
    http::event last;
    test::recorder trace;
};

TEST(Sending, WritesRequests) {
    http::connection client(http::role::client);
    EXPECT_EQ(client.send(http::request("PUT", "/x", {{"Host", "a"}, {"Content-Length", "4"}})).joined(),
              "PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\n");
    const std::string body = "abcd";
    EXPECT_EQ(client.send(http::data{body}).pieces[0].data(), body.data()); // not copied
    EXPECT_EQ(client.send(http::end_of_message()).joined(), "");
}

TEST(Sending, WritesChunksAndTrailers) {
    http::connection client(http::role::client);
    static_cast<void>(client.send(http::request("PUT", "/x", {{"Host", "a"}, {"Transfer-Encoding", "chunked"}})));
    const std::string body(26, 'x');
    EXPECT_EQ(client.send(http::data{body}).joined(), "1a\r\n" + body + "\r\n");
    EXPECT_EQ(client.send(http::data{""}).joined(), ""); // it would be the last chunk
    EXPECT_EQ(client.send(http::end_of_message{{{"Sum", "1"}}}).joined(), "0\r\nSum: 1\r\n\r\n");
}

TEST(Sending, FramesResponses) {
    EXPECT_EQ(reading_server().send(http::response(200, {}, "OK")).joined(),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    EXPECT_EQ(reading_server().send(http::response(200, {{"Content-Length", "3"}})).joined(),
              "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(reading_server().send(http::response(204, {{"Content-Length", "3"}})).joined(), "HTTP/1.1 204 \r\n\r\n");
    EXPECT_EQ(reading_server().send(http::response(304, {{"Content-Length", "3"}})).joined(),
              "HTTP/1.1 304 \r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(reading_server("Connection: close\r\n").send(http::response(204)).joined(),
              "HTTP/1.1 204 \r\nConnection: close\r\n\r\n");
    const http::response chunked(200, {{"Transfer-Encoding", "chunked"}});
    EXPECT_EQ(reading_server("", "GET / HTTP/1.0").send(chunked).joined(),
              "HTTP/1.1 200 \r\nConnection: close\r\n\r\n");
}

TEST(Sending, OmitsTheBodyOfAResponseToHead) {
    reading_server server("", "HEAD / HTTP/1.1");
    EXPECT_EQ(server.send(http::response(200, {{"Content-Length", "3"}})).joined(),
              "HTTP/1.1 200 \r\nContent-Length: 3\r\n\r\n");
    EXPECT_EQ(error_of([&] { static_cast<void>(server.send(http::data{"abc"})); }),
              "local_error: more data than Content-Length says");
    EXPECT_EQ(server.send(http::end_of_message()).joined(), "");
}

TEST(Sending, RefusesWhatBreaksTheProtocol) {
    const auto refused = [](const http::request& head) {
        http::connection client(http::role::client);
        return error_of([&] { static_cast<void>(client.send(head)); });
    };
    EXPECT_EQ(refused(http::request("G T", "/", host)), "local_error: a request with a bad method or target");
    EXPECT_EQ(refused(http::request("GET", "/ x", host)), "local_error: a request with a bad method or target");
    EXPECT_EQ(refused(http::request("GET", "", host)), "local_error: a request with a bad method or target");
    EXPECT_EQ(refused(http::request("GET", "/")), "local_error: no Host");
    EXPECT_EQ(refused(http::request("GET", "/", {{"Host", "a"}, {"A", "1\r\nB: 2"}})),
              "local_error: a field with a bad name or value: A");
    EXPECT_EQ(refused(http::request("GET", "/", {{"Host", "a"}, {"A:", "1"}})),
              "local_error: a field with a bad name or value: A:");
    EXPECT_EQ(refused(http::request("GET", "/", {{"Host", "a"}, {"A", " 1"}})),
              "local_error: a field with a bad name or value: A");
    EXPECT_EQ(refused(http::request("GET", "/", {{"Host", "a"}, {"Content-Length", "x"}})),
              "local_error: Content-Length is no number, or too large");
    EXPECT_EQ(error_of([] { static_cast<void>(reading_server().send(http::response(200, {}, "a\nb"))); }),
              "local_error: a response with a bad status or reason");
    EXPECT_EQ(error_of([] { static_cast<void>(reading_server().send(http::response(1000))); }),
              "local_error: a response with a bad status or reason");
}

TEST(Sending, KeepsTheOrder) {
    http::connection client(http::role::client);
    const auto refused = [&](const auto& sent) { return error_of([&] { static_cast<void>(client.send(sent)); }); };
    EXPECT_EQ(refused(http::data{"x"}), "local_error: no data can be sent now");
    EXPECT_EQ(refused(http::end_of_message()), "local_error: there is no message to end");
    EXPECT_EQ(refused(http::response(200)), "local_error: no response can be sent now");
    static_cast<void>(client.send(http::request("PUT", "/", {{"Host", "a"}, {"Content-Length", "3"}})));
    EXPECT_EQ(refused(http::request("GET", "/", host)), "local_error: no request can be sent now");
    EXPECT_EQ(refused(http::data{"four"}), "local_error: more data than Content-Length says");
    static_cast<void>(client.send(http::data{"12"})); // what was refused has changed nothing
    EXPECT_EQ(refused(http::end_of_message()), "local_error: less data than Content-Length says");
    static_cast<void>(client.send(http::data{"3"}));
    EXPECT_EQ(refused(http::end_of_message{{{"A", "b"}}}), "local_error: trailers need a chunked body");
    static_cast<void>(client.send(http::end_of_message()));
    EXPECT_EQ(refused(http::end_of_message()), "local_error: there is no message to end");
}

TEST(Cycles, FollowEachOtherByThemselves) {
    http::connection client(http::role::client);
    for (int i = 0; i < 3; ++i) {
        static_cast<void>(client.send(http::request("GET", "/", host)));
        static_cast<void>(client.send(http::end_of_message()));
        client.receive("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        EXPECT_TRUE(std::holds_alternative<http::response>(client.next_event()));
        EXPECT_TRUE(std::holds_alternative<http::end_of_message>(client.next_event()));
    }
    EXPECT_TRUE(std::holds_alternative<http::need_data>(client.next_event()));
    client.receive("");
    EXPECT_TRUE(std::holds_alternative<http::connection_closed>(client.next_event()));
    EXPECT_TRUE(std::holds_alternative<http::connection_closed>(client.next_event()));
    EXPECT_EQ(error_of([&] { client.receive("x"); }), "local_error: the connection has ended before");
}

TEST(Cycles, LetAClientAskBeforeItIsAnswered) { // RFC 9112, 9.3.2
    http::connection client(http::role::client);
    static_cast<void>(client.send(http::request("HEAD", "/", host)));
    static_cast<void>(client.send(http::end_of_message()));
    static_cast<void>(client.send(http::request("GET", "/", {{"Host", "a"}, {"Connection", "close"}})));
    static_cast<void>(client.send(http::end_of_message()));
    EXPECT_EQ(error_of([&] { static_cast<void>(client.send(http::request("GET", "/", host))); }),
              "local_error: no request can be sent now");
    const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
    EXPECT_EQ(test::run_events(client, {ok + ok + "x"}, [](const http::event&) {}),
              (test::trace{"response 200 OK 1.1 [Content-Length: 1]", "end", "response 200 OK 1.1 [Content-Length: 1]",
                           "data x", "end", "closed"}));
}

TEST(Cycles, LetAServerAnswerEarlyButOnlyOnce) {
    reading_server server("Content-Length: 2\r\n", "PUT / HTTP/1.1");
    static_cast<void>(server.send(http::response(403)));
    static_cast<void>(server.send(http::end_of_message()));
    EXPECT_EQ(error_of([&] { static_cast<void>(server.send(http::response(200))); }),
              "local_error: no response can be sent now");
    server.receive("xyGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(std::get<http::data>(server.next_event()).bytes, "xy");
    EXPECT_TRUE(std::holds_alternative<http::end_of_message>(server.next_event()));
    EXPECT_EQ(std::get<http::request>(server.next_event()).target, "/2");
}

TEST(Cycles, PauseUntilTheResponseIsSent) {
    http::connection server(http::role::server);
    server.receive("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(std::get<http::request>(server.next_event()).target, "/1");
    EXPECT_TRUE(std::holds_alternative<http::end_of_message>(server.next_event()));
    EXPECT_TRUE(std::holds_alternative<http::paused>(server.next_event()));
    static_cast<void>(server.send(http::response(200)));
    EXPECT_TRUE(std::holds_alternative<http::paused>(server.next_event()));
    static_cast<void>(server.send(http::end_of_message()));
    EXPECT_EQ(std::get<http::request>(server.next_event()).target, "/2");
}

TEST(Cycles, EndWhenTheServerSaysSo) {
    http::connection server(http::role::server);
    server.receive("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    server.next_event();
    EXPECT_FALSE(server.must_close());
    static_cast<void>(server.send(http::response(200, {{"Connection", "close"}})));
    static_cast<void>(server.send(http::end_of_message()));
    EXPECT_TRUE(server.must_close());
    EXPECT_TRUE(std::holds_alternative<http::end_of_message>(server.next_event()));
    EXPECT_TRUE(std::holds_alternative<http::connection_closed>(server.next_event()));
}

TEST(Cycles, LetAClientCloseItsSideFirst) {
    reading_server server;
    server.receive("");
    EXPECT_TRUE(std::holds_alternative<http::connection_closed>(server.next_event()));
    EXPECT_EQ(server.send(http::response(204)).joined(), "HTTP/1.1 204 \r\n\r\n");
    static_cast<void>(server.send(http::end_of_message()));
    EXPECT_TRUE(std::holds_alternative<http::connection_closed>(server.next_event()));
}

TEST(Cycles, LetAServerAnswerBeforeTheRequestEnds) {
    http::connection client(http::role::client);
    static_cast<void>(client.send(http::request("PUT", "/", {{"Host", "a"}, {"Content-Length", "3"}})));
    client.receive("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n");
    EXPECT_EQ(std::get<http::response>(client.next_event()).status, 403);
    EXPECT_TRUE(std::holds_alternative<http::end_of_message>(client.next_event()));
    EXPECT_TRUE(std::holds_alternative<http::need_data>(client.next_event()));
    static_cast<void>(client.send(http::data{"123"}));
    static_cast<void>(client.send(http::end_of_message()));
    EXPECT_EQ(client.send(http::request("GET", "/", host)).joined(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
}

TEST(Continue, IsAskedForAndGiven) { // RFC 9110, 10.1.1
    reading_server server("Content-Length: 2\r\nExpect: 100-Continue\r\n", "PUT / HTTP/1.1");
    EXPECT_TRUE(server.waiting_for_continue());
    EXPECT_EQ(server.send(http::response(100)).joined(), "HTTP/1.1 100 \r\n\r\n");
    EXPECT_FALSE(server.waiting_for_continue());
    EXPECT_EQ(server.send(http::response(200)).joined(), "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST(Continue, IsNotNeededWhenTheBodyComes) {
    reading_server server("Content-Length: 2\r\nExpect: 100-continue\r\n", "PUT / HTTP/1.1");
    server.receive("x");
    EXPECT_EQ(std::get<http::data>(server.next_event()).bytes, "x");
    EXPECT_FALSE(server.waiting_for_continue());
}

TEST(Continue, IsIgnoredInHttp10) {
    EXPECT_FALSE(reading_server("Expect: 100-continue\r\n", "PUT / HTTP/1.0").waiting_for_continue());
    reading_server old("", "PUT / HTTP/1.0");
    EXPECT_EQ(error_of([&] { static_cast<void>(old.send(http::response(100))); }),
              "local_error: no interim response can be sent to HTTP/1.0");
}

TEST(Continue, IsAwaitedByTheClient) {
    http::connection client(http::role::client);
    static_cast<void>(
        client.send(http::request("PUT", "/", {{"Host", "a"}, {"Content-Length", "1"}, {"Expect", "100-continue"}})));
    EXPECT_TRUE(client.waiting_for_continue());
    client.receive("HTTP/1.1 100 Continue\r\n\r\n");
    EXPECT_EQ(std::get<http::response>(client.next_event()).status, 100);
    EXPECT_FALSE(client.waiting_for_continue());
}

TEST(Switching, LeavesTheBytesOfTheOtherProtocol) {
    reading_server server("Upgrade: chat\r\nConnection: upgrade\r\n");
    server.receive("hello");
    EXPECT_TRUE(std::holds_alternative<http::paused>(server.next_event()));
    static_cast<void>(server.send(http::response(101, {{"Upgrade", "chat"}})));
    EXPECT_TRUE(server.switched());
    EXPECT_TRUE(std::holds_alternative<http::paused>(server.next_event()));
    EXPECT_EQ(server.unread(), "hello");
    EXPECT_EQ(error_of([] { static_cast<void>(reading_server().send(http::response(101))); }),
              "local_error: a 101 that was not asked for");
}

// ---- a client and a server as conversations, each driven by isthmus::run
// -----------------------------------------------

http::io<std::string> ask_twice(http::session& s) {
    const http::request first("POST", "/1", {{"Host", "a"}, {"Expect", "100-continue"}});
    co_await s.write(first, "question");
    const http::response head = co_await s.next_response();
    std::string all = std::to_string(head.status);
    all += co_await s.read_all();
    const http::request second("HEAD", "/2", host);
    co_await s.write(second, "");
    const http::response other = co_await s.next_response();
    all += std::to_string(other.status);
    all += co_await s.read_all();
    co_return all;
}

http::io<int> answer(http::session& s) {
    int answered = 0;
    while (const std::optional<http::request> request = co_await s.next_request()) {
        std::string body = request->method;
        if (request->method == "POST") {
            body += co_await s.read_all();
        }
        const http::response head;
        co_await s.write(head, body);
        ++answered;
    }
    co_return answered;
}

TEST(Conversations, TalkToEachOther) {
    http::session client(http::role::client);
    http::session server(http::role::server);
    auto asking = ask_twice(client);
    auto answering = answer(server);
    std::string to_client;
    auto answered = answering.send(); // needs data
    const std::string result = isthmus::run(asking, [&](const http::want& wanted) -> std::string {
        if (std::holds_alternative<http::need_data>(wanted)) {
            return std::exchange(to_client, {});
        }
        std::string to_server = std::get<http::outgoing>(wanted).joined();
        answered = answering.send(std::move(to_server));
        while (!answered.done() && std::holds_alternative<http::outgoing>(answered.yielded())) {
            to_client += std::get<http::outgoing>(answered.yielded()).joined();
            answered = answering.send(std::string());
        }
        return {};
    });
    EXPECT_EQ(result, "200POSTquestion200");
    while (!answered.done()) {
        answered = answering.send(std::string()); // the end of the connection
    }
    EXPECT_EQ(answered.returned(), 2);
}

} // namespace
