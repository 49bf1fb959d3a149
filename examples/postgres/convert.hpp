// examples/postgres/convert.hpp — parameters from Python, rows and exceptions to Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "result.hpp"

#include <isthmus/nanobind.hpp>

/// A row, and a list of rows, as the stubs name them.
using row_tuple = nanobind::typed<nanobind::tuple, nanobind::any, nanobind::ellipsis>;
using row_list = nanobind::typed<nanobind::list, row_tuple>;

/// The elements of a tuple or another iterable as parameters. Throws py::error: TypeError if a value is of a type that
/// nothing in PostgreSQL stands for.
pg::parameters to_parameters(const isthmus::py::object& given);
std::vector<pg::parameters> to_many_parameters(const isthmus::py::object& given);

row_tuple to_tuple(const pg::result& from, std::size_t row);
row_list to_list(const pg::result& from);
/// The value in the first column.
isthmus::py::object to_object(const pg::result& from, std::size_t row);

/// Imports what values are converted with, adds Error and its subclasses, as PEP 249 names them, and has nanobind
/// translate the errors of the client to them.
void define_conversions(nanobind::module_& module);

/// Types and functions of the standard library that values are made with.
struct python_types {
    PyObject *decimal, *uuid, *loads, *dumps, *time;
    static python_types& get();
};
