// isthmus/detail/any_waiter.hpp — co_await of an any_coroutine.
// SPDX-License-Identifier: MIT
#pragma once

#include "access.hpp"
#include "foreign.hpp"

#include <exception>
#include <string>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

template <class Return = void, class Yield = none, class Send = none>
class any_coroutine;

namespace detail {

/// The await-iterator of an any_coroutine in `co_await`, which may be moved or destroyed meanwhile, as a coroutine may.
template <class Return, class Yield, class Send>
class any_waiter {
    using erased_type = any_coroutine<Return, Yield, Send>;

public:
    explicit any_waiter(erased_type& awaited) noexcept
        : awaited_(&awaited), next_(std::exchange(awaited.waiters_, this)) {}
    any_waiter(const any_waiter&) = delete;
    any_waiter& operator=(const any_waiter&) = delete;
    ~any_waiter() {
        if (awaited_ != nullptr) {
            any_waiter** place = &awaited_->waiters_;
            while (*place != this) {
                place = &(*place)->next_;
            }
            *place = next_;
        }
    }

    auto send() { return awaited().send(); }
    auto send(sendable<Send> value)
        requires(!is_none<Send>)
    {
        return awaited().send(static_cast<Send&&>(value));
    }
    /// A plain one drops what is sent to the chain it is in, as a plain coroutine does.
    template <class Value>
        requires is_none<Send>
    auto send(Value&&) {
        return awaited().send();
    }
    auto throw_(std::exception_ptr error) { return awaited().throw_(std::move(error)); }
    void close() {
        if (awaited_ != nullptr) {
            awaited_->close();
        }
    }

    /// Tells all of a list where the any_coroutine is now; null: gone.
    static void moved(any_waiter* first, erased_type* to) noexcept {
        for (any_waiter* waiter = first; waiter != nullptr; waiter = waiter->next_) {
            waiter->awaited_ = to;
        }
    }

private:
    friend struct await_target<any_waiter>;

    erased_type& awaited() const {
        if (awaited_ == nullptr) {
            throw_misuse(misuse::already_finished);
        }
        return *awaited_;
    }

    erased_type* awaited_;
    any_waiter* next_;
};

template <class Return, class Yield, class Send>
struct owned_any {
    any_coroutine<Return, Yield, Send> object;
};

/// The same of one that is moved in: then the awaiter certainly owns what that holds.
template <class Return, class Yield, class Send>
class owning_any_waiter : owned_any<Return, Yield, Send>, public any_waiter<Return, Yield, Send> {
public:
    explicit owning_any_waiter(any_coroutine<Return, Yield, Send>&& awaited) noexcept
        : owning_any_waiter::owned_any{std::move(awaited)}, owning_any_waiter::any_waiter(this->object) {}

private:
    friend struct await_target<owning_any_waiter>;
};

template <class Return, class Yield, class Send>
struct await_source<any_coroutine<Return, Yield, Send>> {
    using awaited_type = any_coroutine<Return, Yield, Send>;
    using waiter = any_waiter<Return, Yield, Send>;
    using owning_waiter = owning_any_waiter<Return, Yield, Send>;

    /// `co_await c`.
    static waiter begin(awaited_type& awaited) {
        require_created(awaited);
        return waiter(awaited);
    }
    static owning_waiter begin(awaited_type&& awaited) {
        require_created(awaited);
        return owning_waiter(std::move(awaited));
    }
    /// `co_await c.await()` (7.9).
    static waiter go_on(awaited_type& awaited) { return waiter(awaited); }

private:
    /// 7.6–7.8
    static void require_created(const awaited_type& awaited) {
        if (const auto state = awaited.state(); state && *state != coroutine_state::created) {
            throw_misuse(*state == coroutine_state::closed    ? misuse::already_finished
                         : *state == coroutine_state::running ? misuse::already_executing
                                                              : misuse::already_awaited);
        }
    }
};

template <class Return, class Yield, class Send>
struct await_target<any_coroutine<Return, Yield, Send>> {
    using iterator = any_coroutine<Return, Yield, Send>;
    static frame* frame_of(const iterator& awaited) noexcept { return awaited.held().native_frame(); }
    static std::string type_of(const iterator& awaited) { return awaited.held().type(); }
    static void visit(const iterator&, held_visitor, void*) noexcept {}
};
template <class Return, class Yield, class Send>
struct await_target<any_waiter<Return, Yield, Send>> {
    using iterator = any_waiter<Return, Yield, Send>;
    using target = await_target<any_coroutine<Return, Yield, Send>>;
    static frame* frame_of(const iterator& waiter) noexcept {
        return waiter.awaited_ != nullptr ? target::frame_of(*waiter.awaited_) : nullptr;
    }
    static std::string type_of(const iterator& waiter) {
        return waiter.awaited_ != nullptr ? target::type_of(*waiter.awaited_) : "any_coroutine";
    }
    static void visit(const iterator&, held_visitor, void*) noexcept {}
};
template <class Return, class Yield, class Send>
struct await_target<owning_any_waiter<Return, Yield, Send>> : await_target<any_waiter<Return, Yield, Send>> {
    using iterator = owning_any_waiter<Return, Yield, Send>;
    static void visit(const iterator& waiter, held_visitor visitor, void* context) noexcept {
        waiter.object.held().visit(visitor, context);
    }
};

} // namespace detail
} // namespace isthmus::inline v1
