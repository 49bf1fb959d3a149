// tests/python/raw_lifetime.cpp — what dies when and where: other threads, statics, the end of the interpreter.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace py = isthmus::py;
using py::object;

/// Destroys something on a thread that never had the GIL. This one keeps it meanwhile, so the other cannot get it.
template <class T>
void destroy_elsewhere(T doomed) {
    std::thread([held = std::move(doomed)]() mutable { const T dying = std::move(held); }).join();
}

void drop_elsewhere(object doomed) { destroy_elsewhere(std::move(doomed)); }

void reset_elsewhere(object doomed) {
    std::thread([held = std::move(doomed)]() mutable { held.reset(); }).join();
}

/// The last copies of a Python exception's C++ objects.
void drop_error_elsewhere(object exception) {
    std::vector<std::exception_ptr> errors;
    errors.push_back(py::detail::to_exception_ptr(exception));
    errors.push_back(std::make_exception_ptr(py::error(exception)));
    exception.reset();
    destroy_elsewhere(std::move(errors));
}

/// what() where the GIL is not held.
std::string message_elsewhere(object exception, bool asked_before) {
    const py::error error(std::move(exception));
    if (asked_before) {
        static_cast<void>(error.what());
    }
    std::string text;
    std::thread([&] { text = error.what(); }).join();
    return text;
}

/// Held until they leave with the process, or until release_statics().
std::vector<object>& kept_objects() {
    static std::vector<object> kept;
    return kept;
}
std::vector<py::coroutine<object>>& kept_coroutines() {
    static std::vector<py::coroutine<object>> kept;
    return kept;
}

void keep_object(object kept) { kept_objects().push_back(std::move(kept)); }

py::coroutine<object> await_object(object awaited) {
    const object also_held = awaited;
    co_return co_await py::await(std::move(awaited));
}

/// A C++ coroutine that has awaited `awaited` as far as it goes, and is then left suspended.
void keep_coroutine(object awaited) {
    py::coroutine<object> made = await_object(std::move(awaited));
    static_cast<void>(made.send());
    kept_coroutines().push_back(std::move(made));
}

void drop_coroutine_elsewhere(object awaited) {
    py::coroutine<object> made = await_object(std::move(awaited));
    static_cast<void>(made.send());
    destroy_elsewhere(std::move(made));
}

void release_statics() {
    kept_objects().clear();
    kept_coroutines().clear();
}

/// A coroutine that holds a parameter, which Python's garbage collector cannot see, while it awaits.
py::coroutine<object> hold(object held, object awaited) {
    object result = co_await py::await(std::move(awaited));
    co_return held ? result : held;
}

py::coroutine<object> await_moved(object awaited) { co_return co_await py::await(std::move(awaited)); }

/// Awaits what holds the coroutine that waits for `awaited`.
py::coroutine<object> await_erased(object awaited) {
    isthmus::any_coroutine<object, object, object> holder(await_moved(std::move(awaited)));
    co_return co_await std::move(holder);
}

/// The same, but the holder is kept elsewhere too, and outlives it.
std::optional<isthmus::any_coroutine<object, object, object>>& kept_holder() {
    static std::optional<isthmus::any_coroutine<object, object, object>> kept;
    return kept;
}
py::coroutine<object> await_kept_erased(object awaited) {
    kept_holder().emplace(await_moved(std::move(awaited)));
    co_return co_await *kept_holder();
}
void release_kept() { kept_holder().reset(); }

/// Like hold(), but visible: the first of `held` is this coroutine's, the next that of the one it awaits, and so on.
py::coroutine<object> show(object held, object awaited, object log) {
    const raw::guard ended(log, "ended");
    auto mine = co_await py::make_visible(object::borrow(PyList_GetItem(held.ptr(), 0)));
    object others = py::checked(PyList_GetSlice(held.ptr(), 1, PyList_GET_SIZE(held.ptr())));
    held.reset();
    if (PyList_GET_SIZE(others.ptr()) != 0) {
        co_await show(std::move(others), std::move(awaited), std::move(log));
    } else {
        others.reset();
        co_await py::await(std::move(awaited));
    }
    co_return *mine;
}

/// Containers of references, which come and go: each one awaited is put in, or taken out if it is there.
py::coroutine<object> collect(object awaited) {
    auto by_number = co_await py::make_visible(std::map<int, object>());
    auto all = co_await py::make_visible(std::vector<std::pair<std::optional<object>, int>>());
    while (true) {
        object got = co_await py::await(awaited);
        if (got.is_none()) {
            co_return got;
        }
        by_number->insert_or_assign(static_cast<int>(by_number->size()), got);
        all->emplace_back(std::nullopt, 0);
        all->emplace_back(std::move(got), 1);
    }
}

/// Variables that end in another order than they began.
py::coroutine<object> outlive(object first, object second, object awaited) {
    auto one = co_await py::make_visible(std::optional<object>());
    {
        py::visible<object> two = co_await py::make_visible(std::move(first));
        co_await py::await(awaited);
        *one = *two;
    }
    co_await py::await(awaited);
    auto three = co_await py::make_visible(std::move(second));
    *one = std::nullopt;
    co_await py::await(awaited);
    co_return *three;
}

/// Destroys its own Python object: `cell` is a list with the only reference to it.
py::coroutine<object> drop_oneself(object cell, object awaited) {
    const raw::guard ended(cell, "ended");
    if (PyList_SetSlice(cell.ptr(), 0, 1, nullptr) != 0) {
        py::throw_raised();
    }
    co_return co_await py::await(std::move(awaited));
}

PyMethodDef functions[] = {
    raw::def<drop_elsewhere>("drop_elsewhere"),
    raw::def<reset_elsewhere>("reset_elsewhere"),
    raw::def<drop_error_elsewhere>("drop_error_elsewhere"),
    raw::def<message_elsewhere>("message_elsewhere"),
    raw::def<keep_object>("keep_object"),
    raw::def<keep_coroutine>("keep_coroutine"),
    raw::def<drop_coroutine_elsewhere>("drop_coroutine_elsewhere"),
    raw::def<release_statics>("release_statics"),
    raw::def<hold>("hold"),
    raw::def<show>("show"),
    raw::def<collect>("collect"),
    raw::def<outlive>("outlive"),
    raw::def<drop_oneself>("drop_oneself"),
    raw::def<await_erased>("await_erased"),
    raw::def<await_kept_erased>("await_kept_erased"),
    raw::def<release_kept>("release_kept"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = raw::define("raw_lifetime", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_lifetime() { return PyModuleDef_Init(&module); }
