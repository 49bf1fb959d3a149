// examples/sqlite/convert.cpp — parameters from Python, rows and exceptions to Python, with CPython's C API.
// SPDX-License-Identifier: MIT

#include "convert.hpp"

#include <nanobind/eval.h>

namespace py = isthmus::py;

// ---- parameters -----------------------------------------------------------------------------------------------------

namespace {

std::string to_string(PyObject* text) {
    Py_ssize_t size = 0;
    const char* const utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == nullptr) {
        py::throw_raised();
    }
    return std::string(utf8, static_cast<std::size_t>(size));
}

sqlite::value to_value(PyObject* from) {
    if (from == Py_None) {
        return std::monostate();
    }
    if (PyLong_Check(from)) { // a bool, too
        int overflow = 0;
        const long long number = PyLong_AsLongLongAndOverflow(from, &overflow);
        if (overflow != 0) {
            throw py::error(PyExc_OverflowError, "Python int too large to convert to SQLite INTEGER");
        }
        return std::int64_t(number);
    }
    if (PyFloat_Check(from)) {
        return PyFloat_AS_DOUBLE(from);
    }
    if (PyUnicode_Check(from)) {
        return to_string(from);
    }
    if (PyObject_CheckBuffer(from)) {
        const py::object bytes = py::checked(PyBytes_FromObject(from));
        return sqlite::blob{
            std::string(PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr())))};
    }
    return sqlite::unsupported{Py_TYPE(from)->tp_name};
}

void add_named(sqlite::parameters& to, PyObject* name, PyObject* value) {
    if (!PyUnicode_Check(name)) {
        throw py::error(PyExc_TypeError, "the names of parameters must be str");
    }
    to.names.push_back(to_string(name));
    to.values.push_back(to_value(value));
}

sqlite::parameters from_sequence(PyObject* given) {
    const py::object sequence = py::checked(PySequence_Fast(given, "parameters must be a sequence or a mapping"));
    sqlite::parameters result;
    result.values.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence.ptr())));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.ptr()); ++i) {
        result.values.push_back(to_value(PySequence_Fast_GET_ITEM(sequence.ptr(), i)));
    }
    return result;
}

sqlite::parameters from_mapping(PyObject* given) {
    const py::object items = py::checked(PyMapping_Items(given));
    sqlite::parameters result;
    result.named = true;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(items.ptr()); ++i) {
        PyObject* const item = PyList_GET_ITEM(items.ptr(), i);
        if (!PyTuple_Check(item) || PyTuple_GET_SIZE(item) != 2) {
            throw py::error(PyExc_TypeError, "the items of a mapping must be pairs");
        }
        add_named(result, PyTuple_GET_ITEM(item, 0), PyTuple_GET_ITEM(item, 1));
    }
    return result;
}

} // namespace

sqlite::parameters to_parameters(const py::object& given) {
    PyObject* const it = given.ptr();
    if (PyTuple_Check(it) || PyList_Check(it)) {
        return from_sequence(it);
    }
    if (PyDict_Check(it) || (PyMapping_Check(it) && PyObject_HasAttrString(it, "keys"))) {
        return from_mapping(it);
    }
    // A string is a sequence too, but nobody means that: `("x")` for `("x",)`.
    if (PyUnicode_Check(it) || PyObject_CheckBuffer(it) || !PySequence_Check(it)) {
        throw sqlite::misuse(std::string("parameters must be a sequence or a mapping, not ") + Py_TYPE(it)->tp_name);
    }
    return from_sequence(it);
}

std::vector<sqlite::parameters> to_many_parameters(const py::object& given) {
    std::vector<sqlite::parameters> result;
    const py::object iterator = py::checked(PyObject_GetIter(given.ptr()));
    while (const py::object next = py::object::steal(PyIter_Next(iterator.ptr()))) {
        result.push_back(to_parameters(next));
    }
    if (PyErr_Occurred()) {
        py::throw_raised();
    }
    return result;
}

void define_types(nanobind::module_& module) {
    nanobind::dict scope;
    scope["abc"] = nanobind::module_::import_("collections.abc");
    scope["Union"] = nanobind::module_::import_("typing").attr("Union");
    scope["Value"] = nanobind::eval("Union[None, int, float, str, bytes, bytearray, memoryview]", scope);
    module.attr("Value") = scope["Value"];
    module.attr("Parameters") = nanobind::eval("Union[abc.Sequence[Value], abc.Mapping[str, Value]]", scope);
}

// ---- rows -----------------------------------------------------------------------------------------------------------

