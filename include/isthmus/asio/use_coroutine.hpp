// isthmus/asio/use_coroutine.hpp — the completion token that makes an Asio operation one that tasks co_await.
// SPDX-License-Identifier: MIT
#pragma once

#include "operation.hpp"

#include <asio/async_result.hpp>
#include <asio/bind_executor.hpp>
#include <asio/system_error.hpp>

#include <exception>
#include <memory>
#include <system_error>
#include <tuple>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::asio {

namespace detail {

/// What co_await gives for the arguments of a completion handler.
template <bool Throws, class... Args>
struct completion_result {
    static auto take(std::tuple<Args...>& values) {
        if constexpr (!Throws) {
            return std::move(values);
        } else {
            return from<0>(values);
        }
    }

private:
    template <std::size_t First>
    static auto from(std::tuple<Args...>& values) {
        if constexpr (First == sizeof...(Args)) {
            return;
        } else {
            using first = std::tuple_element_t<First, std::tuple<Args...>>;
            if constexpr (First == 0 && std::is_same_v<first, std::error_code>) {
                if (const std::error_code& error = std::get<0>(values)) {
                    throw std::system_error(error);
                }
                return from<1>(values);
            } else if constexpr (First == 0 && std::is_same_v<first, std::exception_ptr>) {
                if (const std::exception_ptr& error = std::get<0>(values)) {
                    std::rethrow_exception(error);
                }
                return from<1>(values);
            } else if constexpr (First + 1 == sizeof...(Args)) {
                return std::get<First>(std::move(values));
            } else {
                return rest(values, std::make_index_sequence<sizeof...(Args) - First>());
            }
        }
    }
    template <std::size_t... I>
    static auto rest(std::tuple<Args...>& values, std::index_sequence<I...>) {
        constexpr std::size_t first = sizeof...(Args) - sizeof...(I);
        return std::tuple<std::tuple_element_t<first + I, std::tuple<Args...>>...>(
            std::get<first + I>(std::move(values))...);
    }
};

/// An initiation that bind_executor() was given an executor for.
template <class Initiation>
struct bound_initiation {
    any_executor executor;
    Initiation initiation;

    any_executor bound_executor() const { return executor; }
    template <class Handler, class... Lent>
    void operator()(Handler&& handler, Lent&&... lent) {
        std::move(initiation)(std::forward<Handler>(handler), std::forward<Lent>(lent)...);
    }
};

/// The operation that an initiating function returns: it begins when it is awaited.
template <bool Throws, class Signature, class Initiation, class... Lent>
class async_operation;
template <bool Throws, class Return, class... Args, class Initiation, class... Lent>
class async_operation<Throws, Return(Args...), Initiation, Lent...> {
    using state = result_state<std::decay_t<Args>...>;

public:
    template <class Initiate, class... Given>
    explicit async_operation(Initiate&& initiation, Given&&... lent)
        : initiation_(std::forward<Initiate>(initiation)), lent_(std::forward<Given>(lent)...) {}
    async_operation(const async_operation&) = delete;
    async_operation& operator=(const async_operation&) = delete;
    ~async_operation() {
        if (state_) {
            state_->end(block_);
        }
    }

    // As an operation: see the concept of that name.
    bool start(reactor& lent, waker wake) {
        if (taken_) {
            throw already_finished();
        }
        if (!state_) {
            begin(lent);
        }
        return state_->wait(std::move(wake));
    }
    bool finished() noexcept { return state_->over(); }
    bool cancel() noexcept { return state_->cancel(); }
    bool outlasts() noexcept { return state_ && state_->outlasts(); }
    void keep(const std::shared_ptr<void>& frames) noexcept { state_->keep(frames); }
    auto result() {
        taken_ = true;
        return completion_result<Throws, std::decay_t<Args>...>::take(state_->values());
    }

private:
    void begin(reactor& lent) {
        block_ = lent.blocking();
        state_ = std::make_shared<state>();
        any_executor executor;
        std::shared_ptr<driver_link> link;
        if (auto* const driver = dynamic_cast<executor_driver*>(&lent)) {
            executor = driver->executor();
            link = driver->link();
        }
        if constexpr (requires { initiation_.bound_executor(); }) {
            executor = initiation_.bound_executor();
        } else if constexpr (requires { typename Initiation::executor_type; }) {
            if (!executor) {
                executor = any_executor(initiation_.get_executor());
            }
        }
        initiator<state, Initiation, Lent...> initiate(state_, std::move(initiation_), std::move(lent_));
        state_->run_on(executor, std::move(link));
        if (executor) {
            ::asio::dispatch(executor, std::move(initiate));
        } else {
            initiate();
        }
    }

