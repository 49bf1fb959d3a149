// tests/cpp/checked/test_check_threads.cpp — with ISTHMUS_CHECK_THREADS, two threads that drive one coroutine at the
// same time: the second always gets already_executing (2.8), and nothing else goes wrong. SPDX-License-Identifier: MIT
#include "../support.hpp"

#include <atomic>
#include <chrono>
#include <coroutine>
#include <exception>
#include <functional>
#include <future>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

static_assert(ISTHMUS_CHECK_THREADS);

namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using test::boom;

/// The number of threads that are in a coroutine's body.
std::atomic<int> inside{0};
std::atomic<int> most_inside{0};
struct visit {
    visit() {
        const int now = ++inside;
        int most = most_inside.load();
        while (now > most && !most_inside.compare_exchange_weak(most, now)) {}
    }
    ~visit() { --inside; }
};

coroutine<int, int> steps(int depth, int count) {
    if (depth == 0) {
        for (int i = 1; i <= count; ++i) {
            {
                const visit here;
                std::this_thread::yield();
            }
            co_yield i;
        }
        co_return 0;
    }
    co_return co_await steps(depth - 1, count);
}

/// Threads that all drive `c` until it has ended. Returns how many steps were made and how many refused.
template <class Drive>
std::pair<int, int> together(Drive drive) {
    std::atomic<int> made{0};
    std::atomic<int> refused{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            while (true) {
                const auto step = drive();
                if (!step.failed()) {
                    ++made;
                    continue;
                }
                const std::string error = test::caught<isthmus::already_executing>(step.error());
                if (error != test::executing) {
                    EXPECT_EQ(test::caught<isthmus::already_finished>(step.error()), test::finished);
                    return;
                }
                ++refused;
                std::this_thread::yield();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    return {made.load(), refused.load()};
}

TEST(CheckThreads, TheSecondIsAlwaysRefused) {
    for (const int depth : {0, 1, 20}) {
        most_inside = 0;
        constexpr int count = 300;
        // The coroutine object itself ends with the last step, so the threads share the await-iterator's target.
        auto c = steps(depth, count);
        const auto [made, refused] = together([&] { return c.try_send(); });
        EXPECT_EQ(made, count + 1);
        EXPECT_EQ(most_inside.load(), 1);
        EXPECT_EQ(c.state(), coroutine_state::closed);
        EXPECT_GE(refused, 0);
    }
}

// What a step yielded is taken before another thread can resume, and the end of the frame is seen by all.
coroutine<int, int> two_in_one_expression() { co_return co_await steps(0, 1) + co_await steps(0, 1); }

// g++ 12 makes both awaiters before the first suspends.
TEST(CheckThreads, ASuspendedExpressionHoldsNobodyUp) {
    auto waits = two_in_one_expression();
    EXPECT_EQ(waits.send().yielded(), 1);
    std::promise<int> driven;
    std::thread other([&] {
        auto alone = steps(0, 1);
        driven.set_value(alone.send().yielded());
    });
    EXPECT_EQ(driven.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
    EXPECT_EQ(waits.send().yielded(), 1);
    EXPECT_EQ(waits.send().returned(), 0);
    other.join();
}

TEST(CheckThreads, ValuesAreTakenWhole) {
    struct local {
        static coroutine<std::string, std::string> speaks(int count) {
            for (int i = 0; i < count; ++i) {
                co_yield std::string(100, 'x');
            }
            co_return std::string(100, 'x');
        }
    };
    for (int round = 0; round < 50; ++round) {
        auto c = local::speaks(20);
        std::atomic<int> whole{0};
        const auto [made, refused] = together([&] {
            auto step = c.try_send();
            if (!step.failed()) {
                whole += (step.done() ? step.returned() : step.yielded()) == std::string(100, 'x');
            }
            return step;
        });
        EXPECT_EQ(made, 21);
        EXPECT_EQ(whole, made);
        EXPECT_GE(refused, 0);
    }
}

TEST(CheckThreads, ClosedByManyAtOnce) {
    for (int round = 0; round < 200; ++round) {
        auto c = steps(round % 3, 1);
        if (round % 2 == 0) {
            c.send();
        }
        std::vector<std::thread> threads;
        for (int i = 0; i < 4; ++i) {
            threads.emplace_back([&c] {
                const auto ended = c.try_close();
                if (ended.failed()) {
                    EXPECT_EQ(test::caught<isthmus::already_executing>(ended.error()), test::executing);
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        EXPECT_EQ(c.state(), coroutine_state::closed);
    }
}

// 7.9: one drives the chain, others steal steps of its leaf.
TEST(CheckThreads, AChainAndItsLeafAreDrivenAtOnce) {
    struct local {
        static coroutine<int, int> awaits(coroutine<int, int>& inner) { co_return co_await inner; }
    };
    most_inside = 0;
    constexpr int count = 300;
    auto inner = steps(2, count);
    auto outer = local::awaits(inner);
    ASSERT_EQ(outer.send().yielded(), 1);
    std::atomic<int> number{0};
    std::atomic<bool> end{false};
    std::atomic<int> seen{1};
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&] {
            coroutine<int, int>& mine = number++ % 2 == 0 ? outer : inner;
            while (!end) {
                const auto step = mine.try_send();
                if (!step.failed() && !step.done()) {
                    if (++seen >= count) {
                        end = true;
                    }
                }
                std::this_thread::yield();
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(most_inside.load(), 1);
}

TEST(CheckThreads, ThrownIntoAndClosedWhileItRuns) {
    struct local {
        static coroutine<int, int> waits(std::atomic<bool>& started, std::atomic<bool>& go_on) {
            started = true;
            while (!go_on) {
                std::this_thread::yield();
            }
            co_yield 1;
            co_return 2;
        }
    };
    std::atomic<bool> started{false};
    std::atomic<bool> go_on{false};
    auto c = local::waits(started, go_on);
    std::thread driver([&] { EXPECT_EQ(c.send().yielded(), 1); });
    while (!started) {
        std::this_thread::yield();
    }
    EXPECT_EQ(c.state(), coroutine_state::running);
    EXPECT_ERROR(c.send(), isthmus::already_executing, test::executing);
    EXPECT_ERROR(c.throw_(boom("x")), isthmus::already_executing, test::executing); // 5.11
    EXPECT_ERROR(c.close(), isthmus::already_executing, test::executing);           // 6.7
    go_on = true;
    driver.join();
    EXPECT_EQ(c.send().returned(), 2);
}

/// Awaits a coroutine in the steps of a co_await, and calls `between` after the first: when what is awaited has been
/// found fit to be awaited, and is not part of the chain yet.
class halfway {
public:
    class awaiter_type {
    public:
        using yield_type = int;
        using send_type = int;

        explicit awaiter_type(halfway& awaited) noexcept : awaited_(awaited) {}
        bool await_ready() const noexcept { return false; }
        template <class Promise>
        void await_suspend(std::coroutine_handle<Promise> awaiting) {
            auto& promise = awaiting.promise();
            inner_.emplace([&] { return promise.await_transform(awaited_.target_); });
            awaited_.between_();
            inner_->await_suspend(awaiting);
        }
        int await_resume() {
            auto ended = inner_->await_resume();
            if (ended.failed()) {
                std::rethrow_exception(ended.error());
            }
            return ended.returned();
        }

    private:
        using inner_type = decltype(std::declval<isthmus::detail::coroutine_promise<int, int, int>&>().await_transform(
            std::declval<coroutine<int, int, int>&>()));
        halfway& awaited_;
        std::optional<isthmus::detail::outcome_awaiter<inner_type>> inner_;
    };

    halfway(coroutine<int, int, int>& target, std::function<void()> between)
        : target_(target), between_(std::move(between)) {}

private:
    coroutine<int, int, int>& target_;
    std::function<void()> between_;
};

// 7.8: whoever starts it between the check that it can be awaited and its await drives it, and the awaiter is refused.
TEST(CheckThreads, StartedByAnotherWhileItIsAwaited) {
    struct local {
        static coroutine<int, int, int> waits(std::atomic<bool>& starts, std::atomic<bool>& refused) {
            starts = true;
            while (!refused) {
                std::this_thread::yield();
            }
            co_return 1;
        }
        static coroutine<int, int, int> awaits(halfway& awaited) { co_return co_await awaited; }
    };
    std::atomic<bool> starts{false};
    std::atomic<bool> refused{false};
    auto target = local::waits(starts, refused);
    std::thread other;
    halfway awaited(target, [&] {
        other = std::thread([&] { EXPECT_EQ(target.send().returned(), 1); });
        while (!starts) {
            std::this_thread::yield();
        }
    });
    auto outer = local::awaits(awaited);
    EXPECT_ERROR(outer.send(), isthmus::already_executing, test::executing);
    refused = true;
    other.join();
}

/// What left a coroutine is one of the errors that a second thread may get.
void expect_misuse(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const isthmus::already_executing&) {
    } catch (const isthmus::already_awaited&) {
    } catch (const isthmus::already_finished&) {
    } catch (...) {
        ADD_FAILURE() << "another error";
    }
}

/// Drives it to its end, along with others.
template <class Driven>
void drive(Driven& driven) {
    while (true) {
        const auto step = driven.try_send();
        if (step.failed()) {
            expect_misuse(step.error());
            if (driven.state() == coroutine_state::closed) {
                return;
            }
            std::this_thread::yield();
        } else if (step.done()) {
            return;
        }
    }
}

/// Drives both to their ends, in two threads that begin at once.
template <class First, class Second>
void drive_both(First& first, Second& second) {
    std::atomic<int> here{0};
    const auto meet = [&] {
        ++here;
        while (here != 2) {
            std::this_thread::yield();
        }
    };
    std::thread other([&] {
        meet();
        drive(second);
    });
    meet();
    drive(first);
    other.join();
}

// 7.6-7.9: one thread awaits what others start, drive and finish.
TEST(CheckThreads, AwaitedWhileOthersDriveIt) {
    struct local {
        static coroutine<int, int> inner(int count) {
            for (int i = 0; i < count; ++i) {
                const visit here;
                co_yield i;
            }
            co_return count;
        }
        static coroutine<int, int> awaits(coroutine<int, int>& awaited) { co_return co_await awaited; }
        static coroutine<int, int> goes_on(coroutine<int, int>& awaited) { co_return co_await awaited.await(); }
        static isthmus::generator<int> numbers(int count) {
            for (int i = 0; i < count; ++i) {
                co_yield i;
            }
        }
        static isthmus::generator<int> yields_from(isthmus::generator<int>& sub) { co_yield isthmus::yield_from(sub); }
    };
    for (int round = 0; round < 150; ++round) {
        const int count = round % 3;
        auto inner = local::inner(count);
        auto outer = round % 2 == 0 ? local::awaits(inner) : local::goes_on(inner);
        drive_both(outer, inner);
        auto sub = local::numbers(count);
        auto delegating = local::yields_from(sub);
        drive_both(delegating, sub);
    }
}

// 5.23, 12.1: one thread closes or destroys a coroutine while another drives what that awaits.
TEST(CheckThreads, ClosedAndDestroyedWhileAnotherDrivesWhatItAwaits) {
    struct local {
        static coroutine<int, int> inner() {
            for (int i = 0; i < 20; ++i) {
                co_yield i;
            }
            co_return 0;
        }
        static coroutine<int, int> awaits(coroutine<int, int>& awaited) { co_return co_await awaited; }
    };
    for (int round = 0; round < 150; ++round) {
        auto inner = local::inner();
        auto outer = std::make_optional(local::awaits(inner));
        outer->send();
        if (round % 3 != 0) {
            inner.send(); // takes it out of the chain
        }
        std::atomic<bool> started{false};
        std::thread other([&] {
            started = true;
            drive(inner);
        });
        while (!started) {
            std::this_thread::yield();
        }
        if (round % 2 == 0) {
            const auto ended = outer->try_close();
            if (ended.failed()) {
                expect_misuse(ended.error());
            }
        }
        outer.reset();
        other.join();
    }
}

} // namespace
