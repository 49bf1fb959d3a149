// bench/counts/counts.cpp — the hot paths of the core under callgrind, each done `times` times and twice as often: the
// difference of the two counts is exact. Usage: valgrind --tool=callgrind isthmus_counts TIMES
// SPDX-License-Identifier: MIT
#include "../cpp/coroutines.hpp"

#include <valgrind/callgrind.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace {

using bench::exchanging;
using bench::failing;

/// Prepares the work of a case, which is counted when it is done.
struct counted {
    const char* name;
    std::function<std::function<void()>(long times)> prepare;
};

template <class Chain>
std::function<void()> sends(Chain made, long times) {
    const auto chain = std::make_shared<Chain>(std::move(made));
    chain->send();
    return [chain, times] {
        for (long i = 0; i < times; ++i) {
            static_cast<void>(chain->send(1));
        }
    };
}

template <class Act>
std::function<void()> to_each(failing (*make)(long), long depth, long times, Act act) {
    const auto chains = std::make_shared<std::vector<failing>>();
    for (long i = 0; i < times; ++i) {
        chains->push_back(bench::started(make(depth)));
    }
    return [chains, act, error = std::make_exception_ptr(std::runtime_error("thrown in"))] {
        for (failing& each : *chains) {
            act(each, error);
        }
    };
}

const counted cases[] = {
    {"send/0", [](long times) { return sends(bench::echo(), times); }},
    {"send/1000", [](long times) { return sends(bench::nested(1000), times); }},
    {"send/0, any_coroutine",
     [](long times) { return sends(isthmus::any_coroutine<void, int, int>(bench::echo()), times); }},
    {"life", [](long times) { return [times] { isthmus::run(bench::awaits(times)); }; }},
    {"life, malloc", [](long times) { return [times] { isthmus::run(bench::awaits_by_malloc(times)); }; }},
    {"chain of 10", [](long times) { return [times] { isthmus::run(bench::awaits_chains(times, 10)); }; }},
    {"throw_/10", [](long times) { return to_each(bench::plain_levels, 10, times, bench::throw_through); }},
    {"try_throw/10, nothrow frames",
     [](long times) { return to_each(bench::nothrow_levels, 10, times, bench::try_throw_through); }},
    {"close()/10",
     [](long times) {
         return to_each(bench::plain_levels, 10, times, [](failing& each, const auto&) { each.close(); });
     }},
};

void count(const counted& each, long times, const std::string& name) {
    const std::function<void()> work = each.prepare(times);
    CALLGRIND_ZERO_STATS;
    work();
    CALLGRIND_DUMP_STATS_AT(name.c_str());
}

} // namespace

int main(int, char** arguments) {
    const long times = std::strtol(arguments[1], nullptr, 10);
    for (const counted& each : cases) {
        each.prepare(2 * times)(); // the caches of frames are as full as they will be
        count(each, times, std::string(each.name) + "|1");
        count(each, 2 * times, std::string(each.name) + "|2");
    }
}
