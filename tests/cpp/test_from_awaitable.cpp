// tests/cpp/test_from_awaitable.cpp — tasks await what other C++ libraries make awaitable.
// SPDX-License-Identifier: MIT

#include "fake_driver.hpp"
#include "other_library.hpp"
#include "support.hpp"

#include <isthmus/isthmus.hpp>

#include <atomic>
#include <chrono>
#include <coroutine>
#include <deque>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test_from_awaitable {
namespace {

using namespace std::chrono_literals;
using isthmus::task;
using test::driven;
using test::other_task;

/// What the test resumes, when it says so.
struct other_library {
    std::coroutine_handle<> waiting;
    int alive = 0;
    void resume() { std::exchange(waiting, nullptr).resume(); }
};

class counted {
public:
    explicit counted(int& count) noexcept : count_(&count) { ++count; }
    counted(const counted& other) noexcept : count_(other.count_) { ++*count_; }
    counted& operator=(const counted&) = delete;
    ~counted() { --*count_; }

private:
    int* count_;
};

/// Suspends; await_suspend returns void.
class until_resumed {
public:
    explicit until_resumed(other_library& by, int value = 7) : by_(by), value_(value), counted_(by.alive) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) const noexcept { by_.waiting = waiting; }
    int await_resume() const {
        if (value_ < 0) {
            throw std::out_of_range("negative");
        }
        return value_;
    }

private:
    other_library& by_;
    int value_;
    counted counted_;
};

task<int> wait_for(other_library& by, int value) { co_return co_await until_resumed(by, value); }

TEST(FromAwaitable, IsAwaitedUntilItResumes) {
    other_library library;
    driven<int> seven(wait_for(library, 7));
    seven.start();
    EXPECT_FALSE(seven.done());
    EXPECT_FALSE(seven.target->woken);
    library.resume();
    EXPECT_TRUE(seven.target->woken);
    seven.resume_if_woken();
    EXPECT_EQ(seven.result(), 7);
    EXPECT_EQ(library.alive, 0);
}

TEST(FromAwaitable, DeliversWhatItThrows) {
    other_library library;
    driven<int> negative(wait_for(library, -1));
    negative.start();
    library.resume();
    negative.resume_if_woken();
    EXPECT_EQ(test::caught<std::out_of_range>(negative.error()), "negative");
    EXPECT_EQ(library.alive, 0);
}

TEST(FromAwaitable, BeginsWhenTheDriverStartsIt) {
    other_library library;
    task<int> seven = wait_for(library, 7);
    seven.send();
    EXPECT_FALSE(library.waiting);
    EXPECT_ERROR(seven.send(), isthmus::operation_not_started,
                 "a task was resumed, but the operation that it waits for was not started");
    EXPECT_EQ(library.alive, 0);
}

/// await_suspend returns whether to suspend.
struct maybe {
    bool ready;
    bool suspends;
    bool await_ready() const noexcept { return ready; }
    bool await_suspend(std::coroutine_handle<> waiting) const {
        if (suspends) {
            waiting.resume();
        }
        return suspends;
    }
    std::string await_resume() const { return "at once"; }
};

task<std::string> await_maybe(maybe awaited) { co_return co_await awaited; }

TEST(FromAwaitable, MayBeReadyOrNotSuspendOrResumeAtOnce) {
    for (const maybe& each : {maybe{true, false}, maybe{false, false}, maybe{false, true}}) {
        driven<std::string> now(await_maybe(each));
        now.start();
        ASSERT_TRUE(now.done());
        EXPECT_EQ(now.result(), "at once");
        EXPECT_EQ(now.yields, 1);
    }
}

struct throws_in {
    enum class place { operator_co_await, ready, suspend } where;
    struct awaiter {
        place where;
        bool await_ready() const {
            if (where == place::ready) {
                throw std::runtime_error("ready");
            }
            return false;
        }
        void await_suspend(std::coroutine_handle<>) const { throw std::runtime_error("suspend"); }
        void await_resume() const noexcept {}
    };
    awaiter operator co_await() const {
        if (where == place::operator_co_await) {
            throw std::runtime_error("operator");
        }
        return {where};
    }
};

