// examples/embed/main.cpp — runs the async main() of a Python file on an event loop of its own.
// SPDX-License-Identifier: MIT
//
//     embed app.py
//
// The Python code awaits what the module `host` has, which is C++; and one of those functions awaits Python in turn.

#include "loop.hpp"

#include <isthmus/nanobind.hpp>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>

#include <chrono>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <unistd.h>
#include <utility>

namespace nb = nanobind;
namespace py = isthmus::py;
using namespace nb::literals;
using embed::task;
using embed::wait;

// ---- the module `host` ----------------------------------------------------------------------------------------------

namespace host {

embed::loop& the_loop() {
    static embed::loop loop;
    return loop;
}

py::object to_loop(wait what) { return py::converter<wait>::to_python(std::move(what)); }

py::coroutine<> sleep(double seconds) {
    const std::chrono::duration<double> pause(seconds);
    const auto until = embed::clock::now() + std::chrono::duration_cast<embed::clock::duration>(pause);
    co_yield to_loop(wait::for_time(until));
}

/// A line of standard input, without its end; None at the end of the file.
py::coroutine<py::object> read_line() {
    static std::string buffer;
    while (true) {
        if (const std::size_t end = buffer.find('\n'); end != std::string::npos) {
            py::object line = py::converter<std::string>::to_python(buffer.substr(0, end));
            buffer.erase(0, end + 1);
            co_return line;
        }
        co_yield to_loop(wait::for_file(STDIN_FILENO));
        char bytes[4096];
        const ssize_t count = ::read(STDIN_FILENO, bytes, sizeof bytes);
        if (count <= 0) {
            co_return py::object();
        }
        buffer.append(bytes, static_cast<std::size_t>(count));
    }
}

std::shared_ptr<task> spawn(py::object awaitable) { return the_loop().spawn(py::python_coroutine<>(awaitable)); }

/// `await task`.
py::coroutine<py::object> join(std::shared_ptr<task> awaited) {
    while (!awaited->done) {
        co_yield to_loop(wait::for_task(awaited));
    }
    if (awaited->error) {
        std::rethrow_exception(awaited->error);
    }
    co_return awaited->result;
}

/// Awaits what the Python function `attempt` gives; if that raises, pauses and tries again. A C++ coroutine that awaits
/// both Python's and its own kind.
py::coroutine<py::object> retry(int times, nb::callable attempt) {
    while (true) {
        nb::object awaitable = attempt(times);
        std::exception_ptr error;
        try {
            co_return co_await py::await(std::move(awaitable));
        } catch (const py::error&) {
            error = std::current_exception();
        }
        if (--times == 0) {
            std::rethrow_exception(error);
        }
        co_await sleep(0.001);
    }
}

} // namespace host

NB_MODULE(host, m) {
    nb::class_<wait>(m, "Wait");
    nb::class_<task>(m, "Task").def("__await__", [](const std::shared_ptr<task>& self) {
        const nb::object joining = nb::cast(host::join(self));
        return joining.attr("__await__")();
    });
    m.def("sleep", &host::sleep, "seconds"_a);
    m.def("read_line", &host::read_line);
    m.def("spawn", &host::spawn, "awaitable"_a);
    m.def("retry", &host::retry, "times"_a, "attempt"_a);
}

// ---- the program ----------------------------------------------------------------------------------------------------

namespace {

/// The async function `main` of a Python file, called.
nb::object call_main(const char* path) {
    nb::object module = nb::module_::import_("runpy").attr("run_path")(path);
    return module["main"]();
}

int run(const char* path) {
    try {
        const py::object module = py::checked(PyImport_ImportModule("host")); // nanobind works from here on
        const nb::object awaitable = call_main(path);
        const py::object result = host::the_loop().run(py::python_coroutine<>(py::object::borrow(awaitable.ptr())));
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
    const int status = run(argv[1]);
    return Py_FinalizeEx() == 0 ? status : 1;
}
