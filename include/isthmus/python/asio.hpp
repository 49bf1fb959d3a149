// isthmus/python/asio.hpp — an Asio context on threads of its own, for tasks that Python awaits.
// SPDX-License-Identifier: MIT
#pragma once

#include "../asio.hpp"
#include "object.hpp"

#include <asio/executor_work_guard.hpp>
#include <asio/io_context.hpp>

#include <thread>

namespace isthmus::inline v1::py {

/// An io_context that a thread of its own runs, from the constructor to the destructor. Tasks that use its sockets are
/// awaited in Python under any loop, and its handlers, which call the wakers of those, never take the GIL: what has
/// completed is delivered to the loop in batches.
///
///     py::asio_thread& io() { static py::asio_thread thread; return thread; }
///
///     isthmus::task<std::string> fetch(std::string host) { // bound with py::to_python
///         ::asio::ip::tcp::socket socket(io().context());
///         co_await socket.async_connect(..., isthmus::asio::use_coroutine);
///
/// As of any io_context, its I/O objects, and so the tasks that have some, must be gone before it is: as a static
/// object it outlives all that Python runs. A task may be destroyed on any other thread, which then waits, without the
/// GIL, until this one has ended its operation. A handler of a user's own may take the GIL, if none is left when the
/// interpreter ends.
class asio_thread {
public:
    asio_thread() : work_(::asio::make_work_guard(context_)), thread_([this] { context_.run(); }) {}
    /// Stops the thread, waits for it, without the GIL, and destroys the context with what is in flight there. Needs no
    /// Python.
    ~asio_thread() {
        context_.stop();
        detail::without_gil([this] { thread_.join(); });
    }
    asio_thread(const asio_thread&) = delete;
    asio_thread& operator=(const asio_thread&) = delete;

    /// For the I/O objects. Any thread.
    ::asio::io_context& context() noexcept { return context_; }
    ::asio::io_context::executor_type get_executor() noexcept { return context_.get_executor(); }

private:
    ::asio::io_context context_{1};
    ::asio::executor_work_guard<::asio::io_context::executor_type> work_;
    std::thread thread_;
};

} // namespace isthmus::inline v1::py
