// isthmus/python/native.hpp — py::native and py::to_native: C++ coroutines as objects of CPython's own coroutine type.
// SPDX-License-Identifier: MIT
//
// What Python sees is a coroutine of this function, whose code object has the C++ function's name, file and line:
//
//     async def f(body):
//         while True:
//             try:
//                 value = await body
//             except BaseException as thrown:
//                 body.throw_next(thrown)
//             else:
//                 result = body.result(value)
//                 if result is not body:
//                     return result
//
// `body` is the C++ coroutine. It has neither throw() nor close(), so what is thrown in is raised in the frame above,
// which hands it over and resumes it: thus that frame is on the stack while C++ deals with it (5.25), and GeneratorExit
// reaches C++ as it is (5.23, 6). What comes of it is fetched, so that no StopIteration carries it.
#pragma once

#include "code.hpp"
#include "coroutine.hpp"

#include <cstdint>
#include <functional>
#include <iterator>
#include <type_traits>

namespace isthmus::inline v1::py {
namespace detail {

struct body_object : coroutine_object {
    PyObject* thrown; ///< to be thrown in at the next step
    PyObject* returned;
    PyObject* error; ///< what it has ended in
    bool dying;

    void make_empty() noexcept {
        thrown = returned = error = nullptr;
        dying = false;
    }
    static body_object& of(PyObject* self) noexcept { return *reinterpret_cast<body_object*>(self); }
};

/// One step. Its end is always the end of the await, whatever it ended in.
inline PySendResult send_to_body(PyObject* self, PyObject* value, PyObject** result) noexcept {
    body_object& body = body_object::of(self);
    if (body.root != nullptr && isthmus::detail::is_running(*body.root)) { // somebody else has got hold of it
        set_misuse(misuse::already_executing);
        *result = nullptr;
        return PYGEN_ERROR;
    }
    PyObject* const thrown = std::exchange(body.thrown, nullptr);
    const PySendResult how =
        thrown != nullptr ? throw_(self, object::steal(thrown), result) : detail::send(self, value, result);
    if (how == PYGEN_NEXT) {
        return how;
    }
    if (how == PYGEN_RETURN) {
        Py_XSETREF(body.returned, *result);
    } else {
        Py_XSETREF(body.error, take_raised().release());
    }
    *result = Py_NewRef(Py_None);
    return PYGEN_RETURN;
}

inline PyObject* next_of_body(PyObject* self) noexcept {
    PyObject* result = nullptr;
    if (send_to_body(self, Py_None, &result) == PYGEN_RETURN) {
        Py_CLEAR(result); // no exception is needed (14.5)
    }
    return result;
}

inline PyObject* send_method_of_body(PyObject* self, PyObject* value) noexcept {
    PyObject* result = nullptr;
    if (send_to_body(self, value, &result) == PYGEN_RETURN) {
        Py_CLEAR(result);
        PyErr_SetNone(PyExc_StopIteration);
    }
    return result;
}

/// Takes over what was thrown into the frame of the native coroutine. The entry that this has made in the traceback is
/// dropped: there will be one if it comes out again.
inline PyObject* throw_next(PyObject* self, PyObject* exception) noexcept {
    const frame* const root = body_object::of(self).root;
    if (!PyExceptionInstance_Check(exception)) {
        PyErr_SetString(PyExc_TypeError, "throw_next() takes an exception");
        return nullptr;
    }
    if (root != nullptr && isthmus::detail::is_running(const_cast<frame&>(*root))) { // the refusal of send_to_body()
        set_raised(object::borrow(exception));
        return nullptr;
    }
    const object traceback = object::steal(PyException_GetTraceback(exception));
    if (traceback) {
        auto* const next = reinterpret_cast<PyTracebackObject*>(traceback.ptr())->tb_next;
        PyException_SetTraceback(exception, next != nullptr ? reinterpret_cast<PyObject*>(next) : Py_None);
    }
    Py_XSETREF(body_object::of(self).thrown, Py_NewRef(exception));
    Py_RETURN_NONE;
}

/// What the body has returned; raises what it has ended in. Once. If it has not ended, a StopIteration was thrown in
/// and taken for the end of the await, as CPython does since 3.12 (4.5): it is handed over, and the answer is the body.
inline PyObject* take_result_of_body(PyObject* self, PyObject* stopped_with) noexcept {
    body_object& body = body_object::of(self);
    if (PyObject* const error = std::exchange(body.error, nullptr)) {
        set_raised(object::steal(error));
        return nullptr;
    }
    if (body.returned == nullptr) {
        PyObject* const stop = PyObject_CallOneArg(PyExc_StopIteration, stopped_with);
        Py_XSETREF(body.thrown, stop);
        return stop != nullptr ? Py_NewRef(self) : nullptr;
    }
    return std::exchange(body.returned, nullptr);
}

inline int traverse_body(PyObject* self, visitproc visit, void* arg) noexcept {
    const body_object& body = body_object::of(self);
    Py_VISIT(body.thrown);
    Py_VISIT(body.returned);
    Py_VISIT(body.error);
    return traverse(self, visit, arg);
}

inline int clear_body(PyObject* self) noexcept {
    body_object& body = body_object::of(self);
    Py_CLEAR(body.thrown);
    Py_CLEAR(body.returned);
    Py_CLEAR(body.error);
    return clear(self);
}

/// The native coroutine warns if it was never awaited, and closes what is suspended, also when both are garbage. So
/// here that has ended, unless an exception has hit the native frame between two steps: then the body dies alone.
inline void finalize_body(PyObject* self) noexcept {
    const frame* const root = coroutine_object::of(self)->root;
    if (body_object::of(self).dying && root != nullptr && !root->created()) {
        finalize(self);
    }
}

inline void deallocate_body(PyObject* self) noexcept {
    PyTypeObject* const type = Py_TYPE(self);
    if (coroutine_object::of(self)->root != nullptr) {
        body_object::of(self).dying = true;
        if (PyObject_CallFinalizerFromDealloc(self) != 0) {
            return; // resurrected
        }
    }
    PyObject_GC_UnTrack(self);
    clear_body(self);
    type->tp_free(self);
    Py_DECREF(type);
}

template <class = void>
inline PyMethodDef body_methods[] = {
    {"send", send_method_of_body, METH_O, nullptr},      {"throw_next", throw_next, METH_O, nullptr},
    {"result", take_result_of_body, METH_O, nullptr},    {"__reduce__", refuse_pickling, METH_NOARGS, nullptr},
    {"__reduce_ex__", refuse_pickling, METH_O, nullptr}, {nullptr, nullptr, 0, nullptr},
};

/// As of a coroutine: walks along a chain go on through it (18.11).
template <class = void>
inline PyGetSetDef body_attributes[] = {
    {"__name__", get_name, nullptr, nullptr, nullptr},
    {"__qualname__", get_qualname, nullptr, nullptr, nullptr},
    define_attribute<level_of_coroutine, cr_await>("cr_await", nullptr, cr_await_doc),
    define_attribute<level_of_coroutine, cr_running>("cr_running"),
    define_attribute<level_of_coroutine, cr_suspended>("cr_suspended"),
    define_attribute<level_of_coroutine, cr_state>("cr_state"),
    define_attribute<level_of_coroutine, cr_frame>("cr_frame"),
    define_attribute<level_of_coroutine, cr_code>("cr_code"),
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

/// Makes what native coroutines are made of, when the first of them is.
inline void prepare_native(interpreter_state& state) {
    PyType_Slot slots[] = {
        {Py_tp_doc, const_cast<char*>("A C++ coroutine that a native coroutine awaits.")},
        {Py_am_await, slot(PyObject_SelfIter)},
        {Py_am_send, slot(send_to_body)},
        {Py_tp_iternext, slot(next_of_body)},
        {Py_tp_methods, body_methods<>},
        {Py_tp_getset, body_attributes<>},
        {Py_tp_finalize, slot(finalize_body)},
        {Py_tp_traverse, slot(traverse_body)},
        {Py_tp_clear, slot(clear_body)},
        {Py_tp_dealloc, slot(deallocate_body)},
        {0, nullptr},
    };
    PyType_Spec spec{
        "isthmus.coroutine_body", sizeof(body_object), 0,
        Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE, slots};
    object type = checked(PyType_FromSpec(&spec));
    object code = compile_function("async def coroutine(body):\n"
                                   "    while True:\n"
                                   "        try:\n"
                                   "            value = await body\n"
                                   "        except BaseException as thrown:\n"
                                   "            body.throw_next(thrown)\n"
                                   "        else:\n"
                                   "            result = body.result(value)\n"
                                   "            if result is not body:\n"
                                   "                return result\n");
    if (!code) {
        throw_raised();
    }
    keep_first(state.native_code, std::move(code));
    keep_first(state.body_type, std::move(type));
}

/// The Python function whose coroutines are those of a C++ function. The same object each time, until another function
/// takes its place in a small table.
inline object native_function_for(interpreter_state& state, const std::source_location& where) {
    auto& cached = state.native_functions[(reinterpret_cast<std::uintptr_t>(where.function_name()) >> 4) %
                                          std::size(state.native_functions)];
    {
        const field_lock lock;
        if (cached.function != nullptr && cached.where.function_name() == where.function_name() &&
            cached.where.file_name() == where.file_name() && cached.where.line() == where.line()) [[likely]] {
            return object::borrow(cached.function);
        }
    }
    PyObject* const pattern = state.native_code;
    const object code = code_like(pattern, where, where.line(), reinterpret_cast<PyCodeObject*>(pattern)->co_flags);
    if (!code) {
        throw_raised();
    }
    object module = module_of(where.file_name());
    if (!module) {
        module = checked(PyUnicode_FromString("isthmus"));
    }
    // By the builtins an import goes that C++ makes under such a frame.
    const object globals =
        checked(Py_BuildValue("{sOsO}", "__name__", module.ptr(), "__builtins__", PyEval_GetBuiltins()));
    object made = checked(PyFunction_New(code.ptr(), globals.ptr()));
    object before;
    {
        const field_lock lock;
        cached.where = where;
        before = object::steal(std::exchange(cached.function, Py_NewRef(made.ptr())));
    }
    return made;
}

} // namespace detail

/// Makes an object of CPython's own coroutine type (`types.CoroutineType`) of a coroutine, which is left empty and must
/// not have started. All that holds for native coroutines holds for it: exact type checks, `yield from` in
/// types.coroutine generators, `python -m asyncio ps`, a frame on the stack while it runs. Beside to_python(), which
/// takes the same arguments, it costs about 100 ns a call more (20.3).
///
/// Needs the GIL. Throws py::error as to_python() does, and a TypeError if the coroutine has started.
template <class Binding = detail::by_converter, class Return>
object to_native(coroutine<Return>&& source, object keep_alive = object(), int policy = 0) {
    detail::interpreter_state& state = detail::interpreter_state::get();
    if (state.body_type.load(std::memory_order_acquire) == nullptr) [[unlikely]] {
        detail::prepare_native(state);
    }
    if (const isthmus::detail::frame* const f = isthmus::detail::frame_access::get(source);
        f != nullptr && !f->created()) {
        throw error(PyExc_TypeError, "a C++ coroutine that has started cannot become a native coroutine");
    }
    const object body = detail::adopt<detail::body_object>(
        source, state, reinterpret_cast<PyTypeObject*>(state.body_type.load(std::memory_order_acquire)),
        detail::operations<Return, Binding>, std::move(keep_alive), policy);
    const object function = detail::native_function_for(state, detail::coroutine_object::of(body.ptr())->where);
    return checked(PyObject_CallOneArg(function.ptr(), body.ptr()));
}

namespace detail {

/// A coroutine that becomes a native one in Python, and the C++ object that must outlive it, if there is one.
template <class Return>
struct native_coroutine {
    using return_type = Return;
    coroutine<Return> value;
    object owner;
};
template <class Return>
inline constexpr bool is_coroutine<native_coroutine<Return>> = true;
template <class Return>
inline constexpr bool gives_coroutine<native_coroutine<Return>> = true;

template <class Return>
native_coroutine<Return> as_native(coroutine<Return>&& made) {
    return {std::move(made), object()};
}
template <class Return>
native_coroutine<Return> as_native(owned<coroutine<Return>>&& made) {
    return {std::move(made.value), std::move(made.owner)};
}

/// A callable, bound as it is but for the object that Python gets. `Method`: it takes the object that it is called on.
template <bool Method, class Function, class Return, class... Parameters>
class native_function {
public:
    static constexpr bool is_method = Method;

