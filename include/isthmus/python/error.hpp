// isthmus/python/error.hpp — Python exceptions in C++; translate.hpp has the other direction.
// SPDX-License-Identifier: MIT
#pragma once

#include "../errors.hpp"
#include "object.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <source_location>
#include <string>

namespace isthmus::inline v1::py {

namespace detail {

/// Takes the current Python exception, normalised and with its traceback. Null if there is none.
inline object take_raised() noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    return object::steal(PyErr_GetRaisedException());
#else
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == nullptr) {
        return object();
    }
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr) {
        PyException_SetTraceback(value, traceback);
    }
    Py_DECREF(type);
    Py_XDECREF(traceback);
    return object::steal(value);
#endif
}

/// Makes `exception` the current one as it is: identity, context and traceback are kept (5.13, 5.15).
inline void set_raised(object exception) noexcept {
#if PY_VERSION_HEX >= 0x030C0000
    PyErr_SetRaisedException(exception.release());
#else
    PyObject* const value = exception.release();
    PyErr_Restore(Py_NewRef(reinterpret_cast<PyObject*>(Py_TYPE(value))), value, PyException_GetTraceback(value));
#endif
}

/// Keeps the current Python exception aside while code runs that may raise others.
class saved_error {
public:
    saved_error() noexcept : saved_(take_raised()) {}
    ~saved_error() {
        if (saved_) {
            set_raised(std::move(saved_));
        }
    }
    saved_error(const saved_error&) = delete;
    saved_error& operator=(const saved_error&) = delete;

private:
    object saved_;
};

/// `str(exception)` with its type's name, as the last line of a traceback.
ISTHMUS_COLD inline std::string describe(PyObject* exception) {
    const saved_error outer;
    std::string text = Py_TYPE(exception)->tp_name;
    const object str = object::steal(PyObject_Str(exception));
    const char* const utf8 = str ? PyUnicode_AsUTF8(str.ptr()) : nullptr;
    if (utf8 == nullptr) {
        PyErr_Clear();
    } else if (*utf8 != '\0') {
        text += ": ";
        text += utf8;
    }
    return text;
}

/// `value` if it is an instance of `type`, an exception class; throws type_error with this text if it is not.
inline object require_exception(object value, PyObject* type, const char* text) {
    if (!value || !PyExceptionInstance_Check(value.ptr()) || PyErr_GivenExceptionMatches(value.ptr(), type) == 0) {
        throw type_error(text);
    }
    return value;
}

} // namespace detail

/// Any raised Python exception. Deliberately no std::exception: `catch (const std::exception&)` must not swallow a
/// CancelledError, a KeyboardInterrupt or a SystemExit. Copying and destroying it is safe on any thread; the rest needs
/// the GIL.
class ISTHMUS_EXPORT base_exception {
public:
    /// Wraps an exception instance; throws isthmus::type_error if `value` is anything else, or null. `at` is where it
    /// is raised, for the traceback.
    ISTHMUS_COLD explicit base_exception(object value, std::source_location at = std::source_location::current())
        : shared_(std::make_shared<payload>(
              detail::require_exception(std::move(value), PyExc_BaseException,
                                        "isthmus: py::base_exception needs an instance of BaseException"),
              at)) {}
    virtual ~base_exception() = default;
    base_exception(const base_exception&) = default;
    base_exception& operator=(const base_exception&) = default;

    /// The exception instance, the same one that was raised.
    const object& value() const noexcept { return shared_->value; }
    /// Where it was raised or made in C++; empty if it came from Python.
    const std::source_location& raised_at() const noexcept { return shared_->at; }
    /// Whether an `except` clause with this type or tuple of types would catch it.
    bool matches(PyObject* type) const noexcept {
        detail::check_gil("py::base_exception::matches()");
        return PyErr_GivenExceptionMatches(value().ptr(), type) != 0;
    }
    /// Makes it Python's current exception.
    ISTHMUS_COLD void restore() const noexcept {
        detail::check_gil("py::base_exception::restore()");
        detail::set_raised(value());
    }
    /// "Type: text". Made at the first call with the GIL; without it the text says so.
    ISTHMUS_COLD const char* message() const noexcept {
        try {
            {
                const std::lock_guard guard(shared_->lock);
                if (!shared_->text.empty()) {
                    return shared_->text.c_str();
                }
            }
            if (!detail::attached()) {
                return "a Python exception (its text needs the GIL)";
            }
            // The lock is not held meanwhile: the exception's __str__ may release the GIL.
            std::string text = detail::describe(value().ptr());
            const std::lock_guard guard(shared_->lock);
            if (shared_->text.empty()) {
                shared_->text = std::move(text);
            }
            return shared_->text.c_str();
        } catch (const std::exception&) {
            return "a Python exception";
        }
    }

private:
    struct payload {
        payload(object raised, const std::source_location& where) noexcept : value(std::move(raised)), at(where) {}
        object value;
        std::source_location at;
        std::mutex lock;
        std::string text;
    };
    std::shared_ptr<payload> shared_;
};

