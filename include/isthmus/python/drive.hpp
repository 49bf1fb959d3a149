// isthmus/python/drive.hpp — the Python object of a C++ coroutine or generator, and send, throw and close on it.
// SPDX-License-Identifier: MIT
#pragma once

#include "../coroutine.hpp"
#include "extras.hpp"
#include "state.hpp"
#include "traceback.hpp"
#include "translate.hpp"
#include "turn.hpp"

#include <exception>
#include <iterator>
#include <memory>
#include <source_location>
#include <type_traits>

namespace isthmus::inline v1::py::detail {

using isthmus::detail::frame_kind;
using isthmus::detail::misuse;
using isthmus::detail::native_link;

/// What the maker of a Python object knows about the types of the coroutine or generator, and about its binding
/// library.
struct coroutine_object;
struct coroutine_operations {
    /// A new reference to what the finished frame returned. Throws a C++ exception if it cannot be made.
    PyObject* (*take_result)(frame& finished, const coroutine_object& self);
    exception_translator translate;
    frame_kind kind = frame_kind::coroutine;

    // A coroutine yields and takes py::object. What a generator yields and takes is converted.
    bool awaitable = true;    ///< whether from_generator() has made the generator so
    bool accepts_none = true; ///< whether Send has an empty value
    /// A new reference to what was yielded. Throws a C++ exception if it cannot be made.
    PyObject* (*take_yielded)(void* yielded, const coroutine_object& self) = nullptr;
    /// The Send object for what is sent. Throws a C++ exception if it cannot be made.
    std::shared_ptr<void> (*convert_sent)(const object& value) = nullptr;
};

/// The Python object. It owns the frame as a C++ coroutine object does, through `root`.
struct coroutine_object {
    PyObject_HEAD
    frame* root; ///< null: closed
    const coroutine_operations* operations;
    PyObject* weak_references;
    interpreter_state* state;
    std::source_location where;
    extras more;
    [[no_unique_address]] turn whose_turn;

