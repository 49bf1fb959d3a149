// examples/asio/drive.hpp — Python's coroutines as tasks, which any C++ executor drives, and C++ tasks awaited by them.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/nanobind.hpp>
#include <isthmus/operations.hpp>

#include <exception>
#include <memory>
#include <type_traits>
#include <utility>

namespace asio_embed {

namespace py = isthmus::py;
using isthmus::task;

/// The GIL, for as long as this lives. None of these may live at a co_await.
class gil {
public:
    gil() : state_(PyGILState_Ensure()) {}
    ~gil() { PyGILState_Release(state_); }
    gil(const gil&) = delete;
    gil& operator=(const gil&) = delete;

private:
    PyGILState_STATE state_;
};

/// What a Python coroutine yields to drive(): a task that it waits for.
struct request {
    task<py::object> wanted;
};

/// Drives a Python coroutine, as a task: what that waits for, this waits for. Anything but a `request`, such as a
/// Future of asyncio, raises TypeError where it was yielded. The GIL is held while Python runs, and not while the task
/// waits.
inline task<py::object> drive(py::python_coroutine<> coroutine) {
    py::object result;
    std::exception_ptr error;
    while (true) {
        std::shared_ptr<request> next;
        {
            const gil held;
            auto step = error ? coroutine.try_throw(std::exchange(error, nullptr)) : coroutine.try_send(result);
            while (!step.done() && !step.failed() &&
                   !nanobind::try_cast(nanobind::handle(step.yielded().ptr()), next)) {
                step = coroutine.try_throw(
                    std::make_exception_ptr(py::error(PyExc_TypeError, "this program cannot wait for that")));
            }
            if (step.failed()) {
                std::rethrow_exception(step.error());
            }
            if (step.done()) {
                co_return std::move(step).returned();
            }
        }
        try {
            result = co_await std::move(next->wanted);
        } catch (...) {
            error = std::current_exception(); // it is thrown into Python: isthmus::cancelled as CancelledError
        }
    }
}

/// A task whose result is a Python object.
template <class Return>
task<py::object> with_object(task<Return> body) {
    if constexpr (std::is_void_v<Return>) {
        co_await std::move(body);
        co_return py::object(); // None
    } else {
        Return value = co_await std::move(body);
        const gil held;
        co_return py::converter<Return>::to_python(std::move(value));
    }
}

/// The loop of asyncio, on a thread of its own, for Python code that needs it.
class asyncio_thread {
public:
    asyncio_thread() {
        const nanobind::module_ asyncio = nanobind::module_::import_("asyncio");
        run_threadsafe_ = asyncio.attr("run_coroutine_threadsafe");
        get_running_loop_ = asyncio.attr("_get_running_loop");
        loop_ = asyncio.attr("new_event_loop")();
        thread_ =
            nanobind::module_::import_("threading").attr("Thread")(nanobind::arg("target") = loop_.attr("run_forever"));
        thread_.attr("start")();
    }
    ~asyncio_thread() {
        loop_.attr("call_soon_threadsafe")(loop_.attr("stop"));
        thread_.attr("join")(); // without the GIL
        loop_.attr("close")();
    }
    asyncio_thread(const asyncio_thread&) = delete;
    asyncio_thread& operator=(const asyncio_thread&) = delete;

    /// Whether this thread is running asyncio.
    bool runs_here() const { return !get_running_loop_().is_none(); }

    /// Runs a Python coroutine there; the result comes back to whoever drives this task. If that is cancelled, so is
    /// the coroutine.
    task<py::object> run(py::object coroutine) {
        isthmus::completion<py::object> done;
        py::object running = submit(std::move(coroutine), done.callback());
        try {
            co_return co_await done;
        } catch (const isthmus::cancelled&) {
            const gil held;
            nanobind::handle(running.ptr()).attr("cancel")();
            throw;
        }
    }

private:
    py::object submit(py::object coroutine, isthmus::completion<py::object>::callback_type callback) {
        const gil held;
        nanobind::object future = run_threadsafe_(nanobind::handle(coroutine.ptr()), loop_);
        future.attr("add_done_callback")(nanobind::cpp_function([callback](nanobind::object ended) {
            try { // on asyncio's thread
                callback(py::checked(PyObject_CallMethod(ended.ptr(), "result", nullptr)));
            } catch (...) {
                callback.set_exception(std::current_exception());
            }
        }));
        return py::object::steal(future.release().ptr());
    }

    nanobind::object run_threadsafe_;
    nanobind::object get_running_loop_;
    nanobind::object loop_;
    nanobind::object thread_;
};

} // namespace asio_embed
