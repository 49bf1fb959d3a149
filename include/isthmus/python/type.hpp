// isthmus/python/type.hpp — the Python types: finalisation, garbage collection, and how they are made.
// SPDX-License-Identifier: MIT
#pragma once

#include "introspection.hpp"
#include "visible.hpp"

#include <cstddef>
#include <memory>
#include <new>
#include <utility>
#if PY_VERSION_HEX < 0x030C0000
#include <structmember.h>
#endif

namespace isthmus::inline v1::py::detail {

/// The RuntimeWarning of a coroutine that dies before it was started, through the hook that adds the origin and that
/// others replace; if there is none, or it fails other than by a filter that makes the warning an error, the plain
/// warning (11.6, 11.7).
ISTHMUS_COLD inline void warn_never_awaited(PyObject* self) noexcept {
    bool warned = false;
    const object warnings = object::steal(PyImport_ImportModule("warnings"));
    const object hook =
        object::steal(warnings ? PyObject_GetAttrString(warnings.ptr(), "_warn_unawaited_coroutine") : nullptr);
    if (hook) {
        const object result = object::steal(PyObject_CallOneArg(hook.ptr(), self));
        warned = result || PyErr_ExceptionMatches(PyExc_RuntimeWarning);
    } else if (PyErr_ExceptionMatches(warnings ? PyExc_AttributeError : PyExc_ImportError)) {
        PyErr_Clear();
    }
    if (PyErr_Occurred()) {
        write_unraisable(unraisable_in_finalizing, self);
    }
    if (!warned) {
        const object qualname = object::steal(get_qualname(self));
        if (!qualname ||
            PyErr_WarnFormat(PyExc_RuntimeWarning, 1, "coroutine '%S' was never awaited", qualname.ptr()) < 0) {
            write_unraisable(unraisable_in_finalizing, self);
        }
    }
}

/// PEP 442: a suspended one that dies is closed, and a coroutine that never started warns (11.1, 11.9, 12.1, 12.3,
/// 12.4).
inline void finalize(PyObject* self) noexcept {
    coroutine_object::of(self)->more.note_finalized();
    const frame* const root = coroutine_object::of(self)->root;
    if (root == nullptr) {
        return;
    }
    const saved_error outer;
    if (root->created()) {
        if (!coroutine_object::of(self)->is_generator()) {
            warn_never_awaited(self);
        }
    } else if (const object closed = object::steal(close(self)); !closed) {
        write_unraisable(unraisable_in_closing, self);
    }
}

/// The frames of a coroutine object that died before what they wait for can end, and what they need.
struct left_behind {
    left_behind(frame& of, object self) noexcept : keep_alive(std::move(self)), root(&of) {}
    static void destroy(PyObject* capsule) noexcept {
        const std::unique_ptr<left_behind> left(static_cast<left_behind*>(PyCapsule_GetPointer(capsule, nullptr)));
        isthmus::detail::discard(left->root);
    }
    object keep_alive;
    frame* root;
};

/// Leaves the frames of `self` to what they wait for, if that outlasts it. It drops them on any thread, as an object.
inline bool leave_behind(const coroutine_object& self, frame& root) noexcept {
    isthmus::detail::delegate* const awaited = isthmus::detail::awaited_at_end(root);
    if (!isthmus::detail::outlasted_by(awaited)) {
        return false;
    }
    if (root.attached()) {
        isthmus::detail::detach(root);
    }
    isthmus::detail::cut_off(root);
    auto* const left = new (std::nothrow) left_behind(root, object::borrow(self.more.keep_alive()));
    PyObject* const owner = left != nullptr ? PyCapsule_New(left, nullptr, left_behind::destroy) : nullptr;
    if (owner != nullptr) {
        awaited->keep({owner, [](void* what) noexcept { object::steal(static_cast<PyObject*>(what)).reset(); }});
    } else { // they are better never destroyed than too early
        PyErr_Clear();
    }
    return true;
}

ISTHMUS_NOINLINE inline int clear(PyObject* object_self) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    if (frame* const root = std::exchange(self.root, nullptr)) {
        const saved_error outer; // destructors run
        root->owner = nullptr;
        if (!leave_behind(self, *root)) {
            isthmus::detail::discard(root);
        }
    }
    self.more.clear();
    return 0;
}

/// The next level of a chain, null where that is of another Python object, which shows the collector what it holds.
inline const frame* next_of_object(const frame& level) noexcept {
    const frame* const next = level.awaiting != nullptr ? level.awaiting->next_level() : nullptr;
    return next != nullptr && !next->up->translates() ? next : nullptr;
}

/// Whether what the frames of a Python object hold may change under our eyes: those of a running chain, unless the one
/// that runs is of another object further on, of which this one knows by itself.
inline bool is_changing(frame& root) noexcept {
    if (root.attached()) {
        const frame* last = &root;
        while (const frame* const next = next_of_object(*last)) {
            last = next;
        }
        if (last->awaiting != nullptr && last->awaiting->next_level() != nullptr) {
            return false;
        }
    }
    return isthmus::detail::is_running(root);
}

/// Shows the collector what the frames of a Python object hold: each frame's py::visible variables, and what the last
/// one awaits.
inline int traverse_frames(const frame& root, visitproc visit, void* arg) noexcept {
    struct context {
        visitproc visit;
        void* arg;
        int result;
    } visited{visit, arg, 0};
    const auto show = [](void* held, void* to) {
        auto& collector = *static_cast<context*>(to);
        if (held != nullptr && collector.result == 0) {
            collector.result = collector.visit(static_cast<PyObject*>(held), collector.arg);
        }
    };
    for (const frame* level = &root; level != nullptr; level = next_of_object(*level)) {
        if (level->noted) {
            static_cast<const isthmus::detail::noted_frame<object>*>(level)->notes.visit(show, &visited);
        }
        if (level->awaiting != nullptr) {
            level->awaiting->visit(show, &visited);
        }
    }
    return visited.result;
}

