// bench/cpp/resume.cpp — one resume: of a bare handle, of the least promise, and of Isthmus at each depth, typed and
// erased.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"
#include "floor.hpp"
#include "suite.hpp"

#include <map>

namespace bench {
namespace {

void bare_resume(benchmark::State& state) {
    const bare loop = bare_loop();
    for (auto _ : state) {
        loop.handle.resume();
    }
    loop.handle.destroy();
}

void least_exchange(benchmark::State& state) {
    passing loop = passing_echo();
    loop.handle.resume();
    int value = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(value = loop.send(value));
    }
    loop.handle.destroy();
}

template <class Chain>
void send_to(benchmark::State& state, Chain& chain) {
    int value = 0;
    for (auto _ : state) {
        benchmark::DoNotOptimize(value = chain.send(value).yielded());
    }
}

/// Suspended chains, which are made once, since the deepest takes longer to make than to measure.
exchanging& suspended(long depth) {
    static std::map<long, exchanging> made;
    const auto found = made.find(depth);
    if (found != made.end()) {
        return found->second;
    }
    exchanging& chain = made.emplace(depth, nested(depth)).first->second;
    chain.send();
    return chain;
}

} // namespace

void register_resume() {
    add("resume", "bare handle", bare_resume);
    add("send/0", "least promise", least_exchange);
    for (const long depth : depths) {
        add(at("send", depth), "isthmus", [depth](benchmark::State& state) { send_to(state, suspended(depth)); });
    }
    add("send/0", "any_coroutine", [](benchmark::State& state) {
        isthmus::any_coroutine<void, int, int> erased = echo();
        erased.send();
        send_to(state, erased);
    });
    for (const long depth : {1L, 1000L}) {
        add(at("send", depth), "any_coroutine awaited", [depth](benchmark::State& state) {
            exchanging chain = levels_above(depth, echo());
            chain.send();
            send_to(state, chain);
        });
    }
}

} // namespace bench
