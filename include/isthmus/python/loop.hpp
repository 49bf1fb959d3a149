// isthmus/python/loop.hpp — results that other threads bring to an event loop: a queue, and one wake-up for many.
// SPDX-License-Identifier: MIT
#pragma once

#include "await.hpp"

#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <system_error>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

namespace isthmus::inline v1::py::detail {

/// A file descriptor that becomes readable when another thread says so.
class wakeup {
public:
    wakeup() {
#if defined(__linux__)
        read_ = write_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (read_ < 0) {
            throw std::system_error(errno, std::generic_category(), "isthmus: eventfd");
        }
#else
        int ends[2];
        if (::pipe(ends) != 0) {
            throw std::system_error(errno, std::generic_category(), "isthmus: pipe");
        }
        for (const int end : ends) {
            ::fcntl(end, F_SETFL, O_NONBLOCK);
            ::fcntl(end, F_SETFD, FD_CLOEXEC);
        }
        read_ = ends[0];
        write_ = ends[1];
#endif
    }
    ~wakeup() {
        ::close(read_);
        if (write_ != read_) {
            ::close(write_);
        }
    }
    wakeup(const wakeup&) = delete;
    wakeup& operator=(const wakeup&) = delete;

    int descriptor() const noexcept { return read_; }
    /// Makes it readable. If it cannot take more, it is readable already.
    void notify() const noexcept {
        const std::uint64_t one = 1;
        while (::write(write_, &one, sizeof(one)) < 0 && errno == EINTR) {}
    }
    void clear() const noexcept {
        std::uint64_t counted[16];
        while (::read(read_, counted, sizeof(counted)) > 0 || errno == EINTR) {}
    }

private:
    int read_ = -1;
    int write_ = -1;
};

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

protected:
    explicit pending_result(std::shared_ptr<completion_queue> queue) noexcept : queue_(std::move(queue)) {}

    /// Sends the finished result to the loop. Any thread, once, without the GIL. `self` is given up, so that the
    /// result, and all it owns, dies on the loop's thread.
    static void post(std::shared_ptr<pending_result> self) noexcept;

private:
    friend class completion_queue;