/// Reports what is certainly owned: never too much, since that would make the collector clear what is alive. What a
/// running chain holds changes under our eyes, so nothing of it is reported. O(levels), of this object unless it is the
/// last one of a chain.
inline int traverse(PyObject* object_self, visitproc visit, void* arg) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    Py_VISIT(Py_TYPE(object_self));
    if (const int stopped = self.more.traverse(visit, arg); stopped != 0) {
        return stopped;
    }
    const turn::looking look(self.whose_turn);
    if (look.elsewhere() || self.root == nullptr || self.root->created() || is_changing(*self.root)) {
        return 0;
    }
    return traverse_frames(*self.root, visit, arg);
}

/// Finalises what has not ended. True if it was resurrected.
ISTHMUS_NOINLINE inline bool finalize_in_deallocation(PyObject* self) noexcept {
    PyObject_GC_Track(self);
    if (PyObject_CallFinalizerFromDealloc(self) != 0) {
        return true;
    }
    PyObject_GC_UnTrack(self);
    return false;
}

/// Weak references die, and their callbacks run, before the body's cleanup (12.2).
inline void deallocate(PyObject* object_self) noexcept {
    coroutine_object& self = *coroutine_object::of(object_self);
    PyObject_GC_UnTrack(object_self);
    if (self.weak_references != nullptr) [[unlikely]] {
        PyObject_ClearWeakRefs(object_self);
    }
    if (self.root != nullptr && finalize_in_deallocation(object_self)) [[unlikely]] {
        return;
    }
    // Mostly it has ended, and never had a name of its own, an origin or an owner.
    if (self.root != nullptr || !self.more.empty()) [[unlikely]] {
        clear(object_self);
    }
    release_stop_iteration(object_self);
    deallocate_memory(object_self);
}

inline void deallocate_iterator(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    Py_CLEAR(reinterpret_cast<iterator_object*>(self)->coroutine);
    type->tp_free(self);
    Py_DECREF(type);
}

#if PY_VERSION_HEX >= 0x030C0000
inline constexpr int member_size_type = Py_T_PYSSIZET;
inline constexpr int member_read_only = Py_READONLY;
#else
inline constexpr int member_size_type = T_PYSSIZET;
inline constexpr int member_read_only = READONLY;
#endif

template <class = void>
inline PyMemberDef coroutine_members[] = {
    {"__weaklistoffset__", member_size_type, offsetof(coroutine_object, weak_references), member_read_only, nullptr},
    {nullptr, 0, 0, 0, nullptr},
};

inline constexpr unsigned type_flags =
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE;

template <class Function>
void* slot(Function* function) noexcept {
    return reinterpret_cast<void*>(function);
}

ISTHMUS_COLD inline bool interpreter_state::make_types() {
    // A failed slot in this table would be a bug of ours; PyType_FromSpec reports it.
    PyType_Slot coroutine_slots[] = {
        {Py_am_await, slot(am_await)},
        {Py_am_send, slot(am_send)},
        {Py_tp_methods, coroutine_methods<>},
        {Py_tp_getset, coroutine_attributes<>},
        {Py_tp_members, coroutine_members<>},
        {Py_tp_repr, slot(repr)},
        {Py_tp_finalize, slot(finalize)},
        {Py_tp_traverse, slot(traverse)},
        {Py_tp_clear, slot(clear)},
        {Py_tp_dealloc, slot(deallocate)},
        {0, nullptr},
    };
    PyType_Slot iterator_slots[] = {
        {Py_tp_doc, const_cast<char*>("A wrapper object implementing __await__ for coroutines.")},
        {Py_tp_iter, slot(PyObject_SelfIter)},
        {Py_tp_iternext, slot(+[](PyObject* self) { return next_of_held(iterator_object::target(self)); })},
        {Py_tp_methods, iterator_methods<>},
        {Py_tp_getset, iterator_attributes<>},
        {Py_tp_traverse, slot(+[](PyObject* self, visitproc visit, void* arg) -> int {
             Py_VISIT(Py_TYPE(self));
             Py_VISIT(iterator_object::target(self));
             return 0;
         })},
        {Py_tp_dealloc, slot(deallocate_iterator)},
        {0, nullptr},
    };
    PyType_Spec coroutine_spec{"isthmus.coroutine", sizeof(coroutine_object), 0, type_flags, coroutine_slots};
    PyType_Spec iterator_spec{"isthmus.coroutine_wrapper", sizeof(iterator_object), 0, type_flags, iterator_slots};
    coroutine_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&coroutine_spec));
    iterator_type = reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&iterator_spec));
    view_type = make_view_type();
    if (coroutine_type == nullptr || iterator_type == nullptr || view_type == nullptr) {
        return false;
    }
    // Set now, it makes the coroutine an await-iterator without a __next__ method, so that it stays no iterable (14.6).
    coroutine_type->tp_iternext = next;
    // Messages of the interpreter print tp_name (7.13).
    coroutine_type->tp_name = "coroutine";
    iterator_type->tp_name = "coroutine_wrapper";
    return true;
}

} // namespace isthmus::inline v1::py::detail
