// isthmus/python/coroutine.hpp — py::coroutine<T>, and the Python object made from it.
// SPDX-License-Identifier: MIT
#pragma once

#include "convert.hpp"
#include "type.hpp"

#include <memory>

namespace isthmus::inline v1::py {

/// A coroutine that is a Python coroutine: it can await Python objects, and Python can await it.
template <class Return = void>
using coroutine = isthmus::coroutine<Return, object, object>;

namespace detail {

/// The default conversion of a result, by py::converter.
struct by_converter {
    template <class T>
    static PyObject* convert(T&& value, const coroutine_object&) {
        return converter<std::remove_cvref_t<T>>::to_python(std::forward<T>(value)).release();
    }
    static constexpr exception_translator translate = nullptr;
};

template <class Return, class Binding, class Yield = object, class Send = object>
PyObject* take_result(frame& finished, const coroutine_object& self) {
    auto& promise = static_cast<isthmus::detail::promise_base<Return, Yield, Send>&>(finished);
    if constexpr (isthmus::detail::is_none<Return>) {
        return Py_NewRef(Py_None);
    } else if constexpr (std::is_lvalue_reference_v<Return>) {
        return Binding::convert(promise.value().get(), self);
    } else {
        return Binding::convert(std::move(promise.value()), self);
    }
}

template <class T>
inline constexpr bool is_plain_coroutine = false;
template <class Return>
inline constexpr bool is_plain_coroutine<coroutine<Return>> = true;

/// Whether a bound function that returns a T returns a coroutine.
template <class T>
inline constexpr bool is_coroutine = is_plain_coroutine<T>;

/// Whether what a bound function that returns a T makes is a coroutine or generator itself, which may need an owner.
template <class T>
inline constexpr bool is_ownable = is_plain_coroutine<T>;

/// Whether what a bound function that returns a T makes outlives the call.
template <class T>
inline constexpr bool outlives_call = is_coroutine<T> || is_ownable<T>;

/// A coroutine or generator and the C++ object that must outlive it, such as the closure whose body it is.
template <class Made>
struct owned {
    Made value;
    object owner;
};
template <class Made>
inline constexpr bool is_coroutine<owned<Made>> = is_coroutine<Made>;
template <class Made>
inline constexpr bool outlives_call<owned<Made>> = true;

/// Whether a call of a bound function that returns a T gives a coroutine, as that of an `async def` function does.
template <class T>
inline constexpr bool gives_coroutine = is_plain_coroutine<T>;
template <class Made>
inline constexpr bool gives_coroutine<owned<Made>> = gives_coroutine<Made>;

/// A coroutine that becomes its await-iterator in Python: what `__await__` of a bound class returns.
template <class Return>
struct awaited_coroutine {
    coroutine<Return> value;
};
template <class Return>
inline constexpr bool is_coroutine<awaited_coroutine<Return>> = true;

inline constexpr const char* owner_name = "isthmus.owner";

/// A Python object that takes over a C++ one, also if it cannot be made. Needs the GIL; the C++ object dies with it.
template <class T>
object make_owner(T* owned) {
    std::unique_ptr<T> guard(owned);
    object capsule = checked(PyCapsule_New(
        owned, owner_name, [](PyObject* dying) { delete static_cast<T*>(PyCapsule_GetPointer(dying, owner_name)); }));
    static_cast<void>(guard.release());
    return capsule;
}

/// A callable that returns a coroutine or generator, in a form whose result may outlive it: a closure with captures is
/// copied for each call into an owner that the result keeps.
template <class Closure, class Made, class... Parameters>
auto own_closure(Closure closure, Made (*)(Parameters...)) {
    static_assert(std::is_copy_constructible_v<Closure>,
                  "isthmus: a bound lambda that returns a coroutine or generator is copied for each call, so its "
                  "captures must be copyable: hold them in a std::shared_ptr");
    return [closure = std::move(closure)](Parameters... parameters) -> owned<Made> {
        auto kept = std::make_unique<Closure>(closure);
        Closure& callee = *kept;
        object owner = make_owner(kept.release());
        Made made = callee(std::forward<Parameters>(parameters)...);
        return {std::move(made), std::move(owner)};
    };
}

/// Refuses, at compile time, a coroutine function whose parameters a binding library would convert and destroy before
/// the coroutine has run.
template <class... Parameters>
constexpr void require_owned_parameters() {
    static_assert(
        (!is_borrowed<Parameters> && ...),
        "isthmus: a coroutine or generator bound to Python must not take a parameter by reference, pointer or view, "
        "since "
        "it outlives the call that made it: take it by value (std::string for const std::string&, const char* "
        "or std::string_view, std::vector<T> for std::span<T>, an owning object for a handle)");
}
template <class Self, class... Parameters>
constexpr void require_owned_method_parameters() {
    require_owned_parameters<Parameters...>();
}

template <class Return, class Binding>
inline constexpr coroutine_operations operations{take_result<Return, Binding>, Binding::translate};

/// Throws a TypeError.
[[noreturn]] ISTHMUS_COLD ISTHMUS_NOINLINE inline void refuse_borrowing(frame_kind kind) {
    throw error(PyExc_TypeError,
                text_for(kind,
                         "a C++ coroutine that takes a parameter by reference, pointer or view cannot become a Python "
                         "object, since it outlives the call: take the parameter by value",
                         "a C++ generator that takes a parameter by reference, pointer or view cannot become a Python "
                         "object, since it outlives the call: take the parameter by value"));
}
/// Throws a TypeError if what has started is not at rest, or is part of another's chain.
ISTHMUS_COLD ISTHMUS_NOINLINE inline void require_own_rest(frame& started) {
    if (started.attached() || isthmus::detail::is_running(started)) {
        throw error(PyExc_TypeError,
                    text_for(started.kind,
                             "a C++ coroutine that is running or being awaited cannot become a Python object",
                             "a C++ generator that is running or being yielded from cannot become a Python object"));
    }
}

/// The Python object of type `type` for a coroutine or generator, which is left empty. `Object` is a coroutine_object,
/// or more, with a make_empty() for the rest.
template <class Object = coroutine_object, frame_kind Kind, class Return, class Yield, class Send>
ISTHMUS_ALWAYS_INLINE inline object adopt(isthmus::detail::resumable<Kind, Return, Yield, Send>& source,
                                          interpreter_state& state, PyTypeObject* type,
                                          const coroutine_operations& known, object keep_alive, int policy) {
    using isthmus::detail::frame_access;
    frame* const f = frame_access::get(source);
    if (f != nullptr) {
        if constexpr (std::is_same_v<Yield, object>) {
            if (f->borrows) [[unlikely]] {
                refuse_borrowing(Kind);
            }
        }
        if (!f->created()) [[unlikely]] {
            require_own_rest(*f);
        }
    }
    Object* const self = allocate<Object>(state, type);
    object made = checked(reinterpret_cast<PyObject*>(self));
    self->root = nullptr;
    self->operations = &known;
    self->weak_references = nullptr;
    ::new (static_cast<void*>(&self->where)) std::source_location(f != nullptr ? f->where : std::source_location());
    ::new (static_cast<void*>(&self->more)) extras(keep_alive.release());
    ::new (static_cast<void*>(&self->whose_turn)) detail::turn();
    if constexpr (!std::is_same_v<Object, coroutine_object>) {
        self->make_empty();
    }
    PyObject_GC_Track(self);
    if (policy != 0 && !self->more.set_result_policy(policy)) {
        throw_raised();
    }
    frame_access::move_to(source, self->root);
    return made;
}

} // namespace detail

/// Makes the Python object of a coroutine, which is left empty. `keep_alive` lives until the coroutine ends: `self` of
/// a method. `Binding` says how a result is converted (it is told `policy`) and how a C++ exception is translated.
/// Needs the GIL. Throws py::error: a TypeError if the coroutine function took a parameter that it does not own, or if
/// the coroutine is running or awaited, a MemoryError.
template <class Binding = detail::by_converter, class Return>
ISTHMUS_ALWAYS_INLINE inline object to_python(coroutine<Return>&& source, object keep_alive = object(),
                                              int policy = 0) {
    PyThreadState& thread = detail::this_thread();
    detail::interpreter_state& state = detail::interpreter_state::of(thread);
    object made = detail::adopt(source, state, state.coroutine_type, detail::operations<Return, Binding>,
                                std::move(keep_alive), policy);
    detail::capture_origin(thread, detail::coroutine_object::of(made.ptr())->more);
    return made;
}

/// Makes a bound class awaitable: `.def("__await__", isthmus::py::as_await(&Job::run))`, where run() takes no
/// parameters and returns a coroutine. `await job` then runs a new one.
template <class Class, class Return>
auto as_await(coroutine<Return> (Class::*run)()) {
    return [run](Class& self) { return detail::awaited_coroutine<Return>{(self.*run)()}; };
}
template <class Class, class Return>
auto as_await(coroutine<Return> (Class::*run)() const) {
    return [run](const Class& self) { return detail::awaited_coroutine<Return>{(self.*run)()}; };
}

} // namespace isthmus::inline v1::py
