// isthmus/step.hpp — what driving a coroutine gives back: the values `step` and `outcome`.
// SPDX-License-Identifier: MIT
#pragma once

#include <cstdint>
#include <exception>
#include <functional>
#include <optional>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <variant>

namespace isthmus::inline v1 {

/// The type with one value: Python's None.
struct none {
    friend constexpr bool operator==(none, none) noexcept { return true; }
};

/// How a T is kept: `none` for void, `std::reference_wrapper` for a reference, else T itself.
template <class T>
using stored = typename std::conditional_t<
    std::is_void_v<T>, std::type_identity<none>,
    std::conditional_t<std::is_lvalue_reference_v<T>,
                       std::type_identity<std::reference_wrapper<std::remove_reference_t<T>>>,
                       std::type_identity<std::remove_cv_t<T>>>>::type;

/// What is Python's None in T. A type that has such a value accepts send() at any time, and a just-started
/// coroutine accepts no other (clause 2.2). May be specialised for a type of your own, with the same members.
template <class T>
struct empty_value {
    static constexpr bool exists = false;
};
template <>
struct empty_value<none> {
    static constexpr bool exists = true;
    static constexpr none make() noexcept { return {}; }
    static constexpr bool test(none) noexcept { return true; }
};
template <>
struct empty_value<void> : empty_value<none> {};
template <class T>
struct empty_value<std::optional<T>> {
    static constexpr bool exists = true;
    static constexpr std::optional<T> make() noexcept { return std::nullopt; }
    static constexpr bool test(const std::optional<T>& value) noexcept { return !value.has_value(); }
};

/// Where a coroutine is in its life (clause 8): not started, being driven, waiting, or ended.
enum class coroutine_state : std::uint8_t { created, running, suspended, closed };

/// A step or outcome was asked for what it does not hold.
class bad_step_access : public std::logic_error {
public:
    using std::logic_error::logic_error;
};

namespace detail {

template <class T>
inline constexpr bool is_none = std::is_void_v<T> || std::is_same_v<T, none>;

/// Whether `value` is its type's empty value: Python's `value is None`.
template <class T>
constexpr bool is_empty(const T& value) {
    if constexpr (empty_value<T>::exists) {
        return empty_value<T>::test(value);
    } else {
        return false;
    }
}

/// Whether a T can be returned in a register.
template <class T>
inline constexpr bool fits_register =
    std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T> && sizeof(T) <= sizeof(void*);

/// One of some types, as in std::variant.
template <class... Types>
class alternatives {
public:
    template <std::size_t I, class... Args>
    explicit alternatives(std::in_place_index_t<I> index, Args&&... args)
        : value_(index, std::forward<Args>(args)...) {}
    // User-provided, so that a small one is returned in memory: packed into a register it is written in pieces and read
    // as a whole, which stalls for longer than a resume takes.
    alternatives(alternatives&& other) noexcept(std::is_nothrow_move_constructible_v<std::variant<Types...>>)
        : value_(std::move(other.value_)) {}
    alternatives(const alternatives&) = default;
    alternatives& operator=(alternatives&&) = default;
    alternatives& operator=(const alternatives&) = default;
    ~alternatives() = default;

    std::size_t index() const noexcept { return value_.index(); }
    template <std::size_t I>
    auto& get() noexcept {
        return *std::get_if<I>(&value_);
    }
    template <std::size_t I>
    const auto& get() const noexcept {
        return *std::get_if<I>(&value_);
    }

private:
    std::variant<Types...> value_;
};

/// The same in two registers: compilers write each of these as a whole, and keep them out of memory.
template <class First, class Second>
    requires(fits_register<First> && fits_register<Second>)
class alternatives<First, Second> {
public:
    template <class... Args>
    explicit alternatives(std::in_place_index_t<0>, Args&&... args) : first_(std::forward<Args>(args)...), index_(0) {}
    template <class... Args>
    explicit alternatives(std::in_place_index_t<1>, Args&&... args) : second_(std::forward<Args>(args)...), index_(1) {}

    std::size_t index() const noexcept { return index_; }
    template <std::size_t I>
    auto& get() noexcept {
        if constexpr (I == 0) {
            return first_;
        } else {
            return second_;
        }
    }
    template <std::size_t I>
    const auto& get() const noexcept {
        if constexpr (I == 0) {
            return first_;
        } else {
            return second_;
        }
    }

private:
    union {
        First first_;
        Second second_;
    };
    std::size_t index_;
};

/// The alternatives of a step or an outcome, and the access to them.
template <class Yield, class Return, class... More>
class step_storage {
public:
    /// Whether the coroutine has returned; otherwise it has yielded (or, in an outcome, failed). Never throws.
    [[nodiscard]] bool done() const noexcept { return value_.index() == 1; }

