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
#include <vector>

namespace http {

enum class role : std::uint8_t { client, server };

/// One side of an HTTP/1.1 connection. Reading is a coroutine, `events()`; sending is `send()`. A client may send
/// requests before it has the responses to those before; a server reads the next request when it has answered the one
/// before. Not for two threads at once.
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
    /// ... and returns the next event: `need_data` if more must be received first. After an error it is thrown again,
    /// and after the last event comes `connection_closed` each time, or `paused` if the connection has switched to
    /// another protocol.
    event next_event();

    /// What to send for a request (by a client), for an interim or final response (by a server), for a piece of its
    /// body, and for its end. Throws local_error if it may not be sent now; nothing has changed then. A response
    /// without Content-Length is sent in chunks, or to HTTP/1.0 until the connection closes, and says when it will be
    /// closed.
    outgoing send(const request& head);
    outgoing send(response head);
    outgoing send(const data& piece);
    outgoing send(const end_of_message& end);

    /// Whether the client waits for a 100 (Continue), or for a final response, before it sends the body.
    bool waiting_for_continue() const noexcept { return waiting_for_continue_; }
    /// Whether this side must close the connection when it has sent its message.
    bool must_close() const noexcept { return !keep_alive_; }
    /// Whether this side is in the middle of a message.
    bool sending() const noexcept { return ours_ == phase::body; }
    /// The method of the request whose response is the next to be finished; empty if there is none.
    std::string_view method() const noexcept { return methods_.empty() ? std::string_view() : methods_.front(); }
    /// Whether the connection is another protocol's now (CONNECT, or 101), whose first bytes may be in unread().
    bool switched() const noexcept { return switched_; }
    /// The received bytes that are no part of an event yet.
    std::string unread() const { return std::string(reader_.input().rest()) + received_; }

private:
    enum class phase : std::uint8_t { head, body }; ///< of a message: between two, or after its head

    reading<> requests();
    reading<> responses();
    reading<> read_rest(framing body);
    reading<> wait_for_response();

    /// What both sides do about a request, whoever sent it.
    void begin(const request& head, phase& side) {
        methods_.push_back(head.method);
        proposed_ = head.method == "CONNECT" || head.fields.count("Upgrade") > 0;
        waiting_for_continue_ = head.version == version::http_1_1 && head.fields.lists("Expect", "100-continue");
        keep_alive_ = keep_alive_ && keeps_alive(head);
        side = phase::body;
    }
    /// The same about a response. One that is interim, or makes the connection another protocol's, has no body.
    void begin(const response& head, phase& side) noexcept {
        waiting_for_continue_ = false;
        switched_ = switches(head);
        if (!head.interim()) {
            proposed_ = false;
            keep_alive_ = keep_alive_ && keeps_alive(head);
            side = switched_ ? phase::head : phase::body;
        }
    }
    bool switches(const response& head) const noexcept {
        return head.status == 101 || (method() == "CONNECT" && head.status >= 200 && head.status < 300);
    }
    /// The end of a message: a response's ends the request, too.
    void finish(phase& side) noexcept {
        side = phase::head;
        if ((&side == &ours_) == (role_ == role::server) && !methods_.empty()) {
            methods_.erase(methods_.begin());
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
    bool said_close_ = false; ///< this side has begun its last message
    bool proposed_ = false;   ///< the client proposes another protocol, and there is no final response yet
    bool switched_ = false;
    bool waiting_for_continue_ = false;
    std::optional<version> their_version_;
    std::vector<std::string> methods_; ///< of the requests whose responses are not finished
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
            const framing body = request_framing(*head);
            reader_.check_length(body);
            their_version_ = head->version;
            begin(*head, theirs_);
            event found = std::move(*head);
            co_yield std::move(found);
            co_await read_rest(body);
            co_await wait_for_response();
        }
    } catch (const remote_error&) {
        error_ = std::current_exception();
        keep_alive_ = false;
        throw;
    }
}

inline reading<> connection::responses() {
    try {
        bool last = false;
        while (!last) {
            const bool more = co_await reader_.any();
            if (methods_.empty()) {
                if (!more) {
                    break;
                }
                throw unexpected_data("a response to no request");
            }
            response head = co_await reader_.read_response();
            if (head.status == 101 && !proposed_) {
                throw unexpected_data("a 101 that was not asked for");
            }
            const framing body = response_framing(head, method());
            reader_.check_length(body);
            begin(head, theirs_);
            const bool whole = head.interim() || switched_;
            last = switched_ || (!whole && (body.how == framing::kind::until_close || !keeps_alive(head)));
            event found = std::move(head);
            co_yield std::move(found);
            if (!whole) {
                co_await read_rest(body);
                last = last || (methods_.empty() && !keep_alive_);
            }
        }
        keep_alive_ = false;
    } catch (const remote_error&) {
        error_ = std::current_exception();
        keep_alive_ = false;
        throw;
    }
}

/// The body of the peer's message, and its end.
inline reading<> connection::read_rest(framing body) {
    if (role_ == role::server && waiting_for_continue_ && (body.how != framing::kind::length || body.length > 0)) {
        co_await reader_.any();
        waiting_for_continue_ = false; // it does not: here is the body
    }
    headers trailers = co_await reader_.read_body(body);
    finish(theirs_);
    event end = end_of_message{std::move(trailers)};
    co_yield std::move(end);
}

/// Returns when the server has answered the request.
inline reading<> connection::wait_for_response() {
    while (!methods_.empty() && !switched_) {
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
    if (role_ != role::client || ours_ != phase::head || !keep_alive_ || proposed_) {
        throw local_error("no request can be sent now");
    }
    if (methods_.empty() && !unread().empty()) { // it would be taken for the response (RFC 9112, 9.2)
        throw local_error("the server has sent data before this request");
    }
    framing body;
    request checked = head;
    as_local_error([&] {
        check_host(checked);
        body = request_framing(checked);
    });
    const outgoing sent = writer_.head(checked, body);
    begin(checked, ours_);
    return sent;
}

inline outgoing connection::send(response head) {
    // Without a request there may be a final response: the one to a request that could not be read.
    const bool unasked = methods_.empty() && (head.interim() || theirs_ == phase::body);
    if (role_ != role::server || ours_ != phase::head || said_close_ || switched_ || unasked) {
        throw local_error("no response can be sent now");
    }
    if (head.status == 101 && !proposed_) {
        throw local_error("a 101 that was not asked for");
    }
    if (head.interim() && their_version_ == version::http_1_0) {
        throw local_error("no interim response can be sent to HTTP/1.0");
    }
    const framing body = head.interim() ? framing() : frame_response(head);
    const outgoing sent = writer_.head(head, body);
    begin(head, ours_);
    said_close_ = !keep_alive_;
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
    as_local_error([&] { body = response_framing(head, method()); });
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
