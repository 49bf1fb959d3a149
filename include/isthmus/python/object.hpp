// isthmus/python/object.hpp — py::object, an owning reference to a Python object that may die on any thread.
// SPDX-License-Identifier: MIT
#pragma once

#if !defined(PY_SSIZE_T_CLEAN)
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>

#if PY_VERSION_HEX < 0x030B0000
#error "isthmus needs CPython 3.11 or later"
#endif
#if defined(Py_LIMITED_API)
#error "isthmus cannot be built with the limited API: turn STABLE_ABI (Py_LIMITED_API) off for this module"
#endif

#include "../detail/config.hpp"
#include "../step.hpp"

#include <atomic>
#include <cstdio>
#include <new>
#include <utility>

// Whether what needs the GIL and is called without it ends the process, as in a debug build of CPython. It must be the
// same in all that is linked together.
#if !defined(ISTHMUS_CHECK_GIL)
#if defined(NDEBUG)
#define ISTHMUS_CHECK_GIL 0
#else
#define ISTHMUS_CHECK_GIL 1
#endif
#endif

namespace isthmus::inline v1::py {

namespace detail {

/// The state of this thread if it may use Python's API, that is if it has an attached thread state (holds the GIL);
/// null if not. Any thread may ask.
inline PyThreadState* attached_thread() noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    return PyThreadState_GetUnchecked();
#elif PY_VERSION_HEX >= 0x030C0000
    return _PyThreadState_UncheckedGet();
#else
    // PyGILState_Check() would do, if it were not false while the interpreter finalises. In 3.11 the current thread
    // state is that of whichever thread holds the GIL.
    PyThreadState* const current = _PyThreadState_UncheckedGet();
    PyThreadState* const usual = PyGILState_GetThisThreadState();
    if (current == nullptr || usual == nullptr || current == usual) {
        return current == usual ? current : nullptr;
    }
    // In a subinterpreter it is not the one that the thread usually has.
    const bool is_ours =
        PyInterpreterState_Head() != PyInterpreterState_Main() && current->thread_id == PyThread_get_thread_ident();
    return is_ours ? current : nullptr;
#endif
}
inline bool attached() noexcept { return attached_thread() != nullptr; }

/// For what needs the GIL: with ISTHMUS_CHECK_GIL, Py_FatalError() if this thread does not hold it. `what` was called.
inline void check_gil([[maybe_unused]] const char* what) noexcept {
#if ISTHMUS_CHECK_GIL
    if (!attached()) [[unlikely]] {
        char text[256];
        std::snprintf(text, sizeof(text),
                      "isthmus: %s needs the GIL, and this thread does not hold it: call it where Python has called "
                      "you, or between PyGILState_Ensure() and PyGILState_Release()",
                      what);
        Py_FatalError(text);
    }
#endif
}

/// Calls `block`, which waits for other threads, without the GIL if this thread has it.
template <class Block>
void without_gil(const Block& block) {
    if (!attached()) {
        block();
        return;
    }
    PyThreadState* const detached = PyEval_SaveThread();
    block();
    PyEval_RestoreThread(detached);
}

/// References that died on a thread which was not attached. The queue is the main interpreter's, shared by all its
/// modules: the next step of any coroutine there drops them. An object does not say which interpreter it belongs to, so
/// that as soon as there is another one they are leaked rather than dropped in the wrong one.
class deferred_references {
    struct node {
        PyObject* reference;
        node* next;
    };

public:
    using queue = std::atomic<node*>;

