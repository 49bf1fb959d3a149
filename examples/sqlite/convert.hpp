// examples/sqlite/convert.hpp — parameters from Python, rows and exceptions to Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "connection.hpp"

#include <isthmus/nanobind.hpp>

/// An argument that is taken as it is, with what the stubs say of it. Only the coroutine says what is wrong with it, as
/// Python's own `async def` would.
template <class Type>
struct argument {
    isthmus::py::object value;
};

template <class Type>
struct nanobind::detail::type_caster<argument<Type>> {
    NB_TYPE_CASTER(argument<Type>, Type::name)

    bool from_python(handle source, std::uint32_t, cleanup_list*) noexcept {
        value.value = isthmus::py::object::borrow(source.ptr());
        return true;
    }
    static handle from_cpp(const argument<Type>& source, rv_policy, cleanup_list*) noexcept {
        return isthmus::py::object(source.value).release();
    }
};

struct parameters_type {
    static constexpr auto name = nanobind::detail::const_name("isthmus_sqlite.Parameters");
};
struct many_parameters_type {
    static constexpr auto name = nanobind::detail::const_name("collections.abc.Iterable[isthmus_sqlite.Parameters]");
};
struct callback_type {
    static constexpr auto name = nanobind::detail::const_name(
        "collections.abc.Callable[[tuple[typing.Any, ...]], collections.abc.Awaitable[object]]");
};

/// A row, and a list of rows, as the stubs name them.
using row_tuple = nanobind::typed<nanobind::tuple, nanobind::any, nanobind::ellipsis>;
using row_list = nanobind::typed<nanobind::list, row_tuple>;

sqlite::parameters to_parameters(const isthmus::py::object& given);
std::vector<sqlite::parameters> to_many_parameters(const isthmus::py::object& given);
/// Adds the types that the stubs name: Value and Parameters.
void define_types(nanobind::module_& module);

row_tuple to_tuple(const sqlite::rows& from, std::size_t number);
row_list to_list(const sqlite::rows& from);

/// Adds Error and its subclasses, as PEP 249 names them, and has nanobind translate sqlite::error to them.
void define_exceptions(nanobind::module_& module);
