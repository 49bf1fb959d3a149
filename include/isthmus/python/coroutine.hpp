// isthmus/python/coroutine.hpp — py::coroutine<T>, and the Python object made from it.
// SPDX-License-Identifier: MIT
#pragma once

#include "convert.hpp"
#include "type.hpp"

/// Each frame of a py::coroutine remembers whether its function took a parameter by reference or view: that is fine
/// between C++ coroutines, but such a coroutine must not become a Python object, which outlives the call.
template <>
struct isthmus::detail::frame_notes<isthmus::py::object> {
    template <class... Parameters>
    static constexpr bool noteworthy = py::detail::any_borrows<Parameters...>;
    void note() noexcept { borrows = true; }
    bool borrows = false;
};

namespace isthmus::inline v1::py {

/// A coroutine that is a Python coroutine: it can await Python objects, and Python can await it.
template <class Return = void>
using coroutine = isthmus::coroutine<Return, object, object>;

namespace detail {

/// The default conversion of a result, by py::converter.
struct by_converter {
    template <class T>
    static PyObject* convert(T&& value) {
        return converter<std::remove_cvref_t<T>>::to_python(std::forward<T>(value)).release();
    }
    static constexpr exception_translator translate = nullptr;
};

template <class Return, class Binding>
PyObject* take_result(frame& finished) {
    auto& promise = static_cast<isthmus::detail::promise_base<Return, object, object>&>(finished);
    if constexpr (std::is_void_v<Return>) {
        return Py_NewRef(Py_None);
    } else if constexpr (std::is_lvalue_reference_v<Return>) {
        return Binding::convert(promise.value().get());
    } else {
        return Binding::convert(std::move(promise.value()));
    }
}

template <class Return, class Binding>
inline constexpr coroutine_operations operations{take_result<Return, Binding>, Binding::translate};

} // namespace detail

/// Makes the Python object of a coroutine, which is left empty. `keep_alive` lives until the coroutine ends: `self` of
/// a method. `Binding` says how a result is converted and a C++ exception translated. Needs the GIL. Throws
/// py::error: a TypeError if the coroutine function took a parameter that it does not own, or if the coroutine is
/// running or awaited, a MemoryError.
template <class Binding = detail::by_converter, class Return>
object to_python(coroutine<Return>&& source, object keep_alive = object()) {
    using isthmus::detail::frame_access;
    detail::interpreter_state& state = detail::interpreter_state::get();
    detail::deferred_references::drain();
    isthmus::detail::frame* const f = frame_access::get(source);
    if (f != nullptr) {
        if (static_cast<isthmus::detail::promise_base<Return, object, object>*>(f)->notes.borrows) {
            throw error(PyExc_TypeError,
                        "a C++ coroutine that takes a parameter by reference, pointer or view cannot become a Python "
                        "object, since it outlives the call: take the parameter by value");
        }
        if (f->link != 0 && (f->attached() || isthmus::detail::is_running(*f))) {
            throw error(PyExc_TypeError, "a C++ coroutine that is running or being awaited cannot become a Python object");
        }
    }
    object made = checked(state.coroutine_type->tp_alloc(state.coroutine_type, 0));
    auto& self = *detail::coroutine_object::of(made.ptr());
    self.operations = &detail::operations<Return, Binding>;
    self.where = f != nullptr ? f->where : std::source_location();
    self.keep_alive = keep_alive.release();
    self.origin = detail::capture_origin();
    frame_access::move_to(source, self.root);
    return made;
}

} // namespace isthmus::inline v1::py
