// isthmus/detail/erased.hpp — what an any_coroutine holds, behind one interface.
// SPDX-License-Identifier: MIT
#pragma once

#include "../errors.hpp"
#include "../step.hpp"
#include "access.hpp"
#include "any_waiter.hpp"
#include "held.hpp"
#include "names.hpp"

#include <concepts>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <type_traits>
#include <typeinfo>
#include <utility>

namespace isthmus::inline v1::detail {

/// What an any_coroutine does with what it holds. When an operation has called into that, *this may be gone.
template <class Return, class Yield, class Send>
class erased {
public:
    using step_type = step<Yield, Return>;
    using outcome_type = outcome<Yield, Return>;
    using closed_type = std::optional<stored<Return>>;
    using sent_pointer = sendable_pointer<Send>; ///< null: None

    virtual step_type send(sent_pointer value) = 0;
    virtual step_type throw_(std::exception_ptr error) = 0;
    virtual closed_type close() = 0;
    virtual outcome_type try_send(sent_pointer value) = 0;
    virtual outcome_type try_throw(std::exception_ptr error) = 0;
    virtual outcome_type try_close() = 0;
    virtual std::optional<coroutine_state> state() const noexcept = 0;
    virtual bool has_value() const noexcept { return true; }
    virtual frame* native_frame() const noexcept { return nullptr; }
    /// As delegate::visit().
    virtual void visit(held_visitor, void* /*context*/) const noexcept {}
    virtual std::string type() const { return "any_coroutine"; }
    virtual void move_to(void* place) noexcept = 0;

    erased() = default;
    erased(const erased&) = delete;
    erased& operator=(const erased&) = delete;
    virtual ~erased() = default;
};

/// An empty any_coroutine behaves like a finished coroutine (2.7, 5.10, 6.4).
template <class Return, class Yield, class Send>
class erased_nothing final : public erased<Return, Yield, Send> {
    using base = erased<Return, Yield, Send>;
    using typename base::closed_type;
    using typename base::outcome_type;
    using typename base::sent_pointer;
    using typename base::step_type;

public:
    step_type send(sent_pointer) override { throw_misuse(misuse::already_finished); }
    step_type throw_(std::exception_ptr error) override { throw_misuse(refusal(error)); }
    closed_type close() override { return std::nullopt; }
    outcome_type try_send(sent_pointer) override { return failed(misuse::already_finished); }
    outcome_type try_throw(std::exception_ptr error) override { return failed(refusal(error)); }
    outcome_type try_close() override { return outcome_type(std::in_place_index<3>); }
    std::optional<coroutine_state> state() const noexcept override { return coroutine_state::closed; }
    bool has_value() const noexcept override { return false; }
    void move_to(void* place) noexcept override { ::new (place) erased_nothing(); }

private:
    static misuse refusal(const std::exception_ptr& error) noexcept {
        return error == nullptr ? misuse::not_an_exception : misuse::already_finished;
    }
    static outcome_type failed(misuse code) { return outcome_type(std::in_place_index<2>, make_misuse(code)); }
};

template <class T>
inline constexpr bool is_native = false;
template <class Return, class Yield, class Send>
inline constexpr bool is_native<coroutine<Return, Yield, Send>> = true;

template <class T, class Return, class Yield, class Send>
class erased_model final : public erased<Return, Yield, Send> {
    using base = erased<Return, Yield, Send>;
    using target = target_of<T>;
    using typename base::closed_type;
    using typename base::outcome_type;
    using typename base::sent_pointer;
    using typename base::step_type;

public:
    template <class Source>
    explicit erased_model(std::in_place_t, Source&& source) : kept_(std::forward<Source>(source)) {}

    step_type send(sent_pointer value) override {
        const auto used = kept_.use();
        return from<step_type>(send(*used, value));
    }
    step_type throw_(std::exception_ptr error) override {
        const auto used = kept_.use();
        return from<step_type>((*used).throw_(std::move(error)));
    }
    closed_type close() override {
        const auto used = kept_.use();
        return close(*used);
    }
    outcome_type try_send(sent_pointer value) override {
        const auto used = kept_.use();
        if constexpr (requires(target& t) {
                          { t.try_send() } -> std::same_as<outcome_type>;
                      }) {
            if constexpr (!is_none<Send>) {
                if (value != nullptr) {
                    return (*used).try_send(static_cast<Send&&>(*value));
                }
            }
            return (*used).try_send();
        } else {
            return attempt([&] { return from<outcome_type>(send(*used, value)); });
        }
    }
    outcome_type try_throw(std::exception_ptr error) override {
        const auto used = kept_.use();
        if constexpr (requires(target& t) {
                          { t.try_throw(error) } -> std::same_as<outcome_type>;
                      }) {
            return (*used).try_throw(std::move(error));
        } else {
            return attempt([&] { return from<outcome_type>((*used).throw_(std::move(error))); });
        }
    }
    outcome_type try_close() override {
        const auto used = kept_.use();
        if constexpr (requires(target& t) {
                          { t.try_close() } -> std::same_as<outcome_type>;
                      }) {
            return (*used).try_close();
        } else {
            return attempt([&] {
                closed_type value = close(*used);
                return value ? outcome_type(std::in_place_index<1>, std::move(*value))
                             : outcome_type(std::in_place_index<3>);
            });
        }
    }
    std::optional<coroutine_state> state() const noexcept override {
        if constexpr (requires(const target& t) {
                          { t.state() } -> std::convertible_to<std::optional<coroutine_state>>;
                      }) {
            return kept_.get().state();
        } else {
            return std::nullopt;
        }
    }
    frame* native_frame() const noexcept override {
        if constexpr (is_native<target>) {
            return frame_access::get(kept_.get());
        } else { // another any_coroutine may have one
            return await_target<target>::frame_of(kept_.get());
        }
    }
    void visit(held_visitor visitor, void* context) const noexcept override {
        if constexpr (held<T>::owns && is_native<target>) {
            if (frame* const native = native_frame()) {
                visit_held(*native, visitor, context);
            }
        }
    }
    std::string type() const override { return type_name(typeid(kept_.get())); }
    void move_to(void* place) noexcept override { ::new (place) erased_model(std::in_place, std::move(kept_)); }

private:
    static decltype(auto) send(target& to, sent_pointer value) {
        if constexpr (!is_none<Send>) {
            if (value != nullptr) {
                return step_of<target>(to.send(static_cast<Send&&>(*value)));
            }
        }
        return step_of<target>(detail::send_none(to));
    }

    static closed_type close(target& closing) {
        if constexpr (std::is_same_v<decltype(closing.close()), closed_type>) {
            return closing.close();
        } else {
            static_cast<void>(closing.close());
            return std::nullopt;
        }
    }

    /// A Result from a step of the target's own type.
    template <class Result, class Step>
    static Result from(Step&& given) {
        if constexpr (std::is_same_v<Step, Result>) {
            return std::forward<Step>(given);
        } else if (given.done()) {
            if constexpr (is_none<Return>) {
                return Result(std::in_place_index<1>);
            } else {
                return Result(std::in_place_index<1>, std::forward<Step>(given).returned());
            }
        } else if constexpr (is_none<Yield>) {
            return Result(std::in_place_index<0>);
        } else {
            return Result(std::in_place_index<0>, std::forward<Step>(given).yielded());
        }
    }

    template <class Operation>
    static outcome_type attempt(const Operation& operation) {
        try {
            return operation();
        } catch (...) {
            return outcome_type(std::in_place_index<2>, current_error());
        }
    }

    kept<T> kept_;
};

} // namespace isthmus::inline v1::detail
