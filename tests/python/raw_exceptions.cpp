// tests/python/raw_exceptions.cpp — exceptions between the languages, without a binding library.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <cstdlib>
#include <filesystem>
#include <future>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>
#include <typeinfo>
#include <unwind.h>
#include <utility>

namespace {

namespace py = isthmus::py;
using py::object;

class own_type_error : public isthmus::type_error {
public:
    own_type_error() noexcept : type_error("of my own") {}
};

/// Raises an exception of another language.
[[noreturn]] void raise_foreign() {
    static _Unwind_Exception exception{};
    _Unwind_RaiseException(&exception);
    std::abort(); // nobody handles it
}

[[noreturn]] void raise_cpp(const std::string& kind) {
    if (kind == "foreign") {
        raise_foreign();
    }
    if (kind == "bad_alloc") {
        throw std::bad_alloc();
    }
    if (kind == "domain_error") {
        throw std::domain_error("text");
    }
    if (kind == "invalid_argument") {
        throw std::invalid_argument("text");
    }
    if (kind == "length_error") {
        throw std::length_error("text");
    }
    if (kind == "out_of_range") {
        throw std::out_of_range("text");
    }
    if (kind == "range_error") {
        throw std::range_error("text");
    }
    if (kind == "overflow_error") {
        throw std::overflow_error("text");
    }
    if (kind == "underflow_error") {
        throw std::underflow_error("text");
    }
    if (kind == "logic_error") {
        throw std::logic_error("text");
    }
    if (kind == "runtime_error") {
        throw std::runtime_error("text");
    }
    if (kind == "system_error") {
        throw std::system_error(ENOENT, std::generic_category(), "text");
    }
    if (kind == "system_error of the system") {
        throw std::system_error(EACCES, std::system_category(), "text");
    }
    if (kind == "system_error of a library") {
        throw std::system_error(std::make_error_code(std::future_errc::no_state), "text");
    }
    if (kind == "filesystem_error") {
        throw std::filesystem::filesystem_error("text", std::make_error_code(std::errc::file_exists));
    }
    if (kind == "future_error") {
        throw std::future_error(std::future_errc::broken_promise);
    }
    if (kind == "bad_cast") {
        throw std::bad_cast();
    }
    if (kind == "generator_exit") {
        throw isthmus::generator_exit();
    }
    if (kind == "already_executing") {
        throw isthmus::already_executing();
    }
    if (kind == "already_finished") {
        throw isthmus::already_finished();
    }
    if (kind == "send_to_unstarted") {
        throw isthmus::send_to_unstarted();
    }
    if (kind == "own_type_error") {
        throw own_type_error();
    }
    if (kind == "protocol_error") {
        throw isthmus::protocol_error("text");
    }
    if (kind == "py::error") {
        throw py::error(PyExc_LookupError, "text");
    }
    if (kind == "no exception") {
        py::throw_raised();
    }
    throw 1;
}

py::coroutine<> fail(std::string kind) {
    raise_cpp(kind);
    co_return;
}

/// Its conversion to Python fails.
struct unconvertible {
    std::string kind;
};

} // namespace

template <>
struct isthmus::py::converter<unconvertible> {
    static object to_python(const unconvertible& value) { raise_cpp(value.kind); }
};

