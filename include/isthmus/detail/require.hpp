// isthmus/detail/require.hpp — says which member of the protocol a class lacks, where one is needed.
// SPDX-License-Identifier: MIT
#pragma once

#include "members.hpp"

#include <cstdint>
#include <type_traits>
#include <utility>

namespace isthmus::inline v1::detail {

struct member_names {
    int await, send, throw_, close;
};

/// Inherits T's members beside others of those names: the name of a member that T has, callable or not, is ambiguous
/// here. The destructor is never defined, so T's may be inaccessible.
template <class T>
struct beside_names : T, member_names {
    ~beside_names() noexcept;
};

template <class T>
concept can_be_base = std::is_class_v<T> && !std::is_final_v<T>;
template <class T>
concept names_await = can_be_base<T> && !requires { &beside_names<T>::await; };
template <class T>
concept names_send = can_be_base<T> && !requires { &beside_names<T>::send; };
template <class T>
concept names_throw = can_be_base<T> && !requires { &beside_names<T>::throw_; };
template <class T>
concept names_close = can_be_base<T> && !requires { &beside_names<T>::close; };
template <class T>
concept names_any = names_await<T> || names_send<T> || names_throw<T> || names_close<T>;

/// Why a member cannot be called: there is none of that name, there is one, or that cannot be told (a final class).
enum class absence : std::uint8_t { none, missing, deleted, unknown };

template <class T>
constexpr absence absent(bool callable, bool named) {
    if (callable) {
        return absence::none;
    }
    if (named) {
        return absence::deleted;
    }
    return can_be_base<T> || !(std::is_class_v<T> || std::is_union_v<T>) ? absence::missing : absence::unknown;
}

/// What T's await() returns, without a reference; void if it cannot be called.
template <class T>
struct await_result : std::type_identity<void> {};
template <calls_await T>
struct await_result<T> : std::remove_reference<decltype(detail::call_await(std::declval<T>()))> {};
template <class T>
using await_iterator_of = typename await_result<T>::type;

/// Instantiated where T is awaited and has no usable await(); the text is the first line of the compiler's error.
template <class T>
struct require_await {
    using type = std::remove_cvref_t<T>;
    static constexpr absence await = absent<type>(calls_await<T>, names_await<type>);
    static_assert(await != absence::missing,
                  "isthmus: this type cannot be awaited in an isthmus coroutine: await() is missing");
    static_assert(await != absence::deleted, "isthmus: this type cannot be awaited in an isthmus coroutine: await() is "
                                             "deleted, inaccessible or takes arguments");
    static_assert(await != absence::unknown,
                  "isthmus: this type cannot be awaited in an isthmus coroutine: await() is missing or deleted");

    using iterator = await_iterator_of<T>;
    static constexpr bool has_iterator = calls_await<T> && !std::is_void_v<iterator>;
    static constexpr absence send =
        absent<std::remove_cv_t<iterator>>(!has_iterator || accepts_none<iterator>, names_send<iterator>);
    static_assert(send != absence::missing, "isthmus: this type cannot be awaited in an isthmus coroutine: what its "
                                            "await() returns has no send()");
    static_assert(send != absence::deleted, "isthmus: this type cannot be awaited in an isthmus coroutine: send() of "
                                            "what its await() returns is deleted, inaccessible or cannot be called "
                                            "without a value, as Python's send(None)");
    static_assert(send != absence::unknown, "isthmus: this type cannot be awaited in an isthmus coroutine: send() of "
                                            "what its await() returns is missing or deleted");
    static_assert(!calls_await<T> || send != absence::none || has_await<T>,
                  "isthmus: this type cannot be awaited in an isthmus coroutine: await() must return an "
                  "await-iterator, whose send() returns an isthmus::step");
};

/// The same where T is driven or held, which needs await(), send(), throw_() and close().
template <class T>
struct require_protocol {
    using type = std::remove_cvref_t<T>;
    using object = std::remove_reference_t<T>;

    static constexpr absence await = absent<type>(calls_await<T>, names_await<type>);
    static_assert(await != absence::missing, "isthmus: this is not coroutine_like: await() is missing");
    static_assert(await != absence::deleted,
                  "isthmus: this is not coroutine_like: await() is deleted, inaccessible or takes arguments");
    static_assert(await != absence::unknown, "isthmus: this is not coroutine_like: await() is missing or deleted");
    static_assert(!calls_await<T> || has_await<T> || !has_send<object>,
                  "isthmus: this is not coroutine_like: await() must return an "
                  "await-iterator, whose send() returns an isthmus::step");

    static constexpr absence send = absent<type>(accepts_none<object>, names_send<type>);
    static_assert(send != absence::missing, "isthmus: this is not coroutine_like: send() is missing");
    static_assert(send != absence::deleted, "isthmus: this is not coroutine_like: send() is deleted, inaccessible or "
                                            "cannot be called without a value, as Python's send(None)");
    static_assert(send != absence::unknown, "isthmus: this is not coroutine_like: send() is missing or deleted");
    static_assert(!accepts_none<object> || has_send<object>,
                  "isthmus: this is not coroutine_like: send() must return an isthmus::step");

    static constexpr absence throw_ = absent<type>(calls_throw<object>, names_throw<type>);
    static_assert(throw_ != absence::missing, "isthmus: this is not coroutine_like: throw_() is missing");
    static_assert(throw_ != absence::deleted, "isthmus: this is not coroutine_like: throw_() is deleted, inaccessible "
                                              "or does not take a std::exception_ptr");
    static_assert(throw_ != absence::unknown, "isthmus: this is not coroutine_like: throw_() is missing or deleted");
    static_assert(!calls_throw<object> || !has_send<object> || has_throw<object>,
                  "isthmus: this is not coroutine_like: throw_() must return what send() returns");

    static constexpr absence close = absent<type>(has_close<object>, names_close<type>);
    static_assert(close != absence::missing, "isthmus: this is not coroutine_like: close() is missing");
    static_assert(close != absence::deleted,
                  "isthmus: this is not coroutine_like: close() is deleted, inaccessible or takes arguments");
    static_assert(close != absence::unknown, "isthmus: this is not coroutine_like: close() is missing or deleted");
};

/// Stands for a result after such an error, so that no other error comes first.
struct no_result {
    template <class T>
    operator T() const;
};

} // namespace isthmus::inline v1::detail
