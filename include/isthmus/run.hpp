// isthmus/run.hpp — drivers that run a coroutine to its end.
// SPDX-License-Identifier: MIT
#pragma once

#include "concepts.hpp"
#include "detail/poll_reactor.hpp"
#include "detail/require.hpp"
#include "errors.hpp"
#include "step.hpp"

#include <concepts>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

namespace detail {

template <class Coroutine>
using yielded_by = decltype(std::declval<step_of<Coroutine>&>().yielded());
template <class Coroutine>
using returned_by = decltype(std::declval<step_of<Coroutine>>().returned());

template <class Coroutine>
concept yields_pending = std::same_as<std::remove_cvref_t<yielded_by<Coroutine>>, pending>;

/// What is taken from an expression of type T: the value itself, or a reference if it gives an lvalue.
template <class T>
using taken = std::conditional_t<std::is_rvalue_reference_v<T>, std::remove_reference_t<T>, T>;

/// What run() returns.
template <class Coroutine>
using result_of = taken<returned_by<Coroutine>>;

/// Asks the handler what to send for what `step` yielded.
template <class Step, class Handler>
decltype(auto) ask(Step& step, Handler& handler) {
    if constexpr (std::is_void_v<decltype(step.yielded())>) {
        return handler();
    } else if constexpr (std::is_invocable_v<Handler&, decltype(std::move(step).yielded())>) {
        return handler(std::move(step).yielded());
    } else {
        return handler(step.yielded());
    }
}

/// Whether run() can go on with what the handler returns: `none` has to be a value of Send if that is void. Of a user's
/// class that names no send_type this is not known before it is sent.
template <class Coroutine, class Handler>
constexpr bool can_answer() {
    using reply = decltype(detail::ask(std::declval<step_of<Coroutine>&>(), std::declval<Handler&>()));
    if constexpr (std::is_void_v<reply> && requires { typename Coroutine::send_type; }) {
        return empty_value<typename Coroutine::send_type>::exists;
    } else {
        return true;
    }
}

/// One round of run(): the handler's answer, or its error, goes into the coroutine.
template <class Coroutine, class Step, class Handler>
Step answer(Coroutine& coroutine, Step& step, Handler& handler) {
    using reply = taken<decltype(detail::ask(step, handler))>;
    std::optional<stored<reply>> value;
    std::exception_ptr error;
    try {
        if constexpr (std::is_void_v<reply>) {
            detail::ask(step, handler);
        } else {
            value.emplace(detail::ask(step, handler));
        }
    } catch (...) {
        error = detail::current_error();
    }
    if (error) {
        return coroutine.throw_(std::move(error));
    }
    if constexpr (std::is_void_v<reply>) {
        return detail::send_none(coroutine);
    } else {
        return coroutine.send(static_cast<reply&&>(*value));
    }
}

} // namespace detail

/// Runs a task to its end on this thread, which sleeps while the task waits: for time, file descriptors and other
/// threads. Returns what the task returned; throws what left it, and std::system_error if poll() fails. `task` may be
/// an lvalue, and may have been started.
template <coroutine_like Task>
    requires(detail::has_protocol<Task> && detail::yields_pending<Task>)
detail::result_of<Task> run(Task&& task) {
    detail::poll_reactor reactor;
    while (true) {
        auto step = detail::send_none(task);
        if (step.done()) {
            return static_cast<detail::result_of<Task>>(std::move(step).returned());
        }
        if (!step.yielded().start(reactor, reactor.next_waker())) {
            reactor.wait();
        }
    }
}

/// Runs a coroutine that yields nothing to its end, and returns what it returned; throws what left it. `coroutine` may
/// be an lvalue, and may have been started. It is resumed at once each time it suspends.
template <coroutine_like Coroutine>
    requires detail::has_protocol<Coroutine>
detail::result_of<Coroutine> run(Coroutine&& coroutine) {
    using yielded = std::remove_cvref_t<detail::yielded_by<Coroutine>>;
    static_assert(std::is_void_v<yielded> || std::is_same_v<yielded, none>,
                  "isthmus: this coroutine yields values, so run() needs a handler: run(coroutine, handler)");
    while (true) {
        auto step = detail::send_none(coroutine);
        if (step.done()) {
            return static_cast<detail::result_of<Coroutine>>(std::move(step).returned());
        }
    }
}

/// Runs a coroutine to its end: what it yields goes to `handler`, whose result is sent back (nothing if that is void,
/// which needs a Send with an empty value).
/// An error that `handler` throws is thrown into the coroutine, which may handle it. Returns what the coroutine
/// returned; throws what left it.
template <coroutine_like Coroutine, class Handler>
    requires detail::has_protocol<Coroutine>
detail::result_of<Coroutine> run(Coroutine&& coroutine, Handler&& handler) {
    static_assert(detail::can_answer<std::remove_cvref_t<Coroutine>, Handler>(),
                  "isthmus: the handler returns void, but this coroutine's Send has no empty value: the handler has to "
                  "return what to send");
    std::optional<detail::step_of<Coroutine>> steps[2]; // this one and the next, as a step need not be assignable
    unsigned now = 0;
    steps[now].emplace(detail::send_none(coroutine));
    while (!steps[now]->done()) {
        const unsigned next = 1 - now;
        steps[next].emplace(detail::answer(coroutine, *steps[now], handler));
        steps[now].reset();
        now = next;
    }
    return static_cast<detail::result_of<Coroutine>>(std::move(*steps[now]).returned());
}

/// What is not coroutine_like is refused here, with the name of the member it lacks.
template <class NotCoroutine>
auto run(NotCoroutine&&) {
    [[maybe_unused]] const detail::require_protocol<NotCoroutine> checked;
    return detail::no_result();
}
template <class NotCoroutine, class Handler>
auto run(NotCoroutine&&, Handler&&) {
    [[maybe_unused]] const detail::require_protocol<NotCoroutine> checked;
    return detail::no_result();
}

} // namespace isthmus::inline v1
