"""gdb's commands for Isthmus: `source isthmus_gdb.py`, then `help isthmus`.

They only read memory, so they work on a core dump too. They need the debug information (-g) of the program.
"""

import re

import gdb

NAMESPACE = "isthmus::v1::"
HEAP_TYPE = 1 << 9  # Py_TPFLAGS_HEAPTYPE: CPython's own type of coroutines, which has the same name, is none


def plain_name(function: str) -> str:
    """The name of a function without its return type, parameters and template arguments, as isthmus::await_chain()."""
    if "<lambda" in function or "operator()" in function:
        return "<lambda>"
    depth, begin, i = 0, 0, 0
    while i < len(function):
        c = function[i]
        if c == "(" and depth == 0 and i > begin and not function.startswith("(anonymous namespace)", i):
            local = function.find(")::", i)
            if local < 0:
                return function[begin:i]
            begin = i = local + 3
            continue
        if c in "<([":
            depth += 1
        elif c in ">)]":
            depth -= 1
        elif c == " " and depth == 0:
            begin = i + 1
        i += 1
    return function[begin:]


def stripped(type_: gdb.Type) -> gdb.Type:
    return type_.strip_typedefs().unqualified()


def bases(type_: gdb.Type) -> list[gdb.Type]:
    return [field.type for field in type_.fields() if field.is_base_class]


def as_base(value: gdb.Value, name: str) -> gdb.Value | None:
    """The part of a class object that is this class of Isthmus, which may be a template; None if there is none."""
    type_ = stripped(value.type)
    if type_.code != gdb.TYPE_CODE_STRUCT:
        return None
    if re.sub(r"<.*", "", type_.tag or "") == NAMESPACE + name:
        return value
    for base in bases(type_):
        found = as_base(value.cast(base), name)
        if found is not None:
            return found
    return None


def of_dynamic_type(pointer: gdb.Value) -> gdb.Value:
    """What a pointer to a polymorphic class points to, as the object that it is."""
    return pointer.cast(pointer.dynamic_type).dereference()


def python_frame(python: gdb.Value) -> gdb.Value | None:
    """The frame of a Python object that is a C++ coroutine, null if it is closed; None if it is something else."""
    type_object = python["ob_type"].dereference()
    if type_object["tp_name"].string() != "coroutine" or not int(type_object["tp_flags"]) & HEAP_TYPE:
        return None
    coroutine_object = gdb.lookup_type(NAMESPACE + "py::detail::coroutine_object")
    return python.cast(coroutine_object.pointer())["root"]


def frame_of(value: gdb.Value) -> gdb.Value:
    """The frame, by its address, of what the user has named. Null if that has ended."""
    type_ = stripped(value.type)
    if type_.code in (gdb.TYPE_CODE_REF, gdb.TYPE_CODE_RVALUE_REF):
        return frame_of(value.referenced_value())
    if type_.code == gdb.TYPE_CODE_PTR:
        if stripped(type_.target()).tag == "_object":
            frame = python_frame(value)
            if frame is None:
                raise gdb.GdbError("isthmus chain: this Python object is no C++ coroutine")
            return frame
        if value != 0:
            return frame_of(value.dereference())
    owner = as_base(value, "detail::resumable")
    if owner is not None:
        return owner["frame_"]
    frame = as_base(value, "detail::frame")
    if frame is not None:
        return frame.address
    python = as_base(value, "py::object")
    if python is not None:
        return frame_of(python["pointer_"])
    raise gdb.GdbError(f"isthmus chain: {value.type} is no coroutine, frame or Python object")


def place(frame: gdb.Value) -> str:
    where = frame["where"]["_M_impl"]
    line = int(frame["line"]) or int(where["_M_line"])
    return f"{plain_name(where['_M_function_name'].string())} at {where['_M_file_name'].string()}:{line}"


def awaited_type(awaiter: gdb.Value) -> str:
    """The name of what is awaited, if it is no coroutine: of the await-iterator that a foreign_awaiter drives."""
    type_ = stripped(awaiter.type)
    if (type_.tag or "").startswith(NAMESPACE + "detail::foreign_awaiter<"):
        type_ = type_.template_argument(0)
        type_ = stripped(type_.target() if type_.code == gdb.TYPE_CODE_REF else type_)
    return type_.tag or str(type_)


def chain(frame: gdb.Value) -> list[str]:
    """A line for each level, from the root to the leaf."""
    levels = []
    while frame is not None and frame != 0:
        levels.append(place(frame))
        delegate = frame["awaiting"]
        if delegate == 0:
            break
        awaiter = of_dynamic_type(delegate)
        python = as_base(awaiter, "py::detail::python_delegate")
        if python is None:
            link = as_base(awaiter, "detail::native_link")
            if link is not None:
                frame = link["child"]
                continue
            levels.append(f"awaiting {awaited_type(awaiter)}")
            break
        awaited = python["iterator_"]["pointer_"]
        frame = python_frame(awaited)
        if frame is None:
            levels.append(f"awaiting {awaited['ob_type']['tp_name'].string()}, (PyObject*){hex(int(awaited))}")
    return levels


class Isthmus(gdb.Command):
    """Commands for Isthmus, coroutines in C++ and Python."""

    def __init__(self) -> None:
        super().__init__("isthmus", gdb.COMMAND_DATA, prefix=True)


class Chain(gdb.Command):
    """What a coroutine is waiting for: isthmus chain EXPRESSION

    EXPRESSION is a coroutine or generator of Isthmus, a frame or promise or a pointer to one, or a PyObject* that is
    a C++ coroutine. Prints a line for each level, from that one to the leaf: the function, and the line of the co_await
    or co_yield that it came to last."""

    def __init__(self) -> None:
        super().__init__("isthmus chain", gdb.COMMAND_STACK, gdb.COMPLETE_EXPRESSION)

    def invoke(self, argument: str, from_tty: bool) -> None:
        if not argument:
            raise gdb.GdbError("isthmus chain: which coroutine?")
        try:
            levels = chain(frame_of(gdb.parse_and_eval(argument)))
        except gdb.error as error:
            raise gdb.GdbError(f"isthmus chain: {error}") from error
        for number, level in enumerate(levels):
            print(f"#{number}  {level}")
        if not levels:
            print("The coroutine has ended.")


Isthmus()
Chain()
