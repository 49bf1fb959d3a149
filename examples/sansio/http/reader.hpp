// examples/sansio/http/reader.hpp — the parser: coroutines that yield events and are sent bytes.
// SPDX-License-Identifier: MIT
//
// Straight-line code: each coroutine reads one thing of the grammar, awaits those for its parts, and where the bytes
// end it suspends the whole chain, which goes on at that very point, in O(1), when the next ones are sent.
#pragma once

#include "errors.hpp"
#include "framing.hpp"
#include "messages.hpp"

#include <isthmus/coroutine.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace http {

/// A part of the parser: yields events, is sent bytes after a `need_data` (after others, what is sent is ignored).
template <class T = void>
using reading = isthmus::coroutine<T, event, std::string>;

/// The received bytes that are not yet parsed. A string that is fed into an empty one is moved, not copied.
class input_buffer {
public:
    std::string_view rest() const noexcept { return std::string_view(text_).substr(start_); }
    bool empty() const noexcept { return start_ == text_.size(); }
    /// Whether the peer has closed the connection.
    bool ended() const noexcept { return ended_; }

    /// Adds what was received, which is nothing at the end of the connection. Invalidates what refers to the bytes.
    void feed(std::string bytes) {
        ended_ = bytes.empty();
        if (empty()) {
            text_ = std::move(bytes);
        } else {
            text_.erase(0, start_).append(bytes);
        }
        start_ = 0;
    }
    /// Takes the first bytes, which stay valid until the next feed().
    std::string_view take(std::size_t count) noexcept {
        const std::string_view taken = rest().substr(0, count);
        start_ += taken.size();
        return taken;
    }

private:
    std::string text_;
    std::size_t start_ = 0;
    bool ended_ = false;
};

/// Reads messages and their parts. Whatever does not follow the grammar, or breaks a limit, throws a remote_error.
class reader {
public:
    explicit reader(const limits& its_limits) : limits_(its_limits) {}

    const input_buffer& input() const noexcept { return input_; }

    /// Asks for more bytes; false at the end of the connection.
    reading<bool> more() {
        if (!input_.ended()) {
            event need = need_data();
            input_.feed(co_yield std::move(need));
        }
        co_return !input_.ended();
    }

    /// Whether there are bytes: asks for more if there are none. (`empty() && !co_await more()` is what g++ 12
    /// miscompiles.)
    reading<bool> any() {
        bool found = true;
        if (input_.empty()) {
            found = co_await more();
        }
        co_return found;
    }

    /// The next request, up to its body; nullopt if the connection ends before it.
    reading<std::optional<request>> read_request();
    /// The next interim or final response, up to its body.
    reading<response> read_response();
    /// Yields the pieces of a body as `data`, and returns its trailers.
    reading<headers> read_body(framing body);
    /// What a body may not be longer than.
    void check_length(const framing& body) const {
        if (body.length > limits_.body) {
            throw body_too_large("Content-Length is above the limit");
        }
    }

private:
    /// A line without its CRLF, valid until more bytes come. `TooLong` is thrown if it is longer than `limit` with it.
    template <class TooLong>
    reading<std::string_view> read_line(std::size_t limit);
    reading<std::string_view> read_start_line();
    reading<headers> read_fields();
    reading<> read_length(std::uint64_t length);
    reading<headers> read_chunks();
    reading<> read_until_close();

    static void check_field_line(std::string_view line, std::size_t colon);
    static version parse_version(std::string_view text);

    input_buffer input_;
    limits limits_;
};

template <class TooLong>
reading<std::string_view> reader::read_line(std::size_t limit) {
    std::size_t searched = 0;
    std::size_t end = 0;
    while ((end = input_.rest().find('\n', searched)) == std::string_view::npos) {
        searched = input_.rest().size();
        if (searched >= limit) {
            throw TooLong("a line is too long");
        }
        if (!co_await more()) {
            throw unexpected_end("the connection ended within a line");
        }
    }
    if (end >= limit) {
        throw TooLong("a line is too long");
    }
    const std::string_view line = input_.take(end + 1);
    if (end == 0 || line[end - 1] != '\r') { // a CR elsewhere is in none of the character sets
        throw bad_line_end("a line ends with LF instead of CRLF");
    }
    co_return line.substr(0, end - 1);
}

inline reading<std::string_view> reader::read_start_line() {
    return read_line<start_line_too_long>(limits_.start_line);
}

inline version reader::parse_version(std::string_view text) {
    if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.' || !syntax::number(text.substr(5, 1)) ||
        !syntax::number(text.substr(7, 1))) {
        throw bad_start_line("a start line without HTTP version");
    }
    if (text[5] != '1') {
        throw unsupported_version("a version other than HTTP/1.x");
    }
    return text[7] == '0' ? version::http_1_0 : version::http_1_1;
}

