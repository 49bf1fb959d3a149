// tests/fuzz/things.hpp — what the functions of random programs make, and how it is driven and traced.
// SPDX-License-Identifier: MIT
#pragma once

#include "errors.hpp"

#include <isthmus/isthmus.hpp>

#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace fuzz {

using value = std::optional<int>;
using chain = isthmus::coroutine<value, int, value>;
using plain_chain = isthmus::coroutine<value>;
using plain_generator = isthmus::generator<int, value, value>;
using generator = isthmus::generator_based_coroutine<int, value, value>;
using erased = isthmus::any_coroutine<value, int, value>;
using step_of_thing = isthmus::step<int, value>;

/// What a variable holds: a coroutine, a generator-based one, or an any_coroutine. May be moved while it runs.
class thing {
public:
    thing() = default;
    thing(chain&& made) : held_(std::move(made)) {}
    thing(generator&& made) : held_(std::move(made)) {}
    thing(erased&& made) : held_(std::move(made)) {}

    chain* as_chain() { return std::get_if<chain>(&held_); }
    generator* as_generator() { return std::get_if<generator>(&held_); }
    erased& as_erased() { return std::get<erased>(held_); }

    /// Calls `use` with what is held.
    template <class Use>
    decltype(auto) visit(Use&& use) {
        return std::visit(std::forward<Use>(use), held_);
    }
    isthmus::coroutine_state state() const {
        return std::visit(
            [](const auto& held) -> isthmus::coroutine_state {
                const std::optional<isthmus::coroutine_state> state = held.state();
                return state.value();
            },
            held_);
    }

private:
    std::variant<chain, generator, erased> held_;
};

/// Drives a thing step by step as a class of a user's own does, and is its own await-iterator. Which of send(value)
/// (1), throw_ (2) and close (4) it has is in `Members`; it may own the thing or refer to it.
template <int Members>
class duck {
public:
    explicit duck(thing& driven) : driven_(&driven) {}
    explicit duck(thing&& driven) : owned_(std::make_unique<thing>(std::move(driven))), driven_(owned_.get()) {}

    duck& await() { return *this; }
    step_of_thing send() {
        return driven_->visit([](auto& held) { return held.send(); });
    }
    step_of_thing send(value sent)
        requires((Members & 1) != 0)
    {
        return driven_->visit([&](auto& held) { return held.send(sent); });
    }
    step_of_thing throw_(std::exception_ptr error)
        requires((Members & 2) != 0)
    {
        return driven_->visit([&](auto& held) { return held.throw_(std::move(error)); });
    }
    void close()
        requires((Members & 4) != 0)
    {
        driven_->visit([](auto& held) { static_cast<void>(held.close()); });
    }

private:
    std::unique_ptr<thing> owned_;
    thing* driven_;
};
using full_duck = duck<7>;

/// An any_coroutine that owns a thing's content, or a duck if that is no coroutine.
inline erased erase(thing&& made) {
    if (chain* const c = made.as_chain()) {
        return std::move(*c);
    }
    if (made.as_generator() != nullptr) {
        return full_duck(std::move(made));
    }
    return std::move(made.as_erased());
}
/// The same that refers to it.
inline erased erase(thing& kept) {
    if (chain* const c = kept.as_chain()) {
        return std::ref(*c);
    }
    if (kept.as_generator() != nullptr) {
        return full_duck(kept);
    }
    std::reference_wrapper<erased> reference(kept.as_erased());
    return erased(std::move(reference));
}

/// What a driver does.
struct operation {
    char verb = 'c';
    value sent;
    kind error = kind::e1;
    int payload = 0;
};

inline std::string text_of(const value& v) { return v ? std::to_string(*v) : "None"; }

inline std::string_view name_of(isthmus::coroutine_state state) {
    switch (state) {
    case isthmus::coroutine_state::created:
        return "created";
    case isthmus::coroutine_state::running:
        return "running";
    case isthmus::coroutine_state::suspended:
        return "suspended";
    case isthmus::coroutine_state::closed:
        return "closed";
    }
    return "?";
}

/// How a program is run: `mode` chooses between forms that must not differ.
struct settings {
    int mode = 0;
    bool value_of_close = true;
};

/// Does one operation on a thing and says what came of it, in one of the forms that must not differ.
class driving {
public:
    driving(settings how, thing& driven, const operation& op) : how_(how), op_(op) {
        driven.visit([&](auto& held) {
            if (how_.mode == 1) {
                without_exceptions(held);
                return;
            }
            try {
                with_exceptions(held);
            } catch (...) {
                failed(std::current_exception());
            }
        });
        text.insert(0, " ").insert(0, name_of(driven.state()));
    }

    std::string text;
    raised error;

private:
    template <class Held>
    void with_exceptions(Held& held) {
        if constexpr (requires { held.await(); }) {
            if (how_.mode == 2) {
                auto iterator = held.await();
                if (op_.verb == 's') {
                    stepped(op_.sent ? iterator.send(op_.sent) : iterator.send(std::nullopt));
                } else if (op_.verb == 'c') {
                    closed(iterator.close());
                } else {
                    stepped(iterator.throw_(make_error(op_.error, op_.payload)));
                }
                return;
            }
        }
        if (op_.verb == 's') {
            stepped(op_.sent ? held.send(op_.sent) : held.send());
        } else if (op_.verb == 'c') {
            closed(held.close());
        } else if (op_.error == kind::e1) {
            stepped(held.throw_(E1(op_.payload)));
        } else if (op_.error == kind::e2) {
            const E2 copied(op_.payload);
            stepped(held.throw_(copied));
        } else if (op_.error == kind::derived_exit) {
            stepped(held.throw_(GX(op_.payload)));
        } else {
            stepped(held.throw_(isthmus::generator_exit()));
        }
    }

    template <class Held>
    void without_exceptions(Held& held) {
        if (op_.verb == 'c') {
            auto outcome = held.try_close();
            if (outcome.failed()) {
                failed(outcome.error());
            } else {
                closed(outcome.done() ? std::optional<value>(outcome.returned()) : std::nullopt);
            }
            return;
        }
        auto outcome = op_.verb == 't' ? held.try_throw(make_error(op_.error, op_.payload))
                       : op_.sent      ? held.try_send(op_.sent)
                                       : held.try_send();
        if (outcome.failed()) {
            failed(outcome.error());
        } else {
            stepped(outcome);
        }
    }

    template <class Step>
    void stepped(Step&& step) {
        text = step.done() ? "returned " + text_of(step.returned()) : "yielded " + std::to_string(step.yielded());
    }
    void closed(const std::optional<value>& returned) {
        text = "closed " + (how_.value_of_close ? text_of(returned.value_or(std::nullopt)) : "*");
    }
    void failed(std::exception_ptr e) {
        error = raised(std::move(e));
        text = "raised " + error.text;
    }

    settings how_;
    const operation& op_;
};

} // namespace fuzz
