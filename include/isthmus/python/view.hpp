// isthmus/python/view.hpp — what is seen of a chain of C++ coroutines, and the views of those that are no Python
// objects. SPDX-License-Identifier: MIT
#pragma once

#include "drive.hpp"

#include <cstdint>
#include <new>
#include <source_location>
#include <utility>
#if defined(Py_GIL_DISABLED)
#include <cstddef>
#include <exception>
#include <memory>
#include <vector>
#endif

namespace isthmus::inline v1::py::detail {

#if defined(Py_GIL_DISABLED)
/// What was seen of one C++ coroutine below a Python object.
struct seen_level {
    std::source_location where;
    coroutine_state state;
    std::uint32_t line;
};
/// The rest of a chain: the C++ coroutines from `next` on, and the Python object that the last one of them awaits.
struct seen_chain {
    std::shared_ptr<const std::vector<seen_level>> levels{};
    std::size_t next = 0;
    object end{};
};
#endif

/// One C++ coroutine of an await chain, as it is when one of its attributes is read: that some tool might ask costs a
/// coroutine nothing.
struct chain_level {
    PyObject* shown_by; ///< the Python object that has the attributes
    const std::source_location& where;
    coroutine_state state = coroutine_state::closed;
    std::uint32_t line = 0;         ///< that it came to last; 0 before the start
    frame* awaited_frame = nullptr; ///< what it awaits, if that is a C++ coroutine
    object awaited{};               ///< if it is a Python object
#if defined(Py_GIL_DISABLED)
    seen_chain below{}; ///< in the place of `awaited_frame`, for when that cannot be looked at any more
#endif

    /// Nothing of Python is called here.
    ISTHMUS_COLD void look_at(frame* f) noexcept {
        state = isthmus::detail::state_of(f);
        if (f == nullptr) {
            return;
        }
        line = f->line;
        if (state == coroutine_state::suspended && f->awaiting != nullptr) {
            awaited_frame = f->awaiting->awaited_frame();
            awaited = object::borrow(static_cast<PyObject*>(f->awaiting->awaited_object()));
        }
    }
    inline void look_below() noexcept;
};

/// The state of this interpreter; null with an exception set if it cannot be made.
ISTHMUS_COLD inline interpreter_state* state_or_null() noexcept {
    try {
        return &interpreter_state::get();
    } catch (...) {
        set_from_exception(isthmus::detail::current_error(), nullptr);
        return nullptr;
    }
}

#if !defined(Py_GIL_DISABLED)

inline void chain_level::look_below() noexcept {} // views look for themselves

/// Stands among those who await a frame, and awaits nothing: so it learns when the frame is gone.
struct frame_observer final : native_link {
    explicit frame_observer(PyObject* of) noexcept
        : native_link(isthmus::detail::frame_kind::coroutine, misuse::none), view(of) {}

    ISTHMUS_COLD void observe(frame& target) noexcept {
        const isthmus::detail::chain_lock lock;
        child = &target;
        native_link*& place = target.up != nullptr ? target.up->next : target.up; // the first may be the attached one
        next = std::exchange(place, this);
    }
    /// The view whose observer `target` has; null if there is none. Borrowed.
    ISTHMUS_COLD static PyObject* find(const frame& target) noexcept {
        const isthmus::detail::chain_lock lock;
        void* found = nullptr;
        for (const native_link* link = target.up; link != nullptr && found == nullptr; link = link->next) {
            found = link->awaited_object();
        }
        return static_cast<PyObject*>(found);
    }
    void* awaited_object() const noexcept override { return view; }

    PyObject* view;
};

/// What `cr_await` gives for a C++ coroutine that is no Python object: it has the attributes, and nothing else. It
/// keeps nothing alive; when the coroutine has ended, it is CORO_CLOSED.
struct view_object {
    PyObject_HEAD
    frame_observer observer;
    std::source_location where;

