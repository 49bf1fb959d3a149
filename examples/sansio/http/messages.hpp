// examples/sansio/http/messages.hpp — requests and responses, and the events of which reading them consists.
// SPDX-License-Identifier: MIT
#pragma once

#include "headers.hpp"

#include <array>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace http {

enum class version : std::uint8_t { http_1_0, http_1_1 };

/// A request line and its fields.
struct request {
    request() = default;
    request(std::string its_method, std::string its_target, headers its_fields = {})
        : method(std::move(its_method)), target(std::move(its_target)), fields(std::move(its_fields)) {}

    std::string method = "GET"; ///< case matters
    std::string target = "/";
    headers fields;
    http::version version = http::version::http_1_1;

    friend bool operator==(const request&, const request&) = default;
};

/// A status line and its fields: an interim one (status below 200), which another follows, or the final one.
struct response {
    explicit response(int its_status = 200, headers its_fields = {}, std::string its_reason = {})
        : status(its_status), fields(std::move(its_fields)), reason(std::move(its_reason)) {}

    bool interim() const noexcept { return status < 200; }

    int status;
    headers fields;
    std::string reason; ///< carries no meaning
    http::version version = http::version::http_1_1;

    friend bool operator==(const response&, const response&) = default;
};

/// A piece of a body, never an empty one, as it came: pieces say nothing about chunks. Refers to the connection's
/// buffer, until the next event is asked for.
struct data {
    std::string_view bytes;
};

/// The end of a request or a final response.
struct end_of_message {
    headers trailers;
    friend bool operator==(const end_of_message&, const end_of_message&) = default;
};

/// Send the bytes that the peer sent next; none if it has closed the connection.
struct need_data {};

/// What the peer sent next is another message, or another protocol; this one's other side must be finished before.
struct paused {};

/// No other message comes on this connection.
struct connection_closed {};

/// What a connection's coroutine yields. Only `need_data` is answered, with bytes.
using event = std::variant<need_data, request, response, data, end_of_message, paused, connection_closed>;

/// What to send, one piece after the other. Refers to the connection and to the data that were handed to it, until
/// either is used again.
struct outgoing {
    std::array<std::string_view, 3> pieces;

    std::string joined() const {
        std::string all;
        all.reserve(pieces[0].size() + pieces[1].size() + pieces[2].size());
        for (const std::string_view piece : pieces) {
            all += piece;
        }
        return all;
    }
};

/// What a peer may send before it is refused.
struct limits {
    std::size_t start_line = 8 * 1024;   ///< bytes, with the line end
    std::size_t field_bytes = 64 * 1024; ///< bytes of all lines of a header or trailer section, with the empty one
    std::size_t field_count = 100;
    std::size_t chunk_line = 256; ///< bytes of a chunk's size and extensions, with the line end
    std::uint64_t body = std::numeric_limits<std::uint64_t>::max();
};

} // namespace http
