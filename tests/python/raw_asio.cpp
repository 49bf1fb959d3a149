// tests/python/raw_asio.cpp — tasks that use Asio, on a thread of its own, as Python coroutines.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include <isthmus/python/asio.hpp>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/detached.hpp>
#include <asio/ip/tcp.hpp>
#include <asio/read.hpp>
#include <asio/read_until.hpp>
#include <asio/steady_timer.hpp>
#include <asio/write.hpp>

#include <atomic>
#include <chrono>
#include <future>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace {

namespace py = isthmus::py;
using asio::ip::tcp;
using isthmus::task;
using isthmus::asio::use_coroutine;
using std::chrono::milliseconds;

std::optional<py::asio_thread>& running() {
    static std::optional<py::asio_thread> thread;
    if (!thread) {
        thread.emplace();
    }
    return thread;
}
asio::io_context& io() { return running()->context(); }

std::atomic<std::int64_t> flying{0};
std::atomic<std::int64_t> cancelled_tasks{0};
class flight {
public:
    flight() noexcept { ++flying; }
    ~flight() { --flying; }
    flight(const flight&) = delete;
    flight& operator=(const flight&) = delete;
};

// ---- servers, which Python knows nothing of ----

task<> echo_to(tcp::socket socket) {
    char bytes[256];
    while (true) {
        const auto [error, size] = co_await socket.async_read_some(asio::buffer(bytes), use_coroutine.as_tuple());
        if (error) {
            co_return;
        }
        co_await asio::async_write(socket, asio::buffer(bytes, size), use_coroutine);
    }
}
task<> flood(tcp::socket socket) {
    const std::vector<char> bytes(1 << 16, 'x');
    std::error_code error;
    while (!error) {
        error = std::get<0>(co_await asio::async_write(socket, asio::buffer(bytes), use_coroutine.as_tuple()));
    }
}
task<> accept_all(tcp::acceptor acceptor, bool floods) {
    while (true) {
        tcp::socket socket = co_await acceptor.async_accept(use_coroutine);
        isthmus::asio::co_spawn(io(), floods ? flood(std::move(socket)) : echo_to(std::move(socket)), asio::detached);
    }
}
int serve(bool floods) {
    tcp::acceptor acceptor(io(), {asio::ip::address_v4::loopback(), 0});
    const int port = acceptor.local_endpoint().port();
    isthmus::asio::co_spawn(io(), accept_all(std::move(acceptor), floods), asio::detached);
    return port;
}

// ---- tasks for Python ----

task<tcp::socket> connect(int port) {
    tcp::socket socket(io());
    const tcp::endpoint server(asio::ip::address_v4::loopback(), static_cast<unsigned short>(port));
    co_await socket.async_connect(server, use_coroutine);
    co_return socket;
}
task<std::string> talk(int port, std::string text) {
    const flight counted;
    tcp::socket socket = co_await connect(port);
    co_await asio::async_write(socket, asio::buffer(text), use_coroutine);
    std::string answer(text.size(), ' ');
    co_await asio::async_read(socket, asio::buffer(answer), use_coroutine);
    co_return answer;
}
task<int> many_talks(int port, int count) {
    std::vector<task<std::string>> talks;
    for (int i = 0; i < count; ++i) {
        talks.push_back(talk(port, std::to_string(i)));
    }
    const std::vector<std::string> answers = co_await isthmus::when_all(std::move(talks));
    int sum = 0;
    for (const std::string& each : answers) {
        sum += std::stoi(each);
    }
    co_return sum;
}
task<int> wait(int time, int result) {
    const flight counted;
    asio::steady_timer timer(io(), milliseconds(time));
    co_await timer.async_wait(use_coroutine);
    co_return result;
}
task<int> wait_at_most(int limit, int time) {
    co_return co_await isthmus::with_timeout(milliseconds(limit), wait(time, 1));
}
task<> wait_twice_at_once(int time) {
    const flight counted;
    co_await isthmus::when_all(wait(time, 1), wait(time, 2));
}
/// Coroutines that keep a Python object alive.
py::object wait_with(py::object kept, int time, bool twice) {
    if (twice) {
        return py::to_python(wait_twice_at_once(time), std::move(kept));
    }
    return py::to_python(wait(time, 1), std::move(kept));
}
task<std::string> note_cancellation(int time, bool swallow) {
    bool seen = false;
    try {
        co_await wait(time, 0);
    } catch (const isthmus::cancelled&) {
        ++cancelled_tasks;
        seen = true;
        if (!swallow) {
            throw;
        }
    }
    co_return seen ? "swallowed" : "not cancelled";
}
/// Reads what a server floods it with, into a buffer that dies with it.
task<> read_for_ever(int port) {
    const flight counted;
    tcp::socket socket = co_await connect(port);
    std::vector<char> bytes(1 << 18);
    while (true) {
        co_await asio::async_read(socket, asio::buffer(bytes), use_coroutine);
    }
}
/// Goes on although it was cancelled.
task<int> cannot_be_cancelled(int time) {
    const flight counted;
    asio::steady_timer timer(io(), milliseconds(time));
    co_await timer.async_wait(asio::bind_cancellation_slot(asio::cancellation_slot(), use_coroutine));
    co_return time;
}
task<int> answer_without_value() {
    const auto [error] = co_await asio::steady_timer(io(), milliseconds(0)).async_wait(use_coroutine.as_tuple());
    co_return error.value();
}