task<std::string> name_of_error(throws_in awaited) {
    std::string text;
    try {
        co_await awaited;
    } catch (const std::runtime_error& e) {
        text = e.what();
    }
    co_return text;
}

TEST(FromAwaitable, MayThrowBeforeItSuspends) {
    using enum throws_in::place;
    const std::pair<throws_in::place, const char*> cases[] = {
        {operator_co_await, "operator"}, {ready, "ready"}, {suspend, "suspend"}};
    for (const auto& [where, text] : cases) {
        EXPECT_EQ(isthmus::run(name_of_error(throws_in{where})), text);
    }
}

other_task<std::unique_ptr<int>> make_five(other_library& by) {
    const until_resumed wait(by, 5);
    co_return std::make_unique<int>(co_await wait);
}
other_task<std::string> fail_at_once() {
    throw std::logic_error("fails");
    co_return "";
}

task<int> await_temporary(other_library& by) {
    std::unique_ptr<int> five = co_await make_five(by);
    co_return *five;
}
task<bool> await_by_name(other_library& by) {
    other_task<std::unique_ptr<int>> five = make_five(by);
    std::unique_ptr<int>& first = co_await five;
    std::unique_ptr<int>& second = co_await five;
    co_return first != nullptr && &first == &second;
}

TEST(FromAwaitable, TakesACoroutineOfAnotherLibrary) {
    other_library library;
    driven<int> five(await_temporary(library));
    five.start();
    EXPECT_FALSE(five.done());
    library.resume();
    five.resume_if_woken();
    EXPECT_EQ(five.result(), 5);
    EXPECT_EQ(library.alive, 0);
    EXPECT_THROW(isthmus::run(isthmus::from_awaitable(fail_at_once())), std::logic_error);
}

TEST(FromAwaitable, AnLvalueGivesAReference) {
    other_library library;
    driven<bool> same(await_by_name(library));
    same.start();
    library.resume();
    same.resume_if_woken();
    EXPECT_TRUE(same.result());
    EXPECT_EQ(library.alive, 0);
}

/// What it gives refers to its awaiter, which lives to the end of the full expression.
struct own_text {
    struct awaiter {
        std::string text = "longer than the buffer of a short string";
        bool await_ready() const noexcept { return false; }
        bool await_suspend(std::coroutine_handle<>) const noexcept { return false; }
        const std::string& await_resume() const noexcept { return text; }
    };
};
own_text::awaiter operator co_await(own_text) { return {}; }

task<std::string> copy_of_own_text() {
    std::string copy = co_await own_text();
    co_return copy;
}

TEST(FromAwaitable, WhatItGivesMayReferToATemporary) {
    EXPECT_EQ(isthmus::run(copy_of_own_text()), "longer than the buffer of a short string");
}

task<int> first_of(other_library& by) {
    const auto winner = co_await isthmus::race(isthmus::from_awaitable(until_resumed(by, 1)),
                                               isthmus::from_awaitable(maybe{true, false}));
    co_return static_cast<int>(winner.index());
}

TEST(FromAwaitable, IsATaskAmongOthers) {
    other_library library;
    driven<int> second(first_of(library));
    second.start();
    EXPECT_FALSE(second.done()); // the first cannot be cancelled
    library.resume();
    second.resume_if_woken();
    EXPECT_EQ(second.result(), 1);
}

task<std::string> outcome_of(other_library& by) {
    auto outcome = co_await isthmus::as_outcome(until_resumed(by, -1));
    co_return outcome.failed() ? test::caught<std::out_of_range>(outcome.error()) : "none";
}

TEST(FromAwaitable, ItsErrorMayBeAnOutcome) {
    other_library library;
    driven<std::string> text(outcome_of(library));
    text.start();
    library.resume();
    text.resume_if_woken();
    EXPECT_EQ(text.result(), "negative");
}

