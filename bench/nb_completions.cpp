// bench/nb_completions.cpp — a C++ thread that completes what a loop waits for, as bench/completions.py measures.
// SPDX-License-Identifier: MIT
#include <isthmus/isthmus.hpp>
#include <isthmus/nanobind.hpp>

#include <nanobind/stl/vector.h>

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

namespace nb = nanobind;
namespace py = isthmus::py;

namespace {

/// The thread that brings all results.
class worker {
public:
    ~worker() {
        nb::gil_scoped_release release; // it may be waiting for it
        thread_.request_stop();
        thread_.join();
    }

    void submit(std::function<void()> work) {
        {
            const std::lock_guard guard(mutex_);
            queue_.push_back(std::move(work));
        }
        wake_.notify_one();
    }

private:
    void run(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (wake_.wait(lock, stop, [this] { return !queue_.empty(); })) {
            const std::vector<std::function<void()>> taken = std::exchange(queue_, {});
            lock.unlock();
            for (const auto& work : taken) {
                work();
            }
            lock.lock();
        }
    }

    std::mutex mutex_;
    std::condition_variable_any wake_;
    std::vector<std::function<void()>> queue_;
    std::jthread thread_{[this](const std::stop_token& stop) { run(stop); }};
};

/// Waits for `count` completions, of which `window` are under way at once, and gives the sum of what they brought.
py::coroutine<long> await_completions(py::self<worker> brings, long count, long window) {
    long sum = 0;
    for (long first = 0; first < count; first += window) {
        std::vector<py::completion<long>> under_way(static_cast<std::size_t>(window));
        std::vector<py::completion<long>::callback_type> callbacks;
        callbacks.reserve(under_way.size());
        for (const auto& each : under_way) {
            callbacks.push_back(each.callback());
        }
        brings->submit([first, callbacks = std::move(callbacks)] {
            long value = first;
            for (const auto& callback : callbacks) {
                callback(value++);
            }
        });
        for (auto& each : under_way) {
            sum += co_await each;
        }
    }
    co_return sum;
}

/// What an extension module does without Isthmus: call_soon_threadsafe(set_result, value) for each item.
/// `attach_once`: takes the GIL once for all of them, not for each.
void bring_with_call_soon(worker& brings, nb::object call_soon, std::vector<nb::object> setters, long first,
                          bool attach_once) {
    struct items {
        nb::object call_soon;
        std::vector<nb::object> setters;
    };
    auto held = std::make_shared<items>(items{std::move(call_soon), std::move(setters)});
    brings.submit([held = std::move(held), first, attach_once]() mutable {
        const auto bring = [&held](std::size_t i, long value) { held->call_soon(held->setters[i], value); };
        const std::size_t count = held->setters.size();
        if (attach_once) {
            nb::gil_scoped_acquire attached;
            for (std::size_t i = 0; i < count; ++i) {
                bring(i, first + static_cast<long>(i));
            }
            held.reset();
            return;
        }
        for (std::size_t i = 0; i < count; ++i) {
            nb::gil_scoped_acquire attached;
            bring(i, first + static_cast<long>(i));
        }
        nb::gil_scoped_acquire attached;
        held.reset();
    });
}

long same(long value) { return value; }
py::coroutine<long> in_thread(long value) {
    co_return co_await py::in_thread([value] { return value; });
}

} // namespace

NB_MODULE(nb_completions, m) {
    nb::class_<worker>(m, "Worker").def(nb::init<>()).def("await_completions", &await_completions);
    m.def("bring_with_call_soon", &bring_with_call_soon);
    m.def("same", &same, nb::call_guard<nb::gil_scoped_release>());
    m.def("in_thread", &in_thread);
}
