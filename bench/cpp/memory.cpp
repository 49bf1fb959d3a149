// bench/cpp/memory.cpp — the memory of suspended coroutines. Usage: isthmus_bench_memory WHAT COUNT; prints the bytes
// that each takes of the process's resident memory, and of malloc's.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"
#include "floor.hpp"

#include <malloc.h>
#include <unistd.h>

#ifdef BENCH_CONTEXT
#include <boost/context/fiber.hpp>
#endif

#include <cstdlib>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace {

struct usage {
    double resident = 0;
    double allocated = 0;
};

usage now() {
    std::ifstream statm("/proc/self/statm");
    long size = 0;
    long resident = 0;
    statm >> size >> resident;
    const struct mallinfo2 info = mallinfo2();
    return {static_cast<double>(resident * sysconf(_SC_PAGESIZE)), static_cast<double>(info.uordblks + info.hblkhd)};
}

/// The vector of the objects counts too: a coroutine object is part of what a coroutine takes.
template <class Make>
usage measure(std::size_t count, Make make) {
    using made_type = decltype(make());
    const usage before = now();
    std::vector<made_type> made;
    made.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        made.push_back(make());
    }
    const usage after = now();
    const auto each = static_cast<double>(count);
    return {(after.resident - before.resident) / each, (after.allocated - before.allocated) / each};
}

isthmus::coroutine<void, int, int> by_malloc(std::allocator_arg_t, std::allocator<char>) {
    int value = 0;
    while (true) {
        value = co_yield value;
    }
}

template <class Coroutine>
Coroutine sent(Coroutine made) {
    made.send();
    return made;
}

} // namespace

int main(int count, char** arguments) {
    using erased = isthmus::any_coroutine<void, int, int>;
    const std::map<std::string, std::function<usage(std::size_t)>> kinds = {
        {"bare handle",
         [](std::size_t number) {
             return measure(number, [] {
                 const bench::bare made = bench::bare_loop();
                 made.handle.resume();
                 return made;
             });
         }},
        {"least promise",
         [](std::size_t number) {
             return measure(number, [] {
                 const bench::passing made = bench::passing_echo();
                 made.handle.resume();
                 return made;
             });
         }},
        {"isthmus", [](std::size_t number) { return measure(number, [] { return sent(bench::echo()); }); }},
        {"isthmus, malloc",
         [](std::size_t number) {
             return measure(number, [] { return sent(by_malloc(std::allocator_arg, std::allocator<char>())); });
         }},
        {"any_coroutine",
         [](std::size_t number) { return measure(number, [] { return sent(erased(bench::echo())); }); }},
#ifdef BENCH_CONTEXT
        {"Boost.Context",
         [](std::size_t number) {
             return measure(number, [] {
                 boost::context::fiber fiber([](boost::context::fiber&& driver) {
                     while (true) {
                         driver = std::move(driver).resume();
                     }
                     return std::move(driver);
                 });
                 return std::move(fiber).resume();
             });
         }},
#endif
    };
    if (count != 3 || !kinds.contains(arguments[1])) {
        for (const auto& kind : kinds) {
            std::cout << kind.first << '\n';
        }
        return count == 1 ? 0 : 2;
    }
    const usage each = kinds.at(arguments[1])(std::stoul(arguments[2]));
    std::cout << "{\"resident\": " << each.resident << ", \"allocated\": " << each.allocated << "}\n" << std::flush;
    std::_Exit(0); // the bare handles own nothing, so they could not be destroyed
}
