// examples/postgres/errors.hpp — what can go wrong with a connection.
// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace pg {

/// What the server says of an error, or of a notice. A field is empty if it says nothing.
struct diagnostics {
    std::string severity = {}, sqlstate = {}, message = {}, detail = {}, hint = {};
    std::string schema = {}, table = {}, column = {}, constraint = {};
    std::string position = {}; ///< of a syntax error, in characters
};

/// Base of all errors of this client.
class error : public std::runtime_error {
public:
    explicit error(diagnostics said)
        : std::runtime_error(said.message), said_(std::make_shared<const diagnostics>(std::move(said))) {}
    explicit error(const std::string& text) : error(diagnostics{.message = text}) {}
    const diagnostics& said() const noexcept { return *said_; }

private:
    std::shared_ptr<const diagnostics> said_; // copying an exception must not throw
};

/// The server refused a command. The connection can be used further.
class server_error : public error {
public:
    using error::error;
};

/// There is no connection: it could not be made, or broke. Nothing but to connect anew helps.
class connection_lost : public error {
public:
    using error::error;
};

/// A wrong use that the server never sees: a closed connection, or one that another task uses.
class misuse : public error {
public:
    using error::error;
};

} // namespace pg
