// examples/postgres/module.cpp — isthmus_postgres: what is bound to Python.
// SPDX-License-Identifier: MIT

#include "async.hpp"

#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

namespace nb = nanobind;
namespace py = isthmus::py;
using namespace nanobind::literals;

namespace {

std::string quoted(const std::string& text) { return nb::cast<std::string>(nb::repr(nb::cast(text))); }

} // namespace

NB_MODULE(isthmus_postgres, m) {
    m.doc() = "An asynchronous PostgreSQL client in C++: an example of Isthmus.";

    define_conversions(m);

    nb::class_<pg::notification>(m, "Notification", "What NOTIFY has sent.")
        .def_ro("channel", &pg::notification::channel)
        .def_ro("payload", &pg::notification::payload)
        .def_ro("pid", &pg::notification::pid, "Of the server's process that sent it.")
        .def("__repr__", [](const pg::notification& self) {
            return "Notification(channel=" + quoted(self.channel) + ", payload=" + quoted(self.payload) + ")";
        });

    nb::class_<pg::diagnostics>(m, "Notice", "What the server has to say, but is no error.")
        .def_ro("severity", &pg::diagnostics::severity)
        .def_ro("sqlstate", &pg::diagnostics::sqlstate)
        .def_ro("message", &pg::diagnostics::message)
        .def_ro("detail", &pg::diagnostics::detail)
        .def_ro("hint", &pg::diagnostics::hint)
        .def("__repr__",
             [](const pg::diagnostics& self) { return "Notice(" + self.severity + ": " + quoted(self.message) + ")"; });

    nb::class_<async_statement>(m, "Statement", "A prepared statement.")
        .def("execute", &async_statement::execute, "values"_a,
             nb::sig("def execute(self, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, str]"),
             "Executes it; rows are not kept.")
        .def("executemany", &async_statement::execute_many, "rows"_a,
             "Executes it for each of the rows: all or nothing.")
        .def("fetch", &async_statement::fetch, "values"_a,
             nb::sig("def fetch(self, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, list[tuple[typing.Any, ...]]]"),
             "All rows.")
        .def("fetchrow", &async_statement::fetch_row, "values"_a,
             nb::sig("def fetchrow(self, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, tuple[typing.Any, ...] | None]"),
             "The first row, or None.")
        .def("fetchval", &async_statement::fetch_value, "values"_a,
             nb::sig("def fetchval(self, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, typing.Any]"),
             "The first value of the first row, or None.");

    nb::class_<async_transaction>(m, "Transaction", "BEGIN and COMMIT, or ROLLBACK if an exception leaves it.")
        .def("__aenter__", &async_transaction::enter)
        .def("__aexit__", &async_transaction::exit, "type"_a.none(), "value"_a.none(), "traceback"_a.none());

    nb::class_<async_notifications>(m, "Notifications", "LISTEN, from `async with` or the first of them on.")
        .def(
            "__aiter__", [](nb::handle_t<async_notifications> self) { return nb::borrow(self); },
            nb::sig("def __aiter__(self) -> Notifications"))
        .def("__anext__", &async_notifications::next)
        .def("__aenter__", &async_notifications::enter, nb::rv_policy::none)
        .def("__aexit__", &async_notifications::exit, "type"_a.none(), "value"_a.none(), "traceback"_a.none())
        .def("aclose", &async_notifications::close, "UNLISTEN. Whoever iterates comes to the end.");

    nb::class_<async_connection>(m, "Connection", "A connection to a server, for one task at a time.")
        .def("__await__", py::as_await(&async_connection::open), nb::rv_policy::none)
        .def("__aenter__", &async_connection::open, nb::rv_policy::none)
        .def("__aexit__", &async_connection::exit, "type"_a.none(), "value"_a.none(), "traceback"_a.none())
        .def("close", &async_connection::close, "Closes it at once. Who waits for it gets an InterfaceError.")
        .def("execute", &async_connection::execute, "sql"_a, "values"_a,
             nb::sig("def execute(self, sql: str, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, str]"),
             "Executes a statement, or without values several of them. Rows are not kept. Returns the command and how "
             "many rows it was about: 'INSERT 0 2'.")
        .def("executemany", &async_connection::execute_many, "sql"_a, "rows"_a,
             "Executes a statement for each of the rows: all or nothing.")
        .def("fetch", &async_connection::fetch, "sql"_a, "values"_a,
             nb::sig("def fetch(self, sql: str, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, list[tuple[typing.Any, ...]]]"),
             "All rows of a query, as tuples.")
        .def("fetchrow", &async_connection::fetch_row, "sql"_a, "values"_a,
             nb::sig("def fetchrow(self, sql: str, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, tuple[typing.Any, ...] | None]"),
             "The first row of a query, or None.")
        .def("fetchval", &async_connection::fetch_value, "sql"_a, "values"_a,
             nb::sig("def fetchval(self, sql: str, *values: typing.Any) -> "
                     "collections.abc.Coroutine[typing.Any, typing.Any, typing.Any]"),
             "The first value of the first row of a query, or None.")
        .def("prepare", &async_connection::prepare, "sql"_a, "Prepares a statement.")
        .def("transaction", &async_connection::transaction, nb::kw_only(), "isolation"_a = nb::none(),
             "readonly"_a = false, "A transaction, or a savepoint inside one, for `async with`.")
        .def(
            "listen",
            [](const async_connection& self, const nb::args& channels) {
                return self.listen(nb::cast<std::vector<std::string>>(channels));
            },
            "channels"_a, nb::sig("def listen(self, *channels: str) -> Notifications"),
            "The notifications of these channels, for `async for`. The connection can be used meanwhile.")
        .def("cancel", &async_connection::cancel,
             "Cancels what another task executes: it gets a QueryCanceled. False if there is nothing to cancel.")
        .def("take_notices", &async_connection::take_notices, "The notices that came since this was called last.")
        .def_prop_ro("is_open", &async_connection::is_open)
        .def_prop_ro("in_transaction", &async_connection::in_transaction)
        .def_prop_ro("pid", &async_connection::pid, "Of the server's process.");

    m.def(
        "connect", [](std::string dsn) { return async_connection(std::move(dsn)); }, "dsn"_a = "",
        "Connects: `async with connect(dsn) as db`, or `db = await connect(dsn)` and `await db.close()`. `dsn` is what "
        "libpq takes, 'host=/run/postgresql dbname=shop' or 'postgresql://...'; what it leaves out comes from the "
        "environment (PGHOST ...).");
}
