// examples/sqlite/module.cpp — isthmus_sqlite: what is bound to Python.
// SPDX-License-Identifier: MIT

#include "async.hpp"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

namespace nb = nanobind;
namespace py = isthmus::py;
using namespace nanobind::literals;

namespace {

py::coroutine<> exit_connection(py::self<async_connection> self, py::object, py::object, py::object) {
    co_await self->close();
}

} // namespace

NB_MODULE(isthmus_sqlite, m) {
    m.doc() = "An asynchronous SQLite driver in C++: an example of Isthmus.";

    define_types(m);
    define_exceptions(m);

    nb::class_<sqlite::summary>(m, "Result", "What a statement did.")
        .def_ro("rowcount", &sqlite::summary::row_count, "The rows that an INSERT, UPDATE, DELETE changed; else -1.")
        .def_ro("lastrowid", &sqlite::summary::last_row_id, "The rowid of the last row that this connection inserted.")
        .def("__repr__", [](const sqlite::summary& self) {
            return "Result(rowcount=" + std::to_string(self.row_count) +
                   ", lastrowid=" + std::to_string(self.last_row_id) + ")";
        });

    nb::class_<async_query>(m, "Query", "The rows of a query, as tuples, read in batches.")
        .def(
            "__aiter__", [](nb::handle_t<async_query> self) { return nb::borrow(self); },
            nb::sig("def __aiter__(self) -> Query"))
        .def("__anext__", &async_query::anext)
        .def("aclose", &async_query::close, "Ends the query. Leaving the loop and dropping the query does, too.");

    nb::class_<async_transaction>(m, "Transaction", "BEGIN and COMMIT, or ROLLBACK if an exception leaves it.")
        .def("__aenter__", &async_transaction::enter)
        .def("__aexit__", &async_transaction::exit, "type"_a.none(), "value"_a.none(), "traceback"_a.none());

    nb::class_<async_connection>(m, "Connection", "A connection to a database. Its calls are made one by one.")
        .def("__await__", py::as_await(&async_connection::open), nb::rv_policy::none)
        .def("__aenter__", &async_connection::open, nb::rv_policy::none)
        .def("__aexit__", &exit_connection, "type"_a.none(), "value"_a.none(), "traceback"_a.none())
        .def("close", &async_connection::close, "Closes it, after the calls that were made before.")
        .def("execute", &async_connection::execute, "sql"_a, "parameters"_a = nb::tuple(),
             "Executes one statement. Rows are not kept.")
        .def("executemany", &async_connection::execute_many, "sql"_a, "parameters"_a,
             "Executes a statement once for each of the parameters: all or nothing.")
        .def("executescript", &async_connection::execute_script, "script"_a, "Executes statements one after the other.")
        .def("fetchall", &async_connection::fetch_all, "sql"_a, "parameters"_a = nb::tuple(), "All rows of a query.")
        .def("fetchone", &async_connection::fetch_one, "sql"_a, "parameters"_a = nb::tuple(),
             "The first row of a query, or None.")
        .def("for_each", &async_connection::for_each, "sql"_a, "parameters"_a, "callback"_a,
             "Awaits `callback(row)` for each row of a query, until one returns False. Returns how many it were.")
        .def("query", &async_connection::query, "sql"_a, "parameters"_a = nb::tuple(),
             "The rows of a query, for `async for`.")
        .def("transaction", &async_connection::transaction, "mode"_a = "deferred",
             "A transaction, or a savepoint inside one. Calls that are made in its block, and in the tasks that are "
             "started there, belong to it; those of other tasks wait until it is over.")
        .def_prop_ro("is_open", &async_connection::is_open);

    m.def(
        "connect",
        [](const std::filesystem::path& path, double timeout, bool uri) {
            return async_connection(sqlite::options{path.string(), uri}, timeout);
        },
        "path"_a, nb::kw_only(), "timeout"_a = 5.0, "uri"_a = false,
        nb::sig("def connect(path: str | os.PathLike[str], *, timeout: float = 5.0, uri: bool = False) -> Connection"),
        "Opens a database: `async with connect(path) as db`, or `db = await connect(path)` and `await db.close()`. "
        "`timeout` is how long to wait, in seconds, for a lock that another connection has.");
}
