// isthmus/python/model.hpp — a native `async def` function with the signature of a C++ function.
// SPDX-License-Identifier: MIT
#pragma once

#include "state.hpp"

namespace isthmus::inline v1::py::detail {

/// In Python, since it reads text: how binding libraries tell the signatures of their functions.
inline constexpr const char* model_source = R"python(
import ast
import builtins
import inspect
import re
import sys
import types

Parameter = inspect.Parameter


class Loaded(dict):
    """The modules that are loaded, under the names that no builtin has."""

    def __missing__(self, name):
        if hasattr(builtins, name):
            raise KeyError(name)
        return sys.modules[name]


def annotation(node):
    """What an annotation stands for; its text where that cannot be told."""
    if node is None:
        return Parameter.empty
    text = ast.unparse(node)
    try:
        return eval(text, {}, Loaded())
    except Exception:
        return text


def default(node, values):
    """A default value; Ellipsis, as in stubs, where only a text is known that is no literal."""
    if node is None:
        return Parameter.empty
    if isinstance(node, ast.Name) and node.id in values:
        return values[node.id]
    try:
        return ast.literal_eval(node)
    except ValueError:
        return ...


def result(node):
    """What awaiting gives, as the annotation of an `async def` function says it (21.4)."""
    if isinstance(node, ast.Subscript) and ast.unparse(node.value).rpartition(".")[2] == "Coroutine":
        node = node.slice.elts[-1]
    return annotation(node)


def parse(text, values):
    """The signature that is written out in `text`, `def f(a: int, b: int = 2) -> int`."""
    function = ast.parse(text + ": ...").body[0]
    given = function.args
    positional = [(a, Parameter.POSITIONAL_ONLY) for a in given.posonlyargs]
    positional += [(a, Parameter.POSITIONAL_OR_KEYWORD) for a in given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + given.defaults
    found = [(a, kind, value) for (a, kind), value in zip(positional, defaults)]
    found += [(given.vararg, Parameter.VAR_POSITIONAL, None)] if given.vararg else []
    found += [(a, Parameter.KEYWORD_ONLY, value) for a, value in zip(given.kwonlyargs, given.kw_defaults)]
    found += [(given.kwarg, Parameter.VAR_KEYWORD, None)] if given.kwarg else []
    parameters = [
        Parameter(a.arg, kind, default=default(value, values), annotation=annotation(a.annotation))
        for a, kind, value in found
    ]
    return inspect.Signature(parameters, return_annotation=result(function.returns))


def signature(function):
    """The signature of a function, as its binding library tells it; that of any call if it has overloads."""
    try:
        if hasattr(function, "__nb_signature__"):  # nanobind
            [(text, _, defaults)] = function.__nb_signature__  # one for each overload
            values = {f"_{i}": value for i, value in enumerate(defaults or ())}
            # A default is \0, or \=0 where the binding says how it is written. The function may have no name.
            text = re.sub(r"\\(=?)(\d+)", lambda m: values["_" + m[2]] if m[1] else "_" + m[2], text)
            return parse(re.sub(r"^def \(", "def _(", text), values)
        if isinstance(function, types.BuiltinFunctionType) and not function.__text_signature__:  # pybind11
            return parse("def " + function.__doc__.partition("\n")[0], {})
        return inspect.signature(function)
    except Exception:
        return inspect.Signature(
            [Parameter("args", Parameter.VAR_POSITIONAL), Parameter("kwargs", Parameter.VAR_KEYWORD)]
        )


def model(function, named):
    told = signature(function)
    parameters = list(told.parameters.values())
    bare = told.replace(
        parameters=[p.replace(annotation=Parameter.empty, default=Parameter.empty) for p in parameters],
        return_annotation=Parameter.empty,
    )
    name = getattr(named, "__name__", None) or "_"  # not every callable has one
    qualname = getattr(named, "__qualname__", None) or name
    module = sys.modules.get(getattr(named, "__module__", None))
    compiled = compile(f"async def _{bare}: pass", "<C++>", "exec")
    [code] = (constant for constant in compiled.co_consts if isinstance(constant, types.CodeType))
    made = types.FunctionType(
        code.replace(co_name=name, co_qualname=qualname),
        {} if module is None else module.__dict__,
    )
    given = [p for p in parameters if p.default is not Parameter.empty]
    made.__defaults__ = tuple(p.default for p in given if p.kind is not Parameter.KEYWORD_ONLY) or None
    made.__kwdefaults__ = {p.name: p.default for p in given if p.kind is Parameter.KEYWORD_ONLY} or None
    made.__annotations__ = {p.name: p.annotation for p in parameters if p.annotation is not Parameter.empty}
    if told.return_annotation is not Parameter.empty:
        made.__annotations__["return"] = told.return_annotation
    return made
)python";

/// Makes an `async def` function with the signature of `function`, which is a binding library's, and with the names of
/// `named`. It does nothing, and is not meant to be called: inspect reads it. Null with an exception set if it cannot
/// be made. Needs the GIL.
ISTHMUS_COLD inline PyObject* make_model(PyObject* function, PyObject* named) noexcept {
    try {
        interpreter_state& state = interpreter_state::get();
        PyObject* make = state.make_model.load(std::memory_order_acquire);
        if (make == nullptr) {
            const object code = checked(Py_CompileString(model_source, "<isthmus>", Py_file_input));
            const object names =
                checked(Py_BuildValue("{sssO}", "__name__", "isthmus", "__builtins__", PyEval_GetBuiltins()));
            checked(PyEval_EvalCode(code.ptr(), names.ptr(), names.ptr()));
            make = keep_first(state.make_model, checked(PyMapping_GetItemString(names.ptr(), "model")));
        }
        return PyObject_CallFunctionObjArgs(make, function, named, nullptr);
    } catch (const base_exception& e) {
        e.restore();
        return nullptr;
    }
}

} // namespace isthmus::inline v1::py::detail
