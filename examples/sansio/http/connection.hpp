// examples/sansio/http/connection.hpp — one side of a connection: what it may read and send, and when.
// SPDX-License-Identifier: MIT
#pragma once

#include "errors.hpp"
#include "framing.hpp"
#include "messages.hpp"
#include "reader.hpp"
#include "writer.hpp"

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace http {

enum class role : std::uint8_t { client, server };

/// One side of an HTTP/1.1 connection. Reading is a coroutine, `events()`; sending is `send()`. A cycle is one request
/// and its responses; when both sides have finished it, and the connection persists, the next one begins by itself.
/// Not for two threads at once.
class connection {
public:
    explicit connection(role its_role, const limits& its_limits = {})
        : role_(its_role), reader_(its_limits), events_(its_role == role::server ? requests() : responses()) {}
    connection(const connection&) = delete; // events_ refers to it
    connection& operator=(const connection&) = delete;
    ~connection() = default;

    /// What the peer sends: a coroutine that yields each event, and after `need_data` is sent the bytes that came next,
    /// none at the end of the connection. Throws a remote_error, after which a server may still answer. Ends when no
    /// other message can come.
    reading<>& events() noexcept { return events_; }

    /// The same for who prefers calls: hands over what was received, nothing at the end of the connection, ...
    void receive(std::string bytes) {
        if (received_end_) {
            throw local_error("the connection has ended before");
        }
        received_end_ = bytes.empty();
        if (received_.empty()) {
            received_ = std::move(bytes);
        } else {
            received_ += bytes;
        }
    }
    /// ... and returns the next event: `need_data` if more must be received first. After an error it is thrown again, and
    /// after the last event comes `connection_closed` each time, or `paused` if the connection has switched to another
    /// protocol.
    event next_event();

    /// What to send for a request (by a client), for an interim or final response (by a server), for a piece of its
    /// body, and for its end. Throws local_error if it may not be sent now; nothing has changed then. A response without
    /// Content-Length is sent in chunks, or to HTTP/1.0 until the connection closes, and says when it will be closed.
    outgoing send(const request& head);
    outgoing send(response head);
    outgoing send(const data& piece);
    outgoing send(const end_of_message& end);

    /// Whether the client waits for a 100 (Continue), or for a final response, before it sends the body.
    bool waiting_for_continue() const noexcept { return waiting_for_continue_; }
    /// Whether this side must close the connection when it has sent its message.
    bool must_close() const noexcept { return !keep_alive_; }
    /// Whether this side has sent its message of this cycle completely.
    bool sent() const noexcept { return ours_ == phase::done; }
    /// Whether this side has begun to send its message of this cycle.
    bool sending() const noexcept { return ours_ != phase::head; }
    /// Whether the connection is another protocol's now (CONNECT, or 101), whose first bytes may be in unread().
    bool switched() const noexcept { return switched_; }
    /// The method of the request of this cycle; empty before it.
    const std::string& method() const noexcept { return method_; }
    /// The received bytes that are no part of an event yet.
    std::string unread() const { return std::string(reader_.input().rest()) + received_; }

private:
    enum class phase : std::uint8_t { head, body, done };

    reading<> requests();
    reading<> responses();
    reading<> read_rest(framing body);
    reading<> wait_for_us(std::uint64_t cycle);

    template <class Head>
    void begin_body(const Head& head, phase& side) noexcept {
        side = phase::body;
        keep_alive_ = keep_alive_ && keeps_alive(head);
    }
    void begin_request(const request& head, phase& side) {
        method_ = head.method;
        proposed_ = head.method == "CONNECT" || head.fields.count("Upgrade") > 0;
        waiting_for_continue_ = head.version == version::http_1_1 && head.fields.lists("Expect", "100-continue");
        begin_body(head, side);
    }
    /// Whether a response makes the connection another protocol's.
    bool switches(const response& head) const noexcept {
        return head.status == 101 || (method_ == "CONNECT" && head.status >= 200 && head.status < 300);
    }
    void begin_response(const response& head, phase& side) {
        waiting_for_continue_ = false;
        proposed_ = false;
        switched_ = switches(head);
        begin_body(head, side);
    }
    void finish(phase& side) noexcept {
        side = phase::done;
        if (ours_ == theirs_ && keep_alive_ && !switched_) {
            ours_ = theirs_ = phase::head;
            method_.clear();
            ++cycle_;
        }
    }
    framing frame_response(response& head) const;
    /// Calls what checks a received message on one that is to be sent.
    template <class Check>
    static void as_local_error(Check check) {
        try {
            check();
        } catch (const remote_error& e) {
            throw local_error(e.what());
        }
    }

    const role role_;
    phase ours_ = phase::head;
    phase theirs_ = phase::head;
    bool keep_alive_ = true;
    bool proposed_ = false; ///< the client proposes another protocol, and there is no final response yet
    bool switched_ = false;
    bool waiting_for_continue_ = false;
    std::optional<version> their_version_;
    std::string method_; ///< of this cycle's request
    std::uint64_t cycle_ = 0;
    std::exception_ptr error_;
    std::string received_; ///< by receive(), and not yet sent to events_
    bool received_end_ = false;
    bool needs_data_ = false; ///< events_ waits for bytes
    reader reader_;
    writer writer_;
    reading<> events_;
};

// ---- reading --------------------------------------------------------------------------------------------------------

inline reading<> connection::requests() {
    try {
        while (keep_alive_ && !switched_) {
            std::optional<request> head = co_await reader_.read_request();
            if (!head) {
                break;
            }
            const std::uint64_t cycle = cycle_;
            const framing body = request_framing(*head);
            reader_.check_length(body);
            their_version_ = head->version;
            begin_request(*head, theirs_);
            event begin = std::move(*head);
            co_yield std::move(begin);
            co_await read_rest(body);
            co_await wait_for_us(cycle);
        }
    } catch (const remote_error&) {
        error_ = std::current_exception();
        keep_alive_ = false;
        throw;
    }
}

inline reading<> connection::responses() {
    try {
        while (keep_alive_ && !switched_) {
            const bool end = reader_.input().empty() && !co_await reader_.more();
            if (ours_ == phase::head) { // there is no request yet
                if (end) {
                    break;
                }
                throw unexpected_data("a response to no request");
            }
            const std::uint64_t cycle = cycle_;
            response head = co_await reader_.read_response();
            if (head.status == 101 && !proposed_) {
                throw unexpected_data("a 101 that was not asked for");
            }
            if (head.interim()) {
                waiting_for_continue_ = false;
                switched_ = switches(head);
                event interim = std::move(head);
                co_yield std::move(interim);
                continue;
            }
            const framing body = response_framing(head, method_);
            reader_.check_length(body);
            begin_response(head, theirs_);
            if (body.how == framing::kind::until_close) {
                keep_alive_ = false;
            }
            event begin = std::move(head);
            co_yield std::move(begin);
            if (!switched_) {
                co_await read_rest(body);
                co_await wait_for_us(cycle);
            }
        }
    } catch (const remote_error&) {
        error_ = std::current_exception();
        keep_alive_ = false;
        throw;
    }
}

/// The body of the peer's message, and its end.
inline reading<> connection::read_rest(framing body) {
    if (role_ == role::server && waiting_for_continue_ && (body.how != framing::kind::length || body.length > 0)) {
        if (reader_.input().empty()) {
            co_await reader_.more();
        }
        waiting_for_continue_ = false; // it does not: here is the body
    }
    headers trailers = co_await reader_.read_body(body);
    finish(theirs_);
    event end = end_of_message{std::move(trailers)};
    co_yield std::move(end);
}

/// Returns when this side has sent its message of that cycle.
inline reading<> connection::wait_for_us(std::uint64_t cycle) {
    while (cycle_ == cycle && ours_ != phase::done) {
        if (!reader_.input().empty()) {
            event pause = paused();
            co_yield std::move(pause);
        } else if (!co_await reader_.more()) {
            event closed = connection_closed();
            co_yield std::move(closed);
        }
    }
}

inline event connection::next_event() {
    if (error_) {
        std::rethrow_exception(error_);
    }
    while (events_.state() != isthmus::coroutine_state::closed) {
        std::string bytes;
        if (needs_data_) {
            if (received_.empty() && !received_end_) {
                return need_data();
            }
            bytes = std::exchange(received_, {});
        }
        const bool starts = events_.state() == isthmus::coroutine_state::created;
        auto step = starts ? events_.send() : events_.send(std::move(bytes));
        if (step.done()) {
            break;
        }
        needs_data_ = std::holds_alternative<need_data>(step.yielded());
        if (!needs_data_) {
            return std::move(step).yielded();
        }
    }
    return switched_ ? event(paused()) : event(connection_closed());
}

// ---- sending --------------------------------------------------------------------------------------------------------

inline outgoing connection::send(const request& head) {
    if (role_ != role::client || ours_ != phase::head || !keep_alive_) {
        throw local_error("no request can be sent now");
    }
    if (!reader_.input().empty() || !received_.empty()) { // it would be taken for the response (RFC 9112, 9.2)
        throw local_error("the server has sent data before this request");
    }
    framing body;
    request checked = head;
    as_local_error([&] {
        check_host(checked);
        body = request_framing(checked);
    });
    const outgoing sent = writer_.head(checked, body);
    begin_request(checked, ours_);
    return sent;
}

inline outgoing connection::send(response head) {
    if (role_ != role::server || ours_ != phase::head) {
        throw local_error("no response can be sent now");
    }
    if (head.status == 101 && !proposed_) {
        throw local_error("a 101 that was not asked for");
    }
    if (head.interim()) {
        if (theirs_ == phase::head || their_version_ == version::http_1_0) {
            throw local_error("no interim response can be sent now");
        }
        const outgoing sent = writer_.head(head, framing());
        waiting_for_continue_ = false;
        switched_ = switches(head);
        ours_ = switched_ ? phase::done : phase::head;
        return sent;
    }
    const framing body = frame_response(head);
    const outgoing sent = writer_.head(head, body);
    begin_response(head, ours_);
    if (switched_) {
        ours_ = phase::done;
    }
    return sent;
}

inline outgoing connection::send(const data& piece) {
    if (ours_ != phase::body) {
        throw local_error("no data can be sent now");
    }
    const outgoing sent = writer_.data(piece.bytes);
    if (role_ == role::client) {
        waiting_for_continue_ = false;
    }
    return sent;
}

inline outgoing connection::send(const end_of_message& end) {
    if (ours_ != phase::body) {
        throw local_error("there is no message to end");
    }
    const outgoing sent = writer_.end(end.trailers);
    if (role_ == role::client) {
        waiting_for_continue_ = false;
    }
    finish(ours_);
    return sent;
}

/// Gives a final response the fields that say where it ends and whether the connection does.
inline framing connection::frame_response(response& head) const {
    framing body;
    as_local_error([&] { body = response_framing(head, method_); });
    if (head.status == 204 || switches(head)) { // RFC 9112, 6.1, and RFC 9110, 8.6
        head.fields.remove("Content-Length");
        head.fields.remove("Transfer-Encoding");
    } else if (body.how != framing::kind::length) {
        head.fields.remove("Transfer-Encoding");
        if (their_version_ == version::http_1_1) {
            body.how = framing::kind::chunked;
            head.fields.add("Transfer-Encoding", "chunked");
        } else {
            body.how = framing::kind::until_close;
        }
    }
    if ((!keep_alive_ || body.how == framing::kind::until_close) && !head.fields.lists("Connection", "close")) {
        head.fields.add("Connection", "close");
    }
    return body;
}

} // namespace http