    explicit native_function(Function function) : function_(std::move(function)) {}
    native_coroutine<Return> operator()(Parameters... parameters) const {
        return detail::as_native(std::invoke(function_, std::forward<Parameters>(parameters)...));
    }

private:
    Function function_;
};

template <class Closure, class Class, class Return, class... Parameters>
auto native_closure(Closure closure, coroutine<Return> (Class::*)(Parameters...) const) {
    if constexpr (std::is_empty_v<Closure>) {
        return native_function<false, Closure, Return, Parameters...>(std::move(closure));
    } else {
        auto owning = own_closure(std::move(closure), static_cast<coroutine<Return> (*)(Parameters...)>(nullptr));
        return native_function<false, decltype(owning), Return, Parameters...>(std::move(owning));
    }
}

} // namespace detail

/// to_native(), for the casters of the binding libraries.
template <class Binding, class Return>
object to_python(detail::native_coroutine<Return>&& source, object keep_alive, int policy) {
    if (source.owner && keep_alive) {
        keep_alive = checked(PyTuple_Pack(2, keep_alive.ptr(), source.owner.ptr()));
    } else if (source.owner) {
        keep_alive = std::move(source.owner);
    }
    return py::to_native<Binding>(std::move(source.value), std::move(keep_alive), policy);
}

/// For bindings: `m.def("fetch", py::native(&fetch))` with nanobind, `py::bind(py::native(&fetch))` with pybind11. A
/// call then gives an object of CPython's own coroutine type, see to_native(). Takes a function, a member function, or
/// a callable such as a lambda or py::in_thread(&f), that returns a py::coroutine.
template <class Return, class... Parameters>
auto native(coroutine<Return> (*function)(Parameters...)) {
    return detail::native_function<false, decltype(function), Return, Parameters...>(function);
}
template <class Return, class Class, class... Parameters>
auto native(coroutine<Return> (Class::*method)(Parameters...)) {
    return detail::native_function<true, decltype(method), Return, Class&, Parameters...>(method);
}
template <class Return, class Class, class... Parameters>
auto native(coroutine<Return> (Class::*method)(Parameters...) const) {
    return detail::native_function<true, decltype(method), Return, const Class&, Parameters...>(method);
}
template <class Closure>
    requires std::is_class_v<Closure>
auto native(Closure closure) {
    return detail::native_closure(std::move(closure), &Closure::operator());
}

} // namespace isthmus::inline v1::py
