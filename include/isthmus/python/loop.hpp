// isthmus/python/loop.hpp — results that other threads bring to an event loop: a queue, and one wake-up for many.
// SPDX-License-Identifier: MIT
#pragma once

#include "../detail/wakeup.hpp"
#include "event_loop.hpp"
#include "pending.hpp"
#include "reactor.hpp"
#include "trio.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace isthmus::inline v1::py::detail {

/// The results on their way to one event loop. Workers push without the GIL; the loop's reader drains with it. Dies
/// with the GIL, and with it the results that its loop did not fetch before it was closed.
class completion_queue {
public:
    completion_queue() = default;
    ~completion_queue() { discard(); }
    completion_queue(const completion_queue&) = delete;
    completion_queue& operator=(const completion_queue&) = delete;

    /// The queue of the running loop. The first call gives the loop a reader, as the loop's own wake-up is one: it
    /// stays until the loop is closed. Throws what adding a reader raises.
    template <class = void> // see trio.hpp
    static std::shared_ptr<completion_queue> of(const event_loop& loop);

    /// What tasks on the loop, which runs, are lent. Throws what adding a reader raises, and std::system_error.
    template <class = void>
    reactor& lent(const event_loop& loop);
    /// Whether this thread calls wakers for the loop just now: then it has the GIL, and need not wake it.
    bool dispatches_here() const noexcept {
        return dispatching_.load(std::memory_order_relaxed) == std::this_thread::get_id();
    }

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
    template <class = void>
    static std::shared_ptr<completion_queue> make(const event_loop& loop);

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
    static PyMethodDef* drain_method() noexcept {
        static PyMethodDef method{"isthmus_completions", drain, METH_NOARGS, nullptr};
        return &method;
    }

    static PyObject* dispatch(PyObject* capsule, PyObject*) noexcept {
        const object alive = object::borrow(capsule);
        auto* const queue = static_cast<completion_queue*>(PyCapsule_GetPointer(capsule, owner_name));
        queue->dispatching_.store(std::this_thread::get_id(), std::memory_order_relaxed);
        queue->reactor_->dispatch();
        queue->dispatching_.store(std::thread::id(), std::memory_order_relaxed);
        Py_RETURN_NONE;
    }
    static PyMethodDef* dispatch_method() noexcept {
        static PyMethodDef method{"isthmus_reactor", dispatch, METH_NOARGS, nullptr};
        return &method;
    }

    template <class = void>
    static void add_reader(const event_loop& loop, int descriptor, const object& callback) {
        if (loop.trio_task) {
            trio_add_reader(trio_if_imported(), descriptor, callback);
        } else {
            checked(PyObject_CallMethod(loop.key.ptr(), "add_reader", "iO", descriptor, callback.ptr()));
        }
    }

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
    static PyMethodDef* forget_method() noexcept {
        static PyMethodDef method{"isthmus_forget_loop", forget, METH_O, nullptr};
        return &method;
    }

    /// In a forked child: it cannot use its parent's queues, since they share the descriptor.
    static PyObject* forget_all(PyObject*, PyObject*) {
        std::unique_lock lock(known().lock);
        const std::vector<known_loop> all = std::exchange(known().all, {});
        lock.unlock(); // destructors may run anything
        Py_RETURN_NONE;
    }
    static PyMethodDef* forget_all_method() noexcept {
        static PyMethodDef method{"isthmus_forget_loops", forget_all, METH_NOARGS, nullptr};
        return &method;
    }

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
    static PyMethodDef* discard_method() noexcept {
        static PyMethodDef method{"isthmus_discard_completions", discard_all, METH_NOARGS, nullptr};
        return &method;
    }

    std::atomic<pending_result*> head_{nullptr};
    isthmus::detail::wakeup wakeup_;
    PyObject* capsule_ = nullptr; ///< which owns this
    std::unique_ptr<loop_reactor> reactor_;
    std::atomic<std::thread::id> dispatching_;
};

inline void pending_result::post(std::shared_ptr<pending_result> self) noexcept {
    pending_result* const finished = self.get();
    const std::shared_ptr<completion_queue> queue = std::move(finished->queue_); // which must not wait for itself
    if (queue->dispatches_here()) {
        finished->deliver();
        return;
    }
    finished->self_ = std::move(self);
    queue->push(finished);
}

inline completion_queue::known_loops& completion_queue::known() {
    std::atomic<PyObject*>& shared = interpreter_state::get().queues;
    PyObject* capsule = shared.load(std::memory_order_acquire);
    if (capsule == nullptr) {
        object loops = make_owner(new known_loops);
        // Registered before that of the thread pool, and so called after it: then its threads have given back.
        const object function = checked(PyCFunction_New(discard_method(), nullptr));
        const object atexit = checked(PyImport_ImportModule("atexit"));
        checked(PyObject_CallMethod(atexit.ptr(), "register", "O", function.ptr()));
        capsule = keep_first(shared, std::move(loops));
        const object os = checked(PyImport_ImportModule("os"));
        const object forked = checked(PyCFunction_New(forget_all_method(), nullptr));
        const object hooks = checked(Py_BuildValue("{sO}", "after_in_child", forked.ptr()));
        const object register_hooks = checked(PyObject_GetAttrString(os.ptr(), "register_at_fork"));
        const object none = checked(PyTuple_New(0));
        checked(PyObject_Call(register_hooks.ptr(), none.ptr(), hooks.ptr()));
    }
    return *static_cast<known_loops*>(PyCapsule_GetPointer(capsule, owner_name));
}

template <class>
std::shared_ptr<completion_queue> completion_queue::of(const event_loop& loop) {
    known_loops& loops = known();
    {
        const std::lock_guard guard(loops.lock);
        for (const known_loop& each : loops.all) {
            if (each.loop == loop.key.ptr()) {
                return each.queue;
            }
        }
    }
    return make(loop);
}

/// The queue belongs to a Python object, so that it dies with the GIL whoever lets go of it last.
template <class>
std::shared_ptr<completion_queue> completion_queue::make(const event_loop& loop) {
    auto owned = std::make_unique<completion_queue>();
    completion_queue* const queue = owned.get();
    const object capsule = make_owner(owned.release());
    const object reader = checked(PyCFunction_New(drain_method(), capsule.ptr()));
    const object forgetter = checked(PyCFunction_New(forget_method(), nullptr));
    const object reference = checked(PyWeakref_NewRef(loop.key.ptr(), forgetter.ptr()));
    std::shared_ptr<completion_queue> made(std::make_shared<object>(capsule), queue);
    queue->capsule_ = capsule.ptr();
    known_loops& loops = known();
    {
        const std::lock_guard guard(loops.lock);
        loops.all.push_back({loop.key.ptr(), reference, made});
    }
    try {
        add_reader(loop, queue->wakeup_.descriptor(), reader);
    } catch (...) {
        loops.remove(reference.ptr());
        throw;
    }
    return made;
}

template <class>
reactor& completion_queue::lent(const event_loop& loop) {
    if (!reactor_) {
        auto made = std::make_unique<loop_reactor>();
        const object reader = checked(PyCFunction_New(dispatch_method(), capsule_));
        add_reader(loop, made->descriptor(), reader);
        reactor_ = std::move(made);
    }
    return *reactor_;
}

} // namespace isthmus::inline v1::py::detail
