// isthmus/operations.hpp — what tasks wait for: time, file descriptors, and other threads.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/shared_state.hpp"
#include "task.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <optional>

namespace isthmus::inline v1 {

namespace detail {

class sleep_operation {
public:
    explicit sleep_operation(reactor::clock::time_point when) noexcept : when_(when) {}
    explicit sleep_operation(reactor::clock::duration delay) noexcept : delay_(delay) {}

    bool start(reactor& lent, waker wake) {
        if (!when_) {
            when_ = lent.now() + delay_;
        }
        if (*when_ <= lent.now()) {
            return true;
        }
        lent.wake_at(*when_, timer_, std::move(wake));
        return false;
    }
    bool cancel() noexcept {
        timer_.forget();
        return true;
    }
    void result() const noexcept {}

private:
    reactor::clock::duration delay_{};
    std::optional<reactor::clock::time_point> when_;
    registration timer_;
};

class descriptor_operation {
public:
    descriptor_operation(int descriptor, io_event event) noexcept : descriptor_(descriptor), event_(event) {}

    bool start(reactor& lent, waker wake) {
        lent.wake_when(descriptor_, event_, watched_, std::move(wake));
        return false;
    }
    bool cancel() noexcept {
        watched_.forget();
        return true;
    }
    void result() const noexcept {}

private:
    int descriptor_;
    io_event event_;
    registration watched_;
};

} // namespace detail

/// `co_await sleep_for(10ms)` in a task: waits at least that long, by the clock of whoever drives it. Zero or less does
/// not wait. Throws unsupported_operation at the co_await if the driver has no timers.
inline detail::sleep_operation sleep_for(reactor::clock::duration delay) noexcept {
    return detail::sleep_operation(delay);
}
/// The same until a point of the driver's time.
inline detail::sleep_operation sleep_until(reactor::clock::time_point when) noexcept {
    return detail::sleep_operation(when);
}

/// `co_await readable(socket)` in a task: waits until reading would not block, or tells of an error. The descriptor
/// stays the caller's, and must stay open meanwhile. Throws unsupported_operation at the co_await if the driver cannot
/// wait for descriptors.
inline detail::descriptor_operation readable(int descriptor) noexcept {
    return detail::descriptor_operation(descriptor, io_event::readable);
}
/// The same for writing.
inline detail::descriptor_operation writable(int descriptor) noexcept {
    return detail::descriptor_operation(descriptor, io_event::writable);
}

/// One result that a callback will bring, on whatever thread: `co_await` it in a task.
///
///     task<int> read(std::string path) {
///         completion<int> done;
///         start_reading(path, done.callback()); // calls it with an int when it is ready
///         co_return co_await done;
///     }
///
/// If the task is cancelled, the result is abandoned: the callback may still be called, and does nothing.
template <class T = void>
class completion {
    static_assert(!std::is_reference_v<T>, "isthmus: a completion brings a value, not a reference");

    using shared = detail::shared_state<T>;

public:
    /// Completes it: `callback(value)`, `callback()` for void, or `set_exception`. Copyable. The first call counts, on
    /// any thread; later ones do nothing. If all copies die uncalled, the await ends in a std::future_error
    /// (broken_promise). The value dies with the last of the completion and its callbacks.
    class callback_type {
    public:
        template <class... Args>
            requires std::is_constructible_v<stored<T>, Args&&...>
        void operator()(Args&&... args) const noexcept {
            sender_->target->complete([&] { sender_->target->value.emplace(std::forward<Args>(args)...); });
        }
        void set_exception(std::exception_ptr error) const noexcept {
            sender_->target->complete([&] { sender_->target->error = std::move(error); });
        }

    private:
        friend class completion;
        struct sender {
            explicit sender(std::shared_ptr<shared> to) noexcept : target(std::move(to)) {}
            ~sender() {
                target->complete([this] {
                    target->error = std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
                });
            }
            sender(const sender&) = delete;
            sender& operator=(const sender&) = delete;
            std::shared_ptr<shared> target;
        };
        explicit callback_type(std::shared_ptr<sender> from) noexcept : sender_(std::move(from)) {}
        std::shared_ptr<sender> sender_;
    };

    completion()
        : shared_(std::make_shared<shared>()), sender_(std::make_shared<typename callback_type::sender>(shared_)) {}
    completion(completion&&) noexcept = default;
    completion& operator=(completion&&) noexcept = default;

    /// What to hand to the API. May be asked for more than once, before the co_await.
    callback_type callback() const noexcept { return callback_type(sender_); }

    // As an operation: see the concept of that name.
    bool start(reactor&, waker wake) {
        if (!shared_) {
            throw already_finished();
        }
        sender_.reset(); // from here on only the callbacks can complete it
        return shared_->start(std::move(wake));
    }
    bool cancel() noexcept {
        shared_->abandon();
        return true;
    }
    T result() {
        const std::shared_ptr<shared> over = std::move(shared_);
        return over->take();
    }

private:
    std::shared_ptr<shared> shared_;
    std::shared_ptr<typename callback_type::sender> sender_;
};

} // namespace isthmus::inline v1
