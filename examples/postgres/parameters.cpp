// examples/postgres/parameters.cpp — parameters from Python, as the text that PostgreSQL reads.
// SPDX-License-Identifier: MIT

#include "convert.hpp"

#include <datetime.h>

#include <charconv>

namespace py = isthmus::py;

namespace {

std::string to_string(PyObject* text) {
    Py_ssize_t size = 0;
    const char* const utf8 = PyUnicode_AsUTF8AndSize(text, &size);
    if (utf8 == nullptr) {
        py::throw_raised();
    }
    return std::string(utf8, static_cast<std::size_t>(size));
}

std::string str_of(PyObject* value) { return to_string(py::checked(PyObject_Str(value)).ptr()); }

std::string to_bytes(PyObject* buffer) {
    const py::object bytes = py::checked(PyBytes_FromObject(buffer));
    return std::string(PyBytes_AS_STRING(bytes.ptr()), static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.ptr())));
}

std::string integer_to_string(PyObject* value) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow != 0) {
        return to_string(py::checked(PyNumber_ToBase(value, 10)).ptr());
    }
    char digits[24];
    return std::string(digits, std::to_chars(std::begin(digits), std::end(digits), number).ptr);
}

std::string float_to_string(PyObject* value) {
    struct free {
        void operator()(char* text) const noexcept { PyMem_Free(text); }
    };
    const std::unique_ptr<char, free> text(PyOS_double_to_string(PyFloat_AS_DOUBLE(value), 'r', 0, 0, nullptr));
    if (text == nullptr) {
        py::throw_raised();
    }
    return text.get();
}

bool is_date_or_time(PyObject* value) {
    if (PyDateTimeAPI == nullptr) {
        PyDateTime_IMPORT;
    }
    return PyDate_Check(value) || PyTime_Check(value) || PyDelta_Check(value);
}

bool is_instance(PyObject* value, PyObject* type) {
    const int answer = PyObject_IsInstance(value, type);
    if (answer < 0) {
        py::throw_raised();
    }
    return answer == 1;
}

pg::parameter to_parameter(PyObject* from);

/// {1,2,NULL,"a \"quoted\" text",{3}}
void append_array(std::string& to, PyObject* sequence) {
    to += '{';
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence); ++i) {
        if (i != 0) {
            to += ',';
        }
        PyObject* const element = PySequence_Fast_GET_ITEM(sequence, i);
        if (PyList_Check(element) || PyTuple_Check(element)) {
            append_array(to, element);
            continue;
        }
        const pg::parameter value = to_parameter(element);
        if (!value.text) {
            to += "NULL";
            continue;
        }
        to += '"';
        if (value.binary) {
            to += "\\\\x";
            for (const char byte : *value.text) {
                constexpr const char* digits = "0123456789abcdef";
                to += digits[static_cast<unsigned char>(byte) >> 4];
                to += digits[static_cast<unsigned char>(byte) & 15];
            }
        } else {
            for (const char c : *value.text) {
                if (c == '"' || c == '\\') {
                    to += '\\';
                }
                to += c;
            }
        }
        to += '"';
    }
    to += '}';
}

pg::parameter to_parameter(PyObject* from) {
    const python_types& types = python_types::get();
    if (from == Py_None) {
        return std::nullopt;
    }
    if (PyBool_Check(from)) {
        return from == Py_True;
    }
    if (PyLong_Check(from)) {
        return integer_to_string(from);
    }
    if (PyFloat_Check(from)) {
        return float_to_string(from);
    }
    if (PyUnicode_Check(from)) {
        return to_string(from);
    }
    if (PyObject_CheckBuffer(from)) {
        return pg::parameter::bytes(to_bytes(from));
    }
    if (PyList_Check(from) || PyTuple_Check(from)) {
        std::string array;
        append_array(array, from);
        return array;
    }
    if (PyDict_Check(from)) {
        return str_of(py::checked(PyObject_CallOneArg(types.dumps, from)).ptr());
    }
    if (is_date_or_time(from) || is_instance(from, types.decimal) || is_instance(from, types.uuid)) {
        return str_of(from);
    }
    throw py::error(PyExc_TypeError, (std::string("PostgreSQL has no type for a ") + Py_TYPE(from)->tp_name).c_str());
}

} // namespace

pg::parameters to_parameters(const py::object& given) {
    // A string is iterable too, but nobody means that: `("x")` for `("x",)`.
    if (PyUnicode_Check(given.ptr()) || PyObject_CheckBuffer(given.ptr())) {
        throw py::error(PyExc_TypeError, "the parameters of a row must be a sequence of them");
    }
    const py::object sequence = py::checked(PySequence_Fast(given.ptr(), "parameters must be iterable"));
    pg::parameters result;
    result.reserve(static_cast<std::size_t>(PySequence_Fast_GET_SIZE(sequence.ptr())));
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(sequence.ptr()); ++i) {
        result.push_back(to_parameter(PySequence_Fast_GET_ITEM(sequence.ptr(), i)));
    }
    return result;
}

std::vector<pg::parameters> to_many_parameters(const py::object& given) {
    std::vector<pg::parameters> result;
    const py::object iterator = py::checked(PyObject_GetIter(given.ptr()));
    while (const py::object next = py::object::steal(PyIter_Next(iterator.ptr()))) {
        result.push_back(to_parameters(next));
    }
    if (PyErr_Occurred()) {
        py::throw_raised();
    }
    return result;
}
