// isthmus/python/code.hpp — code objects and frames for places in C++ sources, as Python's tools read them.
// SPDX-License-Identifier: MIT
#pragma once

#include "../detail/names.hpp"
#include "state.hpp"

#include <frameobject.h>

#include <cstdint>
#include <dlfcn.h>
#include <source_location>
#include <string_view>
#include <utility>

namespace isthmus::inline v1::py::detail {

/// The name of a C++ function in Python: without its namespaces and class, which C++ cannot tell apart. Null with an
/// exception set if it cannot be made.
ISTHMUS_COLD inline object function_name(const std::source_location& function) noexcept {
    std::string_view name = isthmus::detail::plain_name(function.function_name());
    if (const std::size_t scope = name.rfind("::"); scope != std::string_view::npos) {
        name.remove_prefix(scope + 2);
    }
    return object::steal(PyUnicode_FromStringAndSize(name.data(), static_cast<Py_ssize_t>(name.size())));
}

/// A line table by which all instructions are in one line, `delta` lines after the first one of the function; see
/// CPython's InternalDocs/code_objects.md.
ISTHMUS_COLD inline object line_table(int delta, Py_ssize_t instructions) noexcept {
    constexpr Py_ssize_t entry_limit = 8; // instructions
    constexpr unsigned no_columns = 0x80 | (13U << 3);
    char table[64];
    Py_ssize_t size = 0;
    unsigned rest = delta < 0 ? static_cast<unsigned>(-delta) << 1 | 1 : static_cast<unsigned>(delta) << 1;
    while (instructions > 0 && size < static_cast<Py_ssize_t>(sizeof table) - 8) {
        const Py_ssize_t covered = instructions < entry_limit ? instructions : entry_limit;
        table[size++] = static_cast<char>(no_columns | static_cast<unsigned>(covered - 1));
        for (; rest >= 64; rest >>= 6) {
            table[size++] = static_cast<char>(64 | (rest & 63));
        }
        table[size++] = static_cast<char>(rest);
        rest = 0; // the other entries begin in the same line
        instructions -= covered;
    }
    return object::steal(PyBytes_FromStringAndSize(table, size));
}

/// The code object of the function that is defined by `source`, Python code. Null with an exception set if that fails.
ISTHMUS_COLD inline object compile_function(const char* source) noexcept {
    const object module = object::steal(Py_CompileString(source, "isthmus", Py_file_input));
    const object constants = object::steal(module ? PyObject_GetAttrString(module.ptr(), "co_consts") : nullptr);
    object function;
    for (Py_ssize_t i = 0; constants && i < PyTuple_GET_SIZE(constants.ptr()); ++i) {
        if (PyObject* const constant = PyTuple_GET_ITEM(constants.ptr(), i); PyCode_Check(constant)) {
            function = object::borrow(constant);
        }
    }
    return function;
}

/// A code object that does what `pattern` does and has the name and file of a C++ function, all of it in one line of
/// that. Null with an exception set if it cannot be made.
ISTHMUS_COLD inline object code_like(PyObject* pattern, const std::source_location& function, std::uint32_t line,
                                     int flags) noexcept {
    const std::uint32_t first = function.line();
    const object bytecode = object::steal(PyCode_GetCode(reinterpret_cast<PyCodeObject*>(pattern)));
    const object replace = object::steal(bytecode ? PyObject_GetAttrString(pattern, "replace") : nullptr);
    const object file = object::steal(replace ? PyUnicode_DecodeFSDefault(function.file_name()) : nullptr);
    const object name = file ? function_name(function) : object();
    const object lines =
        name ? line_table(static_cast<int>(line) - static_cast<int>(first), PyBytes_GET_SIZE(bytecode.ptr()) / 2)
             : object();
    const object fields = object::steal(
        lines ? Py_BuildValue("{sisOsOsOsIsO}", "co_flags", flags, "co_filename", file.ptr(), "co_name", name.ptr(),
                              "co_qualname", name.ptr(), "co_firstlineno", first, "co_linetable", lines.ptr())
              : nullptr);
    const object nothing = object::steal(fields ? PyTuple_New(0) : nullptr);
    return object::steal(nothing ? PyObject_Call(replace.ptr(), nothing.ptr(), fields.ptr()) : nullptr);
}

/// What the code objects are made from. Borrowed; null with an exception set if it cannot be made.
ISTHMUS_COLD inline PyObject* code_template(interpreter_state& state) noexcept {
    if (PyObject* const found = state.code_template.load(std::memory_order_acquire)) {
        return found;
    }
    object coroutine = compile_function("async def coroutine(): pass");
    return coroutine ? keep_first(state.code_template, std::move(coroutine)) : nullptr;
}

/// What `co_flags` says of a coroutine function, a generator function, and one whose generators can be awaited.
inline constexpr int coroutine_flags = CO_OPTIMIZED | CO_NEWLOCALS | CO_COROUTINE;
inline constexpr int generator_flags = CO_OPTIMIZED | CO_NEWLOCALS | CO_GENERATOR;
inline constexpr int awaitable_generator_flags = generator_flags | CO_ITERABLE_COROUTINE;

/// The name of the extension module that has this address, which is one in its shared object. Null, with no exception
/// set, if it is in none.
ISTHMUS_COLD inline object module_of(const void* address) noexcept {
    Dl_info found{};
    PyObject* const loaded = PySys_GetObject("modules"); // PyImport_GetModuleDict() ends a process that is at its end
    if (::dladdr(address, &found) == 0 || found.dli_fname == nullptr || loaded == nullptr || !PyDict_Check(loaded)) {
        return object();
    }
    const object path = object::steal(PyUnicode_DecodeFSDefault(found.dli_fname));
    const object key = object::steal(path ? PyUnicode_FromString("__file__") : nullptr);
    const object modules = object::steal(key ? PyDict_Copy(loaded) : nullptr); // others may import meanwhile
    PyObject* name = nullptr;
    PyObject* module = nullptr;
    Py_ssize_t position = 0;
    while (modules && PyDict_Next(modules.ptr(), &position, &name, &module)) {
        const object file = PyModule_Check(module) ? find_item(PyModule_GetDict(module), key.ptr()) : object();
        if (file && PyUnicode_Check(file.ptr()) && PyUnicode_Compare(file.ptr(), path.ptr()) == 0) {
            return object::borrow(name);
        }
    }
    PyErr_Clear();
    return object();
}

/// What is shown of a line of a C++ coroutine function: the code object, and the globals of frames. Kept by the
/// interpreter's state, until thousands of others were asked for. Null with an exception set if it cannot be made.
ISTHMUS_COLD inline object place_for(interpreter_state& state, const std::source_location& function, std::uint32_t line,
                                     int flags) noexcept {
    constexpr Py_ssize_t limit = 4096;
    PyObject* places = state.places.load(std::memory_order_acquire);
    if (places == nullptr) {
        object made = object::steal(PyDict_New());
        places = made ? keep_first(state.places, std::move(made)) : nullptr;
    }
    PyObject* const copied = code_template(state);
    if (places == nullptr || copied == nullptr) {
        return object();
    }
    struct {
        const char* file;
        const char* name;
        std::uint32_t first;
        std::uint32_t line;
        std::uint64_t flags; // as wide as the pointers, so that there is no padding
    } const place{function.file_name(), function.function_name(), function.line(), line != 0 ? line : function.line(),
                  static_cast<std::uint64_t>(flags)};
    const object key = object::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(&place), sizeof place));
    if (!key) {
        return object();
    }
    if (object found = find_item(places, key.ptr()); found || PyErr_Occurred()) { // looking may fail for lack of stack
        return found;
    }
    const object code = code_like(copied, function, place.line, flags);
    if (!code) {
        return object();
    }
    object module = module_of(place.file);
    if (!module) {
        module = object::steal(PyUnicode_FromString("isthmus"));
    }
    object made = object::steal(module ? Py_BuildValue("O{sO}", code.ptr(), "__name__", module.ptr()) : nullptr);
    if (!made) {
        return object();
    }
    if (PyDict_GET_SIZE(places) >= limit) {
        PyDict_Clear(places);
    }
    return PyDict_SetItem(places, key.ptr(), made.ptr()) == 0 ? made : object();
}

