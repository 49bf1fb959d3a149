// isthmus/python/drive.hpp — the Python object of a C++ coroutine, and send, throw and close on it.
// SPDX-License-Identifier: MIT
#pragma once

#include "../coroutine.hpp"
#include "state.hpp"
#include "traceback.hpp"
#include "translate.hpp"

#include <exception>
#include <source_location>

namespace isthmus::inline v1::py::detail {

using isthmus::detail::misuse;

/// What the maker of a Python object knows about the coroutine's Return and about its binding library.
struct coroutine_object;
struct coroutine_operations {
    /// A new reference to what the finished frame returned. Throws a C++ exception if it cannot be made.
    PyObject* (*take_result)(frame& finished, const coroutine_object& self);
    exception_translator translate;
};

/// The Python object. It owns the frame as a C++ coroutine object does, through `root`.
struct coroutine_object {
    PyObject_HEAD
    frame* root; ///< null: closed
    const coroutine_operations* operations;
    PyObject* weak_references;
    PyObject* keep_alive; ///< what must live as long as the frame: `self` of a bound method
    PyObject* name;       ///< null until somebody sets it; then not derived from `where` any more
    PyObject* qualname;
    PyObject* origin;
    int result_policy; ///< the binding library's return value policy, for take_result
    std::source_location where;

    static coroutine_object* of(PyObject* self) noexcept { return reinterpret_cast<coroutine_object*>(self); }
    PyObject* python() noexcept { return reinterpret_cast<PyObject*>(this); }
};

/// Takes what a finished frame returned, or raises what left it, and destroys it. Null: an exception is set.
inline PyObject* finish(coroutine_object& self, frame& f, traceback_recorder& traceback) noexcept {
    PyObject* result = nullptr;
    if (!f.error) {
        try {
            result = self.operations->take_result(f, self);
        } catch (...) {
            f.error = isthmus::detail::current_error();
            traceback.leaves(f);
        }
    }
    const std::exception_ptr error = std::move(f.error);
    isthmus::detail::destroy(f);
    Py_CLEAR(self.keep_alive);
    if (error) {
        set_from_exception(error, self.operations->translate);
        traceback.add_entries(error);
        convert_stop_iteration();
    }
    return result;
}

inline PySendResult settle(coroutine_object& self, frame& f, traced_step& step, PyObject** result) noexcept {
    if (step.yielded == nullptr) {
        *result = finish(self, f, step.traceback);
        return *result != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
    }
    { const isthmus::detail::at_rest at_once{f, step}; }
    *result = nullptr;
    if (step.yielded == &step.refused) {
        set_from_exception(std::exchange(step.leaf->error, nullptr), nullptr);
        return PYGEN_ERROR;
    }
    if (step.yielded != &step.none_yielded) {
        *result = static_cast<object*>(step.yielded)->release();
    }
    if (*result == nullptr) {
        *result = Py_NewRef(Py_None);
    }
    return PYGEN_NEXT;
}

/// What every entry from Python begins with and ends with: the object outlives the step.
class entry {
public:
    explicit entry(coroutine_object& self) noexcept : self_(Py_NewRef(self.python())) { deferred_references::drain(); }
    ~entry() { Py_DECREF(self_); }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

    /// begin(), with the exception set if it was refused.
    bool begin(activation& step) const noexcept {
        const misuse refused = isthmus::detail::begin(coroutine_object::of(self_)->root, step);
        if (refused != misuse::none) [[unlikely]] {
            set_misuse(refused);
        }
        return refused == misuse::none;
    }

private:
    PyObject* self_;
};

/// send() as am_send has it (2, 14.1).
inline PySendResult send(PyObject* object_self, PyObject* value, PyObject** result) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self);
    traced_step step;
    *result = nullptr;
    if (!entered.begin(step)) {
        return PYGEN_ERROR;
    }
    frame& f = *self.root;
    object sent;
    if (value != Py_None) {
        if (step.starts) {
            set_misuse(misuse::send_to_unstarted);
            return PYGEN_ERROR;
        }
        sent = object::borrow(value);
        step.sent = &sent;
    }
    isthmus::detail::run_step(f, step);
    return settle(self, f, step, result);
}

/// throw() of an exception instance (5).
inline PySendResult throw_(PyObject* object_self, object exception, PyObject** result) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self);
    traced_step step;
    *result = nullptr;
    if (!entered.begin(step)) {
        return PYGEN_ERROR;
    }
    frame& f = *self.root;
    if (step.starts) {
        isthmus::detail::destroy_unstarted(f, step);
        Py_CLEAR(self.keep_alive);
        add_traceback_entry(exception.ptr(), self.where, 0); // 5.8
        set_raised(std::move(exception));
        convert_stop_iteration();
        return PYGEN_ERROR;
    }
    const std::exception_ptr error = to_exception_ptr(std::move(exception));
    isthmus::detail::throw_step(f, step, error);
    return settle(self, f, step, result);
}

/// close() (6). A new reference, or null with an exception set.
inline PyObject* close(PyObject* object_self, PyObject* = nullptr) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self); // first: what it drops may run Python code, which may close this one
    if (self.root == nullptr) {
        Py_RETURN_NONE;
    }
    if (self.root->created()) {
        isthmus::detail::destroy(*self.root);
        Py_CLEAR(self.keep_alive);
        Py_RETURN_NONE;
    }
    traced_step step;
    if (!entered.begin(step)) {
        return nullptr;
    }
    frame& f = *self.root;
    isthmus::detail::throw_step(f, step, std::make_exception_ptr(generator_exit()));
    PyObject* result = nullptr;
    switch (settle(self, f, step, &result)) {
    case PYGEN_NEXT:
        Py_DECREF(result);
        set_misuse(misuse::ignored_generator_exit);
        return nullptr;
    case PYGEN_RETURN:
        if (PY_VERSION_HEX >= 0x030D0000) { // 6.3
            return result;
        }
        Py_DECREF(result);
        break;
    case PYGEN_ERROR:
        if (!PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
            return nullptr;
        }
        PyErr_Clear();
        break;
    }
    Py_RETURN_NONE;
}

} // namespace isthmus::inline v1::py::detail
