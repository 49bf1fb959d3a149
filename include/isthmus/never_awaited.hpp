// isthmus/never_awaited.hpp — the report of a coroutine that dies before it was started.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/config.hpp"
#include "detail/names.hpp"

#include <atomic>
#include <cstdio>
#include <source_location>
#include <string_view>

/// Whether a coroutine that was never awaited is reported on stderr when no hook is set.
#if !defined(ISTHMUS_REPORT_NEVER_AWAITED)
#if defined(NDEBUG)
#define ISTHMUS_REPORT_NEVER_AWAITED 0
#else
#define ISTHMUS_REPORT_NEVER_AWAITED 1
#endif
#endif

namespace isthmus::inline v1 {

/// Called when a coroutine is destroyed that was never started (11.1, 11.10), with the coroutine function: its name,
/// and where it is defined (g++ 12 gives the line of its closing brace). On the thread that destroys it. What it throws
/// is dropped, with a line on stderr.
using never_awaited_hook = void (*)(std::string_view name, const std::source_location& function);

namespace detail {

ISTHMUS_EXPORT inline constinit std::atomic<never_awaited_hook> current_never_awaited_hook{nullptr};

ISTHMUS_COLD ISTHMUS_NOINLINE inline void report_never_awaited(const std::source_location& function) noexcept {
    const std::string_view name = plain_name(function.function_name());
    if (const never_awaited_hook hook = current_never_awaited_hook.load(std::memory_order_acquire)) {
        try {
            hook(name, function);
        } catch (...) { // a destructor is running
            std::fputs("isthmus: the hook for coroutines that were never awaited has thrown\n", stderr);
        }
    } else if (ISTHMUS_REPORT_NEVER_AWAITED) {
        std::fprintf(stderr, "isthmus: coroutine '%.*s' was never awaited (%s:%u)\n", static_cast<int>(name.size()),
                     name.data(), function.file_name(), static_cast<unsigned>(function.line()));
    }
}

} // namespace detail

/// Sets what is called for each coroutine that dies before it was started, in all of the process; null for the default:
/// a line on stderr in programs compiled without NDEBUG (ISTHMUS_REPORT_NEVER_AWAITED says otherwise), else nothing.
/// Returns the hook before. One that was closed or thrown into is not reported (11.2), nor is a generator (11.9), and a
/// Python coroutine warns in Python's way. Any thread.
inline never_awaited_hook set_never_awaited_hook(never_awaited_hook hook) noexcept {
    return detail::current_never_awaited_hook.exchange(hook, std::memory_order_acq_rel);
}

} // namespace isthmus::inline v1
