// examples/sansio/http/syntax.hpp — the characters and the small grammars of RFC 9110 and 9112.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <system_error>

namespace http::syntax {

/// Sets of characters, as bits.
enum : unsigned char {
    token = 1,   ///< tchar (RFC 9110, 5.6.2): methods and field names
    visible = 2, ///< VCHAR: what a request target consists of
    field = 4,   ///< VCHAR, obs-text, space and tab: what a field value consists of (RFC 9110, 5.5)
    host = 8,    ///< uri-host and port (RFC 3986, 3.2.2)
};

inline constexpr std::array<unsigned char, 256> sets = [] {
    std::array<unsigned char, 256> made{};
    const auto add = [&made](std::string_view characters, unsigned char set) {
        for (const char c : characters) {
            made[static_cast<unsigned char>(c)] |= set;
        }
    };
    for (std::size_t c = 0x21; c < 256; ++c) {
        made[c] = c == 0x7f ? 0 : c < 0x7f ? visible | field : field;
    }
    add(" \t", field);
    add("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz", token | host);
    add("!#$%&'*+-.^_`|~", token);
    add("-._~%!$&'()*+,;=:[]", host);
    return made;
}();

/// Whether all characters of `text` are in `set`; true for an empty text.
constexpr bool consists_of(std::string_view text, unsigned char set) noexcept {
    return std::all_of(text.begin(), text.end(),
                       [set](char c) { return (sets[static_cast<unsigned char>(c)] & set) != 0; });
}

constexpr bool is_token(std::string_view text) noexcept { return !text.empty() && consists_of(text, token); }

constexpr char lower(char c) noexcept { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Compares as names of methods' fields and codings are compared: ASCII letters without case.
constexpr bool equal(std::string_view a, std::string_view b) noexcept {
    return a.size() == b.size() &&
           std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

/// Without the optional whitespace around it (OWS).
constexpr std::string_view trim(std::string_view text) noexcept {
    const std::size_t first = text.find_first_not_of(" \t");
    return first == std::string_view::npos ? std::string_view()
                                           : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// A number of digits alone, without sign or space; nullopt if it is none or too large.
inline std::optional<std::uint64_t> number(std::string_view digits, int base = 10) noexcept {
    std::uint64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, problem] = std::from_chars(digits.data(), end, value, base);
    return problem == std::errc() && stop == end ? std::optional(value) : std::nullopt;
}

/// Calls `visit` with each element of a comma-separated list, also with the empty ones; stops where it returns false.
template <class Visit>
constexpr bool each_element(std::string_view list, Visit visit) {
    while (true) {
        const std::size_t comma = list.find(',');
        if (!visit(trim(list.substr(0, comma)))) {
            return false;
        }
        if (comma == std::string_view::npos) {
            return true;
        }
        list.remove_prefix(comma + 1);
    }
}

} // namespace http::syntax
