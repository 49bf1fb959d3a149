// isthmus/python/turn.hpp — without a GIL, which thread may touch the frames of a coroutine object. With it, nothing.
// SPDX-License-Identifier: MIT
#pragma once

#include "object.hpp"

#if defined(Py_GIL_DISABLED)
#include <cstdint>
#include <mutex>
#include <thread>
#endif

namespace isthmus::inline v1::py::detail {

#if defined(Py_GIL_DISABLED)

/// Whose turn it is: the thread that drives the coroutine, or one that looks at it, which takes no time. The others
/// wait for one that looks, and are told "already executing" by one that drives (2.8).
class turn {
public:
    /// The turn to drive, for a scope. The thread that has it may take it again.
    class driving {
    public:
        driving() noexcept = default;
        ~driving() {
            if (taken_ != nullptr) {
                taken_->holder_.store(0, std::memory_order_release);
            }
        }
        driving(const driving&) = delete;
        driving& operator=(const driving&) = delete;
        void take(turn& wanted) noexcept {
            const hold got = wanted.acquire(this_thread());
            taken_ = got == hold::first ? &wanted : nullptr;
            granted_ = got != hold::refused;
        }
        bool granted() const noexcept { return granted_; }

    private:
        turn* taken_ = nullptr;
        bool granted_ = false;
    };

    /// A look at the frames, for a scope in which nothing of Python is called.
    class looking {
    public:
        explicit looking(turn& wanted) noexcept {
            const hold got = wanted.acquire(this_thread() | looks);
            taken_ = got == hold::first ? &wanted : nullptr;
            elsewhere_ = got == hold::refused;
        }
        ~looking() {
            if (taken_ != nullptr) {
                taken_->holder_.store(0, std::memory_order_release);
            }
        }
        looking(const looking&) = delete;
        looking& operator=(const looking&) = delete;
        /// Another thread drives it, so the frames must be left alone.
        bool elsewhere() const noexcept { return elsewhere_; }

    private:
        turn* taken_ = nullptr;
        bool elsewhere_ = false;
    };

private:
    enum class hold { refused, first, again };
    static constexpr std::uintptr_t looks = 1;

    static std::uintptr_t this_thread() noexcept { return reinterpret_cast<std::uintptr_t>(PyThreadState_Get()); }

    hold acquire(std::uintptr_t wanted) noexcept {
        while (true) {
            std::uintptr_t holder = 0;
            if (holder_.compare_exchange_weak(holder, wanted, std::memory_order_acquire, std::memory_order_relaxed)) {
                return hold::first;
            }
            if (holder == (wanted & ~looks)) {
                return hold::again;
            }
            if (holder != 0 && (holder & looks) == 0) {
                return hold::refused;
            }
            std::this_thread::yield();
        }
    }

    std::atomic<std::uintptr_t> holder_{0};
};

/// For the fields of the Python objects that anybody may set, for a scope in which nothing of Python is called.
class field_lock {
public:
    field_lock() { mutex().lock(); }
    ~field_lock() { mutex().unlock(); }
    field_lock(const field_lock&) = delete;
    field_lock& operator=(const field_lock&) = delete;

private:
    static std::mutex& mutex() noexcept {
        static std::mutex one;
        return one;
    }
};

#else

class turn {
public:
    struct driving {
        void take(turn&) const noexcept {}
        static constexpr bool granted() noexcept { return true; }
    };
    struct looking {
        explicit looking(turn&) noexcept {}
        static constexpr bool elsewhere() noexcept { return false; }
    };
};
struct field_lock {
    field_lock() noexcept {} // not trivial, so that an unused one is no warning
};

#endif

} // namespace isthmus::inline v1::py::detail
