// isthmus/python/methods.hpp — send, throw, close and __await__ as Python calls them.
// SPDX-License-Identifier: MIT
#pragma once

#include "stop_iteration.hpp"

namespace isthmus::inline v1::py::detail {

/// A result as `send` and `throw` give it: yielded values are returned, a returned one is raised in a StopIteration.
inline PyObject* as_method_result(PySendResult how, PyObject* result) noexcept {
    if (how != PYGEN_RETURN) {
        return result;
    }
    if (result == Py_None) {
        PyErr_SetNone(PyExc_StopIteration);
    } else {
        raise_stop_iteration(result);
    }
    Py_DECREF(result);
    return nullptr;
}

inline PyObject* send_method(PyObject* self, PyObject* value) noexcept {
    PyObject* result = nullptr;
    const PySendResult how = send(self, value, &result);
    return as_method_result(how, result);
}

/// The same for tp_iternext, which may say "returned None" with no exception at all (14.5).
inline PyObject* as_next_result(PySendResult how, PyObject* result) noexcept {
    if (how == PYGEN_RETURN && result == Py_None) {
        Py_DECREF(result);
        return nullptr;
    }
    return as_method_result(how, result);
}

inline PyObject* next(PyObject* self) noexcept {
    PyObject* result = nullptr;
    const PySendResult how = send(self, Py_None, &result);
    if (how == PYGEN_RETURN && result != Py_None && dies_with_await(self)) {
        raise_kept_stop_iteration(self, result);
        Py_DECREF(result);
        return nullptr;
    }
    return as_next_result(how, result);
}

/// The same for an iterator of the coroutine, which holds it.
inline PyObject* next_of_held(PyObject* coroutine) noexcept {
    PyObject* result = nullptr;
    const PySendResult how = am_send(coroutine, Py_None, &result);
    return as_next_result(how, result);
}

/// What throw(type[, value[, traceback]]) was called with.
struct throw_arguments {
    PyObject* const* values;
    Py_ssize_t count;
};

/// A step that throws them in as they are: the injected error is null.
struct throwing_step : traced_step {
    const throw_arguments& given;
    const std::exception_ptr none_yet;

    explicit throwing_step(const throw_arguments& arguments) noexcept : given(arguments) {}
};

/// The instance that throw() delivers (5.1–5.5). Null with an exception set if the arguments are wrong.
ISTHMUS_COLD inline object exception_argument(const throw_arguments& given) noexcept {
    PyObject* const type = given.values[0];
    PyObject* value = given.count > 1 && given.values[1] != Py_None ? given.values[1] : nullptr;
    PyObject* traceback = given.count > 2 && given.values[2] != Py_None ? given.values[2] : nullptr;
    if (traceback != nullptr && !PyTraceBack_Check(traceback)) {
        PyErr_SetString(PyExc_TypeError, "throw() third argument must be a traceback object");
        return object();
    }
    object exception;
    if (PyExceptionClass_Check(type)) {
        PyObject *raised_type = Py_NewRef(type), *raised_value = Py_XNewRef(value), *none_yet = nullptr;
        PyErr_NormalizeException(&raised_type, &raised_value, &none_yet);
        exception = object::steal(raised_value); // if the constructor raised, that error is thrown (5.5)
        if (none_yet != nullptr && traceback == nullptr) {
            PyException_SetTraceback(exception.ptr(), none_yet);
        }
        Py_XDECREF(raised_type);
        Py_XDECREF(none_yet);
    } else if (PyExceptionInstance_Check(type)) {
        if (value != nullptr) {
            PyErr_SetString(PyExc_TypeError, "instance exception may not have a separate value");
            return object();
        }
        exception = object::borrow(type);
    } else {
        PyErr_Format(PyExc_TypeError, "exceptions must be classes or instances deriving from BaseException, not %s",
                     Py_TYPE(type)->tp_name);
        return object();
    }
    if (traceback != nullptr) {
        PyException_SetTraceback(exception.ptr(), traceback);
    }
    return exception;
}

/// throw() where a Python object is awaited, which gets the arguments as they are (5.6, 5.20). False: it is not so.
inline bool throw_into_awaited(PyObject* object_self, const throw_arguments& given, PySendResult& how,
                               PyObject** result) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    if (PyErr_GivenExceptionMatches(given.values[0], PyExc_GeneratorExit)) { // goes level by level (5.23)
        return false;
    }
    const entry entered(self);
    frame* const f = entered.granted() ? self.root : nullptr;
    if (f == nullptr || f->created() || isthmus::detail::is_running(*f)) {
        return false;
    }
    throwing_step step(given);
    if (!entered.begin(step)) {
        return false;
    }
    const auto object_is_awaited = [&step] {
        const isthmus::detail::delegate* const awaiting = step.leaf->awaiting;
        return awaiting != nullptr && awaiting->awaited_object() != nullptr;
    };
    bool direct = object_is_awaited();
    if (!direct && (given.count > 1 || !PyExceptionInstance_Check(given.values[0]))) {
        // Wrong arguments are an error in whoever awaits the last coroutine object of the chain.
        if (const native_link* const awaiter = isthmus::detail::translator_above(*step.leaf)) {
            isthmus::detail::detach(*awaiter->child);
            step.leaf = f->leaf_at_rest();
            direct = object_is_awaited();
        }
    }
    if (!direct) {
        return false;
    }
    step.injected = &step.none_yet;
    isthmus::detail::run_step(*f, step, step.driver);
    how = settle_by_call(self, *f, step, step.traceback, result);
    return true;
}

