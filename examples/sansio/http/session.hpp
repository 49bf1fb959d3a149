// examples/sansio/http/session.hpp — whole conversations as coroutines: what a client or a server does, without the
// I/O. SPDX-License-Identifier: MIT
//
//     io<> answer(session& s) { while (auto request = co_await s.next_request()) { ... co_await s.respond(...); } }
//
// isthmus::run(answer(s), handler) runs it on any transport: `handler` is called with each `want`.
#pragma once

#include "connection.hpp"

#include <isthmus/coroutine.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace http {

/// What a conversation asks of its transport: `need_data` is answered with the bytes that were received, none at the
/// end of the connection; `outgoing` is to be sent before the conversation is resumed, with anything.
using want = std::variant<need_data, outgoing>;

/// A part of a conversation.
template <class T = void>
using io = isthmus::coroutine<T, want, std::string>;

/// A connection whose events are awaited. What its coroutines are given by reference or view must outlive the await.
class session : public connection {
public:
    using connection::connection;

    /// The next event but `need_data`. Throws remote_error.
    io<event> next() {
        event found = next_event();
        while (std::holds_alternative<need_data>(found)) {
            want bytes = need_data();
            receive(co_yield std::move(bytes));
            found = next_event();
        }
        co_return found;
    }

    /// Sends what connection::send() takes. Throws local_error.
    template <class Message>
    io<> write(const Message& message) {
        want bytes = send(message);
        if (!std::get<outgoing>(bytes).pieces[0].empty()) {
            co_yield std::move(bytes);
        }
    }

    /// A server's next request, up to its body; what is left of the one before is read and dropped. nullopt if there is
    /// none.
    io<std::optional<request>> next_request() {
        while (true) {
            event found = co_await next();
            if (request* const head = std::get_if<request>(&found)) {
                co_return std::move(*head);
            }
            if (std::holds_alternative<paused>(found)) {
                throw local_error("the request before has not been answered");
            }
            if (std::holds_alternative<connection_closed>(found)) {
                co_return std::nullopt;
            }
        }
    }

    /// A client's final response, up to its body.
    io<response> next_response() {
        while (true) {
            event found = co_await next();
            response* const head = std::get_if<response>(&found);
            if (head != nullptr && !head->interim()) {
                co_return std::move(*head);
            }
            if (std::holds_alternative<connection_closed>(found) || switched()) {
                throw unexpected_end("the connection ended before a response");
            }
        }
    }

    /// The next piece of the body, valid until the next await; nullopt at its end. A client that waits to be asked for
    /// the body is asked for it.
    io<std::optional<std::string_view>> next_piece() {
        if (waiting_for_continue() && !sending()) {
            const response go_on(100);
            co_await write(go_on);
        }
        const event found = co_await next();
        if (const data* const piece = std::get_if<data>(&found)) {
            co_return piece->bytes;
        }
        co_return std::nullopt;
    }

    /// The whole rest of the body.
    io<std::string> read_all() {
        std::string all;
        while (const std::optional<std::string_view> piece = co_await next_piece()) {
            all += *piece;
        }
        co_return all;
    }

    /// Sends a message with a body that is there already, in one piece.
    template <class Head>
    io<> write(Head head, std::string_view body) {
        if (!body.empty() || head.fields.count("Transfer-Encoding") == 0) {
            head.fields.set("Content-Length", std::to_string(body.size()));
        }
        outgoing all = send(head);
        if (!body.empty() && !omits_body(head)) {
            all.pieces[1] = send(data{body}).pieces[0];
        }
        want bytes = all;
        co_yield std::move(bytes);
        const end_of_message end;
        co_await write(end);
    }

private:
    bool omits_body(const request&) const noexcept { return false; }
    bool omits_body(const response& head) const noexcept { return is_bodiless(head.status, method()); }
};

} // namespace http