    static view_object* of(PyObject* self) noexcept { return reinterpret_cast<view_object*>(self); }
};

ISTHMUS_COLD inline chain_level level_of_view(PyObject* self) noexcept {
    const view_object& view = *view_object::of(self);
    chain_level level{self, view.where};
    level.look_at(view.observer.child);
    return level;
}

/// The view of what `level` awaits, if that is a C++ coroutine: the one that there is, or a new one. Null, with or
/// without an exception set, if there is none.
ISTHMUS_COLD inline PyObject* view_below(const chain_level& level) noexcept {
    if (level.awaited_frame == nullptr) {
        return nullptr;
    }
    frame& target = *level.awaited_frame;
    if (PyObject* const view = frame_observer::find(target)) {
        return Py_NewRef(view);
    }
    interpreter_state* const state = state_or_null();
    auto* const made = state != nullptr ? PyObject_New(view_object, state->view_type) : nullptr;
    if (made != nullptr) {
        auto* const self = reinterpret_cast<PyObject*>(made);
        ::new (static_cast<void*>(&made->observer)) frame_observer(self);
        ::new (static_cast<void*>(&made->where)) std::source_location(target.where);
        made->observer.observe(target);
    }
    return reinterpret_cast<PyObject*>(made);
}

inline constexpr unsigned view_flags = Py_TPFLAGS_DEFAULT;

ISTHMUS_COLD inline void deallocate_view(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    view_object::of(self)->observer.~frame_observer();
    type->tp_free(self);
    Py_DECREF(type);
}

#else

/// The rest of the chain is seen in the same moment, while no other thread can drive it.
ISTHMUS_COLD inline void chain_level::look_below() noexcept {
    try {
        std::vector<seen_level> seen;
        for (frame* f = awaited_frame; f != nullptr;) {
            chain_level level{nullptr, f->where};
            level.look_at(f);
            seen.push_back({f->where, level.state, level.line});
            below.end = std::move(level.awaited);
            f = level.awaited_frame;
        }
        below.levels = std::make_shared<const std::vector<seen_level>>(std::move(seen));
    } catch (const std::exception&) { // without memory, it awaits nothing
        below.levels = nullptr;
    }
}

/// What `cr_await` gives for a C++ coroutine that is no Python object: it has the attributes, and nothing else. With a
/// GIL a view looks at its coroutine. Without one it could not know who drives that, so it is what was seen of the
/// coroutine when the view was asked for.
struct view_object {
    PyObject_HEAD
    std::source_location where;
    coroutine_state state;
    std::uint32_t line;
    seen_chain below;

    static view_object* of(PyObject* self) noexcept { return reinterpret_cast<view_object*>(self); }
};

ISTHMUS_COLD inline chain_level level_of_view(PyObject* self) noexcept {
    const view_object& view = *view_object::of(self);
    chain_level level{self, view.where};
    level.state = view.state;
    level.line = view.line;
    level.below = view.below;
    if (view.below.next == view.below.levels->size()) {
        level.awaited = view.below.end;
    }
    return level;
}

/// The view of what `level` awaits, if that is a C++ coroutine. Null, with or without an exception set, if it is not.
ISTHMUS_COLD inline PyObject* view_below(const chain_level& level) noexcept {
    const seen_chain& below = level.below;
    interpreter_state* const state =
        below.levels != nullptr && below.next < below.levels->size() ? state_or_null() : nullptr;
    auto* const made = state != nullptr ? PyObject_GC_New(view_object, state->view_type) : nullptr;
    if (made != nullptr) {
        const seen_level& seen = (*below.levels)[below.next];
        ::new (static_cast<void*>(&made->where)) std::source_location(seen.where);
        made->state = seen.state;
        made->line = seen.line;
        ::new (static_cast<void*>(&made->below)) seen_chain{below.levels, below.next + 1, below.end};
        PyObject_GC_Track(made);
    }
    return reinterpret_cast<PyObject*>(made);
}

inline constexpr unsigned view_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC;

inline int traverse_view(PyObject* self, visitproc visit, void* arg) noexcept {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(view_object::of(self)->below.end.ptr());
    return 0;
}

ISTHMUS_COLD inline void deallocate_view(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    view_object::of(self)->below.~seen_chain();
    type->tp_free(self);
    Py_DECREF(type);
}

#endif

} // namespace isthmus::inline v1::py::detail
