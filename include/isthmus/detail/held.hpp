// isthmus/detail/held.hpp — what an any_coroutine can hold, and where it keeps it.
// SPDX-License-Identifier: MIT
#pragma once

#include "../coroutine.hpp"
#include "../step.hpp"
#include "members.hpp"

#include <functional>
#include <memory>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

// ---- which types match ----

/// What a step yields and returns. A step class of the user's own has values: its references are to what it holds.
template <class Step>
struct step_types {
    using yield_type = std::remove_cvref_t<decltype(std::declval<Step&>().yielded())>;
    using return_type = std::remove_cvref_t<decltype(std::declval<Step&>().returned())>;
};
template <class Yield, class Return>
struct step_types<step<Yield, Return>> {
    using yield_type = Yield;
    using return_type = Return;
};

template <class T, class U>
inline constexpr bool same_or_none = std::is_same_v<T, U> || (is_none<T> && is_none<U>);

template <class T, class Yield>
concept yields_as = same_or_none<typename step_types<step_of<T>>::yield_type, Yield>;
template <class T, class Return>
concept returns_as = same_or_none<typename step_types<step_of<T>>::return_type, Return>;

/// A class that names its send_type takes exactly that; another takes what can be sent to it.
template <class T, class Send>
constexpr bool takes_value() {
    if constexpr (requires { typename T::send_type; }) {
        return same_or_none<typename T::send_type, Send>;
    } else if constexpr (is_none<Send>) {
        return true;
    } else {
        return requires(T& target, Send&& value) { target.send(static_cast<Send&&>(value)); };
    }
}
template <class T, class Send>
concept takes = takes_value<T, Send>();

/// A T, decayed, and what is driven if that is held: itself, or what it points to.
template <class T>
struct held {
    using target = T;
    static constexpr bool owns = true;
    static T& get(T& held) noexcept { return held; }
    static bool empty(const T&) noexcept { return false; }
};
template <class T, class Deleter>
    requires std::is_class_v<T>
struct held<std::unique_ptr<T, Deleter>> {
    using target = T;
    static constexpr bool owns = true;
    static T& get(std::unique_ptr<T, Deleter>& held) noexcept { return *held; }
    static bool empty(const std::unique_ptr<T, Deleter>& held) noexcept { return held == nullptr; }
};
template <class T>
struct held<std::reference_wrapper<T>> {
    using target = T;
    static constexpr bool owns = false;
    static T& get(std::reference_wrapper<T>& held) noexcept { return held.get(); }
    static bool empty(const std::reference_wrapper<T>&) noexcept { return false; }
};
template <class T>
using target_of = typename held<std::decay_t<T>>::target;

template <class T, class Return, class Yield, class Send>
concept drives_as = has_protocol<T> && yields_as<T, Yield> && returns_as<T, Return> && takes<T, Send>;

// ---- where it is kept ----

/// In the any_coroutine itself: what can be moved and destroyed while it runs, that is a native coroutine or a
/// reference.
template <class T>
class kept_inside {
public:
    template <class Source>
    explicit kept_inside(Source&& source) : object_(std::forward<Source>(source)) {}
    target_of<T>* use() noexcept { return std::addressof(held<T>::get(object_)); }
    const target_of<T>& get() const noexcept { return held<T>::get(const_cast<T&>(object_)); }

private:
    T object_;
};

/// On the heap: any other class, whose operations may be under way when the any_coroutine is moved or destroyed.
/// The last of them destroys it then.
template <class T>
class kept_outside {
    struct block {
        template <class Source>
        explicit block(Source&& source) : object(std::forward<Source>(source)) {}
        T object;
        unsigned users = 0;
        bool abandoned = false;
    };
    class user {
    public:
        explicit user(block& used) noexcept : used_(&used) { ++used.users; }
        user(const user&) = delete;
        user& operator=(const user&) = delete;
        ~user() {
            if (--used_->users == 0 && used_->abandoned) {
                delete used_;
            }
        }
        target_of<T>& operator*() const noexcept { return held<T>::get(used_->object); }

    private:
        block* used_;
    };

public:
    template <class Source>
    explicit kept_outside(Source&& source) : block_(new block(std::forward<Source>(source))) {}
    kept_outside(kept_outside&& other) noexcept : block_(std::exchange(other.block_, nullptr)) {}
    kept_outside& operator=(kept_outside&&) = delete;
    ~kept_outside() {
        if (block_ != nullptr && block_->users != 0) {
            block_->abandoned = true;
        } else {
            delete block_;
        }
    }
    user use() noexcept { return user(*block_); }
    const target_of<T>& get() const noexcept { return held<T>::get(block_->object); }

private:
    block* block_;
};

template <class Return, class Yield, class Send>
kept_inside<coroutine<Return, Yield, Send>> keep(std::type_identity<coroutine<Return, Yield, Send>>);
template <class T>
kept_inside<std::reference_wrapper<T>> keep(std::type_identity<std::reference_wrapper<T>>);
template <class T>
kept_outside<T> keep(std::type_identity<T>);
template <class T>
using kept = decltype(detail::keep(std::type_identity<T>()));

} // namespace isthmus::inline v1::detail
