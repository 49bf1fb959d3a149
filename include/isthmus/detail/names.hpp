// isthmus/detail/names.hpp — the names of functions and types, for people to read.
// SPDX-License-Identifier: MIT
#pragma once

#include "config.hpp"

#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <typeinfo>
#if defined(__GNUC__)
#include <cxxabi.h>
#endif

namespace isthmus::inline v1::detail {

/// The name of a function without its return type, namespaces' template arguments and parameters:
/// "isthmus::py::coroutine<int> db::Connection::fetch(std::string)" is "db::Connection::fetch". Of a member of a local
/// class, that class and the member. In the body of a coroutine g++ says "void fetch(fetch(int)::_Z5fetchi.Frame*)".
ISTHMUS_COLD constexpr std::string_view plain_name(std::string_view function) noexcept {
    if (function.ends_with(".Frame*)")) {
        int open = 1;
        std::size_t begin = function.size() - 1; // of the parameters
        while (open > 0 && begin > 0) {
            --begin;
            open += function[begin] == ')' ? 1 : function[begin] == '(' ? -1 : 0;
        }
        function = function.substr(0, begin);
    }
    if (function.find("<lambda") != std::string_view::npos || function.find("operator()") != std::string_view::npos) {
        return "<lambda>";
    }
    int depth = 0; // of <> and ()
    std::size_t begin = 0;
    for (std::size_t i = 0; i < function.size(); ++i) {
        const char c = function[i];
        if (c == '(' && depth == 0 && i > begin && function.substr(i, 21) != "(anonymous namespace)") {
            const std::size_t local = function.find(")::", i); // a member of a class that is local to a function
            if (local == std::string_view::npos) {
                return function.substr(begin, i - begin);
            }
            begin = local + 3;
            i = begin - 1;
            continue;
        }
        if (c == '<' || c == '(' || c == '[') {
            ++depth;
        } else if (c == '>' || c == ')' || c == ']') {
            --depth;
        } else if (c == ' ' && depth == 0) {
            begin = i + 1;
        }
    }
    return function.substr(begin);
}

/// The name of a type as it is written in C++, where the compiler's runtime can tell.
ISTHMUS_COLD inline std::string type_name(const std::type_info& type) {
#if defined(__GNUC__)
    int status = 0;
    const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status),
                                                           &std::free);
    if (text) {
        return text.get();
    }
#endif
    return type.name();
}

} // namespace isthmus::inline v1::detail
