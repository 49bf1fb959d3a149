// examples/minimal/minimal.cpp — a Python module in C++ whose functions are awaited.
// SPDX-License-Identifier: MIT

#include <isthmus/nanobind.hpp>
#include <nanobind/stl/string.h>

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

namespace py = isthmus::py;
using namespace nanobind::literals;

// A function that blocks and knows nothing of Python: bound with in_thread, it can be awaited.
std::string read_file(std::string path) {
    std::ifstream file(path);
    if (!file) {
        throw std::runtime_error("cannot read " + path);
    }
    return {std::istreambuf_iterator<char>(file), {}};
}

// A coroutine: it awaits whatever Python can await, here something that gives a str.
py::coroutine<std::size_t> count_words(py::object awaitable) {
    const std::string text = co_await py::await<std::string>(std::move(awaitable));
    std::size_t words = 0;
    bool inside = false;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\n' || c == '\t';
        words += !space && !inside ? 1 : 0;
        inside = !space;
    }
    co_return words;
}

NB_MODULE(minimal, m) {
    m.def("read_file", py::in_thread(&read_file), "path"_a, "Reads a file, on another thread.");
    m.def("count_words", &count_words, "text"_a, "The number of words of a text that is still to be awaited.");
}