/// A py::coroutine that awaits Asio's operations itself, and Python.
py::coroutine<py::object> direct(py::object awaitable) {
    asio::steady_timer timer(io(), milliseconds(1));
    co_await timer.async_wait(use_coroutine);
    py::object middle = co_await py::await(std::move(awaitable));
    const std::thread::id here = std::this_thread::get_id();
    timer.expires_after(milliseconds(1));
    co_await timer.async_wait(use_coroutine);
    co_return here == std::this_thread::get_id() ? std::move(middle) : py::object();
}

/// Keeps the GIL until a timer of the Asio thread has fired so often, or for ten seconds, while others wait for
/// results.
int ticks_without_gil(int wanted) {
    const auto count = std::make_shared<std::atomic<int>>(0);
    auto tick = [](std::shared_ptr<std::atomic<int>> ticks, int times) -> task<> {
        asio::steady_timer timer(io());
        for (int i = 0; i < times; ++i) {
            timer.expires_after(milliseconds(1));
            co_await timer.async_wait(use_coroutine);
            ++*ticks;
        }
    };
    isthmus::asio::co_spawn(io(), tick(count, wanted), asio::detached);
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (*count < wanted && std::chrono::steady_clock::now() < end) {
        std::this_thread::sleep_for(milliseconds(1));
    }
    return *count;
}

/// Keeps the Asio thread busy with Python.
void occupy_with_python(int time) {
    asio::post(io(), [time] {
        const PyGILState_STATE state = PyGILState_Ensure();
        std::this_thread::sleep_for(milliseconds(time));
        PyGILState_Release(state);
    });
}

/// Calls `function` on the Asio thread, and waits for that.
void call_on_asio_thread(py::object function) {
    std::promise<void> done;
    asio::post(io(), [&] {
        const PyGILState_STATE state = PyGILState_Ensure();
        if (PyObject* const result = PyObject_CallNoArgs(function.ptr())) {
            Py_DECREF(result);
        } else {
            PyErr_Print();
        }
        PyGILState_Release(state);
        done.set_value();
    });
    PyThreadState* const detached = PyEval_SaveThread();
    done.get_future().get();
    PyEval_RestoreThread(detached);
}

void stop() { running().reset(); }
std::int64_t in_flight() { return flying; }
std::int64_t cancellations() { return cancelled_tasks; }

PyMethodDef functions[] = {
    raw::def<serve>("serve"),
    raw::def<talk>("talk"),
    raw::def<many_talks>("many_talks"),
    raw::def<wait>("wait"),
    raw::def<wait_at_most>("wait_at_most"),
    raw::def<wait_with>("wait_with"),
    raw::def<note_cancellation>("note_cancellation"),
    raw::def<read_for_ever>("read_for_ever"),
    raw::def<cannot_be_cancelled>("cannot_be_cancelled"),
    raw::def<answer_without_value>("answer_without_value"),
    raw::def<direct>("direct"),
    raw::def<ticks_without_gil>("ticks_without_gil"),
    raw::def<occupy_with_python>("occupy_with_python"),
    raw::def<call_on_asio_thread>("call_on_asio_thread"),
    raw::def<stop>("stop"),
    raw::def<in_flight>("in_flight"),
    raw::def<cancellations>("cancellations"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition{PyModuleDef_HEAD_INIT, "raw_asio", nullptr, -1, functions, nullptr, nullptr, nullptr, nullptr};

} // namespace

PyMODINIT_FUNC PyInit_raw_asio() { return PyModule_Create(&definition); }