namespace {

py::coroutine<unconvertible> fail_to_convert(std::string kind) { co_return unconvertible{std::move(kind)}; }

/// Throws `value` as one of the classes that wrap exceptions; "null" wraps nothing.
void throw_wrapped(object value, std::string how) {
    if (how == "error") {
        throw py::error(std::move(value));
    }
    if (how == "null") {
        value.reset();
    }
    throw py::base_exception(std::move(value));
}

void throw_new(object type) { throw py::error(type.ptr(), "new"); }

/// Awaits a Python object; throws a C++ exception into it as soon as it has yielded. What that gave.
object throw_cpp_into(object awaited, std::string kind) {
    auto driven = [](object inner) -> py::coroutine<object> {
        co_return co_await py::await(std::move(inner));
    }(awaited);
    static_cast<void>(driven.send());
    std::exception_ptr error;
    try {
        raise_cpp(kind);
    } catch (...) {
        error = std::current_exception();
    }
    auto step = driven.throw_(error);
    return step.done() ? std::move(step).returned() : std::move(step).yielded();
}

/// Which of these handlers an error of what is awaited meets.
py::coroutine<std::string> handler_of(object awaited) {
    try {
        co_await py::await(std::move(awaited));
    } catch (const isthmus::generator_exit&) {
        co_return "generator_exit";
    } catch (const py::error& e) {
        co_return std::string("py::error ") + e.what();
    } catch (const std::exception& e) {
        co_return std::string("std::exception ") + e.what();
    } catch (const py::base_exception& e) {
        co_return std::string("py::base_exception ") + e.message();
    }
    co_return "none";
}

/// The exception itself, which the coroutine has caught.
py::coroutine<object> caught(object awaited) {
    try {
        co_await py::await(std::move(awaited));
    } catch (const py::base_exception& e) {
        co_return e.value();
    }
    co_return object();
}

/// Whether the error of what is awaited would be caught by `except type`.
py::coroutine<bool> matches(object awaited, object type) {
    try {
        co_await py::await(std::move(awaited));
    } catch (const py::base_exception& e) {
        co_return e.matches(type.ptr());
    }
    co_return false;
}

/// Catches, awaits something else meanwhile, and raises again: by the same object, or by a copy of its base.
py::coroutine<> reraise_later(object awaited, object other, std::string how) {
    std::exception_ptr error;
    std::optional<py::base_exception> copy;
    try {
        co_await py::await(std::move(awaited));
    } catch (const py::base_exception& e) {
        error = std::current_exception();
        copy = e;
    }
    co_await py::await(std::move(other));
    if (how == "pointer") {
        std::rethrow_exception(error);
    }
    throw *copy;
}

/// `raise LookupError("raised") from` the error of what is awaited.
py::coroutine<> raise_from(object awaited) {
    std::optional<py::base_exception> cause;
    try {
        co_await py::await(std::move(awaited));
    } catch (const py::base_exception& e) {
        cause = e;
    }
    py::raise_from(py::error(PyExc_LookupError, "raised"), *cause);
}

/// C++'s own `throw` in a handler.
py::coroutine<> raise_in_handler(object awaited) {
    try {
        co_await py::await(std::move(awaited));
    } catch (const py::base_exception&) {
        throw py::error(PyExc_LookupError, "raised");
    }
}

/// The same by a Python function, called in the handler.
py::coroutine<object> call_in_handler(object awaited, object function) {
    object result;
    try {
        co_await py::await(std::move(awaited));
    } catch (const py::base_exception&) {
        result = py::checked(PyObject_CallNoArgs(function.ptr()));
    }
    co_return result;
}

py::coroutine<int> await_int(object awaited) { co_return co_await py::await<int>(std::move(awaited)); }
py::coroutine<unsigned> await_unsigned(object awaited) { co_return co_await py::await<unsigned>(std::move(awaited)); }
py::coroutine<bool> await_bool(object awaited) { co_return co_await py::await<bool>(std::move(awaited)); }
py::coroutine<double> await_double(object awaited) { co_return co_await py::await<double>(std::move(awaited)); }
py::coroutine<std::string> await_string(object awaited) {
    co_return co_await py::await<std::string>(std::move(awaited));
}
py::coroutine<> await_void(object awaited) { co_await py::await<void>(std::move(awaited)); }

PyMethodDef functions[] = {
    raw::def<fail>("fail"),
    raw::def<fail_to_convert>("fail_to_convert"),
    raw::def<throw_wrapped>("throw_wrapped"),
    raw::def<throw_new>("throw_new"),
    raw::def<throw_cpp_into>("throw_cpp_into"),
    raw::def<handler_of>("handler_of"),
    raw::def<caught>("caught"),
    raw::def<matches>("matches"),
    raw::def<reraise_later>("reraise_later"),
    raw::def<raise_from>("raise_from"),
    raw::def<raise_in_handler>("raise_in_handler"),
    raw::def<call_in_handler>("call_in_handler"),
    raw::def<await_int>("await_int"),
    raw::def<await_unsigned>("await_unsigned"),
    raw::def<await_bool>("await_bool"),
    raw::def<await_double>("await_double"),
    raw::def<await_string>("await_string"),
    raw::def<await_void>("await_void"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_exceptions", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_exceptions() { return PyModuleDef_Init(&module); }