#if PY_VERSION_HEX >= 0x030F0000
/// Whether throw() is refused whatever its arguments are, with the exception set: 3.15 looks at the state first (5.7),
/// except that a finished generator raises what it is given (15.7).
inline bool refuses_throw(PyObject* object_self) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self);
    if (entered.granted() && self.root == nullptr && self.is_generator()) {
        return false;
    }
    activation looked_at;
    return !entered.begin(looked_at);
}
#endif

ISTHMUS_NOINLINE inline PyObject* throw_method(PyObject* self, PyObject* const* arguments, Py_ssize_t count) noexcept {
    if (count < 1 || count > 3) {
        PyErr_Format(PyExc_TypeError, "throw expected at %s %d argument%s, got %zd", count < 1 ? "least" : "most",
                     count < 1 ? 1 : 3, count < 1 ? "" : "s", count);
        return nullptr;
    }
    if (PY_VERSION_HEX >= 0x030C0000 && count > 1 &&
        PyErr_WarnEx(PyExc_DeprecationWarning,
                     "the (type, exc, tb) signature of throw() is deprecated, use the single-arg signature instead.",
                     1) < 0) {
        return nullptr;
    }
#if PY_VERSION_HEX >= 0x030F0000
    if (refuses_throw(self)) {
        return nullptr;
    }
#endif
    const throw_arguments given{arguments, count};
    PyObject* result = nullptr;
    PySendResult how = PYGEN_ERROR;
    if (!throw_into_awaited(self, given, how, &result)) {
        object exception = exception_argument(given);
        if (!exception) {
            return nullptr;
        }
        how = throw_(self, std::move(exception), &result);
    }
    return as_method_result(how, result);
}

/// am_await: the coroutine is its own await-iterator. Only `await` comes here, so the check of 7.7 is here.
inline PyObject* am_await(PyObject* object_self) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    bool suspended = false;
    {
        const turn::looking look(self.whose_turn);
        suspended = !look.elsewhere() && self.root != nullptr && !self.root->created() &&
                    !isthmus::detail::is_running(*self.root);
    }
    if (suspended) {
        set_misuse(misuse::already_awaited);
        return nullptr;
    }
    return Py_NewRef(object_self);
}

/// The TypeError of `await` for an object that is not awaitable (7.2).
ISTHMUS_COLD inline void set_not_awaitable(PyObject* object) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
    PyErr_Format(PyExc_TypeError, "'%.100s' object can't be awaited", Py_TYPE(object)->tp_name);
