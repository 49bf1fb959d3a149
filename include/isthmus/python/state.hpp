// isthmus/python/state.hpp — what Isthmus keeps per interpreter, shared by all extension modules of one ABI.
// SPDX-License-Identifier: MIT
#pragma once

#include "error.hpp"

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cxxabi.h>
#include <source_location>
#include <unistd.h>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// Two modules share the Python types only if everything that crosses between them has one layout: that of the frames,
/// delegates, steps and objects here, whose number in the tag rises with each change of theirs, the compiler's ABI, and
/// the standard library. It never depends on NDEBUG.
#define ISTHMUS_TO_TEXT_(x) #x
#define ISTHMUS_TO_TEXT(x) ISTHMUS_TO_TEXT_(x)
#if defined(_LIBCPP_ABI_VERSION)
#define ISTHMUS_STANDARD_LIBRARY "libc++" ISTHMUS_TO_TEXT(_LIBCPP_ABI_VERSION)
#elif defined(_GLIBCXX_USE_CXX11_ABI)
#define ISTHMUS_STANDARD_LIBRARY "libstdc++" ISTHMUS_TO_TEXT(_GLIBCXX_USE_CXX11_ABI)
#else
#define ISTHMUS_STANDARD_LIBRARY "other"
#endif
#if ISTHMUS_CHECK_THREADS
#define ISTHMUS_CHECKED ".checked"
#else
#define ISTHMUS_CHECKED ""
#endif
inline constexpr const char* abi_tag =
    "isthmus.v1.layout8." ISTHMUS_STANDARD_LIBRARY ".cxxabi" ISTHMUS_TO_TEXT(__GXX_ABI_VERSION) ISTHMUS_CHECKED;

/// The state of this thread, which must hold the GIL.
inline PyThreadState& this_thread() noexcept {
    check_gil("making a coroutine object, or waiting on an event loop,");
    return *PyThreadState_Get();
}

class thread_pool;

/// Of stop_iteration.hpp: one to be raised again, and the coroutine object that has raised it.
struct kept_stop_iteration {
    PyStopIterationObject* exception = nullptr;
    PyObject* holder = nullptr;
};

/// One per interpreter and ABI tag, found through a capsule in the interpreter's dictionary. Made by the first module
/// that needs it, and never freed: a cached pointer to it stays valid when the interpreter is gone.
struct interpreter_state {
    PyInterpreterState* interpreter = nullptr;
    bool alive = true;
    PyTypeObject* coroutine_type = nullptr;
    PyTypeObject* iterator_type = nullptr; ///< of c.__await__(): CPython's coroutine_wrapper
    PyTypeObject* view_type = nullptr;     ///< of view.hpp
    PyObject* function_types = nullptr;    ///< of function.hpp: its types, by their names
    PyObject* throw_ = nullptr;
    PyObject* close = nullptr;
    PyObject* cr_await = nullptr;
    PyObject* gi_code = nullptr;
    PyObject* create_future = nullptr;
    PyObject* done = nullptr;
    PyObject* set_result = nullptr;
    PyObject* sniffio_name = nullptr;
    PyObject* thread_local_name = nullptr;
    PyObject* current_async_library_cvar = nullptr;
    PyObject* name = nullptr;
    deferred_references::queue deferred{nullptr};
    std::atomic<PyObject*> get_running_loop{nullptr}; ///< of event_loop.hpp: asyncio's function, which raises nothing
    std::atomic<PyObject*> sniffio{nullptr};          ///< of event_loop.hpp: the module
    std::atomic<PyObject*> queues{nullptr};           ///< of loop.hpp: the event loops that are known, and their queues
    std::atomic<thread_pool*> pool{nullptr};          ///< of pool.hpp
    std::atomic<PyObject*> trio{nullptr};             ///< of trio.hpp: the module trio.lowlevel
    std::atomic<PyObject*> code_template{nullptr};    ///< of code.hpp: the code object that the others are made from
    std::atomic<PyObject*> places{nullptr};           ///< of code.hpp: what was made of it, by the place in C++
    std::atomic<PyObject*> make_model{nullptr};       ///< of model.hpp: a Python function
    std::atomic<PyObject*> generator_type{nullptr};   ///< of generator_members.hpp
    std::atomic<PyObject*> body_type{nullptr};        ///< of native.hpp
    std::atomic<PyObject*> native_code{nullptr};      ///< of native.hpp: of the functions below
    struct {
        std::source_location where;
        PyObject* function = nullptr;
    } native_functions[64]; ///< of native.hpp: functions whose coroutines await those of a C++ function

#if !defined(Py_GIL_DISABLED)
    PyObject* free_objects[32] = {}; ///< of drive.hpp: memory of coroutine objects, to be used again
    std::size_t free_count = 0;
    kept_stop_iteration stop_iteration;
#endif

