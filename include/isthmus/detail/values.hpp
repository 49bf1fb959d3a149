// isthmus/detail/values.hpp — how values leave and enter a coroutine: co_yield and co_return for each kind of type.
// SPDX-License-Identifier: MIT
#pragma once

#include "chain.hpp"

#include <cstddef>
#include <functional>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

/// What a co_yield gives: an object that outlives the suspension, as a temporary of the co_yield expression does.
struct yielded_elsewhere {
    const void* value;
    const void* place(activation&) const noexcept { return value; }
};
/// An object of its own, so that the driver can move it out.
template <class Yield>
struct yielded_here {
    template <class Source>
    explicit yielded_here(Source&& source)
        : value(static_cast<std::remove_cv_t<Yield>>(std::forward<Source>(source))) {}
    std::remove_cv_t<Yield> value;
    const void* place(activation&) const noexcept { return std::addressof(value); }
};
struct yielded_none {
    static const void* place(activation& step) noexcept { return &step.none_yielded; }
};

/// `co_yield`: suspends the whole chain, and becomes what the driver sends.
// g++ makes all awaiters of an expression before the first suspends, and takes all results after the last: so what is
// given is kept until await_suspend(), and what was sent is there for one alone.
template <class Send, class Given>
class yield_awaiter {
public:
    template <class... Args>
    explicit yield_awaiter(frame& yielding, Args&&... args) : frame_(&yielding), given_{std::forward<Args>(args)...} {}
    yield_awaiter(const yield_awaiter&) = delete;
    yield_awaiter& operator=(const yield_awaiter&) = delete;

    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<>) const noexcept {
        activation& step = frame_->step();
        step.yielded = const_cast<void*>(given_.place(step));
    }

    Send await_resume() {
        activation& step = frame_->step();
        if (step.injected != nullptr) [[unlikely]] {
            step.raise_injected();
        }
        if constexpr (std::is_void_v<Send>) {
            return;
        } else if constexpr (is_none<Send>) {
            return {};
        } else {
            return take(std::exchange(step.sent, nullptr));
        }
    }

protected:
    frame& yielding() const noexcept { return *frame_; }

private:
    Send take(void* sent) const
        requires(!is_none<Send>)
    {
        if constexpr (std::is_reference_v<Send>) {
            return static_cast<Send>(*static_cast<std::remove_reference_t<Send>*>(require(sent)));
        } else if constexpr (empty_value<Send>::exists) {
            return sent != nullptr ? std::move(*static_cast<Send*>(sent)) : empty_value<Send>::make();
        } else {
            return std::move(*static_cast<Send*>(require(sent)));
        }
    }
    void* require(void* sent) const {
        if (sent == nullptr) [[unlikely]] {
            throw_misuse(misuse::missing_value, frame_->kind);
        }
        return sent;
    }

    frame* frame_;
    [[no_unique_address]] Given given_;
};

/// Yields in nothrow(): an error that is thrown in ends the frame, and does not resume it.
template <class Send, class Given>
class nothrow_yield_awaiter : public yield_awaiter<Send, Given> {
public:
    using yield_awaiter<Send, Given>::yield_awaiter;

    void await_suspend(std::coroutine_handle<> handle) const noexcept {
        this->yielding().passes_errors = true;
        yield_awaiter<Send, Given>::await_suspend(handle);
    }
    Send await_resume() {
        this->yielding().passes_errors = false;
        return yield_awaiter<Send, Given>::await_resume();
    }
};

/// What the layer that owns a Yield type keeps in each frame that yields it. That layer specialises it.
template <class Yield>
struct frame_notes {
    /// Whether the frames of a coroutine function with these parameters are marked as borrowing.
    template <class... Parameters>
    static constexpr bool borrows = false;
    /// Whether that layer has native_links that translate.
    static constexpr bool awaits_objects = false;
};

/// A frame with its notes, where they are found whatever its Return and Send are.
template <class Yield>
struct noted_frame : frame {
    explicit noted_frame(frame_kind of) noexcept : frame(of, frame_notes<Yield>::awaits_objects) {}
    [[no_unique_address]] frame_notes<Yield> notes;
};

/// co_yield for each kind of Yield.
template <class Yield, class Send>
class yielding_promise : public noted_frame<Yield> {
public:
    using noted_frame<Yield>::noted_frame;

