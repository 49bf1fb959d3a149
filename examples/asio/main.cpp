// examples/asio/main.cpp — runs the async main() of a Python file on Asio's io_context, on the main thread.
// SPDX-License-Identifier: MIT
//
//     asio_embed app.py
//
// The Python code awaits what the module `host` has: tasks, which use Asio. Python code that needs asyncio runs on a
// thread of its own, and can await the same functions.

#include "drive.hpp"

#include <isthmus/asio.hpp>
#include <isthmus/nanobind.hpp>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <asio/detached.hpp>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read_until.hpp>
#include <asio/write.hpp>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <utility>

namespace nb = nanobind;
namespace py = isthmus::py;
using namespace nb::literals;
using asio::ip::tcp;
using asio_embed::gil;
using isthmus::task;
using isthmus::asio::use_coroutine;

namespace {

/// What the program has while Python is there.
struct program {
    asio::io_context io{1};
    asio_embed::asyncio_thread asyncio;
};
program* running = nullptr;

} // namespace

// ---- C++ that knows no Python ---------------------------------------------------------------------------------------

namespace host {

struct connection {
    explicit connection(tcp::socket accepted) : socket(std::move(accepted)) {}
    tcp::socket socket;
    std::string received;
};

/// A line without its end; none at the end of the connection.
task<std::optional<std::string>> read_line(std::shared_ptr<connection> from) {
    auto buffer = asio::dynamic_buffer(from->received);
    const auto [error, size] = co_await asio::async_read_until(from->socket, buffer, '\n', use_coroutine.as_tuple());
    if (error) {
        co_return std::nullopt;
    }
    std::string line = from->received.substr(0, size - 1);
    from->received.erase(0, size);
    co_return line;
}
task<> write_line(std::shared_ptr<connection> to, std::string line) {
    line += '\n';
    co_await asio::async_write(to->socket, asio::buffer(line), use_coroutine);
}
task<std::shared_ptr<connection>> connect(int port) {
    tcp::socket socket(running->io);
    const tcp::endpoint server(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
    co_await socket.async_connect(server, use_coroutine);
    co_return std::make_shared<connection>(std::move(socket));
}
task<> sleep(double seconds) {
    const std::chrono::duration<double> time(seconds);
    co_await isthmus::sleep_for(std::chrono::duration_cast<std::chrono::steady_clock::duration>(time));
}

// ---- what of it Python sees -----------------------------------------------------------------------------------------

/// Awaits a task in Python: under asyncio on its loop, else by what drives the Python coroutine.
template <class Return>
py::coroutine<py::object> in_python(task<Return> body) {
    task<py::object> wanted = asio_embed::with_object(std::move(body));
    if (running->asyncio.runs_here()) {
        co_return co_await std::move(wanted);
    }
    auto asked = std::make_shared<asio_embed::request>(asio_embed::request{std::move(wanted)});
    co_return co_yield py::converter<std::shared_ptr<asio_embed::request>>::to_python(std::move(asked));
}

/// Prints what leaves a coroutine that nobody awaits.
task<> drive_alone(py::python_coroutine<> coroutine) {
    try {
        co_await asio_embed::drive(std::move(coroutine));
    } catch (const py::error& error) {
        const gil held;
        error.restore();
        PyErr_Print();
    }
}
task<> accept_all(tcp::acceptor acceptor, py::object handle) {
    while (true) {
        auto accepted = std::make_shared<connection>(co_await acceptor.async_accept(use_coroutine));
        const gil held;
        const nb::object coroutine = nb::handle(handle.ptr())(nb::cast(accepted));
        py::python_coroutine<> handling(py::object::borrow(coroutine.ptr()));
        isthmus::asio::co_spawn(running->io, drive_alone(std::move(handling)), asio::detached);
    }
}

/// Serves on the returned port: calls the async function `handle` with each connection.
int serve(nb::object handle) {
    tcp::acceptor acceptor(running->io, {asio::ip::address_v4::loopback(), 0});
    const int port = acceptor.local_endpoint().port();
    isthmus::asio::co_spawn(running->io, accept_all(std::move(acceptor), py::object::borrow(handle.ptr())),
                            asio::detached);
    return port;
}

} // namespace host

NB_MODULE(host, m) {
    nb::class_<asio_embed::request>(m, "Request");
    nb::class_<host::connection>(m, "Connection")
        .def("read_line", [](std::shared_ptr<host::connection> self) { return host::in_python(read_line(self)); })
        .def("write_line", [](std::shared_ptr<host::connection> self, std::string line) {
            return host::in_python(write_line(self, std::move(line)));
        });
    m.def("connect", [](int port) { return host::in_python(host::connect(port)); }, "port"_a);
    m.def("sleep", [](double seconds) { return host::in_python(host::sleep(seconds)); }, "seconds"_a);
    m.def("in_asyncio", [](nb::object coroutine) {
        return host::in_python(running->asyncio.run(py::object::borrow(coroutine.ptr())));
    });
    m.def("serve", &host::serve, "handle"_a);
}

// ---- the program ----------------------------------------------------------------------------------------------------

namespace {

/// Runs `main()` until it has ended. What is left then is destroyed with the context.
py::object run(py::python_coroutine<> main) {
    program here;
    running = &here;
    std::exception_ptr error;
    py::object result;
    isthmus::asio::co_spawn(here.io, asio_embed::drive(std::move(main)), [&](std::exception_ptr e, py::object value) {
        error = std::move(e);
        result = std::move(value);
        here.io.stop();
    });
    {
        const nb::gil_scoped_release while_it_runs;
        here.io.run();
    }
    if (error) {
        std::rethrow_exception(error);
    }
    return result;
}

int run_file(const char* path) {
    try {
        const py::object module = py::checked(PyImport_ImportModule("host")); // nanobind works from here on
        const nb::object names = nb::module_::import_("runpy").attr("run_path")(path);
        const nb::object awaitable = names["main"]();
        const py::object result = run(py::python_coroutine<>(py::object::borrow(awaitable.ptr())));
        const nb::str text(nb::handle(result.ptr()));
        std::printf("main() returned %s\n", text.c_str());
        return 0;
    } catch (const py::base_exception& e) {
        e.restore();
    } catch (nb::python_error& e) {
        e.restore();
    }
    PyErr_Print();
    return 1;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: %s FILE.py\n", argv[0]);
        return 2;
    }
    PyImport_AppendInittab("host", PyInit_host);
    Py_Initialize();
    const int status = run_file(argv[1]);
    return Py_FinalizeEx() == 0 ? status : 1;
}
