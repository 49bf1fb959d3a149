// tests/cpp/allocation.cpp — the operator new and delete of the C++ tests. All forms of them, since a sanitizer's own
// would not go with these.
// SPDX-License-Identifier: MIT
#include "allocation.hpp"

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<long> made = 0;
std::atomic<long> freed = 0;
thread_local long until_failure = 0; ///< how many calls are left until one fails; 0: none will

void* allocate(std::size_t size, std::size_t alignment) noexcept {
    if (until_failure != 0 && --until_failure == 0) {
        return nullptr;
    }
    const std::size_t wanted = size != 0 ? size : 1;
    void* const memory = alignment <= alignof(std::max_align_t)
                             ? std::malloc(wanted)
                             : std::aligned_alloc(alignment, (wanted + alignment - 1) / alignment * alignment);
    made += memory != nullptr;
    return memory;
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
    if (void* const memory = allocate(size, alignment)) {
        return memory;
    }
    throw std::bad_alloc();
}

void release(void* memory) noexcept {
    freed += memory != nullptr;
    std::free(memory);
}

} // namespace

namespace test {

long allocations() noexcept { return made; }
long live_allocations() noexcept { return made - freed; }

failing_allocation::failing_allocation(long nth) noexcept { until_failure = nth; }
failing_allocation::~failing_allocation() { until_failure = 0; }
bool failing_allocation::happened() const noexcept { return until_failure == 0; }

} // namespace test

void* operator new(std::size_t size) { return allocate_or_throw(size, 1); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, 1); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size, 1); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
    return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
    return allocate(size, static_cast<std::size_t>(alignment));
}

void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t, std::align_val_t) noexcept { release(memory); }
void operator delete(void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, std::align_val_t, const std::nothrow_t&) noexcept { release(memory); }
