// isthmus/any_coroutine.hpp — any_coroutine<Return, Yield, Send>: owns anything coroutine_like with these types.
// SPDX-License-Identifier: MIT
#pragma once

#include "await_iterator.hpp"
#include "concepts.hpp"
#include "coroutine.hpp"
#include "detail/any_waiter.hpp"
#include "detail/erased.hpp"
#include "detail/require.hpp"

#include <concepts>
#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

namespace detail {

/// Whether an any_coroutine<Return, Yield, Send> can be made from a T.
template <class T, class Return, class Yield, class Send>
concept holdable = !std::derived_from<std::remove_cvref_t<T>, any_coroutine<Return, Yield, Send>> &&
                   drives_as<target_of<T>, Return, Yield, Send> && std::constructible_from<std::decay_t<T>, T>;

/// Instantiated where an any_coroutine is made from something else.
template <class T, class Return, class Yield, class Send>
struct require_holdable : require_protocol<target_of<T>> {
    static_assert(yields_as<target_of<T>, Yield>, "isthmus: what an any_coroutine holds must yield its Yield type");
    static_assert(returns_as<target_of<T>, Return>, "isthmus: what an any_coroutine holds must return its Return type");
    static_assert(takes<target_of<T>, Send>, "isthmus: what an any_coroutine holds must take its Send type");
    static_assert(std::constructible_from<std::decay_t<T>, T>,
                  "isthmus: an any_coroutine owns what it holds, and this cannot be copied: std::move it, or let the "
                  "any_coroutine refer to it with std::ref");
};

} // namespace detail

/// Owns anything that is coroutine_like and returns `Return`, yields `Yield` and takes `Send`, whatever its class, for
/// the price of a virtual call a step. Move-only; may be moved and destroyed while it runs, like a coroutine. An empty
/// one behaves like a finished coroutine.
///
/// It holds a native coroutine and a std::reference_wrapper in itself, and anything else on the heap; of a
/// std::unique_ptr it drives what that points to (an abc::coroutine, for example). What std::ref refers to must outlive
/// the any_coroutine.
///
/// `co_await` of an any_coroutine passes each step on to what it holds, as one more step and one more call on the
/// stack; the depth of awaiting above and below costs nothing. The misuse errors are those of what it holds. If that
/// has a state(), as a native coroutine has, `co_await` throws already_awaited, already_executing and already_finished
/// as it does for that (7.6–7.8), and `co_await c.await()` goes on with one that was started (7.9). An expiring one is
/// moved in, and lives as long as the await. Destroying one that is being awaited is as closing it behind the awaiter's
/// back: that one gets already_finished.
template <class Return, class Yield, class Send>
class [[nodiscard]] any_coroutine {
    using interface = detail::erased<Return, Yield, Send>;
    using nothing = detail::erased_nothing<Return, Yield, Send>;

public:
    using return_type = Return;
    using yield_type = Yield;
    using send_type = Send;
    using step_type = step<Yield, Return>;
    using outcome_type = outcome<Yield, Return>;

    any_coroutine() noexcept { ::new (place()) nothing(); }

    /// Holds `source`: moved or copied into this. A null std::unique_ptr makes an empty one. Throws std::bad_alloc, and
    /// what that move or copy throws.
    template <class T>
        requires detail::holdable<T, Return, Yield, Send>
    any_coroutine(T&& source) {
        if (detail::held<std::decay_t<T>>::empty(source)) {
            ::new (place()) nothing();
        } else {
            using model = detail::erased_model<std::decay_t<T>, Return, Yield, Send>;
            static_assert(sizeof(model) <= sizeof(storage_) && alignof(model) <= alignof(void*));
            ::new (place()) model(std::in_place, std::forward<T>(source));
        }
    }

    /// Anything else is refused, with the reason. Explicit, so that it takes no part in a choice between overloads,
    /// unless T has some member of the protocol.
    template <class T>
        requires(!detail::holdable<T, Return, Yield, Send> && !std::derived_from<std::remove_cvref_t<T>, any_coroutine>)
    explicit(!detail::names_any<detail::target_of<T>> || detail::has_protocol<detail::target_of<T>>)
        any_coroutine(T&&) {
        [[maybe_unused]] const detail::require_holdable<T, Return, Yield, Send> checked;
    }

