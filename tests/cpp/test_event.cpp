// tests/cpp/test_event.cpp — events: set by any thread, waited for by any number of tasks.
// SPDX-License-Identifier: MIT

#include "fake_driver.hpp"
#include "support.hpp"

#include <isthmus/isthmus.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test_event {
namespace {

using namespace std::chrono_literals;
using isthmus::event;
using isthmus::task;
using test::driven;

task<> wait_and_note(event flag, std::string& log, char name) {
    co_await flag.wait();
    log += name;
}

TEST(Event, WakesAllWhoWaitInOrder) {
    event flag;
    std::string log;
    driven<void> a(wait_and_note(flag, log, 'a'));
    driven<void> b(wait_and_note(flag, log, 'b'));
    a.start();
    b.start();
    EXPECT_FALSE(flag.is_set());
    EXPECT_FALSE(a.done() || b.done());
    flag.set();
    EXPECT_TRUE(flag.is_set());
    EXPECT_EQ(log, ""); // tasks are resumed by their drivers
    a.resume_if_woken();
    b.resume_if_woken();
    EXPECT_EQ(log, "ab");
    driven<void> c(wait_and_note(flag, log, 'c'));
    c.start();
    EXPECT_TRUE(c.done());
}

TEST(Event, WakesThoseWhoWaitedAlsoIfItIsResetAtOnce) {
    event flag;
    std::string log;
    driven<void> a(wait_and_note(flag, log, 'a'));
    a.start();
    flag.set();
    flag.reset();
    driven<void> b(wait_and_note(flag, log, 'b'));
    b.start();
    EXPECT_FALSE(b.done());
    a.resume_if_woken();
    EXPECT_EQ(log, "a");
    b.resume_if_woken();
    EXPECT_FALSE(b.done());
    flag.set();
    b.resume_if_woken();
    EXPECT_EQ(log, "ab");
}

TEST(Event, ATaskThatIsCancelledOrDestroyedDoesNotWaitAnyMore) {
    event flag;
    std::string log;
    driven<void> cancelled(wait_and_note(flag, log, 'c'));
    driven<void> woken(wait_and_note(flag, log, 'w'));
    cancelled.start();
    {
        driven<void> destroyed(wait_and_note(flag, log, 'd'));
        destroyed.start();
        woken.start();
    }
    cancelled.cancel();
    EXPECT_THROW(cancelled.result(), isthmus::cancelled);
    flag.set();
    EXPECT_FALSE(cancelled.target->woken);
    woken.resume_if_woken();
    EXPECT_EQ(log, "w");
}

/// Its driver resumes it where it is woken, and so the event goes while it is being set.
class resumes_at_once final : public isthmus::wake_target {
public:
    explicit resumes_at_once(task<> body) : body_(std::move(body)) {}
    void start(isthmus::reactor& lent, std::shared_ptr<resumes_at_once> self) {
        static_cast<void>(body_.send().yielded().start(lent, isthmus::waker(std::move(self), 0)));
    }
    void wake(std::uint64_t) noexcept override { body_ = task<>(); }

private:
    task<> body_;
};

task<> own_event(std::unique_ptr<event> flag) { co_await flag->wait(); }

TEST(Event, WhoIsWokenMayDestroyIt) {
    test::fake_reactor reactor;
    auto owned = std::make_unique<event>();
    event& flag = *owned;
    const auto first = std::make_shared<resumes_at_once>(own_event(std::move(owned)));
    first->start(reactor, first);
    std::string log;
    const auto second = std::make_shared<resumes_at_once>(wait_and_note(flag, log, 's'));
    second->start(reactor, second);
    flag.set();
    EXPECT_EQ(log, "");
}

TEST(Event, LimitsApplyToIt) {
    const auto waits = [](event flag) -> task<> {
        co_await isthmus::with_timeout(1ms, [](event inner) -> task<> { co_await inner.wait(); }(flag));
    };
    EXPECT_THROW(isthmus::run(waits(event())), isthmus::timed_out);
}

task<int> ping(event here, event there, int rounds) {
    int count = 0;
    for (int i = 0; i < rounds; ++i) {
        co_await here.wait();
        here.reset();
        ++count;
        there.set();
    }
    co_return count;
}

TEST(Event, ThreadsWakeEachOther) {
    event left;
    event right;
    int counted = 0;
    std::thread other([&] { counted = isthmus::run(ping(right, left, 2000)); });
    left.set();
    EXPECT_EQ(isthmus::run(ping(left, right, 2000)), 2000);
    other.join();
    EXPECT_EQ(counted, 2000);
}

task<> wait_with_limit(event flag, std::chrono::microseconds limit) {
    try {
        co_await isthmus::with_timeout(limit, [](event inner) -> task<> { co_await inner.wait(); }(flag));
    } catch (const isthmus::timed_out&) {}
}

TEST(Event, AThreadMaySetItWhileTasksAreCancelled) {
    std::atomic<bool> stop{false};
    event flag;
    std::thread setter([&] {
        while (!stop) {
            flag.set();
            flag.reset();
        }
    });
    for (int i = 0; i < 300; ++i) {
        std::vector<task<>> waits;
        for (int j = 0; j < 4; ++j) {
            waits.push_back(wait_with_limit(flag, std::chrono::microseconds((i + j) % 50)));
        }
        const auto all = [](std::vector<task<>> each) -> task<> { co_await isthmus::when_all(std::move(each)); };
        isthmus::run(all(std::move(waits)));
    }
    stop = true;
    setter.join();
}

} // namespace
} // namespace test_event
