// tests/cpp/allocation.hpp — what the program allocates with operator new: counted, and failing on demand.
// SPDX-License-Identifier: MIT
//
// allocation.cpp replaces operator new and delete by ones that call malloc and free, which a sanitizer watches as well:
// so this is the same under AddressSanitizer and ThreadSanitizer. An exception object is not allocated by operator new;
// where malloc has nothing left, the C++ runtime takes it from a reserve of its own.
#pragma once

namespace test {

/// Calls of operator new so far that gave memory, by all threads, and how many of those have not been freed again.
long allocations() noexcept;
long live_allocations() noexcept;

/// While it lives, the nth call of operator new on its thread from now on throws std::bad_alloc; the calls after that
/// succeed again. Not nested.
class failing_allocation {
public:
    explicit failing_allocation(long nth) noexcept;
    ~failing_allocation();
    failing_allocation(const failing_allocation&) = delete;
    failing_allocation& operator=(const failing_allocation&) = delete;

    /// Whether that call has come.
    bool happened() const noexcept;
};

} // namespace test
