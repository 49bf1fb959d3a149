// examples/postgres/result.hpp — what goes into a command and what comes out, as text.
// SPDX-License-Identifier: MIT
#pragma once

#include "errors.hpp"

#include <concepts>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

struct pg_result; // libpq's PGresult

namespace pg {

/// The value of a $1, $2, ... in SQL: text, from which the server reads whatever type it needs there; or the bytes of a
/// bytea.
struct parameter {
    parameter(std::nullopt_t = std::nullopt) noexcept {} ///< NULL
    parameter(std::string from) noexcept : text(std::move(from)) {}
    parameter(const char* from) : text(from) {}
    parameter(bool from) : text(from ? "t" : "f") {}
    template <std::integral Integer>
    parameter(Integer from) : text(std::to_string(from)) {}
    static parameter bytes(std::string from) {
        parameter made(std::move(from));
        made.binary = true;
        return made;
    }

    std::optional<std::string> text;
    bool binary = false;
};
using parameters = std::vector<parameter>;

/// The rows of a command, and what it did. Values are text as the server writes it.
class result {
public:
    result() noexcept = default;
    explicit result(pg_result* owned) noexcept : handle_(owned) {}

    std::size_t rows() const noexcept;
    std::size_t columns() const noexcept;
    /// Valid as long as the result; none for NULL.
    std::optional<std::string_view> value(std::size_t row, std::size_t column) const noexcept;
    const char* name(std::size_t column) const noexcept;
    /// The number that pg_type knows the column's type by.
    unsigned type(std::size_t column) const noexcept;
    /// The command and how many rows it was about: "SELECT 1", "INSERT 0 2", "BEGIN".
    const char* status() const noexcept;

    pg_result* handle() const noexcept { return handle_.get(); }

private:
    struct clear {
        void operator()(pg_result* owned) const noexcept;
    };
    std::unique_ptr<pg_result, clear> handle_;
};

/// What the server says in an error or a notice.
diagnostics read_diagnostics(const pg_result* from);

} // namespace pg
