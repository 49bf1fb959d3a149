// tests/cpp/test_threads.cpp — driven by different threads in turn (2.8, 13): nothing here runs at the same time.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test_threads {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using test::boom;

coroutine<int, int, int> sums(int depth) {
    if (depth == 0) {
        int sum = 0;
        for (int sent = co_yield 0; sent != 0; sent = co_yield sum) {
            sum += sent;
        }
        co_return sum;
    }
    co_return co_await sums(depth - 1);
}

/// Calls `work` on a thread of its own and waits for it.
template <class Work>
void elsewhere(Work work) {
    std::thread(work).join();
}

TEST(Threads, Clause_13_2_EachStepOnAnotherThread) {
    std::optional<coroutine<int, int, int>> c;
    elsewhere([&] { c.emplace(sums(20)); });
    elsewhere([&] { EXPECT_EQ(c->send().yielded(), 0); });
    int sum = 0;
    for (int i = 1; i < 50; ++i) {
        sum += i;
        elsewhere([&] { EXPECT_EQ(c->send(i).yielded(), sum); });
    }
    elsewhere([&] { EXPECT_EQ(c->state(), coroutine_state::suspended); });
    elsewhere([&] { EXPECT_EQ(c->send(0).returned(), sum); });
    elsewhere([&] { c.reset(); });
}

TEST(Threads, Clause_13_2_ThrownIntoClosedAndDestroyedOnOthers) {
    std::vector<coroutine<int, int, int>> all;
    for (int i = 0; i < 4; ++i) {
        all.push_back(sums(10));
    }
    elsewhere([&] {
        for (auto& c : all) {
            c.send();
        }
    });
    elsewhere([&] { EXPECT_ERROR(all[0].throw_(boom("x")), boom, "x"); });
    elsewhere([&] { EXPECT_EQ(all[1].close(), std::nullopt); });
    elsewhere([&] { all.pop_back(); });
    EXPECT_EQ(all[2].send(3).yielded(), 3);
    elsewhere([&] { all.clear(); });
}

coroutine<> offers_itself(coroutine<>*& self) {
    elsewhere([&] {
        EXPECT_EQ(self->state(), coroutine_state::running);
        EXPECT_ERROR(self->send(), isthmus::already_executing, test::executing);
        EXPECT_ERROR(self->throw_(boom("x")), isthmus::already_executing, test::executing);
        EXPECT_ERROR(self->close(), isthmus::already_executing, test::executing);
    });
    co_return;
}

TEST(Threads, Clause_2_8_ARunningOneIsNotResumedElsewhereEither) {
    coroutine<>* self = nullptr;
    auto c = offers_itself(self);
    self = &c;
    EXPECT_TRUE(c.send().done());
}

/// Lets two threads take turns.
class turns {
public:
    void wait_for(int number) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return next_ == number; });
    }
    void wait_until(int number) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return next_ >= number; });
    }
    void done() {
        const std::lock_guard lock(mutex_);
        ++next_;
        changed_.notify_all();
    }

private:
    std::mutex mutex_;
    std::condition_variable changed_;
    int next_ = 0;
};

TEST(Threads, Clause_13_2_TwoThreadsTakeTurns) {
    constexpr int rounds = 200;
    auto c = sums(5);
    c.send();
    turns order;
    const auto play = [&](int player) {
        for (int turn = player; turn < rounds; turn += 2) {
            order.wait_for(turn);
            EXPECT_EQ(c.send(1).yielded(), turn + 1);
            order.done();
        }
    };
    std::thread other(play, 1);
    play(0);
    other.join();
    EXPECT_EQ(c.send(0).returned(), rounds);
}

/// A coroutine has no context of its own: what is thread_local is that of the thread that drives each step. Compilers
/// have cached the address of a thread_local across a suspension (clang 63022, 47179).
thread_local int slot = 0;

coroutine<bool, int*> looks_at_the_slot() {
    for (int i = 0; i < 3; ++i) {
        slot += 1;
        int* const before = &slot;
        co_yield &slot;
        slot += 10;
        if (&slot == before) {
            co_return false;
        }
    }
    co_return true;
}
coroutine<bool, int*> looks_deeper(int depth) {
    slot += 100;
    const int* const before = &slot;
    bool result = false;
    if (depth == 0) {
        result = co_await looks_at_the_slot();
    } else {
        result = co_await looks_deeper(depth - 1);
    }
    slot += 1000;
    co_return result && &slot != before;
}

TEST(Threads, Clause_13_1_EachStepSeesTheThreadThatDrivesIt) {
    // All threads live at once, so that no two have their slot at the same address.
    constexpr int count = 4;
    turns order;
    auto c = looks_deeper(2);
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
        threads.emplace_back([&, i] {
            order.wait_for(i);
            auto step = c.send();
            if (i < count - 1) {
                EXPECT_EQ(step.yielded(), &slot);
                EXPECT_EQ(slot, i == 0 ? 301 : 11);
            } else {
                EXPECT_TRUE(step.returned());
                EXPECT_EQ(slot, 3010);
            }
            order.done();
            order.wait_for(count);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(slot, 0);
}

coroutine<int> immediate(int value) { co_return value; }
coroutine<int> busy(int times) {
    int sum = 0;
    for (int i = 0; i < times; ++i) {
        sum += co_await immediate(i % 3);
        if (i % 100 == 0) {
            co_yield {};
        }
    }
    co_return sum;
}

TEST(Threads, EachThreadHasItsOwnCoroutines) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([] {
            for (int round = 0; round < 20; ++round) {
                EXPECT_EQ(isthmus::run(busy(999)), 999);
                auto dropped = busy(999);
                dropped.send();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST(Threads, HandedFromOneThreadToTheNext) {
    // Made by one thread, resumed by a second, destroyed by a third, at the same time as others are.
    constexpr std::size_t count = 300;
    std::vector<coroutine<int>> queue(count);
    turns made;
    turns resumed;
    std::thread first([&] {
        for (auto& c : queue) {
            c = busy(1000);
            made.done();
        }
    });
    std::thread second([&] {
        for (std::size_t i = 0; i < count; ++i) {
            made.wait_until(static_cast<int>(i) + 1);
            queue[i].send();
            resumed.done();
        }
    });
    std::thread third([&] {
        for (std::size_t i = 0; i < count; ++i) {
            resumed.wait_until(static_cast<int>(i) + 1);
            queue[i] = coroutine<int>();
        }
    });
    first.join();
    second.join();
    third.join();
}

} // namespace
} // namespace test_threads
