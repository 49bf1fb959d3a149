// isthmus/python/completion.hpp — py::completion<T>: a callback API made awaitable.
// SPDX-License-Identifier: MIT
#pragma once

#include "loop.hpp"

#include <atomic>
#include <exception>
#include <future>
#include <variant>

namespace isthmus::inline v1::py {

namespace detail {

template <class T>
class promised_result final : public pending_result {
public:
    explicit promised_result(std::shared_ptr<completion_queue> queue) noexcept : pending_result(std::move(queue)) {}

    template <class... Args>
    static void set_value(std::shared_ptr<promised_result> self, Args&&... args) noexcept {
        try {
            self->outcome_.template emplace<1>(std::forward<Args>(args)...);
        } catch (...) {
            self->outcome_.template emplace<2>(std::current_exception());
        }
        post(std::move(self));
    }
    static void set_exception(std::shared_ptr<promised_result> self, std::exception_ptr error) noexcept {
        self->outcome_.template emplace<2>(std::move(error));
        post(std::move(self));
    }

    T take() {
        if (outcome_.index() == 2) {
            std::rethrow_exception(std::get<2>(std::move(outcome_)));
        }
        if constexpr (!std::is_void_v<T>) {
            return std::get<1>(std::move(outcome_));
        }
    }

private:
    std::variant<std::monostate, stored<T>, std::exception_ptr> outcome_;
};

} // namespace detail

/// One result that a callback will bring, on whatever thread. Made and awaited in a py::coroutine that runs on asyncio
/// or uvloop; it finds the running loop by itself. Many completions wake the loop once.
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
    using result = detail::promised_result<T>;

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
                result::set_value(std::move(mine), std::forward<Args>(args)...);
            }
        }
        void set_exception(std::exception_ptr error) const noexcept {
            if (std::shared_ptr<result> mine = shared_->take()) {
                result::set_exception(std::move(mine), std::move(error));
            }
        }

    private:
        friend class completion;
        struct sender {
            explicit sender(std::shared_ptr<result> to) noexcept : target(std::move(to)) {}
            ~sender() {
                if (std::shared_ptr<result> mine = take()) {
                    result::set_exception(std::move(mine),
                                          std::make_exception_ptr(std::future_error(std::future_errc::broken_promise)));
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
        result_ = std::make_shared<result>(detail::completion_queue::expect(detail::completion_queue::running_loop()));
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
    using typename base::send_type;
    using typename base::yield_type;

    explicit awaiter_type(completion& awaited) : awaited_(awaited) {}
    explicit awaiter_type(completion&& awaited) : awaited_(awaited) {}

    bool await_ready() {
        this->require_gil();
        if (!awaited_.result_) {
            throw already_finished();
        }
        awaited_.sender_.reset(); // from here on only the callbacks can complete it
        if (awaited_.result_->delivered()) {
            this->result_ = std::move(awaited_.result_);
            return true;
        }
        this->wait_for(std::move(awaited_.result_), detail::completion_queue::running_loop());
        return false;
    }
    T await_resume() {
        if (this->parent != nullptr) { // it did suspend
            this->take_result();
        }
        return this->result_->take();
    }

private:
    completion& awaited_;
};

} // namespace isthmus::inline v1::py