    /// The state of the current interpreter. Needs its GIL. Throws what Python raises when it cannot be made. O(1).
    static interpreter_state& get() { return of(this_thread()); }
    /// The same for whoever has this_thread() already.
    static interpreter_state& of(const PyThreadState& thread);

private:
    /// What a module has found of `interpreter`, or of none or of one whose place in a small table is the same.
    static std::atomic<interpreter_state*>& found(const PyInterpreterState* interpreter) noexcept;
    /// Keeps in `place` the state that the dictionary of the current interpreter has, made if there is none.
    static interpreter_state& find_for(std::atomic<interpreter_state*>& place);
    static interpreter_state* find();
    /// Makes the types. False with an exception set if that fails. In type.hpp.
    bool make_types();
};

struct interned {
    PyObject* interpreter_state::* field;
    const char* text;
};
inline constexpr interned interned_names[] = {
    {&interpreter_state::throw_, "throw"},
    {&interpreter_state::close, "close"},
    {&interpreter_state::cr_await, "cr_await"},
    {&interpreter_state::gi_code, "gi_code"},
    {&interpreter_state::create_future, "create_future"},
    {&interpreter_state::done, "done"},
    {&interpreter_state::set_result, "set_result"},
    {&interpreter_state::sniffio_name, "sniffio"},
    {&interpreter_state::thread_local_name, "thread_local"},
    {&interpreter_state::current_async_library_cvar, "current_async_library_cvar"},
    {&interpreter_state::name, "name"},
};

ISTHMUS_COLD inline interpreter_state* interpreter_state::find() {
    PyObject* const dictionary = PyInterpreterState_GetDict(PyInterpreterState_Get());
    if (dictionary == nullptr) {
        throw error(PyExc_RuntimeError, "isthmus: the interpreter has no dictionary (is it shutting down?)");
    }
    const object key = checked(PyUnicode_FromString(abi_tag));
    if (PyObject* const found = PyDict_GetItemWithError(dictionary, key.ptr())) {
        return static_cast<interpreter_state*>(PyCapsule_GetPointer(found, abi_tag));
    }
    if (PyErr_Occurred()) {
        throw_raised();
    }
    auto* const state = new interpreter_state;
    state->interpreter = PyInterpreterState_Get();
    // The capsule dies late, after ordinary objects; then the interpreter itself is about to go.
    const object capsule = checked(PyCapsule_New(state, abi_tag, [](PyObject* dying) ISTHMUS_COLD {
        auto* const owned = static_cast<interpreter_state*>(PyCapsule_GetPointer(dying, abi_tag));
        owned->alive = false;
#if !defined(Py_GIL_DISABLED)
        while (owned->free_count != 0) {
            PyObject_GC_Del(owned->free_objects[--owned->free_count]);
        }
        Py_XDECREF(std::exchange(owned->stop_iteration.exception, nullptr));
#endif
        Py_XDECREF(owned->queues.exchange(nullptr));
        Py_XDECREF(owned->get_running_loop.exchange(nullptr));
        Py_XDECREF(owned->sniffio.exchange(nullptr));
        Py_XDECREF(owned->trio.exchange(nullptr));
        Py_XDECREF(owned->code_template.exchange(nullptr));
        Py_XDECREF(owned->places.exchange(nullptr));
        Py_XDECREF(owned->make_model.exchange(nullptr));
        Py_XDECREF(owned->generator_type.exchange(nullptr));
        Py_XDECREF(owned->body_type.exchange(nullptr));
        Py_XDECREF(owned->native_code.exchange(nullptr));
        for (auto& cached : owned->native_functions) {
            Py_CLEAR(cached.function);
        }
        for (const interned& name : interned_names) {
            Py_CLEAR(owned->*name.field);
        }
        for (PyTypeObject** const type : {&owned->coroutine_type, &owned->iterator_type, &owned->view_type}) {
            Py_CLEAR(*type);
        }
        Py_CLEAR(owned->function_types);
    }));
    state->function_types = checked(PyDict_New()).release();
    for (const interned& name : interned_names) {
        state->*name.field = checked(PyUnicode_InternFromString(name.text)).release();
    }
    // While the types were made, another thread may have done the same.
    PyObject* const shared = state->make_types() ? PyDict_SetDefault(dictionary, key.ptr(), capsule.ptr()) : nullptr;
    if (shared == nullptr) {
        throw_raised();
    }
    return static_cast<interpreter_state*>(PyCapsule_GetPointer(shared, abi_tag));
}

