// isthmus/detail/shared_state.hpp — one result on its way to a task, from whatever thread.
// SPDX-License-Identifier: MIT
#pragma once

#include "../task.hpp"

#include <exception>
#include <mutex>
#include <optional>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// Shared by the task that waits for the result and whoever brings it.
template <class T>
class shared_state {
public:
    /// The first call calls `fill`, which gives `value` or `error` or throws, and then wakes the task; later calls do
    /// nothing. Any thread.
    template <class Fill>
    void complete(const Fill& fill) noexcept {
        {
            const std::lock_guard guard(lock_);
            if (std::exchange(taken_, true)) {
                return;
            }
        }
        try {
            fill();
        } catch (...) {
            error = current_error();
        }
        waker now;
        {
            const std::lock_guard guard(lock_);
            over_ = true;
            now = std::move(wake_);
        }
        now();
    }

    // For the task.

    /// Whether the result is there. If not, `wake` is called when it is.
    bool start(waker wake) {
        const std::lock_guard guard(lock_);
        if (!over_) {
            wake_ = std::move(wake);
        }
        return over_;
    }
    bool over() noexcept {
        const std::lock_guard guard(lock_);
        return over_;
    }
    /// The task does not wait any more.
    void abandon() noexcept {
        const std::lock_guard guard(lock_);
        wake_ = waker();
    }
    /// The result, when it is there, or its error.
    T take() {
        if (error) {
            std::rethrow_exception(error);
        }
        if constexpr (!std::is_void_v<T>) {
            return static_cast<T>(std::move(*value));
        }
    }

    std::optional<stored<T>> value;
    std::exception_ptr error;

private:
    std::mutex lock_;
    bool taken_ = false; ///< by the first call
    bool over_ = false;  ///< the result is there
    waker wake_;
};

} // namespace isthmus::inline v1::detail
