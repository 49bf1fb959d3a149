// isthmus/detail/memory.hpp — where coroutine frames live: a small cache of freed frames per thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "config.hpp"

#include <cstddef>
#include <new>
#include <utility>

namespace isthmus::inline v1::detail {

struct frame;

/// Freed frames of one thread, in lists by size. A frame that dies on another thread than it was made on simply
/// joins the cache of the thread it dies on. What a cache keeps is bounded.
struct frame_cache {
    struct block {
        block* next;
    };
    static constexpr std::size_t granule = sizeof(void*); // of every frame's size: nothing is lost to rounding
    static constexpr std::size_t lists = 2048 / granule;  // frames up to 2 KiB
    static constexpr std::size_t byte_limit = std::size_t{1} << 20; // per thread

    block* free[lists] = {};
    std::size_t bytes;  ///< of those
    const bool retired; ///< stands for the cache of a thread that has none: empty, takes nothing, never written

    // Frames whose destruction was put off because destructors were nested too deeply (chain.hpp).
    unsigned teardown_depth = 0;
    frame* teardown_pending = nullptr;

    constexpr explicit frame_cache(bool is_retired = false) noexcept
        : bytes(is_retired ? byte_limit : 0), retired(is_retired) {}
    frame_cache(const frame_cache&) = delete;
    frame_cache& operator=(const frame_cache&) = delete;

    void free_blocks() noexcept {
        for (block*& list : free) {
            while (list != nullptr) {
                ::operator delete(std::exchange(list, list->next));
            }
        }
    }

    static frame_cache& of_this_thread();
    static void* allocate(std::size_t size);
    static void deallocate(void* memory, std::size_t size) noexcept;
};

// One trivially destructible pointer with this TLS model costs one instruction also in a shared library, where an
// ordinary thread_local costs a call (11 ns against 17 for create + await + destroy). All thread_locals of a library
// that uses it come from a small reserve of the process, so there is nothing else but the pointer.
#if defined(__GNUC__) && !defined(_WIN32)
[[gnu::tls_model("initial-exec")]]
#endif
inline constinit thread_local frame_cache* this_thread_cache = nullptr;

inline constinit frame_cache retired_cache(true);

/// Ends the cache with its thread. Statics and other thread_locals may destroy coroutines on the thread after that.
struct frame_cache_end {
    ~frame_cache_end() {
        frame_cache* const ended = std::exchange(this_thread_cache, &retired_cache);
        ended->free_blocks();
        delete ended;
    }
};

ISTHMUS_COLD ISTHMUS_NOINLINE inline frame_cache& make_frame_cache() noexcept {
    if (frame_cache* const made = new (std::nothrow) frame_cache) {
        this_thread_cache = made;
        static thread_local frame_cache_end end;
        return *made;
    }
    return retired_cache;
}

/// A cache for a thread that has none, while it destroys coroutines.
struct temporary_frame_cache {
    temporary_frame_cache() noexcept { this_thread_cache = &cache_; }
    ~temporary_frame_cache() {
        this_thread_cache = before_;
        cache_.free_blocks();
    }
    temporary_frame_cache(const temporary_frame_cache&) = delete;
    temporary_frame_cache& operator=(const temporary_frame_cache&) = delete;

private:
    frame_cache* const before_ = this_thread_cache;
    frame_cache cache_;
};

inline frame_cache& frame_cache::of_this_thread() {
    return this_thread_cache != nullptr ? *this_thread_cache : make_frame_cache();
}

inline void* frame_cache::allocate(std::size_t size) {
    const std::size_t index = (size - 1) / granule;
    if (!ISTHMUS_RECYCLE_FRAMES || index >= lists) {
        return ::operator new(size);
    }
    frame_cache& cache = of_this_thread();
    if (block* reused = cache.free[index]) {
        cache.free[index] = reused->next;
        cache.bytes -= (index + 1) * granule;
        return reused;
    }
    return ::operator new((index + 1) * granule);
}

inline void frame_cache::deallocate(void* memory, std::size_t size) noexcept {
    const std::size_t index = (size - 1) / granule;
    if (ISTHMUS_RECYCLE_FRAMES && index < lists) {
        frame_cache& cache = of_this_thread();
        if (const std::size_t bytes = cache.bytes + (index + 1) * granule; bytes <= byte_limit) {
            cache.bytes = bytes;
            cache.free[index] = ::new (memory) block{cache.free[index]};
            return;
        }
    }
    ::operator delete(memory);
}

} // namespace isthmus::inline v1::detail
