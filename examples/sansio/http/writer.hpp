// examples/sansio/http/writer.hpp — the serialiser: checks what is to be sent, and writes it.
// SPDX-License-Identifier: MIT
//
// It never waits for anything, so it is no coroutine.
#pragma once

#include "errors.hpp"
#include "framing.hpp"
#include "messages.hpp"

#include <array>
#include <charconv>
#include <string>
#include <string_view>

namespace http {

/// Writes one message after the other. What it returns refers to *this until the next call, and to the data it was
/// given. Throws local_error, and then has written nothing.
class writer {
public:
    /// The start line and the fields of a message with that body.
    outgoing head(const request& sent, framing body) {
        if (!syntax::is_token(sent.method) || sent.target.empty() ||
            !syntax::consists_of(sent.target, syntax::visible)) {
            throw local_error("a request with a bad method or target");
        }
        check(sent.fields);
        text_.assign(sent.method).append(" ").append(sent.target).append(" HTTP/1.1\r\n");
        return finish_head(sent.fields, body);
    }
    outgoing head(const response& sent, framing body) {
        if (sent.status < 100 || sent.status > 999 || !syntax::consists_of(sent.reason, syntax::field)) {
            throw local_error("a response with a bad status or reason");
        }
        check(sent.fields);
        text_.assign("HTTP/1.1 ").append(std::to_string(sent.status)).append(" ").append(sent.reason).append("\r\n");
        return finish_head(sent.fields, body);
    }

    /// A piece of the body.
    outgoing data(std::string_view bytes) {
        if (bytes.empty()) { // as a chunk it would be the last one
            return {};
        }
        if (body_.how == framing::kind::chunked) {
            char* const end = std::to_chars(size_.data(), size_.data() + size_.size() - 2, bytes.size(), 16).ptr;
            end[0] = '\r';
            end[1] = '\n';
            return {{std::string_view(size_.data(), static_cast<std::size_t>(end + 2 - size_.data())), bytes, "\r\n"}};
        }
        if (body_.how == framing::kind::length) {
            if (bytes.size() > body_.length) {
                throw local_error("more data than Content-Length says");
            }
            body_.length -= bytes.size();
        }
        return {{bytes, {}, {}}};
    }

    /// The end of the message.
    outgoing end(const headers& trailers) {
        if (body_.how == framing::kind::chunked) {
            check(trailers);
            text_ = "0\r\n";
            return finish_head(trailers, framing());
        }
        if (!trailers.empty()) {
            throw local_error("trailers need a chunked body");
        }
        if (body_.length > 0) {
            throw local_error("less data than Content-Length says");
        }
        return {};
    }

private:
    static void check(const headers& fields) {
        for (const field each : fields) {
            if (!syntax::is_token(each.name) || !syntax::consists_of(each.value, syntax::field) ||
                syntax::trim(each.value) != each.value) {
                throw local_error("a field with a bad name or value: " + std::string(each.name));
            }
        }
    }

    outgoing finish_head(const headers& fields, framing body) {
        for (const field each : fields) {
            text_.append(each.name).append(": ").append(each.value).append("\r\n");
        }
        text_ += "\r\n";
        body_ = body;
        return {{text_, {}, {}}};
    }

    framing body_;
    std::string text_;
    std::array<char, 18> size_ = {};
};

} // namespace http