    yield_awaiter<Send, yielded_elsewhere> yield_value(Yield&& value, std::uint32_t at = __builtin_LINE()) noexcept {
        this->line = at;
        return yield_awaiter<Send, yielded_elsewhere>(*this, std::addressof(value));
    }
    auto yield_value(const Yield& value, std::uint32_t at = __builtin_LINE())
        requires std::is_copy_constructible_v<Yield>
    {
        this->line = at;
        if constexpr (std::is_trivially_copyable_v<Yield>) { // moving it out would not change it
            return yield_awaiter<Send, yielded_elsewhere>(*this, std::addressof(value));
        } else {
            return yield_awaiter<Send, yielded_here<Yield>>(*this, value);
        }
    }
};
template <class Yield, class Send>
    requires(!is_none<Yield> && fits_register<Yield> && std::is_convertible_v<const Yield&, Yield>)
class yielding_promise<Yield, Send> : public noted_frame<Yield> {
public:
    using noted_frame<Yield>::noted_frame;

    yield_awaiter<Send, yielded_here<Yield>> yield_value(Yield value, std::uint32_t at = __builtin_LINE()) noexcept {
        this->line = at;
        return yield_awaiter<Send, yielded_here<Yield>>(*this, std::move(value));
    }
};
template <class Yield, class Send>
class yielding_promise<Yield&, Send> : public noted_frame<Yield&> {
public:
    using noted_frame<Yield&>::noted_frame;

    yield_awaiter<Send, yielded_elsewhere> yield_value(Yield& value, std::uint32_t at = __builtin_LINE()) noexcept {
        this->line = at;
        return yield_awaiter<Send, yielded_elsewhere>(*this, std::addressof(value));
    }
};
template <class Yield, class Send>
    requires is_none<Yield>
class yielding_promise<Yield, Send> : public noted_frame<Yield> {
public:
    using noted_frame<Yield>::noted_frame;

    yield_awaiter<Send, yielded_none> yield_value(none, std::uint32_t at = __builtin_LINE()) {
        this->line = at;
        require_none_accepted();
        return yield_awaiter<Send, yielded_none>(*this);
    }

protected:
    void require_none_accepted() const {
        if (!this->link().driver().accepts_none) [[unlikely]] {
            throw unexpected_yield();
        }
    }
};

/// co_return for each kind of Return, and the way out of the frame for what it returned. If that fits, it is where the
/// error that leaves the body would be.
template <class Return, class Base>
class returning_promise : public Base {
    using kept = stored<Return>;
    static constexpr bool must_die = !std::is_trivially_destructible_v<kept>; // else nobody asks whether it is there
    static constexpr bool fits = sizeof(kept) <= sizeof(frame::result) && alignof(kept) <= alignof(void*);

public:
    using Base::Base;
    ~returning_promise() { destroy_value(); }

    template <class U = std::remove_cv_t<Return>>
        requires std::is_constructible_v<kept, U&&> && std::is_convertible_v<U&&, Return>
    void return_value(U&& value) {
        destroy_value();
        ::new (place()) kept(std::forward<U>(value));
        if constexpr (must_die) {
            this->returned = true;
        }
    }
    kept& value() noexcept { return *std::launder(static_cast<kept*>(place())); }

protected:
    /// Before an error can come to where the value is: the body goes on, or fails, after a co_return, since a
    /// destructor has thrown.
    void make_room() noexcept {
        if constexpr (fits) {
            destroy_value();
        }
    }

private:
    struct nothing {};
    struct own_place {
        alignas(kept) std::byte bytes[sizeof(kept)];
    };

    void* place() noexcept {
        if constexpr (fits) {
            return this->result;
        } else {
            return place_.bytes;
        }
    }
    void destroy_value() noexcept {
        if constexpr (must_die) {
            if (this->returned) {
                this->returned = false;
                std::destroy_at(std::addressof(value()));
            }
        }
    }

    [[no_unique_address]] std::conditional_t<fits, nothing, own_place> place_;
};
template <class Return, class Base>
class returning_promise<Return&, Base> : public Base {
public:
    using Base::Base;
    void return_value(Return& value) noexcept {
        ::new (static_cast<void*>(this->result)) Return*(std::addressof(value));
    }
    std::reference_wrapper<Return> value() noexcept { return **std::launder(reinterpret_cast<Return**>(this->result)); }

protected:
    void make_room() noexcept {}
};
template <class Base>
class returning_promise<void, Base> : public Base {
public:
    using Base::Base;
    void return_void() noexcept {}
    none value() noexcept { return {}; }

protected:
    void make_room() noexcept {}
};

} // namespace isthmus::inline v1::detail
