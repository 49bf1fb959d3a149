// examples/sansio/http/framing.hpp — where a body ends (RFC 9112, 6), and whether a connection persists (9.3).
// SPDX-License-Identifier: MIT
#pragma once

#include "errors.hpp"
#include "messages.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace http {

/// How the length of a body is known.
struct framing {
    enum class kind : std::uint8_t { length, chunked, until_close };

    static framing of_length(std::uint64_t bytes) noexcept { return {kind::length, bytes}; }

    kind how = kind::length;
    std::uint64_t length = 0; ///< if that is how
};

/// Checks Content-Length and Transfer-Encoding, and returns what they say; nullopt if there is neither. Of repeated
/// equal lengths one is kept (6.3). Throws bad_content_length, ambiguous_framing and unsupported_coding.
inline std::optional<framing> declared_framing(headers& fields, version of) {
    std::optional<std::string> length;
    std::optional<std::string_view> coding;
    std::size_t lengths = 0;
    for (const field each : fields) {
        if (syntax::equal(each.name, "content-length")) {
            syntax::each_element(each.value, [&](std::string_view element) {
                if (length && *length != element) {
                    throw bad_content_length("two different Content-Lengths");
                }
                length = element;
                ++lengths;
                return true;
            });
        } else if (syntax::equal(each.name, "transfer-encoding")) {
            if (coding || !syntax::equal(each.value, "chunked")) {
                throw unsupported_coding("a Transfer-Encoding other than chunked");
            }
            coding = each.value;
        }
    }
    if (coding) {
        if (length || of == version::http_1_0) { // RFC 9112, 6.1 and 6.3
            throw ambiguous_framing(length ? "both Transfer-Encoding and Content-Length"
                                           : "Transfer-Encoding in HTTP/1.0");
        }
        return framing{framing::kind::chunked, 0};
    }
    if (!length) {
        return std::nullopt;
    }
    const std::optional<std::uint64_t> bytes = syntax::number(*length);
    if (!bytes) {
        throw bad_content_length("Content-Length is no number, or too large");
    }
    if (lengths > 1) {
        fields.set("Content-Length", *length);
    }
    return framing::of_length(*bytes);
}

/// The body of a request.
inline framing request_framing(request& head) {
    return declared_framing(head.fields, head.version).value_or(framing::of_length(0));
}

/// Whether a final response to a request of that method has no body, whatever its fields say.
inline bool is_bodiless(int status, std::string_view method) noexcept {
    return status < 200 || status == 204 || status == 304 || method == "HEAD" || (method == "CONNECT" && status < 300);
}

/// The body of a final response to a request of that method.
inline framing response_framing(response& head, std::string_view method) {
    const std::optional<framing> declared = declared_framing(head.fields, head.version);
    if (is_bodiless(head.status, method)) {
        return framing::of_length(0);
    }
    return declared.value_or(framing{framing::kind::until_close, 0});
}

/// Whether another message may follow this one. HTTP/1.0 connections are never kept.
template <class Head>
bool keeps_alive(const Head& head) noexcept {
    return head.version == version::http_1_1 && !head.fields.lists("Connection", "close");
}

/// Checks the Host of a request (RFC 9112, 3.2).
inline void check_host(const request& head) {
    const std::size_t hosts = head.fields.count("Host");
    if (hosts > 1) {
        throw bad_host("more than one Host");
    }
    if (hosts == 0 && head.version == version::http_1_1) {
        throw bad_host("no Host");
    }
    if (hosts == 1 && !syntax::consists_of(*head.fields.find("Host"), syntax::host)) {
        throw bad_host("Host is no host");
    }
}

} // namespace http
