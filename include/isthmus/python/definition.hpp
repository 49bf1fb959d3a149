// isthmus/python/definition.hpp — marking a function as a coroutine function while a binding library adds overloads.
// SPDX-License-Identifier: MIT
#pragma once

#include "function.hpp"

namespace isthmus::inline v1::py::detail {

/// A binding library is about to add a function to a module or class, under a name that may have overloads already.
/// Those are one object, and it refuses to find something else under the name: so meanwhile its own object is there.
class definition {
public:
    /// `scope` and `name` are borrowed; without them nothing is done.
    definition(PyObject* scope, const char* name) : scope_(scope), name_(name) {
        if (scope == nullptr || name == nullptr) {
            return;
        }
        object previous = find_own();
        only_coroutines_ = !previous;
        if (!previous) { // what is inherited is not overloaded but hidden, and yet has to be of the right kind
            previous = object::steal(PyObject_GetAttrString(scope, name));
            PyErr_Clear();
        }
        if (PyObject* const unwrapped = previous ? unwrap_function(previous.ptr()) : nullptr) {
            only_coroutines_ = true;
            put(object::borrow(unwrapped));
        }
    }

    /// What was added returns a coroutine. The function is marked if all its overloads do: who sees an `async def`
    /// function awaits what a call gives, whatever the arguments.
    void mark() const {
        if (only_coroutines_) {
            if (const object added = find_own()) {
                put(py::as_coroutine_function(added));
            }
        }
    }

private:
    /// What has the name in the scope itself; null if nothing has.
    object find_own() const {
        const object names = checked(PyObject_GetAttrString(scope_, "__dict__"));
        const object name = checked(PyUnicode_FromString(name_));
        object found = object::steal(PyObject_GetItem(names.ptr(), name.ptr()));
        if (!found && !PyErr_ExceptionMatches(PyExc_KeyError)) {
            throw_raised();
        }
        PyErr_Clear();
        return found;
    }
    void put(const object& function) const {
        if (PyObject_SetAttrString(scope_, name_, function.ptr()) != 0) {
            throw_raised();
        }
    }

    PyObject* scope_;
    const char* name_;
    bool only_coroutines_ = false;
};

} // namespace isthmus::inline v1::py::detail
