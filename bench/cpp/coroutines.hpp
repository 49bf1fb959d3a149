// bench/cpp/coroutines.hpp — the coroutines that are measured, by the clock, by callgrind and beside CPython's.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/isthmus.hpp>

#include <exception>
#include <memory>
#include <stdexcept>
#include <utility>

namespace bench {

// ---- one that yields what it is sent, and a chain of `depth` levels above it ----

using exchanging = isthmus::coroutine<void, int, int>;

inline exchanging echo() {
    int value = 0;
    while (true) {
        value = co_yield value;
    }
}
inline exchanging levels_above_echo(long depth) {
    if (depth == 1) {
        co_await echo();
    } else {
        co_await levels_above_echo(depth - 1);
    }
}
/// A chain in which `depth` levels are above the one that yields.
inline exchanging nested(long depth) { return depth == 0 ? echo() : levels_above_echo(depth); }

/// An any_coroutine with `depth` levels above it.
inline exchanging levels_above(long depth, isthmus::any_coroutine<void, int, int> inner) {
    if (depth <= 1) {
        co_await inner;
    } else {
        co_await levels_above(depth - 1, std::move(inner));
    }
}

// ---- lives: made, awaited and destroyed ----

inline isthmus::coroutine<long> immediate(long value) { co_return value; }
inline isthmus::coroutine<long> awaits(long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await immediate(1);
    }
    co_return sum;
}

/// The same with the frames from operator new, and so from malloc.
inline isthmus::coroutine<long> immediate_by_malloc(std::allocator_arg_t, std::allocator<char>, long value) {
    co_return value;
}
inline isthmus::coroutine<long> awaits_by_malloc(long count) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await immediate_by_malloc(std::allocator_arg, std::allocator<char>(), 1);
    }
    co_return sum;
}

/// A chain of `depth` coroutines, which runs to its end without a suspension.
inline isthmus::coroutine<long> chain_of(long depth) {
    if (depth <= 1) {
        co_return 1;
    }
    co_return 1 + co_await chain_of(depth - 1);
}
inline isthmus::coroutine<long> awaits_chains(long count, long depth) {
    long sum = 0;
    for (long i = 0; i < count; ++i) {
        sum += co_await chain_of(depth);
    }
    co_return sum;
}

// ---- errors that are thrown in at the leaf and leave through all levels above it ----

using failing = isthmus::coroutine<int, int>;

inline failing plain_levels(long depth) {
    if (depth == 0) {
        co_yield 1;
        co_return 0;
    }
    co_return co_await plain_levels(depth - 1);
}
inline failing nothrow_levels(long depth) {
    if (depth == 0) {
        co_yield isthmus::nothrow(1);
        co_return 0;
    }
    co_return co_await isthmus::nothrow(nothrow_levels(depth - 1));
}
/// Catches what is thrown in, and goes on.
inline failing catching() {
    while (true) {
        try {
            co_yield 1;
        } catch (const std::runtime_error&) { // the next co_yield is outside of the handler
        }
    }
}
inline failing catching_levels(long depth) {
    if (depth == 1) {
        co_return co_await catching();
    }
    co_return co_await catching_levels(depth - 1);
}

inline failing started(failing made) {
    made.send();
    return made;
}
inline void throw_through(failing& chain, const std::exception_ptr& error) {
    try {
        chain.throw_(error);
    } catch (const std::runtime_error&) {
        return;
    }
    throw std::logic_error("the error was lost");
}
inline void try_throw_through(failing& chain, const std::exception_ptr& error) {
    if (!chain.try_throw(error).failed()) {
        throw std::logic_error("the error was lost");
    }
}

} // namespace bench