/// A Python exception that derives from Exception; the only one that is a std::exception too.
class ISTHMUS_EXPORT error : public base_exception, public std::exception {
public:
    /// Wraps an instance of Exception, and throws isthmus::type_error if `value` is anything else; use throw_raised()
    /// where its type is not known.
    ISTHMUS_COLD explicit error(object value, std::source_location at = std::source_location::current())
        : base_exception(detail::require_exception(std::move(value), PyExc_Exception,
                                                   "isthmus: py::error needs an instance of Exception"),
                         at) {}
    /// Makes a new exception of `type`, which must be an Exception class: otherwise as above. Needs the GIL.
    error(PyObject* type, const char* text, std::source_location at = std::source_location::current())
        : error(make(type, text), at) {}
    const char* what() const noexcept override { return message(); }

private:
    ISTHMUS_COLD static object make(PyObject* type, const char* text) {
        detail::check_gil("making a py::error");
        const detail::saved_error outer;
        PyErr_SetString(type, text);
        return detail::take_raised();
    }
};

namespace detail {

/// Python's GeneratorExit: closes a C++ coroutine like any generator_exit, and keeps its instance (5.12, 5.23).
class ISTHMUS_EXPORT python_generator_exit : public base_exception, public generator_exit {
public:
    using base_exception::base_exception;
};

/// Python's asyncio.CancelledError or trio.Cancelled: cancels C++ tasks as isthmus::cancelled does, and keeps its
/// instance.
class ISTHMUS_EXPORT python_cancelled : public base_exception, public cancelled {
public:
    using base_exception::base_exception;
};

/// Whether `raised` is an instance of a class that a module, if it is imported, has under that name.
ISTHMUS_COLD inline bool is_instance_of(PyObject* raised, const char* module, const char* name) noexcept {
    const saved_error outer;
    const object text = object::steal(PyUnicode_FromString(module));
    const object imported = object::steal(text ? PyImport_GetModule(text.ptr()) : nullptr);
    const object type = object::steal(imported ? PyObject_GetAttrString(imported.ptr(), name) : nullptr);
    const bool is = type && PyErr_GivenExceptionMatches(raised, type.ptr()) != 0;
    PyErr_Clear();
    return is;
}

/// Calls `use` with the C++ exception object for a Python exception.
template <class Use>
ISTHMUS_COLD decltype(auto) with_exception(object raised, const std::source_location& at, Use&& use) {
    if (PyErr_GivenExceptionMatches(raised.ptr(), PyExc_Exception)) {
        return use(error(std::move(raised), at));
    }
    if (PyErr_GivenExceptionMatches(raised.ptr(), PyExc_GeneratorExit)) {
        return use(python_generator_exit(std::move(raised), at));
    }
    if (is_instance_of(raised.ptr(), "asyncio.exceptions", "CancelledError") ||
        is_instance_of(raised.ptr(), "trio", "Cancelled")) {
        return use(python_cancelled(std::move(raised), at));
    }
    return use(base_exception(std::move(raised), at));
}

/// The C++ exception for a Python exception instance, which came from Python or is raised `at` a place in C++.
ISTHMUS_COLD inline std::exception_ptr to_exception_ptr(object raised, const std::source_location& at = {}) noexcept {
    return with_exception(std::move(raised), at,
                          [](auto exception) { return std::make_exception_ptr(std::move(exception)); });
}

} // namespace detail

/// Throws Python's current exception as a C++ one. Needs the GIL, and a current exception. `at` is for the traceback.
[[noreturn]] ISTHMUS_COLD inline void throw_raised(std::source_location at = std::source_location::current()) {
    detail::check_gil("py::throw_raised()");
    object raised = detail::take_raised();
    if (!raised) {
        throw error(PyExc_SystemError, "isthmus: a Python call failed without an exception", at);
    }
    std::rethrow_exception(detail::to_exception_ptr(std::move(raised), at));
}

/// The result of a C API call: takes over `result`, or throws the current exception if it is null.
inline object checked(PyObject* result, std::source_location at = std::source_location::current()) {
    detail::check_gil("py::checked()");
    if (result == nullptr) [[unlikely]] {
        throw_raised(at);
    }
    return object::steal(result);
}

/// `raise exception from cause`: C++ sets neither `__context__` nor `__cause__` by itself. Needs the GIL.
[[noreturn]] ISTHMUS_COLD inline void raise_from(const base_exception& exception, const base_exception& cause,
                                                 std::source_location at = std::source_location::current()) {
    detail::check_gil("py::raise_from()");
    PyException_SetCause(exception.value().ptr(), Py_NewRef(cause.value().ptr()));
    PyException_SetContext(exception.value().ptr(), Py_NewRef(cause.value().ptr()));
    std::rethrow_exception(detail::to_exception_ptr(exception.value(), at));
}

} // namespace isthmus::inline v1::py