    static coroutine_object* of(PyObject* self) noexcept { return reinterpret_cast<coroutine_object*>(self); }
    bool is_generator() const noexcept { return operations->kind == frame_kind::generator; }
    PyObject* python() noexcept { return reinterpret_cast<PyObject*>(this); }
};

/// A new object, not tracked yet; only its `state` is set. Null with an exception set if there is no memory. The memory
/// of coroutine objects is used again, as CPython does it with what it makes often.
template <class Object>
Object* allocate(interpreter_state& state, PyTypeObject* type) noexcept {
#if !defined(Py_GIL_DISABLED)
    if (std::is_same_v<Object, coroutine_object> && state.free_count != 0) {
        return reinterpret_cast<Object*>(PyObject_Init(state.free_objects[--state.free_count], type));
    }
#endif
    Object* const made = PyObject_GC_New(Object, type);
    if (made != nullptr) {
        made->state = &state;
    }
    return made;
}

/// Gives back the memory of a coroutine object, which is not tracked and whose fields are cleared. One whose finalizer
/// has run keeps the collector's mark of it, and is not used again.
inline void deallocate_memory(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
#if !defined(Py_GIL_DISABLED)
    interpreter_state& state = *coroutine_object::of(self)->state;
    if (state.alive && state.free_count != std::size(state.free_objects) && coroutine_object::of(self)->more.empty()) {
        state.free_objects[state.free_count++] = self;
        Py_DECREF(type);
        return;
    }
#endif
    PyObject_GC_Del(self);
    Py_DECREF(type);
}

/// Raises `error`, in which a frame has ended, and destroys that.
ISTHMUS_COLD ISTHMUS_NOINLINE inline void finish_failed(coroutine_object& self, frame& f,
                                                        const std::exception_ptr& error,
                                                        traceback_recorder& traceback) noexcept {
    isthmus::detail::destroy_finished(f);
    self.more.drop_keep_alive();
    set_from_exception(error, self.operations->translate);
    traceback.add_entries(error);
    convert_stop_iteration(self.operations->kind);
}

/// Takes what a finished frame returned, or raises what left it, and destroys it. Null: an exception is set.
ISTHMUS_ALWAYS_INLINE inline PyObject* finish(coroutine_object& self, frame& f,
                                              traceback_recorder& traceback) noexcept {
    if (f.failed) [[unlikely]] {
        finish_failed(self, f, f.take_error(), traceback);
        return nullptr;
    }
    PyObject* result = nullptr;
    try {
        result = self.operations->take_result(f, self);
    } catch (...) {
        const std::exception_ptr error = isthmus::detail::current_error();
        traceback.leaves(f, error);
        finish_failed(self, f, error, traceback);
        return nullptr;
    }
    isthmus::detail::destroy_finished(f);
    self.more.drop_keep_alive();
    return result;
}

/// What a generator has yielded: PYGEN_NEXT, or PYGEN_ERROR if it cannot be converted. It counts as running meanwhile.
ISTHMUS_NOINLINE inline PySendResult settle_yield(coroutine_object& self, frame& f, activation& step,
                                                  PyObject** result) noexcept {
    const isthmus::detail::at_rest afterwards{f, step};
    try {
        *result =
            step.yielded == &step.none_yielded ? Py_NewRef(Py_None) : self.operations->take_yielded(step.yielded, self);
    } catch (...) {
        set_from_exception(isthmus::detail::current_error(), self.operations->translate);
        *result = nullptr;
    }
    return *result != nullptr ? PYGEN_NEXT : PYGEN_ERROR;
}

/// Nothing was resumed: the error that is the driver's.
ISTHMUS_COLD ISTHMUS_NOINLINE inline PySendResult settle_refused(activation& step) noexcept {
    set_from_exception(step.leaf->take_error(), nullptr);
    return PYGEN_ERROR;
}

/// What a step has given: what was yielded or returned, or an exception that is set.
ISTHMUS_ALWAYS_INLINE inline PySendResult settle(coroutine_object& self, frame& f, activation& step,
                                                 traceback_recorder& traceback, PyObject** result) noexcept {
    if (step.yielded == nullptr) {
        *result = finish(self, f, traceback);
        return *result != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
    }
    if (f.kind == frame_kind::generator) {
        return settle_yield(self, f, step, result);
    }
    { const isthmus::detail::at_rest at_once{f, step}; }
    if (step.yielded == &step.refused) [[unlikely]] {
        *result = nullptr;
        return settle_refused(step);
    }
    PyObject* const yielded =
        step.yielded != &step.none_yielded ? static_cast<object*>(step.yielded)->release() : nullptr;
    *result = yielded != nullptr ? yielded : Py_NewRef(Py_None);
    return PYGEN_NEXT;
}
ISTHMUS_ALWAYS_INLINE inline PySendResult settle(coroutine_object& self, frame& f, traced_step& step,
                                                 PyObject** result) noexcept {
    return settle(self, f, step, step.traceback, result);
}

/// The same, as a call: for steps that are no loop's everyday.
ISTHMUS_NOINLINE inline PySendResult settle_by_call(coroutine_object& self, frame& f, activation& step,
                                                    traceback_recorder& traceback, PyObject** result) noexcept {
    return settle(self, f, step, traceback, result);
}

/// What a step has given that was to close the coroutine (6). A new reference, or null with an exception set.
inline PyObject* settle_closed(coroutine_object& self, frame& f, activation& step,
                               traceback_recorder& traceback) noexcept {
    PyObject* result = nullptr;
    switch (settle_by_call(self, f, step, traceback, &result)) {
    case PYGEN_NEXT:
        Py_DECREF(result);
        set_misuse(misuse::ignored_generator_exit, self.operations->kind);
        return nullptr;
    case PYGEN_RETURN:
        if (PY_VERSION_HEX >= 0x030D0000) { // 6.3
            return result;
        }
        Py_DECREF(result);
        break;
    case PYGEN_ERROR:
        if (!PyErr_ExceptionMatches(PyExc_GeneratorExit)) {
            return nullptr;
        }
        PyErr_Clear();
        break;
    }
    Py_RETURN_NONE;
}

/// What every entry from Python begins with and ends with: the object outlives the step.
class entry {
public:
    explicit entry(coroutine_object& self) noexcept : self_{Py_NewRef(self.python())} {
        deferred_references::drain();
        turn_.take(self.whose_turn);
    }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;

    /// Whether no other thread drives the coroutine, so that its frames may be looked at.
    bool granted() const noexcept { return turn_.granted(); }
    /// begin(), with the exception set if it was refused.
    bool begin(activation& step) const noexcept {
        const coroutine_object& self = *coroutine_object::of(self_.held);
        frame* root = nullptr;
        const misuse refused =
            granted() ? isthmus::detail::begin(self.root, step, traced_step::driver, root) : misuse::already_executing;
        if (refused != misuse::none) [[unlikely]] {
            set_misuse(refused, self.operations->kind);
        }
        return refused == misuse::none;
    }

private:
    struct reference {
        PyObject* held;
        ~reference() { Py_DECREF(held); }
    };
    reference self_; // is let go of after the turn, which is in the object
    [[no_unique_address]] turn::driving turn_;
};

/// send() as am_send has it (2, 14.1).
ISTHMUS_ALWAYS_INLINE inline PySendResult send(PyObject* object_self, PyObject* value, PyObject** result) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self);
    traced_step step;
    if (!entered.begin(step)) {
        *result = nullptr;
        return PYGEN_ERROR;
    }
    frame& f = *self.root;
    object sent;
    if (value != Py_None) {
        if (f.created()) {
            set_misuse(misuse::send_to_unstarted);
            *result = nullptr;
            return PYGEN_ERROR;
        }
        sent = object::borrow(value);
        step.sent = &sent;
    }
    isthmus::detail::run_step(f, step, step.driver);
    return settle(self, f, step, result);
}

