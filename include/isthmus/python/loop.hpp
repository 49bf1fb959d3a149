// isthmus/python/loop.hpp — results that other threads bring to an event loop: a queue, and one wake-up for many.
// SPDX-License-Identifier: MIT
#pragma once

#include "await.hpp"
#include "wakeup.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <unistd.h>
#include <variant>
#include <vector>

namespace isthmus::inline v1::py::detail {

class completion_queue;

/// What some thread will bring to a coroutine that waits for it on a loop. The coroutine and the one who completes it
/// share it; while it is in the queue it owns itself.
class pending_result {
public:
    virtual ~pending_result() = default;
    pending_result(const pending_result&) = delete;
    pending_result& operator=(const pending_result&) = delete;

    /// Whether the result is there. For the loop's thread.
    bool delivered() const noexcept { return delivered_; }
    /// Whom deliver() wakes: a Future, which whoever waits owns, or null. For the loop's thread.
    void wake(PyObject* future) noexcept { future_ = future; }

    /// Sends the finished result to the loop. Any thread, once, without the GIL. `self` is given up, so that the
    /// result, and all it owns, dies on the loop's thread.
    static void post(std::shared_ptr<pending_result> self) noexcept;

protected:
    explicit pending_result(std::shared_ptr<completion_queue> queue) noexcept : queue_(std::move(queue)) {}

private:
    friend class completion_queue;

    /// On the loop's thread, with the GIL: wakes the coroutine. Nobody waits any more if it was cancelled.
    void deliver() noexcept {
        delivered_ = true;
        if (future_ == nullptr) {
            return;
        }
        const interpreter_state& state = interpreter_state::get();
        const object future = object::borrow(future_);
        const object done = object::steal(PyObject_CallMethodNoArgs(future.ptr(), state.done));
        const bool waiting = done && PyObject_Not(done.ptr()) == 1;
        const object set =
            object::steal(waiting ? PyObject_CallMethodOneArg(future.ptr(), state.set_result, Py_None) : nullptr);
        if (!done || (waiting && !set)) {
            PyErr_WriteUnraisable(future.ptr());
        }
    }

    std::shared_ptr<completion_queue> queue_;
    std::shared_ptr<pending_result> self_;
    pending_result* next_ = nullptr;
    PyObject* future_ = nullptr;
    bool delivered_ = false;
};

/// A pending T, or the error instead of it.
template <class T>
class pending_value : public pending_result {
public:
    explicit pending_value(std::shared_ptr<completion_queue> queue) noexcept : pending_result(std::move(queue)) {}

    /// Keeps what `call` returns or throws. Once, before post().
    template <class Call>
    void resolve(Call&& call) noexcept {
        try {
            if constexpr (std::is_void_v<T>) {
                std::forward<Call>(call)();
                outcome_.template emplace<1>();
            } else {
                outcome_.template emplace<1>(std::forward<Call>(call)());
            }
        } catch (...) {
            reject(isthmus::detail::current_error());
        }
    }
    /// Keeps an error, which must not be null.
    void reject(std::exception_ptr error) noexcept { outcome_.template emplace<2>(std::move(error)); }

    /// The delivered error; null if there is a value.
    std::exception_ptr take_error() noexcept {
        std::exception_ptr* const error = std::get_if<2>(&outcome_);
        return error != nullptr ? std::move(*error) : nullptr;
    }
    /// The delivered value. Once.
    T take() {
        if constexpr (!std::is_void_v<T>) {
            return std::get<1>(std::move(outcome_));
        }
    }

private:
    std::variant<std::monostate, stored<T>, std::exception_ptr> outcome_;
};

/// The results on their way to one event loop. Workers push without the GIL; the loop's reader drains with it. Dies
/// with the GIL, and with it the results that its loop did not fetch before it was closed.
class completion_queue {
public:
    completion_queue() = default;
    ~completion_queue() { discard(); }
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    /// The running loop. Throws py::error: RuntimeError with a text that says what is needed.
    static object running_loop() {
        std::atomic<PyObject*>& shared = interpreter_state::get().get_running_loop;
        PyObject* function = shared.load(std::memory_order_acquire);
        if (function == nullptr) {
            const object asyncio = checked(PyImport_ImportModule("asyncio"));
            function = keep_first(shared, checked(PyObject_GetAttrString(asyncio.ptr(), "get_running_loop")));
        }
        object loop = object::steal(PyObject_CallNoArgs(function));
        if (!loop) {
            PyErr_Clear();
            throw error(PyExc_RuntimeError, "isthmus: waiting for another thread needs a running asyncio event loop");
        }
        return loop;
    }