    /// The yielded value, void for void. Refers into *this. Throws bad_step_access if there is none.
    std::add_lvalue_reference_t<Yield> yielded() & { return get<0, Yield>(value_); }
    std::add_lvalue_reference_t<const Yield> yielded() const& { return get<0, const Yield>(value_); }
    std::add_rvalue_reference_t<Yield> yielded() && { return move<0, Yield>(value_); }

    /// The returned value, void for void. Refers into *this. Throws bad_step_access if there is none.
    std::add_lvalue_reference_t<Return> returned() & { return get<1, Return>(value_); }
    std::add_lvalue_reference_t<const Return> returned() const& { return get<1, const Return>(value_); }
    std::add_rvalue_reference_t<Return> returned() && { return move<1, Return>(value_); }

protected:
    template <std::size_t I, class... Args>
    explicit step_storage(std::in_place_index_t<I> index, Args&&... args)
        : value_(index, std::forward<Args>(args)...) {}

    template <std::size_t I, class T, class Alternatives>
    static std::add_lvalue_reference_t<T> get(Alternatives& value) {
        require(value.index() == I, I);
        if constexpr (std::is_reference_v<T>) {
            return value.template get<I>().get();
        } else if constexpr (!std::is_void_v<T>) {
            return value.template get<I>();
        }
    }

    template <std::size_t I, class T, class Alternatives>
    static std::add_rvalue_reference_t<T> move(Alternatives& value) {
        if constexpr (std::is_void_v<T>) {
            get<I, T>(value);
        } else {
            return static_cast<T&&>(get<I, T>(value));
        }
    }

    static void require(bool held, std::size_t index) {
        if (!held) [[unlikely]] {
            constexpr const char* texts[] = {"isthmus: the step holds no yielded value",
                                             "isthmus: the step holds no returned value",
                                             "isthmus: the outcome holds no error"};
            throw bad_step_access(texts[index]);
        }
    }

    alternatives<stored<Yield>, stored<Return>, More...> value_;
};

/// An outcome of close() where the body returned no value.
struct closed_silently {};

} // namespace detail

/// What one step of a coroutine gave: it yielded a value, or it returned one. Owns the value.
template <class Yield, class Return>
class step : public detail::step_storage<Yield, Return> {
public:
    /// Index 0 makes a yielded step, index 1 a returned one, from what constructs `stored<...>`.
    template <std::size_t I, class... Args>
    explicit step(std::in_place_index_t<I> index, Args&&... args)
        : detail::step_storage<Yield, Return>(index, std::forward<Args>(args)...) {}
};

/// What one step gave when it was driven without exceptions: yielded, returned, failed with an error, or (from
/// try_close() alone) closed without a value. Owns the value.
template <class Yield, class Return>
class [[nodiscard]] outcome : public detail::step_storage<Yield, Return, std::exception_ptr, detail::closed_silently> {
    using base = detail::step_storage<Yield, Return, std::exception_ptr, detail::closed_silently>;

public:
    /// Index 0: yielded, 1: returned, 2: failed, 3: closed without a value.
    template <std::size_t I, class... Args>
    explicit outcome(std::in_place_index_t<I> index, Args&&... args) : base(index, std::forward<Args>(args)...) {}

    /// Whether the step ended in an error: the coroutine's own, or a misuse that left the coroutine as it was.
    [[nodiscard]] bool failed() const noexcept { return this->value_.index() == 2; }
    /// Whether close() ended the coroutine without a value.
    [[nodiscard]] bool closed() const noexcept { return this->value_.index() == 3; }
    /// The error. Throws bad_step_access if there is none.
    [[nodiscard]] const std::exception_ptr& error() const {
        this->require(failed(), 2);
        return this->value_.template get<2>();
    }

    /// The step, or the error rethrown. Of a silently closed coroutine there is no step: bad_step_access.
    step<Yield, Return> get() && {
        if (failed()) {
            std::rethrow_exception(std::move(this->value_.template get<2>()));
        }
        if (this->value_.index() == 0) {
            return step<Yield, Return>(std::in_place_index<0>, std::move(this->value_.template get<0>()));
        }
        this->require(this->done(), 1);
        return step<Yield, Return>(std::in_place_index<1>, std::move(this->value_.template get<1>()));
    }
};

namespace detail {

/// What close() gives for an outcome of try_close(): the returned value, or nullopt. Throws the error.
template <class Yield, class Return>
std::optional<stored<Return>> take_closed(outcome<Yield, Return> ended) {
    if (ended.failed()) {
        std::rethrow_exception(ended.error());
    }
    if (ended.closed()) {
        return std::nullopt;
    }
    if constexpr (std::is_void_v<Return>) {
        return none();
    } else {
        return std::optional<stored<Return>>(std::in_place, std::move(ended).returned());
    }
}

} // namespace detail
} // namespace isthmus::inline v1
