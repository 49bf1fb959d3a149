// examples/postgres/result.cpp — PGresult.
// SPDX-License-Identifier: MIT

#include "result.hpp"

#include <libpq-fe.h>

namespace pg {

void result::clear::operator()(pg_result* owned) const noexcept { PQclear(owned); }

std::size_t result::rows() const noexcept { return static_cast<std::size_t>(PQntuples(handle_.get())); }

std::size_t result::columns() const noexcept { return static_cast<std::size_t>(PQnfields(handle_.get())); }

std::optional<std::string_view> result::value(std::size_t row, std::size_t column) const noexcept {
    const int r = static_cast<int>(row), c = static_cast<int>(column);
    if (PQgetisnull(handle_.get(), r, c) != 0) {
        return std::nullopt;
    }
    return std::string_view(PQgetvalue(handle_.get(), r, c),
                            static_cast<std::size_t>(PQgetlength(handle_.get(), r, c)));
}

const char* result::name(std::size_t column) const noexcept { return PQfname(handle_.get(), static_cast<int>(column)); }

unsigned result::type(std::size_t column) const noexcept { return PQftype(handle_.get(), static_cast<int>(column)); }

const char* result::status() const noexcept { return handle_ ? PQcmdStatus(handle_.get()) : ""; }

diagnostics read_diagnostics(const pg_result* from) {
    const auto field = [from](int code) {
        const char* const text = PQresultErrorField(from, code);
        return std::string(text != nullptr ? text : "");
    };
    diagnostics said{
        .severity = field(PG_DIAG_SEVERITY_NONLOCALIZED),
        .sqlstate = field(PG_DIAG_SQLSTATE),
        .message = field(PG_DIAG_MESSAGE_PRIMARY),
        .detail = field(PG_DIAG_MESSAGE_DETAIL),
        .hint = field(PG_DIAG_MESSAGE_HINT),
        .schema = field(PG_DIAG_SCHEMA_NAME),
        .table = field(PG_DIAG_TABLE_NAME),
        .column = field(PG_DIAG_COLUMN_NAME),
        .constraint = field(PG_DIAG_CONSTRAINT_NAME),
        .position = field(PG_DIAG_STATEMENT_POSITION),
    };
    if (said.message.empty()) { // libpq itself made it
        said.message = PQresultErrorMessage(from);
        while (said.message.ends_with('\n')) {
            said.message.pop_back();
        }
    }
    return said;
}

} // namespace pg