/// The same, as a call.
ISTHMUS_NOINLINE inline PySendResult am_send(PyObject* self, PyObject* value, PyObject** result) noexcept {
    return send(self, value, result);
}

/// What is sent to a generator, converted; null for None. False, with the exception set, if it is refused.
inline bool convert_sent(const coroutine_object& self, const entry& entered, PyObject* value,
                         std::shared_ptr<void>& sent) noexcept {
    if (value == Py_None) {
        return true;
    }
    {
        activation looked_at; // misuse comes before the conversion, which may run Python code
        if (!entered.begin(looked_at)) {
            return false;
        }
        if (self.root->created()) {
            set_misuse(misuse::send_to_unstarted, frame_kind::generator);
            return false;
        }
    }
    try {
        sent = self.operations->convert_sent(object::borrow(value));
        return true;
    } catch (...) {
        set_from_exception(isthmus::detail::current_error(), self.operations->translate);
        return false;
    }
}

/// send() to a generator: a finished one returns None, whatever is sent (15.7).
inline PySendResult send_to_generator(PyObject* object_self, PyObject* value, PyObject** result) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self);
    *result = nullptr;
    std::shared_ptr<void> sent;
    const bool driven_elsewhere = !entered.granted();
    if (!driven_elsewhere && self.root != nullptr && !convert_sent(self, entered, value, sent)) {
        return PYGEN_ERROR;
    }
    if (!driven_elsewhere && self.root == nullptr) {
        *result = Py_NewRef(Py_None);
        return PYGEN_RETURN;
    }
    traced_step step;
    if (!entered.begin(step)) {
        return PYGEN_ERROR;
    }
    if (!sent && !self.root->created() && !self.operations->accepts_none) {
        set_misuse(misuse::missing_value, frame_kind::generator);
        return PYGEN_ERROR;
    }
    step.sent = sent.get();
    frame& f = *self.root;
    isthmus::detail::run_step(f, step, step.driver);
    return settle(self, f, step, result);
}

/// throw() of an exception instance (5). A finished generator raises it (15.7).
inline PySendResult throw_(PyObject* object_self, object exception, PyObject** result) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self);
    traced_step step;
    *result = nullptr;
    if (entered.granted() && self.root == nullptr && self.is_generator()) {
        set_raised(std::move(exception));
        return PYGEN_ERROR;
    }
    if (!entered.begin(step)) {
        return PYGEN_ERROR;
    }
    frame& f = *self.root;
    if (f.created()) {
        isthmus::detail::destroy_unstarted(f, step);
        self.more.drop_keep_alive();
        add_traceback_entry(exception.ptr(), self.where, 0); // 5.8
        set_raised(std::move(exception));
        convert_stop_iteration(self.operations->kind);
        return PYGEN_ERROR;
    }
    const std::exception_ptr error = to_exception_ptr(std::move(exception));
    isthmus::detail::throw_step(f, step, step.driver, error);
    return settle_by_call(self, f, step, step.traceback, result);
}

/// close() (6). A new reference, or null with an exception set.
inline PyObject* close(PyObject* object_self, PyObject* = nullptr) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    const entry entered(self); // first: what it drops may run Python code, which may close this one
    if (!entered.granted()) {
        set_misuse(misuse::already_executing, self.operations->kind);
        return nullptr;
    }
    if (self.root == nullptr) {
        Py_RETURN_NONE;
    }
    if (self.root->created()) {
        isthmus::detail::destroy(*self.root);
        self.more.drop_keep_alive();
        Py_RETURN_NONE;
    }
    traced_step step;
    if (!entered.begin(step)) {
        return nullptr;
    }
    frame& f = *self.root;
    isthmus::detail::throw_step(f, step, step.driver, std::make_exception_ptr(generator_exit()));
    return settle_closed(self, f, step, step.traceback);
}

} // namespace isthmus::inline v1::py::detail
