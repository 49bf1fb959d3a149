// tests/python/raw_protocol.cpp — C++ coroutines whose Python twins are in native.py, name by name.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace {

namespace py = isthmus::py;
using py::object;
using raw::guard;

// ---- coroutines that do one thing ----------------------------------------------------------------------------------

py::coroutine<object> value(object result) { co_return result; }

py::coroutine<> nothing() { co_return; }

py::coroutine<object> pass_through(object awaited) { co_return co_await py::await(std::move(awaited)); }

py::coroutine<object> guarded(object awaited, object log) {
    const guard outer(log, "outer guard");
    const guard inner(log, "inner guard");
    co_return co_await py::await(std::move(awaited));
}

/// Awaits, and reports what `catch (const std::exception&)` has seen.
py::coroutine<object> catch_std_exception(object awaited) {
    std::string caught;
    try {
        co_return co_await py::await(std::move(awaited));
    } catch (const std::exception& e) {
        caught = e.what();
    }
    co_return py::converter<std::string>::to_python("caught " + caught);
}

/// Yields each object of a list without awaiting anything; returns the list of what was sent.
py::coroutine<object> yields(object objects) {
    object sent = py::checked(PyList_New(0));
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(objects.ptr()); ++i) {
        object item = object::borrow(PyList_GET_ITEM(objects.ptr(), i));
        const object received = co_yield std::move(item);
        if (PyList_Append(sent.ptr(), received.ptr()) != 0) {
            py::throw_raised();
        }
    }
    co_return sent;
}

// ---- depth ---------------------------------------------------------------------------------------------------------

py::coroutine<object> deep(int levels, object awaited) {
    if (levels <= 1) {
        co_return co_await py::await(std::move(awaited));
    }
    co_return co_await deep(levels - 1, std::move(awaited));
}

/// Like deep(), but each level closes with an entry in the log.
py::coroutine<object> deep_guarded(int levels, object awaited, object log) {
    const guard noted(log, std::to_string(levels));
    if (levels <= 1) {
        co_return co_await py::await(std::move(awaited));
    }
    co_return co_await deep_guarded(levels - 1, std::move(awaited), log);
}

/// A coroutine that knows no Python: it yields nothing but the fact that it suspends.
isthmus::coroutine<int> plain(int levels, int pauses) {
    if (levels <= 1) {
        for (int i = 0; i < pauses; ++i) {
            co_yield isthmus::none();
        }
        co_return 1;
    }
    co_return co_await plain(levels - 1, pauses) + 1;
}

/// A chain that crosses the types: `levels` plain coroutines below a py::coroutine.
py::coroutine<int> deep_plain(int levels, int pauses) { co_return co_await plain(levels, pauses); }

/// The same, where what is awaited was compiled into another module.
py::coroutine<int> await_shared(object capsule, int pauses) {
    void* const pointer = PyCapsule_GetPointer(capsule.ptr(), "plain");
    if (pointer == nullptr) {
        py::throw_raised();
    }
    co_return co_await reinterpret_cast<isthmus::coroutine<int> (*)(int)>(pointer)(pauses);
}

// References between C++ coroutines are legal: the referent is a local of the awaiter.
py::coroutine<> append_by_reference(std::string& text, const object& awaited) {
    const std::string added = co_await py::await<std::string>(awaited);
    text += added;
}

py::coroutine<std::string> by_reference(object awaited) {
    std::string text = "got ";
    co_await append_by_reference(text, awaited);
    co_return text;
}

// ---- a program ------------------------------------------------------------------------------------------------------

/// One step of script(): what it does, what it does it with, and what follows if it ends in an error of a certain type.
struct instruction {
    std::string kind;
    object operand;
    object caught; ///< an exception type or a tuple of them; None: no error is caught
    object handler;
};

instruction parse(PyObject* step) {
    PyObject* const* const items = &PyTuple_GET_ITEM(step, 0);
    return {py::converter<std::string>::from_python(object::borrow(items[0])), object::borrow(items[1]),
            object::borrow(items[2]), object::borrow(items[3])};
}

void push(std::vector<instruction>& todo, PyObject* steps) {
    for (Py_ssize_t i = PyList_GET_SIZE(steps); i > 0; --i) {
        todo.push_back(parse(PyList_GET_ITEM(steps, i - 1)));
    }
}

[[noreturn]] void raise(const object& exception) {
    if (!PyExceptionInstance_Check(exception.ptr())) {
        throw py::error(PyExc_TypeError, "exceptions must derive from BaseException");
    }
    std::rethrow_exception(py::detail::to_exception_ptr(exception));
}

