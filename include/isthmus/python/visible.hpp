// isthmus/python/visible.hpp — py::visible: variables of a coroutine that Python's garbage collector sees.
// SPDX-License-Identifier: MIT
#pragma once

#include "../coroutine.hpp"
#include "convert.hpp"

#include <optional>
#include <ranges>
#include <tuple>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// Called with each reference that something owns.
using reference_visitor = void (*)(void* held, void* context);

/// A variable in the list of its frame.
class visible_variable {
public:
    visible_variable(const visible_variable&) = delete;
    visible_variable& operator=(const visible_variable&) = delete;

    virtual void visit(reference_visitor visitor, void* context) const noexcept = 0;
    const visible_variable* next() const noexcept { return next_; }

protected:
    visible_variable() = default; // for a constructor that does not compile
    explicit visible_variable(visible_variable*& list) noexcept : place_(&list), next_(list) {
        if (next_ != nullptr) {
            next_->place_ = &next_;
        }
        list = this;
    }
    ~visible_variable() {
        *place_ = next_;
        if (next_ != nullptr) {
            next_->place_ = place_;
        }
    }

private:
    visible_variable** place_ = nullptr;
    visible_variable* next_ = nullptr;
};

} // namespace isthmus::inline v1::py::detail

/// Each frame of a py::coroutine remembers two things. Whether its function took a parameter by reference or view: that
/// is fine between C++ coroutines, but such a coroutine must not become a Python object, which outlives the call. And
/// its py::visible variables.
template <>
struct isthmus::detail::frame_notes<isthmus::py::object> {
    template <class... Parameters>
    static constexpr bool borrows = py::detail::any_borrows<Parameters...>;
    static constexpr bool awaits_objects = true;
    void visit(py::detail::reference_visitor visitor, void* context) const noexcept {
        for (const auto* variable = variables; variable != nullptr; variable = variable->next()) {
            variable->visit(visitor, context);
        }
    }
    py::detail::visible_variable* variables = nullptr;
};

namespace isthmus::inline v1::py {

namespace detail {

/// A class that owns one reference to a Python object: py::object, and those of the binding libraries. A handle, which
/// owns none, has no release().
template <class T>
concept reference_owner = requires(T& owner, const T& constant) {
    { constant.ptr() } -> std::convertible_to<PyObject*>;
    owner.release();
};

template <class T>
inline constexpr bool is_optional = false;
template <class T>
inline constexpr bool is_optional<std::optional<T>> = true;
template <class T>
concept owner_range = std::ranges::input_range<const T> && std::is_copy_constructible_v<T> && !std::ranges::view<T>;
template <class T>
concept owner_tuple = requires { std::tuple_size<T>::value; };

/// Whether T is one, or holds some by value where they can be found.
template <class T>
constexpr bool owns_references() {
    if constexpr (reference_owner<T>) {
        return true;
    } else if constexpr (is_optional<T>) {
        return owns_references<typename T::value_type>();
    } else if constexpr (owner_range<T>) {
        return owns_references<std::ranges::range_value_t<const T>>();
    } else if constexpr (owner_tuple<T>) {
        return []<std::size_t... I>(std::index_sequence<I...>) {
            return (owns_references<std::remove_const_t<std::tuple_element_t<I, T>>>() || ...);
        }(std::make_index_sequence<std::tuple_size_v<T>>());
    } else {
        return false;
    }
}

template <class T>
void visit_references(const T& owner, reference_visitor visitor, void* context) noexcept {
    if constexpr (!owns_references<T>()) {
        return; // the key of a map, say
    } else if constexpr (reference_owner<T>) {
        visitor(owner.ptr(), context);
    } else if constexpr (is_optional<T>) {
        if (owner.has_value()) {
            detail::visit_references(*owner, visitor, context);
        }
    } else if constexpr (owner_range<T>) {
        for (const auto& element : owner) {
            detail::visit_references(element, visitor, context);
        }
    } else {
        std::apply([&](const auto&... elements) { (detail::visit_references(elements, visitor, context), ...); },
                   owner);
    }
}

template <class T>
class visible_awaiter;

} // namespace detail

/// A variable of a py::coroutine, with Python references that the garbage collector sees while the coroutine is
/// suspended, so that a cycle through them is collected (12.5). What other C++ variables and parameters hold it cannot
/// see. T is py::object, an owning class of a binding library, or a std::optional, container, pair or tuple of these.
///
///     py::coroutine<> watch(py::object callback_) {
///         py::visible<py::object> callback = co_await py::make_visible(std::move(callback_));
///
/// It is a local variable, and stays where it is. Change what it holds through `*`, with the GIL.
template <class T>
class [[nodiscard]] visible final : detail::visible_variable {
    static_assert(detail::owns_references<T>(),
                  "isthmus: py::visible<T> is for a T that owns Python references: py::object, an owning class of a "
                  "binding library (not a handle), or a std::optional, container, pair or tuple of these");

public:
    T& operator*() noexcept { return value_; }
    const T& operator*() const noexcept { return value_; }
    T* operator->() noexcept { return &value_; }
    const T* operator->() const noexcept { return &value_; }

    /// Is there to say what is wrong.
    template <class... Args>
    explicit(false) visible(Args&&...) {
        static_assert(!std::is_same_v<T, T>,
                      "isthmus: a py::visible is made by `py::visible<T> name = co_await py::make_visible(value)`, and "
                      "stays where it is: it can be neither copied nor moved, and is no parameter");
    }
    static void* operator new(std::size_t) = delete; // it would outlive the frame

private:
    friend class detail::visible_awaiter<T>;
    visible(isthmus::detail::noted_frame<object>& frame, T&& value) noexcept(std::is_nothrow_move_constructible_v<T>)
        : visible_variable(frame.notes.variables), value_(std::move(value)) {
        frame.noted = true;
    }

    void visit(detail::reference_visitor visitor, void* context) const noexcept override {
        detail::visit_references(value_, visitor, context);
    }

    T value_;
};

namespace detail {

/// What make_visible() gives, to be co_awaited at once: that does not suspend, but tells the frame.
template <class T>
class [[nodiscard]] visible_request {
public:
    using awaiter_type = visible_awaiter<T>;
    explicit visible_request(T&& value) noexcept(std::is_nothrow_move_constructible_v<T>) : value_(std::move(value)) {}

private:
    friend class visible_awaiter<T>;
    T value_;
};

template <class T>
class visible_awaiter {
public:
    using yield_type = object;
    using send_type = object;

    explicit visible_awaiter(visible_request<T>&& request) noexcept(std::is_nothrow_move_constructible_v<T>)
        : value_(std::move(request.value_)) {}

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        frame_ = &awaiting.promise();
        return false;
    }
    visible<T> await_resume() noexcept(std::is_nothrow_move_constructible_v<T>) {
        return visible<T>(*frame_, std::move(value_));
    }

private:
    T value_;
    isthmus::detail::noted_frame<object>* frame_ = nullptr;
};

} // namespace detail

/// Moves a value into a py::visible. To be co_awaited in a py::coroutine, which does not suspend there. Needs the GIL
/// as moving a T does: py::object needs none.
template <class T>
detail::visible_request<T> make_visible(T value) {
    return detail::visible_request<T>(std::move(value));
}

} // namespace isthmus::inline v1::py
