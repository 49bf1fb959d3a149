// isthmus/python/completion.hpp — py::completion<T>: a callback API made awaitable.
// SPDX-License-Identifier: MIT
#pragma once

#include "waiter.hpp"

#include <atomic>
#include <exception>
#include <future>

namespace isthmus::inline v1::py {

/// One result that a callback will bring, on whatever thread. Made and awaited in a py::coroutine that runs on asyncio,
/// uvloop or trio; it finds the running loop by itself. Many completions wake the loop once.
///
///     py::coroutine<int> read(std::string path) {
///         py::completion<int> done;
///         start_reading(path, done.callback()); // calls it with an int when it is ready
///         co_return co_await done;
///     }
///
/// If whoever awaits it is cancelled, the result is abandoned: the callback may still be called, and does nothing.
template <class T = void>
class completion {
    static_assert(!std::is_reference_v<T>, "isthmus: a completion brings a value, not a reference");
    using result = detail::pending_value<T>;

public:
    /// Completes it: `callback(value)`, `callback()` for void, or `set_exception`. Copyable. The first call counts, on
    /// any thread, without the GIL; later ones do nothing. If all copies die uncalled, the await ends in a
    /// std::future_error (broken_promise).
    class callback_type {
    public:
        template <class... Args>
            requires std::is_constructible_v<stored<T>, Args&&...>
        void operator()(Args&&... args) const noexcept {
            if (std::shared_ptr<result> mine = shared_->take()) {
                mine->resolve([&] { return T(std::forward<Args>(args)...); });
                result::post(std::move(mine));
            }
        }
        void set_exception(std::exception_ptr error) const noexcept {
            if (std::shared_ptr<result> mine = shared_->take()) {
                mine->reject(std::move(error));
                result::post(std::move(mine));
            }
        }

    private:
        friend class completion;
        struct sender {
            explicit sender(std::shared_ptr<result> to) noexcept : target(std::move(to)) {}
            ~sender() {
                if (std::shared_ptr<result> mine = take()) {
                    mine->reject(std::make_exception_ptr(std::future_error(std::future_errc::broken_promise)));
                    result::post(std::move(mine));
                }
            }
            sender(const sender&) = delete;
            sender& operator=(const sender&) = delete;
            std::shared_ptr<result> take() noexcept {
                return taken.exchange(true, std::memory_order_relaxed) ? nullptr : std::move(target);
            }
            std::atomic<bool> taken{false};
            std::shared_ptr<result> target;
        };
        explicit callback_type(std::shared_ptr<sender> shared) noexcept : shared_(std::move(shared)) {}
        std::shared_ptr<sender> shared_;
    };

    /// Throws py::error: a RuntimeError if no asyncio loop is running. Needs the GIL.
    completion() {
        const detail::event_loop loop = detail::event_loop::running();
        result_ = std::make_shared<result>(detail::completion_queue::of(loop));
        sender_ = std::make_shared<typename callback_type::sender>(result_);
    }
    completion(completion&&) noexcept = default;
    completion& operator=(completion&&) noexcept = default;

    /// What to hand to the API. May be asked for more than once.
    callback_type callback() const noexcept { return callback_type(sender_); }

    class awaiter_type;

private:
    std::shared_ptr<result> result_;
    std::shared_ptr<typename callback_type::sender> sender_;
};

/// `co_await` of a completion. Throws what set_exception() was given, and already_finished the second time.
template <class T>
class completion<T>::awaiter_type final : detail::pending_awaiter<result> {
    using base = detail::pending_awaiter<result>;

public:
    using base::await_suspend;
    using base::pass_errors;
    using typename base::send_type;
    using typename base::yield_type;

    explicit awaiter_type(completion& awaited) : awaited_(awaited) {}
    explicit awaiter_type(completion&& awaited) : awaited_(awaited) {}

    bool await_ready() {
        detail::require_gil();
        if (!awaited_.result_) {
            throw already_finished();
        }
        awaited_.sender_.reset(); // from here on only the callbacks can complete it
        if (awaited_.result_->delivered()) {
            this->result_ = std::move(awaited_.result_);
            return true;
        }
        this->wait_for(std::move(awaited_.result_), detail::event_loop::running());
        return false;
    }
    T await_resume() {
        if (const std::exception_ptr error = take_failure()) {
            std::rethrow_exception(error);
        }
        return this->result_->take();
    }
    std::exception_ptr take_failure() noexcept {
        return this->parent != nullptr ? base::take_failure() : this->result_->take_error(); // did it suspend?
    }

private:
    completion& awaited_;
};

} // namespace isthmus::inline v1::py