/// Looking in the dictionary takes 50 ns, so each module keeps what it has found. Interpreters with GILs of their own
/// do so at the same time: each has its place in a small table, unless two of them fall on the same.
inline std::atomic<interpreter_state*>& interpreter_state::found(const PyInterpreterState* interpreter) noexcept {
    static constexpr unsigned bits = 4;
    static constinit std::atomic<interpreter_state*> table[1U << bits] = {};
    const std::uint64_t spread = (reinterpret_cast<std::uintptr_t>(interpreter) >> 4) * 0x9E37'79B9'7F4A'7C15U;
    return table[spread >> (64 - bits)];
}

ISTHMUS_COLD ISTHMUS_NOINLINE inline interpreter_state&
interpreter_state::find_for(std::atomic<interpreter_state*>& place) {
    interpreter_state* const state = find();
    deferred_references::use(state->interpreter, state->deferred);
    place.store(state, std::memory_order_release);
    return *state;
}

inline interpreter_state& interpreter_state::of(const PyThreadState& thread) {
    std::atomic<interpreter_state*>& place = found(thread.interp);
    interpreter_state* const state = place.load(std::memory_order_acquire);
    if (state == nullptr || state->interpreter != thread.interp || !state->alive) [[unlikely]] {
        return find_for(place);
    }
    return *state;
}

/// Calls into Python from under C++ frames. Up to CPython 3.13, a daemon thread that wants the GIL while the
/// interpreter finalises is ended by pthread_exit, which glibc does by unwinding: destructors would run without the
/// GIL, and the first noexcept function would terminate the process. So the thread stops here for good, as CPython 3.14
/// does it.
template <class Call>
#if defined(__GNUC__)
__attribute__((no_sanitize("null"))) // a forced unwind has no exception object, so the handler's reference binds to
                                     // null
#endif
                                     auto
                                     into_python(Call call) noexcept {
#if PY_VERSION_HEX < 0x030E0000 && defined(__GLIBCXX__)
    try {
        return call();
    } catch (const abi::__forced_unwind&) {
        while (true) {
            ::pause();
        }
    }
#else
    return call();
#endif
}

/// Gives the current exception to sys.unraisablehook: up to CPython 3.13 with the object that it is about, later with
/// this text, in which %R is that object (11.6, 12.3).
ISTHMUS_COLD inline void write_unraisable([[maybe_unused]] const char* text, PyObject* about) noexcept {
#if PY_VERSION_HEX >= 0x030E0000
    PyErr_FormatUnraisable(text, about);
#else
    PyErr_WriteUnraisable(about);
#endif
}
inline constexpr const char* unraisable_in_closing = "Exception ignored while closing generator %R";
inline constexpr const char* unraisable_in_finalizing = "Exception ignored while finalizing coroutine %R";

/// A new reference to the value of a key; null, with or without an exception set, if there is none.
inline object find_item(PyObject* dictionary, PyObject* key) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* found = nullptr;
    PyDict_GetItemRef(dictionary, key, &found);
    return object::steal(found);
#else
    return object::borrow(PyDict_GetItemWithError(dictionary, key));
#endif
}

/// Keeps `made` where all can find it, unless another thread was faster. Needs the GIL.
inline PyObject* keep_first(std::atomic<PyObject*>& shared, object made) noexcept {
    PyObject* before = nullptr;
    return shared.compare_exchange_strong(before, made.ptr(), std::memory_order_acq_rel) ? made.release() : before;
}

/// The value of an attribute that may be missing: 1 found, 0 missing, -1 an error is set.
inline int get_optional_attribute(PyObject* owner, PyObject* name, object& value) noexcept {
#if PY_VERSION_HEX >= 0x030D0000
    PyObject* found = nullptr;
    const int result = PyObject_GetOptionalAttr(owner, name, &found);
    value = object::steal(found);
    return result;
#else
    value = object::steal(PyObject_GetAttr(owner, name));
    if (value) {
        return 1;
    }
    if (!PyErr_ExceptionMatches(PyExc_AttributeError)) {
        return -1;
    }
    PyErr_Clear();
    return 0;
#endif
}

} // namespace isthmus::inline v1::py::detail
