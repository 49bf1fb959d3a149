// isthmus/detail/observed.hpp — errors that are passed on or looked at without a C++ throw.
// SPDX-License-Identifier: MIT
#pragma once

#include "chain.hpp"

#include <coroutine>
#include <exception>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// What with_error() gives.
class [[nodiscard]] raised_error {
public:
    explicit raised_error(std::exception_ptr error) noexcept : error_(std::move(error)) {}
    const std::exception_ptr& error() const noexcept { return error_; }

private:
    std::exception_ptr error_;
};

/// Ends the frame where it is, with the error in it.
struct raising_awaiter {
    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> ended) noexcept {
        hand_over(ended.promise());
    }
    [[noreturn]] void await_resume() const { throw_misuse(misuse::already_finished); }
};

template <class T, template <class> class Observer>
class observed_awaitable;

template <class T>
inline constexpr bool is_observed = false;
template <class T, template <class> class Observer>
inline constexpr bool is_observed<observed_awaitable<T, Observer>> = true;

/// What nothrow() and as_outcome() give, and co_await can have.
template <class T>
concept observed = is_observed<std::remove_reference_t<T>>;

/// `Observer` makes an awaiter of the one that T has. `T` is a reference, or the type of what is kept.
template <class T, template <class> class Observer>
class [[nodiscard]] observed_awaitable {
    static_assert(!observed<T>, "isthmus: nothrow() and as_outcome() cannot be combined: what as_outcome(x) gives has "
                                "no error to pass on, and what nothrow(x) gives none to look at");

public:
    template <class Awaiter>
    using observer = Observer<Awaiter>;

    explicit observed_awaitable(T&& awaited) : awaited_(std::forward<T>(awaited)) {}
    T&& get() noexcept { return static_cast<T&&>(awaited_); }

private:
    T awaited_;
};

/// The awaiter of what is awaited, or the error of making it: both the misuse that co_await itself refuses (7.6–7.8)
/// and what is refused when the await begins.
template <class Awaiter>
class observed_awaiter {
public:
    observed_awaiter(const observed_awaiter&) = delete;
    observed_awaiter& operator=(const observed_awaiter&) = delete;

protected:
    template <class Make>
    explicit observed_awaiter(const Make& make) noexcept {
        try {
            ::new (static_cast<void*>(std::addressof(inner))) Awaiter(make());
            made_ = true;
        } catch (...) {
            refused = current_error();
        }
    }
    ~observed_awaiter() {
        if (made_) {
            inner.Awaiter::~Awaiter(); // its class is known, though it may be no final one
        }
    }

    bool is_ready() noexcept {
        if (refused) {
            return false;
        }
        try {
            return inner.await_ready();
        } catch (...) {
            refused = current_error();
            return false;
        }
    }

    std::exception_ptr refused;
    union {
        Awaiter inner;
    };

private:
    bool made_ = false;
};

template <class Awaiter>
class nothrow_awaiter final : observed_awaiter<Awaiter> {
public:
    template <class Make>
    explicit nothrow_awaiter(const Make& make) noexcept : observed_awaiter<Awaiter>(make) {}

    bool await_ready() noexcept { return this->is_ready(); }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) {
        if (this->refused) {
            awaiting.promise().fail(std::move(this->refused));
            hand_over(awaiting.promise());
        } else {
            this->inner.pass_errors();
            this->inner.await_suspend(awaiting);
        }
    }
    decltype(auto) await_resume() { return this->inner.await_resume(); }
};

template <class Awaiter>
class outcome_awaiter final : observed_awaiter<Awaiter> {
    using result = decltype(std::declval<Awaiter&>().await_resume());

public:
    template <class Make>
    explicit outcome_awaiter(const Make& make) noexcept : observed_awaiter<Awaiter>(make) {}

    bool await_ready() noexcept { return this->is_ready() || this->refused; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) {
        this->inner.await_suspend(awaiting);
    }
    outcome<none, result> await_resume() {
        if (!this->refused) {
            this->refused = this->inner.take_failure();
        }
        if (!this->refused) {
            try {
                if constexpr (std::is_void_v<result>) {
                    this->inner.await_resume();
                    return outcome<none, result>(std::in_place_index<1>);
                } else {
                    return outcome<none, result>(std::in_place_index<1>, this->inner.await_resume());
                }
            } catch (...) { // of converting the result
                this->refused = current_error();
            }
        }
        return outcome<none, result>(std::in_place_index<2>, std::move(this->refused));
    }
};

template <class T>
using nothrow_awaitable = observed_awaitable<T, nothrow_awaiter>;
template <class T>
using outcome_awaitable = observed_awaitable<T, outcome_awaiter>;

} // namespace isthmus::inline v1::detail
