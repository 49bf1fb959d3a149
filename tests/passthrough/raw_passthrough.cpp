// tests/passthrough/raw_passthrough.cpp — C++ coroutines that only await what they are given.
// SPDX-License-Identifier: MIT

#include "../python/raw.hpp"

#include <isthmus/concepts.hpp>
#include <isthmus/step.hpp>

#include <exception>
#include <utility>

namespace {

namespace py = isthmus::py;
using py::object;

/// Drives the awaited coroutine through the library's own await machinery.
py::coroutine<object> passthrough(object awaited) { co_return co_await py::await(std::move(awaited)); }

/// A coroutine of the user's own, in public API alone: send, throw_ and close are those of a Python object.
class forwarder {
public:
    using step_type = isthmus::step<object, object>;

    explicit forwarder(object target) noexcept : target_(std::move(target)) {}

    forwarder& await() noexcept { return *this; }

    step_type send(object value) {
        PyObject* result = nullptr;
        switch (PyIter_Send(target_.ptr(), value.ptr(), &result)) {
        case PYGEN_NEXT:
            return step_type(std::in_place_index<0>, object::steal(result));
        case PYGEN_RETURN:
            return step_type(std::in_place_index<1>, object::steal(result));
        case PYGEN_ERROR:
            break;
        }
        py::throw_raised();
    }

    step_type throw_(const std::exception_ptr& error) {
        const object name = py::checked(PyUnicode_InternFromString("throw"));
        object yielded = object::steal(PyObject_CallMethodOneArg(target_.ptr(), name.ptr(), python_form(error).ptr()));
        if (yielded) {
            return step_type(std::in_place_index<0>, std::move(yielded));
        }
        try {
            py::throw_raised();
        } catch (const py::base_exception& raised) {
            if (!raised.matches(PyExc_StopIteration)) {
                throw;
            }
            return step_type(std::in_place_index<1>,
                             py::checked(PyObject_GetAttrString(raised.value().ptr(), "value")));
        }
    }

    void close() {
        const object name = py::checked(PyUnicode_InternFromString("close"));
        py::checked(PyObject_CallMethodNoArgs(target_.ptr(), name.ptr()));
    }

private:
    /// What reaches a pass-through is an exception of Python's, or the generator_exit that closes it.
    static object python_form(const std::exception_ptr& error) {
        try {
            std::rethrow_exception(error);
        } catch (const py::base_exception& e) {
            return e.value();
        } catch (const isthmus::generator_exit&) {
            return py::checked(PyObject_CallNoArgs(PyExc_GeneratorExit));
        }
    }

    object target_;
};
static_assert(isthmus::coroutine_like<forwarder>);

/// Drives the awaited coroutine by its methods, one by one.
py::coroutine<object> forwarding(object awaited) {
    forwarder target(std::move(awaited));
    co_return co_await target;
}

/// So that tools take a function that returns a coroutine for an `async def` function.
object as_coroutine_function(object function) { return py::as_coroutine_function(function); }

PyMethodDef functions[] = {
    raw::def<passthrough>("passthrough"),
    raw::def<forwarding>("forwarding"),
    raw::def<as_coroutine_function>("as_coroutine_function"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_passthrough", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_passthrough() { return PyModuleDef_Init(&module); }