#else
    PyErr_Format(PyExc_TypeError, "object %.100s can't be used in 'await' expression", Py_TYPE(object)->tp_name);
#endif
}

ISTHMUS_COLD inline PyObject* refuse_pickling(PyObject* self, PyObject*) noexcept {
    return PyErr_Format(PyExc_TypeError, "cannot pickle '%s' object", Py_TYPE(self)->tp_name);
}

// ---- what c.__await__() returns: CPython's coroutine_wrapper (9) ----

struct iterator_object {
    PyObject_HEAD
    PyObject* coroutine;

    static PyObject* target(PyObject* self) noexcept { return reinterpret_cast<iterator_object*>(self)->coroutine; }
};

inline PyObject* make_iterator(PyObject* coroutine, PyObject*) noexcept {
    PyTypeObject* type = nullptr;
    try {
        type = interpreter_state::get().iterator_type;
    } catch (const base_exception& e) {
        e.restore();
        return nullptr;
    }
    PyObject* const made = type->tp_alloc(type, 0);
    if (made != nullptr) {
        reinterpret_cast<iterator_object*>(made)->coroutine = Py_NewRef(coroutine);
    }
    return made;
}

// CPython's texts (1.11).
inline constexpr const char* send_doc =
    PyDoc_STR("send(arg) -> send 'arg' into coroutine,\nreturn next iterated value or raise StopIteration.");
inline constexpr const char* throw_doc =
    PyDoc_STR("throw(value)\nthrow(type[,value[,traceback]])\n\n"
              "Raise exception in coroutine, return next iterated value or raise\nStopIteration."
#if PY_VERSION_HEX >= 0x030C0000
              "\nthe (type, val, tb) signature is deprecated, \nand may be removed in a future version of Python."
#endif
    );
inline constexpr const char* close_doc = PyDoc_STR("close() -> raise GeneratorExit inside coroutine.");

// A template, as are the other tables: g++ puts a variable, with all the functions that are in it, into each object
// file that sees it, used or not.
template <class = void>
inline PyMethodDef coroutine_methods[] = {
    {"send", send_method, METH_O, send_doc},
    {"throw", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(throw_method)), METH_FASTCALL, throw_doc},
    {"close", close, METH_NOARGS, close_doc},
    // COEXIST: otherwise the wrapper of the am_await slot would win, which refuses a started coroutine (7.10).
    {"__await__", make_iterator, METH_NOARGS | METH_COEXIST,
     PyDoc_STR("__await__($self, /)\n--\n\nReturn an iterator to be used in await expression.")},
#if PY_VERSION_HEX >= 0x030D0000
    {"__class_getitem__", Py_GenericAlias, METH_O | METH_CLASS,
     PyDoc_STR("coroutines are generic over the types of their yield, send, and return values")}, // 1.9
#endif
    {"__reduce__", refuse_pickling, METH_NOARGS, nullptr},
    {"__reduce_ex__", refuse_pickling, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

template <class = void>
inline PyMethodDef iterator_methods[] = {
    {"send", [](PyObject* self, PyObject* value) { return send_method(iterator_object::target(self), value); }, METH_O,
     send_doc},
    {"throw",
     reinterpret_cast<PyCFunction>(
         reinterpret_cast<void (*)()>(+[](PyObject* self, PyObject* const* arguments, Py_ssize_t count) {
             return throw_method(iterator_object::target(self), arguments, count);
         })),
     METH_FASTCALL, throw_doc},
    {"close", [](PyObject* self, PyObject*) { return close(iterator_object::target(self)); }, METH_NOARGS, close_doc},
    {"__reduce__", refuse_pickling, METH_NOARGS, nullptr},
    {"__reduce_ex__", refuse_pickling, METH_O, nullptr},
    {nullptr, nullptr, 0, nullptr},
};

} // namespace isthmus::inline v1::py::detail
