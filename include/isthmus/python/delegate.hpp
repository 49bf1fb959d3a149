// isthmus/python/delegate.hpp — the steps of a C++ coroutine that awaits a Python object.
// SPDX-License-Identifier: MIT
#pragma once

#include "awaitable.hpp"

#include <exception>
#include <string>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// Passes each step of the chain on to a Python await-iterator, and what that yields up. One of our own coroutine
/// objects needs no such steps: while nobody else drives it, its frames are part of the chain.
class python_delegate : public isthmus::detail::failing<native_link, object> {
public:
    explicit python_delegate(object awaited) noexcept
        : failing(isthmus::detail::frame_kind::coroutine, misuse::none), iterator_(std::move(awaited)) {
        told = ends::all;
    }
    python_delegate(const python_delegate&) = delete;
    python_delegate& operator=(const python_delegate&) = delete;

    void advance(activation& step) noexcept override {
        if (joinable) {
            if (ended()) {
                take_end(step);
                return;
            }
            if (join(step)) {
                return;
            }
        }
        PyObject* got = nullptr;
        PySendResult how = PYGEN_ERROR;
        const crossing into_python_now;
        if (!into_python_now.allowed()) {
            step.injected = nullptr;
            step.sent = nullptr;
            complete(object(), to_exception_ptr(take_raised()));
            return;
        }
        if (step.injected != nullptr) {
            if (!throw_in(step, how, &got)) {
                return;
            }
        } else {
            const auto* const sent = static_cast<const object*>(std::exchange(step.sent, nullptr));
            PyObject* const value = sent != nullptr && *sent ? sent->ptr() : Py_None;
            how = into_python([&] { return PyIter_Send(iterator_.ptr(), value, &got); });
        }
        switch (how) {
        case PYGEN_NEXT:
            result() = object::steal(got);
            step.yielded = &result();
            break;
        case PYGEN_RETURN:
            complete(object::steal(got), nullptr);
            break;
        case PYGEN_ERROR:
            complete(object(), to_exception_ptr(take_raised()));
            break;
        }
    }

    std::exception_ptr close() noexcept override {
        return close_iterator(iterator_.ptr()) ? nullptr : to_exception_ptr(take_raised());
    }
    std::exception_ptr take_closed(frame& closed, activation& step) noexcept final {
        const object result = object::steal(
            into_python([&] { return settle_closed(awaited_coroutine(), closed, step, recorder_of(step)); }));
        return result ? nullptr : to_exception_ptr(take_raised());
    }
    void destroy_awaited() noexcept final {}
    frame* awaited_frame() const noexcept final { return nullptr; }

    void visit(isthmus::detail::held_visitor visitor, void* context) const noexcept override {
        visitor(iterator_.ptr(), context);
    }
    void* awaited_object() const noexcept final { return iterator_.ptr(); }
    /// With the name of a coroutine or generator: "coroutine fetch".
    std::string awaited_type() const override {
        std::string text = Py_TYPE(iterator_.ptr())->tp_name;
        if (is_native() || Py_TYPE(iterator_.ptr()) == interpreter_state::get().coroutine_type) {
            const saved_error outer;
            const object name = object::steal(PyObject_GetAttrString(iterator_.ptr(), "__qualname__"));
            if (const char* const utf8 = name ? PyUnicode_AsUTF8(name.ptr()) : nullptr) {
                text.append(" ").append(utf8);
            } else {
                PyErr_Clear();
            }
        }
        return text;
    }

protected:
    ~python_delegate() { forget(); } // before what is awaited dies, which may run code

    /// What awaiting gave; throws the error it ended in.
    object take_result() {
        rethrow_failure();
        return std::move(result());
    }

    /// The error of the result that the await has brought, where it brings one in its own way.
    virtual std::exception_ptr error_of_result() noexcept { return nullptr; }

    /// What is awaited has ended: with a value or an error.
    virtual void complete(object value, std::exception_ptr error) noexcept {
        if (!error) {
            error = error_of_result();
        }
        if (end(error) && !error) {
            result() = std::move(value);
        }
    }