    /// The queue of an asyncio loop (uvloop's too). The first call gives the loop a reader, as the loop's own wake-up
    /// is one: it stays until the loop is closed. Throws what `add_reader` raises.
    static std::shared_ptr<completion_queue> of(const object& loop);

    /// Adds a finished result, and wakes the loop if the queue was empty. Any thread, no GIL.
    void push(pending_result* finished) noexcept {
        pending_result* before = head_.load(std::memory_order_relaxed);
        do {
            finished->next_ = before;
        } while (!head_.compare_exchange_weak(before, finished, std::memory_order_release, std::memory_order_relaxed));
        if (before == nullptr) {
            wakeup_.notify();
        }
    }

private:
    struct known_loop {
        PyObject* loop = nullptr; ///< to compare with; it is forgotten when it dies
        object reference;         ///< weak
        std::shared_ptr<completion_queue> queue;
    };
    /// The loops of an interpreter, which may run on several threads. Under the lock nothing of Python is called.
    struct known_loops {
        std::mutex lock;
        std::vector<known_loop> all;

        /// Takes a loop out. What it holds dies with the caller's copy.
        known_loop remove(PyObject* reference) noexcept {
            const std::lock_guard guard(lock);
            const auto found = std::find_if(all.begin(), all.end(), [reference](const known_loop& each) {
                return each.reference.ptr() == reference;
            });
            if (found == all.end()) {
                return known_loop();
            }
            known_loop gone = std::move(*found);
            all.erase(found);
            return gone;
        }
    };

    static known_loops& known();
    static std::shared_ptr<completion_queue> make(const object& loop);

    /// Calls `use` with each queued result, oldest first, and lets go of it.
    template <class Use>
    void take_all(Use use) {
        pending_result* in_order = nullptr;
        pending_result* newest_first = head_.exchange(nullptr, std::memory_order_acquire);
        while (newest_first != nullptr) {
            pending_result* const older = std::exchange(newest_first->next_, in_order);
            in_order = std::exchange(newest_first, older);
        }
        while (in_order != nullptr) {
            const std::shared_ptr<pending_result> result = std::move(in_order->self_);
            in_order = in_order->next_;
            use(*result);
        }
    }
    void discard() noexcept {
        take_all([](pending_result&) {});
    }

    static PyObject* drain(PyObject* capsule, PyObject*) noexcept {
        const object alive = object::borrow(capsule);
        auto* const queue = static_cast<completion_queue*>(PyCapsule_GetPointer(capsule, owner_name));
        deferred_references::drain();
        queue->wakeup_.clear();
        queue->take_all([](pending_result& result) { result.deliver(); });
        Py_RETURN_NONE;
    }
    static inline PyMethodDef drain_method{"isthmus_completions", drain, METH_NOARGS, nullptr};

    /// A loop is gone: forgets its queue, which lives as long as somebody may push to it.
    static PyObject* forget(PyObject*, PyObject* reference) noexcept {
        try {
            known().remove(reference);
        } catch (const base_exception& e) {
            e.restore();
            return nullptr;
        }
        Py_RETURN_NONE;
    }
    static inline PyMethodDef forget_method{"isthmus_forget_loop", forget, METH_O, nullptr};

