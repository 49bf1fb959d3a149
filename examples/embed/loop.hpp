// examples/embed/loop.hpp — an event loop for Python's coroutines, in a hundred lines: timers, readable files, tasks.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/nanobind.hpp>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <poll.h>
#include <system_error>
#include <utility>
#include <vector>

namespace embed {

namespace py = isthmus::py;
using clock = std::chrono::steady_clock;

/// A coroutine that the loop drives, and what it has ended in.
struct task {
    explicit task(py::python_coroutine<> driven) : coroutine(std::move(driven)) {}

    py::python_coroutine<> coroutine;
    py::object result;
    std::exception_ptr error;
    bool done = false;
};

/// What a coroutine yields to the loop: what it waits for. That may be a time, a file or another task.
struct wait {
    static wait for_time(clock::time_point until) { return {until, -1, nullptr}; }
    static wait for_file(int readable) { return {clock::time_point::max(), readable, nullptr}; }
    static wait for_task(std::shared_ptr<task> finished) { return {clock::time_point::max(), -1, std::move(finished)}; }

    clock::time_point until = clock::time_point::max();
    int readable = -1;
    std::shared_ptr<task> finished;
};

/// The loop belongs to one thread, which holds the GIL but while it waits.
class loop {
public:
    /// Starts `coroutine` with the next round, beside those that run already.
    std::shared_ptr<task> spawn(py::python_coroutine<> coroutine) {
        auto started = std::make_shared<task>(std::move(coroutine));
        suspended_.push_back({started, wait::for_time(clock::now())});
        return started;
    }

    /// Runs all until `coroutine` has ended, and gives what it returned; throws what left it. The others are closed.
    py::object run(py::python_coroutine<> coroutine) {
        const struct clear_at_end {
            ~clear_at_end() { tasks.clear(); }
            std::vector<suspended>& tasks;
        } end{suspended_};
        const std::shared_ptr<task> first = spawn(std::move(coroutine));
        while (!first->done) {
            for (const std::shared_ptr<task>& ready : poll()) {
                resume(ready);
            }
        }
        if (first->error) {
            std::rethrow_exception(first->error);
        }
        return first->result;
    }

private:
    struct suspended {
        std::shared_ptr<task> who;
        wait what;
        bool readable = false;
    };

    /// Drives one step. What the task yields must be a `wait`; anything else, such as a Future of asyncio, raises
    /// TypeError where it was yielded.
    void resume(const std::shared_ptr<task>& running) {
        auto step = running->coroutine.try_send();
        while (!step.done() && !step.failed()) {
            wait wanted;
            if (nanobind::try_cast(nanobind::handle(step.yielded().ptr()), wanted)) {
                suspended_.push_back({running, std::move(wanted)});
                return;
            }
            const auto error = std::make_exception_ptr(py::error(PyExc_TypeError, "this loop cannot wait for that"));
            step = running->coroutine.try_throw(error);
        }
        running->done = true;
        if (step.failed()) {
            running->error = step.error();
        } else {
            running->result = std::move(step).returned();
        }
    }

    /// Waits, without the GIL, until some task can go on, and takes those that can.
    std::vector<std::shared_ptr<task>> poll() {
        const auto finished = [](const suspended& s) { return s.what.finished && s.what.finished->done; };
        auto next = clock::time_point::max();
        std::vector<pollfd> files;
        for (const suspended& s : suspended_) {
            next = std::min(next, finished(s) ? clock::time_point::min() : s.what.until);
            if (s.what.readable >= 0) {
                files.push_back({s.what.readable, POLLIN, 0});
            }
        }
        wait_for(files, next);
        const auto now = clock::now();
        auto file = files.begin();
        for (suspended& s : suspended_) {
            s.readable = s.what.readable >= 0 && (file++)->revents != 0;
        }
        const auto ready = std::stable_partition(suspended_.begin(), suspended_.end(), [&](const suspended& s) {
            return !s.readable && !finished(s) && s.what.until > now;
        });
        std::vector<std::shared_ptr<task>> taken;
        for (auto s = ready; s != suspended_.end(); ++s) {
            taken.push_back(std::move(s->who));
        }
        suspended_.erase(ready, suspended_.end());
        return taken;
    }

    static void wait_for(std::vector<pollfd>& files, clock::time_point until) {
        int milliseconds = -1;
        if (until != clock::time_point::max()) {
            const auto left = std::max(until, clock::now()) - clock::now();
            milliseconds = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count());
        }
        int found = 0;
        Py_BEGIN_ALLOW_THREADS found = ::poll(files.data(), files.size(), milliseconds);
        Py_END_ALLOW_THREADS if (found < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "poll");
        }
        if (PyErr_CheckSignals() != 0) { // Ctrl-C
            py::throw_raised();
        }
    }

    std::vector<suspended> suspended_;
};

} // namespace embed
