// examples/sansio/tests/support.hpp — recorded bytes drive a connection, in every way that they may be split.
// SPDX-License-Identifier: MIT
#pragma once

#include "http/session.hpp"

#include <isthmus/run.hpp>

#include <cxxabi.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#include <utility>
#include <variant>
#include <vector>

namespace test {

/// What happened, in order.
using trace = std::vector<std::string>;

/// The name of an error's class.
inline std::string name_of(const http::error& error) {
    const std::unique_ptr<char, decltype(&std::free)> name(
        abi::__cxa_demangle(typeid(error).name(), nullptr, nullptr, nullptr), &std::free);
    return std::string(name.get()).substr(sizeof("http::") - 1);
}

inline std::string text_of(const http::headers& fields) {
    std::string text;
    for (const http::field each : fields) {
        text.append(" [").append(each.name).append(": ").append(each.value).append("]");
    }
    return text;
}

template <class Head>
std::string version_of(const Head& head) {
    return head.version == http::version::http_1_0 ? " 1.0" : " 1.1";
}

/// Writes events down. Pieces of data become one, since where they end is not the protocol's matter.
class recorder {
public:
    void operator()(const http::event& found) {
        std::visit([this](const auto& event) { note(event); }, found);
    }
    void fail(const http::error& error) { log.push_back("error " + name_of(error)); }

    trace log;

private:
    void note(const http::request& head) {
        log.push_back("request " + head.method + " " + head.target + version_of(head) + text_of(head.fields));
    }
    void note(const http::response& head) {
        log.push_back("response " + std::to_string(head.status) + " " + head.reason + version_of(head) +
                      text_of(head.fields));
    }
    void note(const http::data& piece) {
        EXPECT_FALSE(piece.bytes.empty());
        if (log.empty() || !log.back().starts_with("data ")) {
            log.push_back("data ");
        }
        log.back() += piece.bytes;
    }
    void note(const http::end_of_message& end) { log.push_back("end" + text_of(end.trailers)); }
    void note(const http::connection_closed&) {}
    void note(const http::paused&) { log.push_back("paused"); }
    void note(const http::need_data&) {}
};

using pieces = std::vector<std::string>;

/// Runs the events of `connection`: `feed` is what it receives, then the end of the connection; `answer` is called with
/// each event before the next one.
template <class Answer>
trace run_events(http::connection& connection, const pieces& feed, Answer answer) {
    recorder record;
    std::size_t next = 0;
    try {
        isthmus::run(connection.events(), [&](http::event&& event) -> std::string {
            record(event);
            answer(event);
            const bool feeds = std::holds_alternative<http::need_data>(event) && next < feed.size();
            return feeds ? feed[next++] : std::string();
        });
        record.log.emplace_back("closed");
    } catch (const http::remote_error& error) {
        record.fail(error);
    }
    return record.log;
}

/// What a server reads that answers each request when it has read it.
inline trace read_as_server(const pieces& feed, const http::limits& limits = {}) {
    http::connection server(http::role::server, limits);
    return run_events(server, feed, [&](const http::event& event) {
        if (std::holds_alternative<http::end_of_message>(event)) {
            static_cast<void>(server.send(http::response(204)));
            if (!server.switched()) {
                static_cast<void>(server.send(http::end_of_message()));
            }
        }
    });
}

/// What a client reads that has sent requests with these methods.
inline trace read_as_client(const pieces& feed, const std::vector<std::string>& methods,
                            const http::limits& limits = {}) {
    http::connection client(http::role::client, limits);
    for (const std::string& method : methods) {
        const bool last = &method == &methods.back();
        static_cast<void>(client.send(http::request(method, "/", {{"Host", "a"}, {last ? "Upgrade" : "A", "b"}})));
        static_cast<void>(client.send(http::end_of_message()));
    }
    return run_events(client, feed, [](const http::event&) {});
}

/// Every way to split `text` in two, byte by byte, and not at all.
inline std::vector<pieces> splits(const std::string& text) {
    std::vector<pieces> all{{}, {}};
    if (!text.empty()) {
        all[0].push_back(text);
    }
    for (const char c : text) {
        all[1].emplace_back(1, c);
    }
    for (std::size_t at = 1; at < text.size(); ++at) {
        all.push_back({text.substr(0, at), text.substr(at)});
    }
    return all;
}

/// Expects that what `read` gives is the same, however the bytes arrive.
template <class Read>
void expect_events(const std::string& text, const trace& expected, Read read) {
    for (const pieces& feed : splits(text)) {
        const trace found = read(feed);
        ASSERT_EQ(found, expected) << (feed.size() == 2 ? "split after " + std::to_string(feed[0].size())
                                                        : "not split");
    }
}

inline void expect_requests(const std::string& text, const trace& expected, const http::limits& limits = {}) {
    expect_events(text, expected, [&](const pieces& feed) { return read_as_server(feed, limits); });
}

inline void expect_responses(const std::string& text, const trace& expected,
                             const std::vector<std::string>& methods = {"GET"}, const http::limits& limits = {}) {
    expect_events(text, expected, [&](const pieces& feed) { return read_as_client(feed, methods, limits); });
}

/// The name of the http::error that `action` throws, and its text.
template <class Action>
std::string error_of(Action action) {
    try {
        action();
    } catch (const http::error& error) {
        return name_of(error) + ": " + error.what();
    }
    return "nothing was thrown";
}

} // namespace test