/// Carries out a list of steps, each (kind, operand, caught, handler). The result of the last one is the `register`.
///     await, yield: of the operand       call: the operand, with the register        return: the operand
///     give: return the register          raise: the operand                          reraise: the register
/// An error that `caught` matches becomes the register, and the handler's steps replace what is left.
/// `Quiet`: errors that it does not handle leave it without a C++ throw.
template <bool Quiet>
py::coroutine<object> script(object steps) {
    std::vector<instruction> todo;
    push(todo, steps.ptr());
    object last = object::make_none();
    while (!todo.empty()) {
        const instruction now = std::move(todo.back());
        todo.pop_back();
        std::optional<object> raised;
        std::exception_ptr error;
        try {
            const bool handles = !now.caught.is_none();
            if (now.kind == "await" && Quiet && !handles) {
                last = co_await isthmus::nothrow(py::await(now.operand));
            } else if (now.kind == "await" && Quiet) {
                auto ended = co_await isthmus::as_outcome(py::await(now.operand));
                if (ended.failed()) {
                    error = ended.error();
                } else {
                    last = std::move(ended).returned();
                }
            } else if (now.kind == "await") {
                last = co_await py::await(now.operand);
            } else if (now.kind == "yield") {
                object sent = co_yield now.operand; // g++ 12 cannot assign a co_yield in a template
                last = std::move(sent);
            } else if (now.kind == "call") {
                last = py::checked(PyObject_CallOneArg(now.operand.ptr(), last.ptr()));
            } else if (now.kind == "return") {
                co_return now.operand;
            } else if (now.kind == "give") {
                co_return last;
            } else {
                const object raising = now.kind == "raise" ? now.operand : last;
                if (Quiet && !handles && PyExceptionInstance_Check(raising.ptr())) {
                    co_yield isthmus::with_error(py::detail::to_exception_ptr(raising));
                }
                raise(raising);
            }
        } catch (...) {
            error = std::current_exception();
        }
        if (error) {
            py::detail::set_from_exception(error, nullptr);
            raised = py::detail::take_raised();
            if (now.caught.is_none() || !PyErr_GivenExceptionMatches(raised->ptr(), now.caught.ptr())) {
                std::rethrow_exception(std::move(error));
            }
            last = *std::move(raised);
            todo.clear();
            push(todo, now.handler.ptr());
        }
    }
    co_return object::make_none();
}

// ---- what is not a coroutine ----------------------------------------------------------------------------------------

/// PyIter_Send, which no Python code can call: ("next" or "return", value), or the error.
object iter_send(object iterator, object sent) {
    PyObject* result = nullptr;
    switch (PyIter_Send(iterator.ptr(), sent.ptr(), &result)) {
    case PYGEN_NEXT:
        return py::checked(Py_BuildValue("(sN)", "next", result));
    case PYGEN_RETURN:
        return py::checked(Py_BuildValue("(sN)", "return", result));
    case PYGEN_ERROR:
        break;
    }
    py::throw_raised();
}

/// Awaits `awaited` in a C++ coroutine that C++ drives: sends None, throws `exception`; what that step gave.
object throw_from_cpp(object awaited, object exception) {
    py::coroutine<object> driven = pass_through(std::move(awaited));
    static_cast<void>(driven.send());
    auto ended = driven.try_throw(py::detail::to_exception_ptr(std::move(exception)));
    auto step = std::move(ended).get();
    return step.done() ? std::move(step).returned() : std::move(step).yielded();
}

/// to_native() of a coroutine that has run to its first suspension.
object started_as_native(object awaited) {
    py::coroutine<object> made = pass_through(std::move(awaited));
    static_cast<void>(made.send());
    return py::to_native(std::move(made));
}

PyMethodDef functions[] = {
    raw::def<value>("value"),
    raw::def<nothing>("nothing"),
    raw::def<pass_through>("pass_through"),
    raw::def<guarded>("guarded"),
    raw::def<catch_std_exception>("catch_std_exception"),
    raw::def<yields>("yields"),
    raw::def<deep>("deep"),
    raw::def<deep_guarded>("deep_guarded"),
    raw::def<deep_plain>("deep_plain"),
    raw::def<await_shared>("await_shared"),
    raw::def<by_reference>("by_reference"),
    raw::def<script<false>>("script"),
    raw::def<script<true>>("quiet_script"),
    raw::def<iter_send>("iter_send"),
    raw::def<throw_from_cpp>("throw_from_cpp"),
    raw::def<started_as_native>("started_as_native"),
    // The same, as objects of CPython's own coroutine type.
    raw::def<value, raw::route::native>("native_value"),
    raw::def<nothing, raw::route::native>("native_nothing"),
    raw::def<pass_through, raw::route::native>("native_pass_through"),
    raw::def<guarded, raw::route::native>("native_guarded"),
    raw::def<catch_std_exception, raw::route::native>("native_catch_std_exception"),
    raw::def<yields, raw::route::native>("native_yields"),
    raw::def<deep, raw::route::native>("native_deep"),
    raw::def<deep_guarded, raw::route::native>("native_deep_guarded"),
    raw::def<deep_plain, raw::route::native>("native_deep_plain"),
    raw::def<by_reference, raw::route::native>("native_by_reference"),
    raw::def<script<false>, raw::route::native>("native_script"),
    raw::def<script<true>, raw::route::native>("native_quiet_script"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_protocol", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_protocol() { return PyModuleDef_Init(&module); }