    /// On the loop's thread, with the GIL: wakes the coroutine. Nobody waits any more if it was cancelled.
    void deliver() noexcept {
        delivered_ = true;
        if (future_ == nullptr) {
            return;
        }
        const object future = object::borrow(future_);
        const object done = object::steal(PyObject_CallMethod(future.ptr(), "done", nullptr));
        const bool waiting = done && PyObject_Not(done.ptr()) == 1;
        const object set =
            object::steal(waiting ? PyObject_CallMethod(future.ptr(), "set_result", "O", Py_None) : nullptr);
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

/// The results on their way to one event loop. Workers push without the GIL; the loop's reader drains with it. What a
/// closed loop does not fetch is leaked: it must not be destroyed without the GIL.
class completion_queue {
public:
    /// The queue of the running asyncio loop (uvloop's too), which from now on expects one more result. Throws
    /// py::error: RuntimeError if no loop is running.
    static std::shared_ptr<completion_queue> expect(const object& loop) {
        std::shared_ptr<completion_queue> queue = of(loop);
        if (queue->expected_ == 0) {
            const object capsule = make_owner(new std::shared_ptr<completion_queue>(queue));
            const object reader = checked(PyCFunction_New(&drain_method, capsule.ptr()));
            checked(PyObject_CallMethod(loop.ptr(), "add_reader", "iO", queue->wakeup_.descriptor(), reader.ptr()));
        }
        ++queue->expected_;
        return queue;
    }

    /// `count` expected results have come, or will not. An idle loop is left as it was found. Never raises.
    void settle(long count) noexcept {
        expected_ -= count;
        if (expected_ == 0) {
            const saved_error outer;
            try {
                checked(PyObject_CallMethod(running_loop().ptr(), "remove_reader", "i", wakeup_.descriptor()));
            } catch (const base_exception& e) {
                e.restore();
                PyErr_WriteUnraisable(nullptr);
            }
        }
    }

    /// The running loop. Throws py::error: RuntimeError with a text that says what is needed.
    static object running_loop() {
        const object asyncio = checked(PyImport_ImportModule("asyncio"));
        object loop = object::steal(PyObject_CallMethod(asyncio.ptr(), "get_running_loop", nullptr));
        if (!loop) {
            PyErr_Clear();
            throw error(PyExc_RuntimeError, "isthmus: waiting for another thread needs a running asyncio event loop");
        }
        return loop;
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
    static std::shared_ptr<completion_queue> of(const object& loop);
    static PyObject* drain(PyObject* self, PyObject*) noexcept;
    static inline PyMethodDef drain_method{"isthmus_completions", drain, METH_NOARGS, nullptr};

    std::atomic<pending_result*> head_{nullptr};
    long expected_ = 0; // guarded by the GIL
    pid_t process_ = ::getpid();
    wakeup wakeup_;
};

inline void pending_result::post(std::shared_ptr<pending_result> self) noexcept {
    pending_result* const finished = self.get();
    const std::shared_ptr<completion_queue> queue = finished->queue_; // may outlive `finished`
    finished->self_ = std::move(self);
    queue->push(finished);
}

/// A queue per loop, which dies with it. A forked child cannot use its parent's, whose descriptor they share.
inline std::shared_ptr<completion_queue> completion_queue::of(const object& loop) {
    interpreter_state& state = interpreter_state::get();
    if (state.queues == nullptr) {
        const object weakref = checked(PyImport_ImportModule("weakref"));
        state.queues = checked(PyObject_CallMethod(weakref.ptr(), "WeakKeyDictionary", nullptr)).release();
    }
    const object known = checked(PyObject_CallMethod(state.queues, "get", "O", loop.ptr()));
    if (!known.is_none()) {
        auto* const queue =
            static_cast<std::shared_ptr<completion_queue>*>(PyCapsule_GetPointer(known.ptr(), owner_name));
        if (queue != nullptr && (*queue)->process_ == ::getpid()) {
            return *queue;
        }
    }
    auto queue = std::make_shared<completion_queue>();
    const object capsule = make_owner(new std::shared_ptr<completion_queue>(queue));
    if (PyObject_SetItem(state.queues, loop.ptr(), capsule.ptr()) != 0) {
        throw_raised();
    }
    return queue;
}

inline PyObject* completion_queue::drain(PyObject* capsule, PyObject*) noexcept {
    const std::shared_ptr<completion_queue> queue =
        *static_cast<std::shared_ptr<completion_queue>*>(PyCapsule_GetPointer(capsule, owner_name));
    deferred_references::drain();
    queue->wakeup_.clear();
    long count = 0;
    pending_result* in_order = nullptr;
    pending_result* newest_first = queue->head_.exchange(nullptr, std::memory_order_acquire);
    while (newest_first != nullptr) {
        pending_result* const older = std::exchange(newest_first->next_, in_order);
        in_order = std::exchange(newest_first, older);
        ++count;
    }
    queue->settle(count);
    while (in_order != nullptr) {
        const std::shared_ptr<pending_result> result = std::move(in_order->self_);
        in_order = in_order->next_;
        result->deliver();
    }
    Py_RETURN_NONE;
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

protected:
    pending_awaiter() noexcept : python_delegate(object()) {}
    ~pending_awaiter() {
        if (result_) {
            result_->wake(nullptr);
        }
    }

    /// Prepares the await of `result` on `loop`.
    void wait_for(std::shared_ptr<Result> result, const object& loop) {
        future_ = checked(PyObject_CallMethod(loop.ptr(), "create_future", nullptr));
        iterator_ = await_iterator_of(future_.ptr());
        result_ = std::move(result);
        result_->wake(future_.ptr());
    }

    std::shared_ptr<Result> result_;

private:
    object future_;
};

} // namespace isthmus::inline v1::py::detail
