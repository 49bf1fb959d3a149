// isthmus/asio/co_spawn.hpp — tasks driven by an Asio executor.
// SPDX-License-Identifier: MIT
#pragma once

#include "executor_driver.hpp"

#include <asio/associated_cancellation_slot.hpp>
#include <asio/associated_executor.hpp>
#include <asio/async_result.hpp>
#include <asio/cancellation_type.hpp>
#include <asio/dispatch.hpp>
#include <asio/execution.hpp>
#include <asio/execution_context.hpp>
#include <asio/prefer.hpp>

#include <concepts>
#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::asio {

namespace detail {

template <class Executor>
auto with_work(const Executor& executor) {
    return ::asio::prefer(executor, ::asio::execution::outstanding_work.tracked);
}

/// What a finished task's handler is called with.
template <class Return>
struct spawn_result {
    static_assert(std::is_default_constructible_v<Return>,
                  "isthmus: the result of a task that is spawned must be default-constructible, as it is what the "
                  "handler gets beside an error");
    using signature = void(std::exception_ptr, Return);
    std::exception_ptr error;
    Return value{};

    void take(typename task<Return>::outcome_type&& ended) { value = std::move(ended).returned(); }
    template <class Handler>
    void pass_to(Handler& handler) {
        std::move(handler)(std::move(error), std::move(value));
    }
};
template <>
struct spawn_result<void> {
    using signature = void(std::exception_ptr);
    std::exception_ptr error;

    void take(const task<>::outcome_type&) noexcept {}
    template <class Handler>
    void pass_to(Handler& handler) {
        std::move(handler)(std::move(error));
    }
};

/// A task, and who waits for it.
template <class Return, class Handler>
class spawned final : public executor_driver {
    using handler_executor = ::asio::associated_executor_t<Handler, any_executor>;

public:
    spawned(const any_executor& executor, task<Return>&& body, Handler&& handler)
        : executor_driver(executor), work_(detail::with_work(executor)),
          handler_work_(detail::with_work(::asio::get_associated_executor(handler, executor))),
          handler_(std::move(handler)), body_(std::move(body)) {}

    /// Lets it run, and own itself.
    void start() {
        if (auto slot = ::asio::get_associated_cancellation_slot(handler_); slot.is_connected()) {
            slot.assign([to = this->link()](::asio::cancellation_type) { to->cancel(); });
        }
        waker first = this->link()->next_waker();
        first();
    }

private:
    using work_type = std::decay_t<decltype(detail::with_work(std::declval<const any_executor&>()))>;
    using handler_work_type = std::decay_t<decltype(detail::with_work(std::declval<const handler_executor&>()))>;

    void resume(std::exception_ptr injected) override {
        while (true) {
            auto outcome = injected ? body_.try_throw(std::exchange(injected, nullptr)) : body_.try_send();
            if (outcome.failed() || outcome.done()) {
                end(std::move(outcome));
                return;
            }
            if (!outcome.yielded().start(*this, this->link()->next_waker())) {
                return;
            }
        }
    }

    void end(typename task<Return>::outcome_type outcome) {
        spawn_result<Return> result;
        if (outcome.failed()) {
            result.error = outcome.error();
        } else {
            try {
                result.take(std::move(outcome));
            } catch (...) { // of moving the value
                result.error = isthmus::detail::current_error();
            }
        }
        const work_type work = std::move(work_);
        const handler_work_type handler_work = std::move(handler_work_);
        this->link()->release();
        auto call = [handler = std::move(handler_), result = std::move(result)]() mutable { result.pass_to(handler); };
        delete this; // the task's frame is gone before its result is told
        ::asio::dispatch(handler_work, std::move(call));
    }

    work_type work_;
    handler_work_type handler_work_;
    Handler handler_;
    task<Return> body_;
};

class initiate_spawn {
public:
    using executor_type = any_executor;

    explicit initiate_spawn(any_executor executor) noexcept : executor_(std::move(executor)) {}
    executor_type get_executor() const noexcept { return executor_; }

    template <class Handler, class Return>
    void operator()(Handler&& handler, task<Return>&& body) const {
        using driver = spawned<Return, std::decay_t<Handler>>;
        (new driver(executor_, std::move(body), std::decay_t<Handler>(std::forward<Handler>(handler))))->start();
    }

private:
    any_executor executor_;
};

class executor_operation {
public:
    bool start(reactor& lent, waker) {
        auto* const driver = dynamic_cast<executor_driver*>(&lent);
        if (driver == nullptr) {
            throw unsupported_operation("isthmus: whoever drives this task is no Asio executor");
        }
        executor_ = driver->executor();
        return true;
    }
    bool cancel() noexcept { return true; }
    any_executor result() const noexcept { return executor_; }

private:
    any_executor executor_;
};

} // namespace detail

/// `co_await this_executor()` in a task that was spawned: the executor that drives it, as an ::asio::any_io_executor.
/// Elsewhere it throws unsupported_operation.
inline detail::executor_operation this_executor() noexcept { return {}; }

/// Drives a task on `executor`: `co_spawn(io, serve(std::move(socket)), ::asio::detached)`. The task may wait for
/// whatever tasks can, and its Asio operations complete on this executor, which must run its handlers one at a time: an
/// io_context that one thread runs, or a strand. The task begins when the executor gets to it, not in this call.
///
/// `token` is any completion token for void(std::exception_ptr, Return), or void(std::exception_ptr) if the task
/// returns nothing: a callback, use_future, use_awaitable in an ::asio::awaitable, use_coroutine. The error is what
/// left the task. Return must be default-constructible. The token's cancellation slot throws isthmus::cancelled into
/// the task; it is over when the handler is called.
///
/// If the context is destroyed, so is the task, when no operation refers to it any more; the handler is not called.
/// Callable on any thread.
template <std::convertible_to<::asio::any_io_executor> Executor, class Return, class Token>
auto co_spawn(const Executor& executor, task<Return> body, Token&& token) {
    return ::asio::async_initiate<Token, typename detail::spawn_result<Return>::signature>(
        detail::initiate_spawn(executor), token, std::move(body));
}
/// The same on the executor of a context.
template <std::derived_from<::asio::execution_context> Context, class Return, class Token>
auto co_spawn(Context& context, task<Return> body, Token&& token) {
    return asio::co_spawn(context.get_executor(), std::move(body), std::forward<Token>(token));
}

} // namespace isthmus::inline v1::asio