    Initiation initiation_;
    std::tuple<Lent...> lent_;
    std::shared_ptr<state> state_;
    isthmus::detail::blocking_call block_ = nullptr;
    bool taken_ = false;
};

} // namespace detail

/// The type of use_coroutine. `Throws`: whether an error is thrown, or is a part of the result.
template <bool Throws = true>
struct use_coroutine_t {
    /// Errors as values: `auto [error, size] = co_await socket.async_read_some(buffer, use_coroutine.as_tuple());`
    constexpr use_coroutine_t<false> as_tuple() const noexcept { return {}; }
};

/// `co_await socket.async_read_some(buffer, isthmus::asio::use_coroutine)` in a task or a py::coroutine: gives what the
/// completion handler would be called with, without the error code: nothing, a value, or a tuple of several. An error
/// code is thrown as std::system_error, a std::exception_ptr as what it holds; if the operation is dropped without
/// completing, because its context is destroyed, a std::future_error (broken_promise) is thrown.
///
/// The operation begins at the co_await. It is initiated, completes and is cancelled on one executor, which must run
/// its handlers one at a time: that of `bind_executor(executor, use_coroutine)` if there is one, else that which drives
/// the task if the task was spawned on one, else that of the I/O object.
///
/// Cancelling the task emits Asio's cancellation signal (all types), and the task goes on when the handler has been
/// called; what it brought is dropped. Destroying a task in flight does the same, and waits: no buffer is written to
/// after it is gone. So the context must be run, by another thread. On the thread that runs the executor itself nothing
/// can wait for that: there the frames of a task that is destroyed live on until the handler has been called or the
/// context is destroyed, and close() throws ignored_generator_exit. co_spawn() never destroys a task in flight.
inline constexpr use_coroutine_t<> use_coroutine{};

namespace detail {

template <class Token>
inline constexpr bool is_use_coroutine = false;
template <bool Throws>
inline constexpr bool is_use_coroutine<use_coroutine_t<Throws>> = true;

/// Whether it is use_coroutine, or an adapter of Asio's around it.
template <class Token>
inline constexpr bool ends_in_use_coroutine = is_use_coroutine<Token>;
template <template <class...> class Adapter, class Token, class... Others>
inline constexpr bool ends_in_use_coroutine<Adapter<Token, Others...>> = ends_in_use_coroutine<Token>;

} // namespace detail
} // namespace isthmus::inline v1::asio

template <bool Throws, class Signature>
class asio::async_result<isthmus::asio::use_coroutine_t<Throws>, Signature> {
    template <class Initiation, class... Lent>
    using operation =
        isthmus::asio::detail::async_operation<Throws, Signature, std::decay_t<Initiation>, std::decay_t<Lent>...>;

public:
    using return_type = void; // bind_cancellation_slot() of Asio 1.22 wants one, and does not use it

    template <class Initiation, class... Lent>
    static operation<Initiation, Lent...> initiate(Initiation&& initiation, isthmus::asio::use_coroutine_t<Throws>,
                                                   Lent&&... lent) {
        return operation<Initiation, Lent...>(std::forward<Initiation>(initiation), std::forward<Lent>(lent)...);
    }
};

/// bind_executor(executor, use_coroutine). Asio would call the handler on that executor, and know nothing of where the
/// operation is cancelled, which must be there too.
template <class Token, class Executor, class Signature>
    requires isthmus::asio::detail::ends_in_use_coroutine<Token>
class asio::async_result<asio::executor_binder<Token, Executor>, Signature> {
public:
    using return_type = void;

    template <class Initiation, class Binder, class... Lent>
    static auto initiate(Initiation&& initiation, Binder&& bound, Lent&&... lent) {
        static_assert(
            isthmus::asio::detail::is_use_coroutine<Token>,
            "isthmus: bind_executor() goes directly around use_coroutine, within other adapters of the token: "
            "as_tuple(bind_executor(executor, use_coroutine))");
        using bound_initiation = isthmus::asio::detail::bound_initiation<std::decay_t<Initiation>>;
        return async_result<Token, Signature>::initiate(
            bound_initiation{bound.get_executor(), std::forward<Initiation>(initiation)}, Token(bound.get()),
            std::forward<Lent>(lent)...);
    }
};
