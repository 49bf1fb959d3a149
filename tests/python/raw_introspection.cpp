// tests/python/raw_introspection.cpp — coroutines to look at from Python. The tests find the lines by their marks.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <cstdint>
#include <optional>
#include <source_location>
#include <stdexcept>
#include <utility>

namespace {

namespace py = isthmus::py;
using py::object;

// ---- chains of C++ coroutines ---------------------------------------------------------------------------------------

py::coroutine<object> inner(object awaited) {              // [inner]
    object first = co_await py::await(std::move(awaited)); // [inner awaits]
    const object sent = co_yield std::move(first);         // [inner yields]
    co_return sent;
} // [inner ends]

py::coroutine<object> middle(object awaited) {
    object result = co_await inner(std::move(awaited)); // [middle awaits]
    co_return result;
}

py::coroutine<object> outer(object awaited) {
    object result = co_await middle(std::move(awaited)); // [outer awaits]
    co_return result;
}

/// Awaits one after the other, each in a coroutine of the same function.
py::coroutine<object> in_turn(object awaitables) {
    object last = object::make_none();
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(awaitables.ptr()); ++i) {
        object awaited = object::borrow(PyList_GET_ITEM(awaitables.ptr(), i));
        last = co_await inner(std::move(awaited));
    }
    co_return last;
}

/// A level that passes errors on.
py::coroutine<object> quiet(object awaited) {
    object result = co_await isthmus::nothrow(inner(std::move(awaited)));
    co_return result;
}

/// A level whose class is not known.
py::coroutine<object> erased(object awaited) {
    isthmus::any_coroutine<object, object, object> any = inner(std::move(awaited));
    object result = co_await any;
    co_return result;
}

isthmus::coroutine<> plain() { co_yield isthmus::none(); }

/// A level that knows no Python.
py::coroutine<> above_plain() { co_await plain(); }

isthmus::generator<object, object> once() { co_yield object::make_none(); }

py::coroutine<> awaits_generator() {
    auto based = isthmus::from_generator(once());
    co_await based;
}

/// A user's own awaitable, which is neither a coroutine nor a Python object.
class own_awaitable {
public:
    own_awaitable& await() { return *this; }
    isthmus::step<object, object> send() { return isthmus::step<object, object>(std::in_place_index<0>, object()); }
};

py::coroutine<object> awaits_own() {
    own_awaitable own;
    object result = co_await own;
    co_return result;
}

/// What awaits_completion() waits for.
std::optional<py::completion<int>::callback_type>& callback() {
    static std::optional<py::completion<int>::callback_type> one;
    return one;
}

py::coroutine<int> awaits_completion() {
    py::completion<int> done;
    callback() = done.callback();
    co_return co_await done;
}

void complete(int value) {
    (*callback())(value);
    callback().reset();
}

// ---- a coroutine that several drive (7.9) ---------------------------------------------------------------------------

std::optional<py::coroutine<object>>& kept() {
    static std::optional<py::coroutine<object>> one;
    return one;
}

void keep(object awaited) { kept().emplace(inner(std::move(awaited))); }
void drop_kept() { kept().reset(); }

py::coroutine<object> await_kept() {
    object result = co_await kept()->await();
    co_return result;
}

/// Takes a step of the kept coroutine out of whatever chain it is in.
object send_to_kept() {
    auto step = kept()->send();
    return step.done() ? std::move(step).returned() : std::move(step).yielded();
}

// ---- frames for places in C++ ---------------------------------------------------------------------------------------

/// A frame at `line` of this function, and one at the function's own line.
object frames(int line) {
    py::detail::interpreter_state& state = py::detail::interpreter_state::get();
    const auto here = std::source_location::current();
    const object there = py::checked(py::detail::frame_for(state, here, static_cast<std::uint32_t>(line)).release());
    const object first = py::checked(py::detail::frame_for(state, here, 0).release());
    return py::checked(PyTuple_Pack(2, there.ptr(), first.ptr()));
}

PyMethodDef functions[] = {
    raw::def<inner>("inner"),
    raw::def<outer>("outer"),
    raw::def<in_turn>("in_turn"),
    raw::def<quiet>("quiet"),
    raw::def<erased>("erased"),
    raw::def<above_plain>("above_plain"),
    raw::def<awaits_generator>("awaits_generator"),
    raw::def<awaits_own>("awaits_own"),
    raw::def<awaits_completion>("awaits_completion"),
    raw::def<complete>("complete"),
    raw::def<keep>("keep"),
    raw::def<drop_kept>("drop_kept"),
    raw::def<await_kept>("await_kept"),
    raw::def<send_to_kept>("send_to_kept"),
    raw::def<frames>("frames"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_introspection", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_introspection() { return PyModuleDef_Init(&module); }
