// isthmus/python/waiter.hpp — how a coroutine waits on the running event loop until another thread or a timer wakes it.
// SPDX-License-Identifier: MIT
#pragma once

#include "loop.hpp"

#include <coroutine>
#include <exception>
#include <memory>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// Waits on the running loop until a pending result is there, by a Python await of a Future or of trio's sleep.
class loop_waiter : public python_delegate {
public:
    using yield_type = object;
    using send_type = object;

    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        suspend(awaiting.promise());
    }

    using python_delegate::pass_errors;
    using python_delegate::take_failure;

    void visit(void (*visitor)(void*, void*), void* context) const noexcept final {
        python_delegate::visit(visitor, context);
        visitor(waiting_.ptr(), context);
    }

protected:
    loop_waiter() noexcept : python_delegate(object()) {}
    ~loop_waiter() = default;

    /// Prepares the await of `result`. What is shielded goes on waiting although its trio task is cancelled.
    void wait_on(const std::shared_ptr<pending_result>& result, const event_loop& loop, bool shielded = false) {
        if (loop.trio_task) {
            waiting_ = loop.trio_task;
            const object kept = make_owner(new std::shared_ptr<pending_result>(result));
            const object abort = checked(PyCFunction_New(shielded ? shield_method() : abort_method(), kept.ptr()));
            iterator_ = trio_sleep(trio_if_imported(), abort);
        } else {
            waiting_ = checked(PyObject_CallMethodNoArgs(loop.key.ptr(), interpreter_state::get().create_future));
            iterator_ = await_iterator_of(waiting_);
        }
        result->wake(waiting_.ptr(), static_cast<bool>(loop.trio_task));
    }

private:
    /// The trio task is cancelled: from now on nobody waits.
    static PyObject* abort(PyObject* capsule, PyObject*) noexcept {
        auto& result = *static_cast<std::shared_ptr<pending_result>*>(PyCapsule_GetPointer(capsule, owner_name));
        result->wake(nullptr);
        return trio_abort_result("SUCCEEDED");
    }
    static PyObject* shield(PyObject*, PyObject*) noexcept { return trio_abort_result("FAILED"); }
    static PyMethodDef* abort_method() noexcept {
        static PyMethodDef method{"isthmus_trio_abort", abort, METH_O, nullptr};
        return &method;
    }
    static PyMethodDef* shield_method() noexcept {
        static PyMethodDef method{"isthmus_trio_shield", shield, METH_O, nullptr};
        return &method;
    }

    object waiting_;
};

/// Awaits a pending result, after which the result is there. What is thrown in instead, such as a CancelledError,
/// abandons it.
template <class Result>
class pending_awaiter : public loop_waiter {
protected:
    ~pending_awaiter() {
        if (result_) {
            result_->wake(nullptr);
        }
    }

    void wait_for(std::shared_ptr<Result> result, const event_loop& loop) {
        wait_on(result, loop);
        result_ = std::move(result);
    }

    std::exception_ptr error_of_result() noexcept final { return result_->take_error(); }

    std::shared_ptr<Result> result_;
};

} // namespace isthmus::inline v1::py::detail
