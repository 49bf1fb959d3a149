// tests/python/task_library.cpp — compiled without Python's headers.
// SPDX-License-Identifier: MIT

#include "task_library.hpp"

#include <isthmus/isthmus.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <stdexcept>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#if defined(Py_PYTHON_H)
#error "this library is to know nothing of Python"
#endif

namespace task_library {

using isthmus::task;

namespace {

std::atomic<std::int64_t> flying{0};
std::atomic<std::int64_t> cancelled_tasks{0};

class flight {
public:
    flight() noexcept { ++flying; }
    ~flight() { --flying; }
    flight(const flight&) = delete;
    flight& operator=(const flight&) = delete;
};

/// A thread's work, which goes on to its end although it was cancelled.
class stubborn_operation {
public:
    explicit stubborn_operation(int milliseconds) noexcept : milliseconds_(milliseconds) {}
    stubborn_operation(const stubborn_operation&) = delete;
    stubborn_operation& operator=(const stubborn_operation&) = delete;
    ~stubborn_operation() {
        if (thread_.joinable()) {
            thread_.join();
        }
    }
    bool start(isthmus::reactor&, isthmus::waker wake) {
        const std::lock_guard guard(lock_);
        wake_ = std::move(wake);
        if (!thread_.joinable()) {
            thread_ = std::thread([this] {
                std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_));
                isthmus::waker now;
                {
                    const std::lock_guard over(lock_);
                    over_ = true;
                    now = std::move(wake_);
                }
                now();
            });
        }
        return over_;
    }
    bool cancel() noexcept {
        const std::lock_guard guard(lock_);
        return over_;
    }
    int result() const noexcept { return milliseconds_; }

private:
    int milliseconds_;
    std::mutex lock_;
    bool over_ = false;
    isthmus::waker wake_;
    std::thread thread_;
};

/// Not of this library: a thread resumes whoever awaits it.
class others_awaitable {
public:
    others_awaitable(int value, int microseconds) noexcept : value_(value), microseconds_(microseconds) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const {
        std::thread([waiting, time = std::chrono::microseconds(microseconds_)] {
            std::this_thread::sleep_for(time);
            waiting.resume();
        }).detach();
    }
    int await_resume() const {
        if (value_ < 0) {
            throw std::out_of_range("negative");
        }
        return value_;
    }

private:
    int value_;
    int microseconds_;
};

} // namespace

std::int64_t in_flight() { return flying; }
std::int64_t cancellations() { return cancelled_tasks; }

task<int> nap(int milliseconds, int result) {
    const flight counted;
    co_await isthmus::sleep_for(std::chrono::milliseconds(milliseconds));
    co_return result;
}

task<int> answer_of_thread(int value, int microseconds) {
    const flight counted;
    isthmus::completion<int> done;
    std::thread([callback = done.callback(), value, microseconds] {
        std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
        callback(value);
    }).detach();
    co_return co_await done;
}

task<int> others_answer(int value, int microseconds) {
    const flight counted;
    co_return co_await others_awaitable(value, microseconds);
}

task<int> others_answer_or_limit(int limit, int microseconds) {
    co_return co_await isthmus::with_timeout(std::chrono::milliseconds(limit),
                                             isthmus::from_awaitable(others_awaitable(1, microseconds)));
}

namespace {
task<int> wait_for(isthmus::event flag) {
    const flight counted;
    co_await flag.wait();
    co_return 1;
}
} // namespace

task<int> wait_for_event(int waiters, int microseconds) {
    isthmus::event flag;
    std::thread([flag, microseconds]() mutable {
        std::this_thread::sleep_for(std::chrono::microseconds(microseconds));
        flag.set();
    }).detach();
    std::vector<task<int>> all;
    for (int i = 0; i < waiters; ++i) {
        all.push_back(wait_for(flag));
    }
    const std::vector<int> results = co_await isthmus::when_all(std::move(all));
    co_return static_cast<int>(results.size());
}

task<std::string> fail(int milliseconds, std::string text) {
    co_await nap(milliseconds, 0);
    throw std::out_of_range(text);
}

task<int> sum_of_naps(int count, int milliseconds) {
    std::vector<task<int>> naps;
    for (int i = 0; i < count; ++i) {
        naps.push_back(nap(milliseconds, i));
    }
    const std::vector<int> results = co_await isthmus::when_all(std::move(naps));
    int sum = 0;
    for (const int each : results) {
        sum += each;
    }
    co_return sum;
}

task<int> with_limit(int limit, int milliseconds) {
    co_return co_await isthmus::with_timeout(std::chrono::milliseconds(limit), nap(milliseconds, 1));
}

task<std::string> read_some(int descriptor) {
    const flight counted;
    co_await isthmus::readable(descriptor);
    char buffer[64];
    const auto size = ::read(descriptor, buffer, sizeof(buffer));
    co_return std::string(buffer, size > 0 ? static_cast<std::size_t>(size) : 0);
}

task<std::string> note_cancellation(int milliseconds, bool swallow) {
    bool seen = false;
    try {
        co_await nap(milliseconds, 0);
    } catch (const isthmus::cancelled&) {
        ++cancelled_tasks;
        seen = true;
        if (!swallow) {
            throw;
        }
    }
    co_return seen ? "swallowed" : "not cancelled";
}

task<int> first_of(int a, int b) {
    const auto winner = co_await isthmus::race(nap(a, 1), nap(b, 2));
    co_return winner.index() == 0 ? std::get<0>(winner) : std::get<1>(winner);
}

task<int> fail_at(isthmus::reactor::clock::time_point when, std::string text) {
    co_await isthmus::sleep_until(when);
    throw std::out_of_range(text);
}

task<int> failing_group(int count) {
    auto body = [count](isthmus::task_group& group) -> task<int> {
        const auto when = isthmus::reactor::clock::now() + std::chrono::milliseconds(50);
        for (int i = 0; i < count; ++i) {
            group.start(fail_at(when, "number " + std::to_string(i))); // all at once, so that none cancels another
        }
        co_return 0;
    };
    co_return co_await isthmus::with_task_group(body);
}

task<int> cannot_be_cancelled(int milliseconds) {
    const flight counted;
    co_return co_await stubborn_operation(milliseconds);
}

task<int> many_answers(int count) {
    std::vector<task<int>> answers;
    for (int i = 0; i < count; ++i) {
        answers.push_back(answer_of_thread(1, i % 100));
    }
    const std::vector<int> results = co_await isthmus::when_all(std::move(answers));
    co_return static_cast<int>(results.size());
}

} // namespace task_library