    /// At interpreter exit: what a loop that was never closed has not fetched must not outlive Python's objects.
    static PyObject* discard_all(PyObject*, PyObject*) {
        known_loops& loops = known();
        std::unique_lock lock(loops.lock);
        const std::vector<known_loop> all = loops.all; // a copy, as destructors may run anything
        lock.unlock();
        for (const known_loop& each : all) {
            each.queue->discard();
        }
        Py_RETURN_NONE;
    }
    static inline PyMethodDef discard_method{"isthmus_discard_completions", discard_all, METH_NOARGS, nullptr};

    std::atomic<pending_result*> head_{nullptr};
    pid_t process_ = ::getpid();
    wakeup wakeup_;
};

inline void pending_result::post(std::shared_ptr<pending_result> self) noexcept {
    pending_result* const finished = self.get();
    const std::shared_ptr<completion_queue> queue = std::move(finished->queue_); // which must not wait for itself
    finished->self_ = std::move(self);
    queue->push(finished);
}

inline completion_queue::known_loops& completion_queue::known() {
    std::atomic<PyObject*>& shared = interpreter_state::get().queues;
    PyObject* capsule = shared.load(std::memory_order_acquire);
    if (capsule == nullptr) {
        object loops = make_owner(new known_loops);
        // Registered before that of the thread pool, and so called after it: then its threads have given back.
        const object function = checked(PyCFunction_New(&discard_method, nullptr));
        const object atexit = checked(PyImport_ImportModule("atexit"));
        checked(PyObject_CallMethod(atexit.ptr(), "register", "O", function.ptr()));
        capsule = keep_first(shared, std::move(loops));
    }
    return *static_cast<known_loops*>(PyCapsule_GetPointer(capsule, owner_name));
}

inline std::shared_ptr<completion_queue> completion_queue::of(const object& loop) {
    known_loops& loops = known();
    {
        const std::lock_guard guard(loops.lock);
        for (const known_loop& each : loops.all) {
            // A forked child cannot use its parent's queue: they share the descriptor.
            if (each.loop == loop.ptr() && each.queue->process_ == ::getpid()) {
                return each.queue;
            }
        }
    }
    return make(loop);
}

/// The queue belongs to a Python object, so that it dies with the GIL whoever lets go of it last.
inline std::shared_ptr<completion_queue> completion_queue::make(const object& loop) {
    auto owned = std::make_unique<completion_queue>();
    completion_queue* const queue = owned.get();
    const object capsule = make_owner(owned.release());
    const object reader = checked(PyCFunction_New(&drain_method, capsule.ptr()));
    const object forgetter = checked(PyCFunction_New(&forget_method, nullptr));
    const object reference = checked(PyWeakref_NewRef(loop.ptr(), forgetter.ptr()));
    std::shared_ptr<completion_queue> made(std::make_shared<object>(capsule), queue);
    known_loops& loops = known();
    {
        const std::lock_guard guard(loops.lock);
        loops.all.push_back({loop.ptr(), reference, made});
    }
    object added =
        object::steal(PyObject_CallMethod(loop.ptr(), "add_reader", "iO", queue->wakeup_.descriptor(), reader.ptr()));
    if (!added) {
        loops.remove(reference.ptr());
        throw_raised();
    }
    return made;
}

/// Awaits a pending result: a Python await of a Future, after which the result is there. What is thrown in instead,
/// such as a CancelledError, abandons it.
template <class Result>
class pending_awaiter : public python_delegate {
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
        visitor(future_.ptr(), context);
    }

protected:
    pending_awaiter() noexcept : python_delegate(object()) {}
    ~pending_awaiter() {
        if (result_) {
            result_->wake(nullptr);
        }
    }

    /// Prepares the await of `result` on `loop`.
    void wait_for(std::shared_ptr<Result> result, const object& loop) {
        future_ = checked(PyObject_CallMethodNoArgs(loop.ptr(), interpreter_state::get().create_future));
        iterator_ = await_iterator_of(future_.ptr());
        result_ = std::move(result);
        result_->wake(future_.ptr());
    }

    std::exception_ptr error_of_result() noexcept final { return result_->take_error(); }

    std::shared_ptr<Result> result_;

private:
    object future_;
};

} // namespace isthmus::inline v1::py::detail
