// isthmus/detail/foreign.hpp — co_await of a user's own class, through the await-iterator that its await() gives, and
// yield_from of one.
// SPDX-License-Identifier: MIT
#pragma once

#include "chain.hpp"
#include "members.hpp"
#include "names.hpp"

#include <exception>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace isthmus::inline v1::detail {

/// Where `co_await` of a T, or of what its await() gave, finds what it drives. An erased coroutine specialises it.
template <class T>
struct await_source {
    template <class Awaited>
    static decltype(auto) begin(Awaited&& awaited) {
        return detail::call_await(std::forward<Awaited>(awaited));
    }
};

/// What people are told about an await-iterator, the frame behind it if there is one, and what a layer above holds
/// there. An erased coroutine specialises it.
template <class Iterator>
struct await_target {
    static frame* frame_of(const Iterator&) noexcept { return nullptr; }
    static std::string type_of(const Iterator&) { return type_name(typeid(Iterator)); }
    static void visit(const Iterator&, held_visitor, void*) noexcept {}
};

/// Passes each step of the chain on to an object with `send`, and `throw_` and `close` where it has them. `Iterator` is
/// what await() returned: a value, or a reference to something that outlives the await, such as the operand.
template <class Iterator, class Yield, class Send>
class foreign_awaiter final : failing<delegate, std::optional<step_of<std::remove_reference_t<Iterator>>>> {
    using step_type = step_of<std::remove_reference_t<Iterator>>;
    using base = failing<delegate, std::optional<step_type>>;
    using yielded_type = decltype(std::declval<step_type&>().yielded());
    using returned_type = decltype(std::declval<step_type&>().returned());
    static constexpr bool yields_none = is_none<std::remove_cvref_t<yielded_type>>;
    static_assert(
        yields_none || std::is_same_v<yielded_type, std::add_lvalue_reference_t<Yield>>,
        "isthmus: what is awaited yields another type than this coroutine; give this coroutine the same Yield");

public:
    /// `make` gives the await-iterator, which may be immovable.
    template <class Make>
    explicit foreign_awaiter(const Make& make) : iterator_(make()) {}

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        this->suspend(awaiting.promise());
    }
    auto await_resume() -> std::conditional_t<std::is_void_v<returned_type>, void,
                                              std::remove_reference_t<decltype(std::declval<step_type>().returned())>>
        requires(!std::is_lvalue_reference_v<decltype(std::declval<step_type>().returned())>)
    {
        this->rethrow_failure();
        return std::move(*this->result()).returned();
    }
    auto await_resume() -> decltype(std::declval<step_type>().returned())
        requires std::is_lvalue_reference_v<decltype(std::declval<step_type>().returned())>
    {
        this->rethrow_failure();
        return std::move(*this->result()).returned();
    }

    using base::pass_errors;
    using base::take_failure;

private:
    void advance(activation& step) noexcept override {
        try {
            if (step.injected != nullptr) {
                const std::exception_ptr injected = step.take_injected();
                if constexpr (requires { iterator_.throw_(injected); }) {
                    this->result().emplace(iterator_.throw_(injected));
                } else { // 5.21
                    this->end(injected);
                    return;
                }
            } else {
                this->result().emplace(send(std::exchange(step.sent, nullptr)));
            }
            if (this->result()->done()) {
                this->end(nullptr);
            } else if constexpr (yields_none) {
                if (!this->parent->link().driver().accepts_none) {
                    throw unexpected_yield();
                }
                step.yielded = &step.none_yielded;
            } else {
                step.yielded = const_cast<void*>(static_cast<const void*>(std::addressof(this->result()->yielded())));
            }
        } catch (...) {
            this->end(current_error());
        }
    }

    /// None goes to send(), as `await` calls `__next__`; a value needs a send() that takes it (3.2).
    step_type send(void* sent) {
        if constexpr (!is_none<Send>) {
            if (sent != nullptr) {
                auto& value = *static_cast<std::remove_reference_t<Send>*>(sent);
                if (!is_empty(value)) {
                    if constexpr (requires { iterator_.send(static_cast<Send&&>(value)); }) {
                        return iterator_.send(static_cast<Send&&>(value));
                    } else {
                        throw cannot_send();
                    }
                }
            }
        }
        return detail::send_none(iterator_);
    }

    std::exception_ptr close() noexcept override {
        if constexpr (requires { iterator_.close(); }) {
            try {
                iterator_.close();
            } catch (...) {
                return current_error();
            }
        }
        return nullptr;
    }

    bool outlasts() noexcept override { return outlasted_by(end_of_awaited()); }
    void keep(left_frames frames) noexcept override {
        if (delegate* const end = end_of_awaited()) { // always, since that outlasts()
            end->keep(frames);
        }
    }
    delegate* end_of_awaited() noexcept {
        frame* const awaited = awaited_frame();
        return awaited != nullptr ? awaited_at_end(*awaited) : nullptr;
    }
    frame* awaited_frame() const noexcept override {
        return await_target<std::remove_cvref_t<Iterator>>::frame_of(iterator_);
    }
    void visit(held_visitor visitor, void* context) const noexcept override {
        await_target<std::remove_cvref_t<Iterator>>::visit(iterator_, visitor, context);
    }
    std::string awaited_type() const override {
        return await_target<std::remove_cvref_t<Iterator>>::type_of(iterator_);
    }

    Iterator iterator_;
};

} // namespace isthmus::inline v1::detail