inline reading<std::optional<request>> reader::read_request() {
    if (!co_await any()) {
        co_return std::nullopt;
    }
    std::string_view line = co_await read_start_line();
    if (line.empty()) { // one is ignored (RFC 9112, 2.2)
        if (!co_await any()) {
            co_return std::nullopt;
        }
        line = co_await read_start_line();
    }
    const std::size_t first = line.find(' ');
    const std::size_t second = first == std::string_view::npos ? first : line.find(' ', first + 1);
    if (second == std::string_view::npos) {
        throw bad_start_line("a request line without target or version");
    }
    request head;
    head.method = line.substr(0, first);
    head.target = line.substr(first + 1, second - first - 1);
    if (!syntax::is_token(head.method) || head.target.empty() || !syntax::consists_of(head.target, syntax::visible)) {
        throw bad_start_line("a request line with a bad method or target");
    }
    head.version = parse_version(line.substr(second + 1));
    head.fields = co_await read_fields();
    check_host(head);
    co_return head;
}

inline reading<response> reader::read_response() {
    const std::string_view line = co_await read_start_line();
    response head;
    head.version = parse_version(line.substr(0, 8));
    const std::string_view status = line.substr(8);
    const bool has_reason = status.size() > 4; // its space is sometimes left out when there is none
    if (status.size() < 4 || status[0] != ' ' || status[1] == '0' || (has_reason && status[4] != ' ') ||
        !syntax::number(status.substr(1, 3)) || !syntax::consists_of(status, syntax::field)) {
        throw bad_start_line("a status line with a bad status or reason");
    }
    head.status = static_cast<int>(*syntax::number(status.substr(1, 3)));
    head.reason = status.substr(has_reason ? 5 : 4);
    head.fields = co_await read_fields();
    co_return head;
}

inline void reader::check_field_line(std::string_view line, std::size_t colon) {
    if (line[0] == ' ' || line[0] == '\t') { // RFC 9112, 5.2
        throw bad_field("a folded line");
    }
    if (colon == std::string_view::npos || !syntax::is_token(line.substr(0, colon))) { // also a space before it (5.1)
        throw bad_field("a field without name");
    }
    if (!syntax::consists_of(line.substr(colon + 1), syntax::field)) {
        throw bad_field("a control character in the value of a field");
    }
}

inline reading<headers> reader::read_fields() {
    headers fields;
    std::size_t left = limits_.field_bytes;
    while (true) {
        const std::string_view line = co_await read_line<fields_too_large>(left);
        left -= line.size() + 2;
        if (line.empty()) {
            co_return fields;
        }
        if (fields.size() == limits_.field_count) {
            throw fields_too_large("too many fields");
        }
        const std::size_t colon = line.find(':');
        check_field_line(line, colon);
        fields.add(line.substr(0, colon), syntax::trim(line.substr(colon + 1)));
    }
}

inline reading<headers> reader::read_body(framing body) {
    headers trailers;
    if (body.how == framing::kind::chunked) {
        trailers = co_await read_chunks();
    } else if (body.how == framing::kind::length) {
        co_await read_length(body.length);
    } else {
        co_await read_until_close();
    }
    co_return trailers;
}

inline reading<> reader::read_length(std::uint64_t length) {
    while (length > 0) {
        if (!co_await any()) {
            throw unexpected_end("the connection ended within a body");
        }
        const auto available = std::min<std::uint64_t>(length, input_.rest().size());
        length -= available;
        event piece = data{input_.take(static_cast<std::size_t>(available))};
        co_yield std::move(piece);
    }
}

inline reading<headers> reader::read_chunks() {
    std::uint64_t left = limits_.body;
    while (true) {
        const std::string_view line = co_await read_line<bad_chunk>(limits_.chunk_line);
        const std::size_t digits = std::min(line.find_first_of("; \t"), line.size());
        const std::string_view extension = syntax::trim(line.substr(digits));
        const std::optional<std::uint64_t> size = syntax::number(line.substr(0, digits), 16);
        if (!size || (!extension.empty() && extension[0] != ';') || !syntax::consists_of(extension, syntax::field)) {
            throw bad_chunk("a chunk without size");
        }
        if (*size == 0) {
            break;
        }
        if (*size > left) {
            throw body_too_large("a chunked body is above the limit");
        }
        left -= *size;
        co_await read_length(*size);
        const std::string_view end = co_await read_line<bad_chunk>(2);
        if (!end.empty()) {
            throw bad_chunk("a chunk longer than its size");
        }
    }
    headers trailers = co_await read_fields();
    for (const field each : trailers) { // what decides about messages comes before the body (RFC 9110, 6.5.1)
        if (syntax::equal(each.name, "Content-Length") || syntax::equal(each.name, "Transfer-Encoding") ||
            syntax::equal(each.name, "Host")) {
            throw bad_field("a trailer that may only be a header");
        }
    }
    co_return trailers;
}

inline reading<> reader::read_until_close() {
    std::uint64_t left = limits_.body;
    while (co_await any()) {
        if (left == 0) {
            throw body_too_large("a body is above the limit");
        }
        const auto available = std::min<std::uint64_t>(left, input_.rest().size());
        left -= available;
        event piece = data{input_.take(static_cast<std::size_t>(available))};
        co_yield std::move(piece);
    }
}

} // namespace http
