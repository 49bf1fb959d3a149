// isthmus/yield_from.hpp — yield_from(sub): Python's `yield from`, in the body of a generator.
// SPDX-License-Identifier: MIT
#pragma once

#include "detail/foreign.hpp"
#include "detail/members.hpp"
#include "detail/promise.hpp"
#include "step.hpp"

#include <memory>
#include <optional>
#include <ranges>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1 {

namespace detail {

/// What a layer above lets generators yield from in its own way names what does that, which is constructed from it.
template <class T>
concept names_delegate = requires { typename T::delegate_type; };

template <class Return, class Yield, class Send>
void match_coroutine(coroutine<Return, Yield, Send>&);
template <class T>
concept any_coroutine_type = requires(T& object) { detail::match_coroutine(object); };

/// What yield_from() gives to co_yield: refers to `sub`, or owns it if it was an rvalue.
template <class Sub>
class [[nodiscard]] delegation {
    using sub_type = std::remove_reference_t<Sub>;
    static_assert(!any_coroutine_type<sub_type>, "isthmus: a generator cannot yield from a coroutine; make it a "
                                                 "coroutine, which can await it");
    static_assert(any_generator<sub_type> || has_send<sub_type> || std::ranges::input_range<sub_type>,
                  "isthmus: yield_from() takes a generator, an input range, or an object with send()");

public:
    explicit delegation(Sub&& sub) : sub_(std::forward<Sub>(sub)) {}
    sub_type& sub() noexcept { return sub_; }

private:
    Sub sub_;
};

/// A range driven as `yield from` drives iter(range): it can only be asked for the next element.
template <class Range, class Yield>
class range_iterator {
    using element = std::ranges::range_reference_t<Range>;
    static constexpr bool converts = [] {
        if constexpr (std::is_reference_v<Yield>) { // no reference to a temporary
            return std::is_lvalue_reference_v<element> &&
                   std::is_convertible_v<std::remove_reference_t<element>*, std::remove_reference_t<Yield>*>;
        } else {
            return std::is_convertible_v<element, std::conditional_t<std::is_void_v<Yield>, none, Yield>>;
        }
    }();
    static_assert(converts, "isthmus: the elements of this range do not convert to the Yield of this generator");

public:
    explicit range_iterator(Range& range) noexcept : range_(std::addressof(range)) {}

    step<Yield, void> send() {
        if (at_) {
            ++*at_;
        } else {
            at_.emplace(std::ranges::begin(*range_));
        }
        if (*at_ == std::ranges::end(*range_)) {
            return step<Yield, void>(std::in_place_index<1>);
        }
        return step<Yield, void>(std::in_place_index<0>, **at_);
    }

private:
    Range* range_;
    std::optional<std::ranges::iterator_t<Range>> at_;
};

} // namespace detail

/// `auto result = co_yield yield_from(sub);` in a generator yields all that `sub` yields, and becomes what it returns
/// (PEP 380). Meanwhile what is sent and thrown goes to `sub`, and a generator_exit closes it first (5.19, 5.23, 6.9).
/// `sub`, which must live as long if it is an lvalue, and else is moved and owned, is one of
///
/// - a generator with the same Yield and Send, or with none. It is continued where it is if it has started; a resume
///   costs the same at any depth. A finished one gives what its send() gives; a running one raises already_executing;
/// - an object with send() that returns a step, and with send(value), throw_() and close() where it has a use for
///   them. A value that is sent and that it cannot take raises cannot_send at the co_yield (3.2), as does an error
///   (5.21);
/// - an input range whose elements convert to Yield. Nothing is returned, nothing can be sent.
template <class Sub>
detail::delegation<Sub> yield_from(Sub&& sub) {
    return detail::delegation<Sub>(std::forward<Sub>(sub));
}

} // namespace isthmus::inline v1