    object iterator_; ///< what is awaited, until await_ready() has found its iterator

private:
    coroutine_object& awaited_coroutine() const noexcept { return *coroutine_object::of(iterator_.ptr()); }
    /// Objects are in the chains that Python drives alone.
    static traceback_recorder& recorder_of(const activation& step) noexcept {
        return static_cast<traceback_recorder&>(*step.observer);
    }

    /// Makes the frames of the coroutine object part of the chain. False where that would not be the same as a step of
    /// the object: then it takes that step. Without a GIL that is so each time, since whoever drives an object must
    /// have its turn.
    bool join([[maybe_unused]] const activation& step) noexcept {
#if !defined(Py_GIL_DISABLED)
        const isthmus::detail::chain_lock lock;
        frame* const root = awaited_coroutine().root;
        if (root == nullptr || step.injected != nullptr || parent->observer() == nullptr) {
            return false;
        }
        if (root->created()) {
            if (step.sent != nullptr) {
                return false;
            }
        } else if (isthmus::detail::is_running(*root)) {
            return false;
        } else if (root->attached()) { // it is taken from who else awaits it (7.9)
            isthmus::detail::detach(*root);
        }
        forget();
        attach(*parent, *root);
        return true;
#else
        return false;
#endif
    }

    /// The coroutine object, as part of the chain, has ended.
    void take_end(const activation& step) noexcept {
        to_child = bond::none;
        object result = object::steal(
            into_python([&] { return py::detail::finish(awaited_coroutine(), *child, recorder_of(step)); }));
        std::exception_ptr error = result ? nullptr : to_exception_ptr(take_raised());
        complete(std::move(result), std::move(error));
    }

    /// The coroutine object, as part of the chain, stays suspended at `leaf`, and `parent` gets `error` (5.6, 5.22).
    void refuse(activation& step, frame& leaf, std::exception_ptr error) noexcept {
        {
            const isthmus::detail::chain_lock lock;
            to_child = bond::none;
            parent->follow(leaf);
            child->rest(&leaf);
            step.leaf = parent;
        }
        complete(object(), std::move(error));
    }

    /// throw(), by the awaited object's own method (5.20–5.22). False if that was not called: then all is settled.
    bool throw_in(activation& step, PySendResult& how, PyObject** result) noexcept {
        const std::exception_ptr injected = step.take_injected();
        const throw_arguments* const given = injected ? nullptr : &static_cast<throwing_step&>(step).given;
        object method;
        PyObject* const name = interpreter_state::get().throw_;
        const int found = into_python([&] { return get_optional_attribute(iterator_.ptr(), name, method); });
        // Without a method, and where a native coroutine or generator checks them (5.6), they are checked here: its
        // method would warn once more that they are too many.
        const bool check = given != nullptr && (found == 0 || (given->count > 1 && is_native()));
        object exception;
        if (check) {
            exception = exception_argument(*given);
        } else if (given == nullptr && found == 1) {
            exception = exception_object(injected);
        }
        if (found < 0 || (found == 0 && check && !exception)) { // the error is the driver's, nothing is resumed
            std::exception_ptr error = to_exception_ptr(take_raised());
            if (native_link* const awaiter = isthmus::detail::translator_above(*parent)) {
                static_cast<python_delegate*>(awaiter)->refuse(step, *parent, std::move(error));
            } else {
                parent->set_error(std::move(error));
                step.yielded = &step.refused;
            }
            return false;
        }
        if (found == 0) {
            complete(object(), given == nullptr ? injected : to_exception_ptr(std::move(exception)));
            return false;
        }
        if (exception) {
            *result = into_python([&] { return PyObject_CallOneArg(method.ptr(), exception.ptr()); });
        } else if (!check) {
            const auto count = static_cast<std::size_t>(given->count);
            *result = into_python([&] { return PyObject_Vectorcall(method.ptr(), given->values, count, nullptr); });
        }
        how = *result != nullptr ? PYGEN_NEXT : stopped(result);
        return true;
    }

    bool is_native() const noexcept { return PyCoro_CheckExact(iterator_.ptr()) || PyGen_CheckExact(iterator_.ptr()); }
};

} // namespace isthmus::inline v1::py::detail