/// The code object of a C++ coroutine function for one line in it, which is the line of all its instructions: a frame
/// or a traceback entry with it shows that line, and `co_firstlineno` is the function's. It is that of an `async def`
/// function which does nothing. `line` 0 is the function's own. The same object each time, unless thousands of others
/// were asked for since. Null with an exception set if it cannot be made. Needs the GIL.
///
/// The line that std::source_location gives for a coroutine function is the first one, but that of the closing brace
/// with g++ 12.
inline object code_for(interpreter_state& state, const std::source_location& function, std::uint32_t line,
                       int flags = coroutine_flags) noexcept {
    const object place = place_for(state, function, line, flags);
    return place ? object::borrow(PyTuple_GET_ITEM(place.ptr(), 0)) : object();
}

/// A Python frame that is never run, at `line` of a C++ coroutine function (see code_for()): what a traceback or
/// `cr_frame` shows for it. It has no variables, no `f_back`, and its globals are the `__name__` of the extension
/// module ("isthmus" if the function is in none). Null with an exception set if it cannot be made. Needs the GIL.
inline object frame_for(interpreter_state& state, const std::source_location& function, std::uint32_t line,
                        int flags = coroutine_flags) noexcept {
    const object place = place_for(state, function, line, flags);
    if (!place) {
        return object();
    }
    auto* const code = reinterpret_cast<PyCodeObject*>(PyTuple_GET_ITEM(place.ptr(), 0));
    PyObject* const globals = PyTuple_GET_ITEM(place.ptr(), 1);
    return object::steal(reinterpret_cast<PyObject*>(PyFrame_New(PyThreadState_Get(), code, globals, nullptr)));
}

} // namespace isthmus::inline v1::py::detail
