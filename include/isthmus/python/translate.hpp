// isthmus/python/translate.hpp — C++ exceptions in Python: what one becomes when it leaves a coroutine.
// SPDX-License-Identifier: MIT
#pragma once

#include "../exception_group.hpp"
#include "error.hpp"

#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>
#include <system_error>

namespace isthmus::inline v1::py::detail {

/// What a binding library makes of a C++ exception: sets the Python exception, and returns true if it knows how.
using exception_translator = bool (*)(const std::exception_ptr&) noexcept;

/// Whether the values of a category are those of errno. Standalone Asio has one of its own for them.
ISTHMUS_COLD inline bool is_os_error(const std::error_category& category) noexcept {
    return category == std::generic_category() || category == std::system_category() ||
           std::string_view(category.name()) == "asio.system";
}
ISTHMUS_COLD inline void set_os_error(const std::error_code& code, const char* text) noexcept {
    const object arguments = object::steal(Py_BuildValue("(is)", code.value(), text));
    if (arguments) {
        PyErr_SetObject(PyExc_OSError, arguments.ptr());
    }
}

inline void set_from_exception(const std::exception_ptr& exception, exception_translator translate) noexcept;

/// The ExceptionGroup of the errors, or the BaseExceptionGroup if one of them is no Exception (PEP 654).
ISTHMUS_COLD inline void set_exception_group(const exception_group& group, exception_translator translate) noexcept {
    const object errors = object::steal(PyList_New(0));
    for (const std::exception_ptr& each : group.errors()) {
        set_from_exception(each, translate);
        const object error = take_raised();
        if (!errors || PyList_Append(errors.ptr(), error.ptr()) != 0) {
            return;
        }
    }
    const object made =
        object::steal(PyObject_CallFunction(PyExc_BaseExceptionGroup, "sO", group.what(), errors.ptr()));
    if (made) {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(made.ptr())), made.ptr());
    }
}

/// asyncio's CancelledError, which C++ raised by itself.
ISTHMUS_COLD inline void set_cancelled() noexcept {
    const object asyncio = object::steal(PyImport_ImportModule("asyncio.exceptions"));
    const object type = object::steal(asyncio ? PyObject_GetAttrString(asyncio.ptr(), "CancelledError") : nullptr);
    if (type) {
        PyErr_SetNone(type.ptr());
    }
}

/// Makes Python's current exception from the C++ one that is being handled, by the standard mapping.
ISTHMUS_COLD inline void set_from_standard() noexcept {
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
        if (is_os_error(e.code().category())) {
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
ISTHMUS_COLD inline void set_from_exception(const std::exception_ptr& exception,
                                            exception_translator translate) noexcept {
    try {
        std::rethrow_exception(exception);
    } catch (const base_exception& e) {
        e.restore();
    } catch (const generator_exit&) {
        PyErr_SetNone(PyExc_GeneratorExit);
    } catch (const cancelled&) {
        set_cancelled();
    } catch (const exception_group& e) {
        set_exception_group(e, translate);
    } catch (const timed_out& e) {
        PyErr_SetString(PyExc_TimeoutError, e.what());
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
ISTHMUS_COLD inline void set_from_own(const std::exception_ptr& exception) {
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

ISTHMUS_COLD inline void
set_misuse(isthmus::detail::misuse code,
           isthmus::detail::frame_kind kind = isthmus::detail::frame_kind::coroutine) noexcept {
    set_from_exception(isthmus::detail::make_misuse(code, kind), nullptr);
}

/// PEP 479 (4.1): a StopIteration that leaves a body becomes a RuntimeError with it as cause.
ISTHMUS_COLD inline void convert_stop_iteration(isthmus::detail::frame_kind kind) noexcept {
    if (!PyErr_ExceptionMatches(PyExc_StopIteration)) [[likely]] {
        return;
    }
    const object cause = take_raised();
    PyErr_SetString(PyExc_RuntimeError, isthmus::detail::text_for(kind, "coroutine raised StopIteration",
                                                                  "generator raised StopIteration"));
    const object converted = take_raised();
    PyException_SetCause(converted.ptr(), Py_NewRef(cause.ptr()));
    PyException_SetContext(converted.ptr(), Py_NewRef(cause.ptr()));
    set_raised(converted);
}

} // namespace isthmus::inline v1::py::detail
