// isthmus/abc.hpp — abc::awaitable and abc::coroutine: nominal, virtual classes beside the structural concepts.
// SPDX-License-Identifier: MIT
#pragma once

#include "any_coroutine.hpp"
#include "concepts.hpp"
#include "errors.hpp"
#include "step.hpp"

#include <concepts>
#include <exception>
#include <functional>
#include <optional>
#include <utility>

namespace isthmus::inline v1 {

namespace detail {

/// The send() of abc::coroutine: pure for a value, and for None too where Send has no empty value.
template <class Return, class Yield, class Send>
class nominal_send {
public:
    virtual step<Yield, Return> send() = 0;
    virtual step<Yield, Return> send(Send value) = 0;

protected:
    ~nominal_send() = default;
};
template <class Return, class Yield, class Send>
    requires empty_value<Send>::exists
class nominal_send<Return, Yield, Send> {
public:
    virtual step<Yield, Return> send(sendable<Send> value) = 0;
    step<Yield, Return> send() { return send(empty_value<Send>::make()); }

protected:
    ~nominal_send() = default;
};

} // namespace detail

namespace abc {

/// collections.abc.Awaitable as a base class (17.1): for what can be awaited and chooses at run time what that means.
/// The native coroutine does not derive from it. An object must outlive the await.
template <class Return = void, class Yield = none, class Send = none>
class awaitable : public detail::nominal_awaitable {
public:
    /// `__await__`: the await-iterator, which co_await drives to its end. Called once for each co_await. What it throws
    /// is raised at the co_await (7.4).
    virtual any_coroutine<Return, Yield, Send> await() = 0;
};

/// collections.abc.Coroutine as a base class (17.1): coroutine_like, so that it can be awaited, driven by run() and
/// held by any_coroutine. A class of your own implements send() and throw_():
///
/// - `send(Send value)`, where send() is a send of Send's empty value; void counts as none;
/// - for a Send type without an empty value both `send()`, which starts, and `send(Send value)`;
/// - `throw_(std::exception_ptr error)`, with the error that is to be raised inside.
///
/// Each returns a step, or throws what leaves the coroutine.
template <class Return = void, class Yield = none, class Send = none>
class coroutine : public awaitable<Return, Yield, Send>, public detail::nominal_send<Return, Yield, Send> {
public:
    using return_type = Return;
    using yield_type = Yield;
    using send_type = Send;
    using step_type = step<Yield, Return>;

    virtual step_type throw_(std::exception_ptr error) = 0;
    template <class Error>
        requires(!std::convertible_to<Error, std::exception_ptr>)
    step_type throw_(Error&& error) {
        return throw_(std::make_exception_ptr(std::forward<Error>(error)));
    }

    /// The mixin (17.7): throws a generator_exit in. That this comes out, or that the coroutine returns, is silent, and
    /// the value is dropped, so it gives nullopt; another error propagates. Throws ignored_generator_exit if the
    /// coroutine yields.
    virtual std::optional<stored<Return>> close() {
        try {
            if (throw_(std::make_exception_ptr(generator_exit())).done()) {
                return std::nullopt;
            }
        } catch (const generator_exit&) {
            return std::nullopt;
        }
        throw ignored_generator_exit();
    }

    /// This coroutine itself.
    any_coroutine<Return, Yield, Send> await() override { return std::ref(*this); }
};

} // namespace abc
} // namespace isthmus::inline v1