    static void push(PyObject* reference) noexcept {
        // Other interpreters may exist without this module knowing; the newest is the head of their list.
        if (several.load(std::memory_order_relaxed) || PyInterpreterState_Head() != PyInterpreterState_Main()) {
            return;
        }
        node* const added = new (std::nothrow) node{reference, nullptr};
        if (added == nullptr) {
            return;
        }
        queue& head = *current.load();
        add(head, added);
        if (&head == &early && current.load() != &early) [[unlikely]] {
            move_early();
        }
    }
    /// Drops what is queued, in the main interpreter. Needs the GIL. Two relaxed loads when there is nothing.
    static void drain() noexcept {
        if (current.load(std::memory_order_relaxed)->load(std::memory_order_relaxed) != nullptr) [[unlikely]] {
            drop_queued();
        }
    }
    /// This module is used in `interpreter`, whose queue, which must live for ever, is `shared`.
    static void use(PyInterpreterState* interpreter, queue& shared) noexcept {
        queue* before = &early;
        if (interpreter != PyInterpreterState_Main()) {
            several.store(true, std::memory_order_relaxed);
        } else if (current.compare_exchange_strong(before, &shared)) {
            move_early();
        } else if (before != &shared) {
            several.store(true, std::memory_order_relaxed); // Python was finalised, and initialised again
            current.store(&shared, std::memory_order_release);
        }
    }

private:
    static void add(queue& head, node* added) noexcept {
        added->next = head.load(std::memory_order_relaxed);
        while (!head.compare_exchange_weak(added->next, added)) {}
    }
    // Called after a change of `current` by whoever makes it, and after an addition by whoever sees that change: one of
    // them sees what the other did, since all these are in one order.
    ISTHMUS_COLD static void move_early() noexcept {
        node* moved = early.exchange(nullptr);
        while (moved != nullptr) {
            node* const next = moved->next;
            add(*current.load(), moved);
            moved = next;
        }
    }
    ISTHMUS_NOINLINE static void drop_queued() noexcept {
        if (PyInterpreterState_Get() != PyInterpreterState_Main()) {
            return;
        }
        node* queued = current.load(std::memory_order_acquire)->exchange(nullptr, std::memory_order_acquire);
        while (queued != nullptr) {
            node* const next = queued->next;
            Py_DECREF(queued->reference);
            delete queued;
            queued = next;
        }
    }

    static inline queue early{nullptr}; ///< of this module, before it knows the interpreter's
    static inline std::atomic<queue*> current{&early};
    static inline std::atomic<bool> several{false};
};

} // namespace detail

/// An owning reference, or null. Copying, and all that uses the object, needs the GIL, which ISTHMUS_CHECK_GIL checks;
/// moving and destroying do not: without an attached thread state the reference is queued, and dropped at the next
/// step of any coroutine object.
class object {
public:
    object() noexcept = default;
    object(const object& other) noexcept : pointer_(new_reference(other.pointer_, "copying a py::object")) {}
    object(object&& other) noexcept : pointer_(std::exchange(other.pointer_, nullptr)) {}
    object& operator=(object other) noexcept {
        std::swap(pointer_, other.pointer_);
        return *this;
    }
    ~object() { reset(); }

    /// Takes over the caller's reference.
    static object steal(PyObject* pointer) noexcept { return object(pointer); }
    /// Makes a reference of its own.
    static object borrow(PyObject* pointer) noexcept { return object(new_reference(pointer, "py::object::borrow()")); }
    /// Python's None.
    static object make_none() noexcept { return borrow(Py_None); }

    /// The pointer, still owned here.
    PyObject* ptr() const noexcept { return pointer_; }
    /// The pointer, from now on the caller's.
    PyObject* release() noexcept { return std::exchange(pointer_, nullptr); }
    bool is_none() const noexcept { return pointer_ == Py_None; }
    explicit operator bool() const noexcept { return pointer_ != nullptr; }

    void reset() noexcept {
        if (pointer_ != nullptr) {
            drop(std::exchange(pointer_, nullptr));
        }
    }

private:
    // Mostly there is nothing to drop, which the compiler often knows.
    ISTHMUS_NOINLINE static void drop(PyObject* reference) noexcept {
        if (detail::attached()) [[likely]] {
            Py_DECREF(reference);
        } else {
            detail::deferred_references::push(reference);
        }
    }
    explicit object(PyObject* pointer) noexcept : pointer_(pointer) {}
    static PyObject* new_reference(PyObject* pointer, const char* what) noexcept {
        if (pointer != nullptr) {
            detail::check_gil(what);
        }
        return Py_XNewRef(pointer);
    }

    PyObject* pointer_ = nullptr;
};

} // namespace isthmus::inline v1::py

/// None is py::object's empty value; a null reference counts as None.
template <>
struct isthmus::empty_value<isthmus::py::object> {
    static constexpr bool exists = true;
    static py::object make() noexcept { return py::object::make_none(); }
    static bool test(const py::object& value) noexcept { return !value || value.is_none(); }
};