TEST(FromAwaitable, ACancelledTaskWaitsForIt) {
    other_library library;
    driven<int> seven(wait_for(library, 7));
    seven.start();
    seven.cancel();
    EXPECT_FALSE(seven.done());
    seven.cancel();
    EXPECT_FALSE(seven.done());
    library.resume();
    seven.resume_if_woken();
    ASSERT_TRUE(seven.done());
    EXPECT_THROW(seven.result(), isthmus::cancelled);
    EXPECT_EQ(library.alive, 0);
}

TEST(FromAwaitable, OutlivesATaskThatIsDestroyed) {
    other_library library;
    {
        driven<int> seven(wait_for(library, 7));
        seven.start();
        seven.body() = task<int>();
        EXPECT_EQ(seven.target.use_count(), 1);
    }
    EXPECT_EQ(library.alive, 1);
    library.resume();
    EXPECT_EQ(library.alive, 0);
    {
        driven<int> five(await_temporary(library));
        five.start();
    }
    library.resume();
    EXPECT_EQ(library.alive, 0);
}

TEST(FromAwaitable, MayDestroyItsHandleInsteadOfResumingIt) {
    other_library library;
    driven<int> seven(wait_for(library, 7));
    seven.start();
    std::exchange(library.waiting, nullptr).destroy();
    seven.resume_if_woken();
    ASSERT_TRUE(seven.done());
    EXPECT_THROW(seven.result(), std::future_error);
    EXPECT_EQ(library.alive, 0);
}

TEST(FromAwaitable, ShowsItsTypeInTheChain) {
    other_library library;
    driven<int> seven(wait_for(library, 7));
    seven.start();
    std::string last;
    for (const auto& level : isthmus::await_chain(seven.body())) {
        last = level.name();
    }
    EXPECT_TRUE(last.ends_with("until_resumed")) << last;
    library.resume();
}

/// A thread resumes it.
class on_thread {
public:
    explicit on_thread(std::atomic<int>& over, int microseconds) noexcept : over_(over), microseconds_(microseconds) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> waiting) {
        std::thread([waiting, &over = over_, time = std::chrono::microseconds(microseconds_)] {
            std::this_thread::sleep_for(time);
            waiting.resume();
            ++over;
        }).detach();
    }
    std::string await_resume() const { return "from a thread, and too long for a short string"; }

private:
    std::atomic<int>& over_;
    int microseconds_;
};

task<std::string> await_thread(std::atomic<int>& over, int microseconds) {
    co_return co_await on_thread(over, microseconds);
}

void wait_until(const std::atomic<int>& over, int count) {
    while (over < count) {
        std::this_thread::sleep_for(1ms);
    }
}

TEST(FromAwaitable, MayResumeOnAnotherThread) {
    std::atomic<int> over{0};
    for (int i = 0; i < 50; ++i) {
        EXPECT_EQ(isthmus::run(await_thread(over, i)).substr(0, 13), "from a thread");
    }
    wait_until(over, 50);
}

TEST(FromAwaitable, AThreadMayResumeItWhileTheTaskIsDestroyed) {
    std::atomic<int> over{0};
    for (int i = 0; i < 200; ++i) {
        driven<std::string> dropped(await_thread(over, i % 40));
        dropped.start();
        std::this_thread::sleep_for(std::chrono::microseconds(i % 60));
    }
    wait_until(over, 200);
}

task<int> count_cancelled(std::atomic<int>& over) {
    int cancelled = 0;
    for (int i = 0; i < 200; ++i) {
        const auto limit = std::chrono::microseconds(i % 60);
        try {
            co_await isthmus::with_timeout(limit, await_thread(over, i % 60));
        } catch (const isthmus::timed_out&) {
            ++cancelled;
        }
    }
    co_return cancelled;
}

TEST(FromAwaitable, AThreadMayResumeItWhileTheTaskIsCancelled) {
    std::atomic<int> over{0};
    EXPECT_LE(isthmus::run(count_cancelled(over)), 200);
    wait_until(over, 200);
}

} // namespace
} // namespace test_from_awaitable
