// examples/sansio/http/errors.hpp — what a peer, or the program itself, can do wrong.
// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace http {

/// Base of all that this library throws.
class error : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// The program broke the protocol: it sends what may not be sent now, or at all. The connection is as it was.
class local_error : public error {
public:
    using error::error;
};

/// The peer broke the protocol, or a limit. Nothing more can be read from this connection.
class remote_error : public error {
public:
    remote_error(int status, const std::string& text) : error(text), status_(status) {}

    /// What a server should answer.
    int status() const noexcept { return status_; }

private:
    int status_;
};

template <int Status>
class remote_error_with : public remote_error {
public:
    explicit remote_error_with(const std::string& text) : remote_error(Status, text) {}
};

#define HTTP_REMOTE_ERROR(name, status)                                                                                \
    class name : public remote_error_with<status> {                                                                    \
        using remote_error_with::remote_error_with;                                                                    \
    }

HTTP_REMOTE_ERROR(bad_line_end, 400);       // a LF without CR before it
HTTP_REMOTE_ERROR(bad_start_line, 400);     // neither a request line nor a status line
HTTP_REMOTE_ERROR(bad_field, 400);          // a header or trailer line: its name, its value, a fold, a space before ':'
HTTP_REMOTE_ERROR(bad_host, 400);           // Host is missing, is there twice or is no host (RFC 9112, 3.2)
HTTP_REMOTE_ERROR(bad_content_length, 400); // no number, or two different ones
HTTP_REMOTE_ERROR(ambiguous_framing, 400);  // Transfer-Encoding beside Content-Length, or in HTTP/1.0: smuggling
HTTP_REMOTE_ERROR(bad_chunk, 400);          // the size of a chunk, or what follows a chunk
HTTP_REMOTE_ERROR(unexpected_end, 400);     // the peer closed the connection within a message
HTTP_REMOTE_ERROR(unexpected_data, 400);    // a response to no request
HTTP_REMOTE_ERROR(body_too_large, 413);     // more than limits::body
HTTP_REMOTE_ERROR(start_line_too_long, 414); // more than limits::start_line
HTTP_REMOTE_ERROR(fields_too_large, 431);    // more than limits::field_bytes or limits::field_count
HTTP_REMOTE_ERROR(unsupported_coding, 501);  // a Transfer-Encoding other than chunked
HTTP_REMOTE_ERROR(unsupported_version, 505); // HTTP, but not HTTP/1.x

#undef HTTP_REMOTE_ERROR

} // namespace http