    any_coroutine(any_coroutine&& other) noexcept { take(other); }
    any_coroutine& operator=(any_coroutine&& other) noexcept {
        if (this != &other) {
            any_coroutine old(std::move(*this));
            held().~interface();
            take(other);
        }
        return *this;
    }
    ~any_coroutine();

    /// The operations of coroutine, passed on to what is held, with its errors. `send()` is Python's send(None).
    step_type send() { return held().send(nullptr); }
    step_type send(detail::sendable<Send> value) { return held().send(pointer_to(value)); }
    step_type throw_(std::exception_ptr error) { return held().throw_(std::move(error)); }
    template <class Error>
        requires(!std::convertible_to<Error, std::exception_ptr>)
    step_type throw_(Error&& error) {
        return throw_(std::make_exception_ptr(std::forward<Error>(error)));
    }

    /// The value is what the close() of what is held returns, if that is a std::optional<stored<Return>>; nullopt if it
    /// returns something else.
    std::optional<stored<Return>> close() { return held().close(); }

    /// The same, reporting every error in the outcome, without a throw on the way if what is held has these members
    /// too.
    outcome_type try_send() { return held().try_send(nullptr); }
    outcome_type try_send(detail::sendable<Send> value) { return held().try_send(pointer_to(value)); }
    outcome_type try_throw(std::exception_ptr error) { return held().try_throw(std::move(error)); }
    outcome_type try_close() { return held().try_close(); }

    /// `__await__`: the await-iterator, which refers to this, or owns what it held if that is expiring.
    await_iterator<any_coroutine&> await() & noexcept { return await_iterator<any_coroutine&>(*this); }
    await_iterator<any_coroutine> await() && noexcept { return await_iterator<any_coroutine>(std::move(*this)); }

    /// The state() of what is held, nullopt if it has none; closed if this is empty.
    std::optional<coroutine_state> state() const noexcept { return held().state(); }

    /// Whether it holds something, finished or not.
    bool has_value() const noexcept { return held().has_value(); }

private:
    friend class detail::any_waiter<Return, Yield, Send>;
    friend struct detail::await_target<any_coroutine>;
    friend struct detail::await_target<detail::owning_any_waiter<Return, Yield, Send>>;

    void* place() noexcept { return storage_; }
    interface& held() noexcept { return *std::launder(reinterpret_cast<interface*>(storage_)); }
    const interface& held() const noexcept { return *std::launder(reinterpret_cast<const interface*>(storage_)); }

    static detail::sendable_pointer<Send> pointer_to([[maybe_unused]] detail::sendable<Send>& value) noexcept {
        if constexpr (detail::is_none<Send>) {
            return nullptr;
        } else {
            return std::addressof(value);
        }
    }

    /// This holds nothing, not even the empty model. Leaves `other` empty.
    void take(any_coroutine& other) noexcept;

    alignas(void*) std::byte storage_[2 * sizeof(void*)];
    detail::any_waiter<Return, Yield, Send>* waiters_ = nullptr;
};

template <class Return, class Yield, class Send>
any_coroutine(coroutine<Return, Yield, Send>) -> any_coroutine<Return, Yield, Send>;

/// inspect.isawaitable: an empty any_coroutine is not awaitable.
template <class Return, class Yield, class Send>
constexpr bool is_awaitable(const any_coroutine<Return, Yield, Send>& object) {
    return object.has_value();
}

template <class Return, class Yield, class Send>
void any_coroutine<Return, Yield, Send>::take(any_coroutine& other) noexcept {
    other.held().move_to(place());
    other.held().~interface();
    ::new (other.place()) nothing();
    waiters_ = std::exchange(other.waiters_, nullptr);
    detail::any_waiter<Return, Yield, Send>::moved(waiters_, this);
}

template <class Return, class Yield, class Send>
any_coroutine<Return, Yield, Send>::~any_coroutine() {
    detail::any_waiter<Return, Yield, Send>::moved(waiters_, nullptr);
    held().~interface();
}

} // namespace isthmus::inline v1