namespace {

py::object to_object(const sqlite::rows& from, const sqlite::rows::cell& cell) {
    switch (cell.type) {
    case SQLITE_INTEGER:
        return py::checked(PyLong_FromLongLong(cell.integer));
    case SQLITE_FLOAT:
        return py::checked(PyFloat_FromDouble(cell.real));
    case SQLITE_TEXT: {
        py::object text = py::object::steal(PyUnicode_DecodeUTF8(from.bytes(cell), cell.size, nullptr));
        if (!text && PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) {
            PyErr_Clear();
            throw sqlite::error(SQLITE_ERROR, "Could not decode a text to UTF-8");
        }
        return py::checked(text.release());
    }
    case SQLITE_BLOB:
        return py::checked(PyBytes_FromStringAndSize(from.bytes(cell), cell.size));
    default:
        return py::object::make_none();
    }
}

} // namespace

row_tuple to_tuple(const sqlite::rows& from, std::size_t number) {
    const sqlite::rows::cell* const cells = from.row(number);
    py::object made = py::checked(PyTuple_New(static_cast<Py_ssize_t>(from.columns())));
    for (std::size_t column = 0; column < from.columns(); ++column) {
        PyTuple_SET_ITEM(made.ptr(), static_cast<Py_ssize_t>(column), to_object(from, cells[column]).release());
    }
    return nanobind::steal<nanobind::tuple>(made.release());
}

row_list to_list(const sqlite::rows& from) {
    py::object made = py::checked(PyList_New(static_cast<Py_ssize_t>(from.size())));
    for (std::size_t number = 0; number < from.size(); ++number) {
        PyList_SET_ITEM(made.ptr(), static_cast<Py_ssize_t>(number), to_tuple(from, number).release().ptr());
    }
    return nanobind::steal<nanobind::list>(made.release());
}

// ---- exceptions -----------------------------------------------------------------------------------------------------

namespace {

// Made once, and never destroyed: an exception may be translated as long as there is an interpreter.
struct exception_types {
    PyObject *error, *interface_error, *database_error, *data_error, *operational_error, *integrity_error,
        *internal_error, *programming_error, *not_supported_error;
} types;

PyObject* type_of(int code) noexcept {
    switch (code & 0xff) {
    case SQLITE_INTERNAL:
    case SQLITE_NOTFOUND:
        return types.internal_error;
    case SQLITE_ERROR:
    case SQLITE_PERM:
    case SQLITE_ABORT:
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_READONLY:
    case SQLITE_INTERRUPT:
    case SQLITE_IOERR:
    case SQLITE_FULL:
    case SQLITE_CANTOPEN:
    case SQLITE_PROTOCOL:
    case SQLITE_EMPTY:
    case SQLITE_SCHEMA:
        return types.operational_error;
    case SQLITE_TOOBIG:
        return types.data_error;
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return types.integrity_error;
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
        return types.interface_error;
    default:
        return types.database_error;
    }
}

void raise(PyObject* type, const sqlite::error& e) {
    const nanobind::object made = nanobind::borrow(type)(e.what());
    made.attr("sqlite_errorcode") = e.code();
    made.attr("sqlite_errorname") = sqlite::name_of_code(e.code());
    PyErr_SetObject(type, made.ptr());
}

void translate(const std::exception_ptr& exception, void*) {
    try {
        std::rethrow_exception(exception);
    } catch (const sqlite::misuse& e) {
        raise(types.programming_error, e);
    } catch (const sqlite::error& e) {
        raise(type_of(e.code()), e);
    }
}

} // namespace

void define_exceptions(nanobind::module_& module) {
    const auto define = [&module](const char* name, PyObject* base, const char* documentation) {
        const std::string full = std::string(PyModule_GetName(module.ptr())) + "." + name;
        nanobind::dict members;
        if (base == PyExc_Exception) {
            members["sqlite_errorcode"] = 0;
            members["sqlite_errorname"] = "";
        }
        PyObject* const made =
            py::checked(PyErr_NewExceptionWithDoc(full.c_str(), documentation, base, members.ptr())).release();
        module.attr(name) = nanobind::borrow(made);
        return made;
    };
    types.error = define("Error", PyExc_Exception, "Whatever is wrong with a database or a call.");
    types.interface_error = define("InterfaceError", types.error, "SQLite's interface was misused.");
    types.database_error = define("DatabaseError", types.error, "An error of the database.");
    types.data_error = define("DataError", types.database_error, "A value is too big.");
    types.operational_error = define("OperationalError", types.database_error,
                                     "The database cannot do it: wrong SQL, a lock, a full disk, an interrupt.");
    types.integrity_error = define("IntegrityError", types.database_error, "A constraint is violated.");
    types.internal_error = define("InternalError", types.database_error, "SQLite found itself in a wrong state.");
    types.programming_error = define("ProgrammingError", types.database_error,
                                     "A wrong use: a closed connection, a missing or an unsupported parameter.");
    types.not_supported_error = define("NotSupportedError", types.database_error, "SQLite cannot do that.");
    nanobind::register_exception_translator(&translate);
}
