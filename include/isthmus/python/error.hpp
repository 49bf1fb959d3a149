// isthmus/python/error.hpp — Python exceptions in C++ and C++ exceptions in Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "../errors.hpp"
#include "object.hpp"

#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

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
inline std::string describe(PyObject* exception) {
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

} // namespace detail

/// Any raised Python exception. Deliberately no std::exception: `catch (const std::exception&)` must not swallow a
/// CancelledError, a KeyboardInterrupt or a SystemExit. Copying and destroying it is safe on any thread; the rest needs
/// the GIL.
class ISTHMUS_EXPORT base_exception {
public:
    /// Wraps an exception instance; `value` must not be null.
    explicit base_exception(object value) : shared_(std::make_shared<payload>(std::move(value))) {}
    virtual ~base_exception() = default;
    base_exception(const base_exception&) = default;
    base_exception& operator=(const base_exception&) = default;

    /// The exception instance, the same one that was raised.
    const object& value() const noexcept { return shared_->value; }
    /// Whether an `except` clause with this type or tuple of types would catch it.
    bool matches(PyObject* type) const noexcept { return PyErr_GivenExceptionMatches(value().ptr(), type) != 0; }
    /// Makes it Python's current exception.
    void restore() const noexcept { detail::set_raised(value()); }
    /// "Type: text". Made at the first call with the GIL; without it the text says so.
    const char* message() const noexcept {
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
        explicit payload(object raised) noexcept : value(std::move(raised)) {}
        object value;
        std::mutex lock;
        std::string text;
    };
    std::shared_ptr<payload> shared_;
};

/// A Python exception that derives from Exception; the only one that is a std::exception too.
class ISTHMUS_EXPORT error : public base_exception, public std::exception {
public:
    /// Wraps an instance; use throw_raised() where its type is not known.
    explicit error(object value) : base_exception(std::move(value)) {}
    /// Makes a new exception of `type`, which must be an Exception class. Needs the GIL.
    error(PyObject* type, const char* text) : base_exception(make(type, text)) {}
    const char* what() const noexcept override { return message(); }

private:
    static object make(PyObject* type, const char* text) {
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

/// Calls `use` with the C++ exception object for a Python exception.
template <class Use>
decltype(auto) with_exception(object raised, Use&& use) {
    if (PyErr_GivenExceptionMatches(raised.ptr(), PyExc_Exception)) {
        return use(error(std::move(raised)));
    }
    if (PyErr_GivenExceptionMatches(raised.ptr(), PyExc_GeneratorExit)) {
        return use(python_generator_exit(std::move(raised)));
    }
    return use(base_exception(std::move(raised)));
}

/// The C++ exception for a Python exception instance.
inline std::exception_ptr to_exception_ptr(object raised) noexcept {
    return with_exception(std::move(raised),
                          [](auto exception) { return std::make_exception_ptr(std::move(exception)); });
}

} // namespace detail

/// Throws Python's current exception as a C++ one. Needs the GIL, and a current exception.
[[noreturn]] inline void throw_raised() {
    object raised = detail::take_raised();
    if (!raised) {
        throw error(PyExc_SystemError, "isthmus: a Python call failed without an exception");
    }
    std::rethrow_exception(detail::to_exception_ptr(std::move(raised)));
}

/// The result of a C API call: takes over `result`, or throws the current exception if it is null.
inline object checked(PyObject* result) {
    if (result == nullptr) [[unlikely]] {
        throw_raised();
    }
    return object::steal(result);
}

/// `raise exception from cause`: C++ sets neither `__context__` nor `__cause__` by itself. Needs the GIL.
[[noreturn]] inline void raise_from(const base_exception& exception, const base_exception& cause) {
    PyException_SetCause(exception.value().ptr(), Py_NewRef(cause.value().ptr()));
    PyException_SetContext(exception.value().ptr(), Py_NewRef(cause.value().ptr()));
    std::rethrow_exception(detail::to_exception_ptr(exception.value()));
}

namespace detail {

/// What a binding library makes of a C++ exception: sets the Python exception, and returns true if it knows how.
using exception_translator = bool (*)(const std::exception_ptr&) noexcept;

inline void set_os_error(const std::error_code& code, const char* text) noexcept {
    const object arguments = object::steal(Py_BuildValue("(is)", code.value(), text));
    if (arguments) {
        PyErr_SetObject(PyExc_OSError, arguments.ptr());
    }
}

/// Makes Python's current exception from the C++ one that is being handled, by the standard mapping.
inline void set_from_standard() noexcept {
    try {
        throw;
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
    } catch (const std::domain_error& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::invalid_argument& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::length_error& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::out_of_range& e) {
        PyErr_SetString(PyExc_IndexError, e.what());
    } catch (const std::range_error& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const std::overflow_error& e) {
        PyErr_SetString(PyExc_OverflowError, e.what());
    } catch (const std::system_error& e) {
        if (e.code().category() == std::generic_category() || e.code().category() == std::system_category()) {
            set_os_error(e.code(), e.what());
        } else {
            PyErr_SetString(PyExc_RuntimeError, e.what());
        }
    } catch (const std::exception& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (...) {
        PyErr_SetString(PyExc_RuntimeError, "an unknown C++ exception");
    }
}

/// Makes Python's current exception from any C++ exception: a Python one comes back as it was, a protocol error with
/// CPython's type and text, any other as `translate` chooses, else by the standard mapping.
inline void set_from_exception(const std::exception_ptr& exception, exception_translator translate) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (const base_exception& e) {
        e.restore();
    } catch (const generator_exit&) {
        PyErr_SetNone(PyExc_GeneratorExit);
    } catch (const type_error& e) {
        PyErr_SetString(PyExc_TypeError, e.what());
    } catch (const attribute_error& e) {
        PyErr_SetString(PyExc_AttributeError, e.what());
    } catch (const value_error& e) {
        PyErr_SetString(PyExc_ValueError, e.what());
    } catch (const runtime_error& e) {
        PyErr_SetString(PyExc_RuntimeError, e.what());
    } catch (...) {
        if (translate == nullptr || !translate(exception)) {
            set_from_standard();
        }
    }
}

/// The same for the exceptions of Isthmus alone; others pass. For a binding library, where a bound function throws one
/// before there is a coroutine.
inline void set_from_own(const std::exception_ptr& exception) {
    try {
        std::rethrow_exception(exception);
    } catch (const base_exception&) {
        set_from_exception(exception, nullptr);
    } catch (const protocol_error&) {
        set_from_exception(exception, nullptr);
    } catch (const generator_exit&) {
        set_from_exception(exception, nullptr);
    }
}

inline void set_misuse(isthmus::detail::misuse code) noexcept {
    set_from_exception(isthmus::detail::make_misuse(code), nullptr);
}

/// PEP 479 (4.1): a StopIteration that leaves a body becomes a RuntimeError with it as cause.
inline void convert_stop_iteration() noexcept {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) [[likely]] {
        return;
    }
    const object cause = take_raised();
    PyErr_SetString(PyExc_RuntimeError, "coroutine raised StopIteration");
    const object converted = take_raised();
    PyException_SetCause(converted.ptr(), Py_NewRef(cause.ptr()));
    PyException_SetContext(converted.ptr(), Py_NewRef(cause.ptr()));
    set_raised(converted);
}

} // namespace detail
} // namespace isthmus::inline v1::py
