// isthmus/detail/chain_guard.hpp — finds two threads that drive one chain at the same time.
// SPDX-License-Identifier: MIT
#pragma once

#include "config.hpp"

#if ISTHMUS_CHECK_THREADS
#include <mutex>
#endif

namespace isthmus::inline v1::detail {

/// Where ISTHMUS_CHECK_THREADS is on, every look at who drives a chain, and every change of that, is made under one
/// lock, so that the second of two threads always gets already_executing. Otherwise this is nothing: a coroutine must
/// then be driven by one thread at a time, and the second one is only likely to be noticed.
class chain_guard {
public:
#if ISTHMUS_CHECK_THREADS
    void lock() { lock_ = std::unique_lock(mutex()); }
    void unlock() noexcept { lock_ = std::unique_lock<std::recursive_mutex>(); }

private:
    ISTHMUS_EXPORT static std::recursive_mutex& mutex() noexcept {
        static std::recursive_mutex one;
        return one;
    }
    std::unique_lock<std::recursive_mutex> lock_;
#else
    void lock() noexcept {}
    void unlock() noexcept {}
#endif
};

/// A chain_guard for a scope.
struct chain_lock {
    chain_lock() { guard.lock(); }
    ~chain_lock() { guard.unlock(); }
    chain_lock(const chain_lock&) = delete;
    chain_lock& operator=(const chain_lock&) = delete;
    [[no_unique_address]] chain_guard guard;
};

} // namespace isthmus::inline v1::detail
