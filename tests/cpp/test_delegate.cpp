// tests/cpp/test_delegate.cpp — what a chain does at a leaf that awaits something that is no coroutine of ours: the
// contract of detail::delegate, on which the awaiting of user classes and of Python stands (5.20–5.24, 6.9).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <functional>
#include <string>
#include <utility>

namespace test_delegate {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using isthmus::detail::activation;
using isthmus::detail::delegate;
using test::boom;
using test::trace;

using talking = coroutine<int, int, int>;

/// An await-iterator that is no coroutine: yields 1, 2, ... `yields`, then returns the sum of what it was sent.
struct foreign {
    trace* log;
    int yields;
    char on_throw = ' '; ///< ' ': has no throw; else y: yields 77, r: returns 88, e: raises another, p: raises it
    char on_close = ' '; ///< ' ': has no close; else r: returns, e: raises
    std::function<void()> during = [] {};

    class awaiter;
    using awaiter_type = awaiter;
};

class foreign::awaiter final : public delegate {
public:
    using yield_type = int;
    using send_type = int;

    explicit awaiter(foreign& object) : object_(object) {}

    bool await_ready() const noexcept { return false; }
    template <class Promise>
    void await_suspend(std::coroutine_handle<Promise> awaiting) noexcept {
        parent = &awaiting.promise();
        parent->awaiting = this;
    }
    int await_resume() {
        if (activation& step = parent->step(); step.injected != nullptr) {
            std::rethrow_exception(step.take_injected());
        }
        if (error_) {
            std::rethrow_exception(error_);
        }
        return sum_;
    }

    std::string awaited_type() const override { return "foreign"; }

    void advance(activation& step) noexcept override {
        object_.during();
        if (step.injected != nullptr) {
            if (object_.on_throw != ' ') {
                throw_(step.take_injected(), step);
            } else {
                parent->awaiting = nullptr; // 5.21: raised at the co_await
            }
            return;
        }
        if (void* const sent = std::exchange(step.sent, nullptr)) {
            sum_ += *static_cast<int*>(sent);
        }
        object_.log->push_back("send");
        if (++value_ > object_.yields) {
            parent->awaiting = nullptr;
        } else {
            step.yielded = &value_;
        }
    }

    std::exception_ptr close() noexcept override {
        object_.during();
        if (object_.on_close == ' ') {
            return nullptr;
        }
        object_.log->push_back("close");
        return object_.on_close == 'e' ? std::make_exception_ptr(boom("from close")) : nullptr;
    }

private:
    void throw_(const std::exception_ptr& error, activation& step) {
        object_.log->push_back("throw " + test::caught<boom>(error));
        switch (object_.on_throw) {
        case 'y':
            value_ = 77;
            step.yielded = &value_;
            return;
        case 'r':
            sum_ = 88;
            break;
        case 'e':
            error_ = std::make_exception_ptr(boom("another"));
            break;
        default:
            error_ = error;
        }
        parent->awaiting = nullptr;
    }

    foreign& object_;
    int value_ = 0;
    int sum_ = 0;
    std::exception_ptr error_;
};

talking awaits(foreign& object, trace& log) {
    int value = 0;
    try {
        value = co_await object;
    } catch (const generator_exit&) {
        log.push_back("exit");
        throw;
    } catch (const std::exception& error) {
        log.push_back(error.what());
        throw;
    }
    co_return value;
}
talking awaits(talking inner, trace& log) {
    int value = 0;
    try {
        value = co_await inner;
    } catch (const generator_exit&) {
        log.push_back("outer exit");
        throw;
    } catch (const std::exception& error) {
        log.push_back(std::string("outer ") + error.what());
        throw;
    }
    co_return value + 1000;
}

TEST(Delegate, IsSteppedAtTheLeafOfAChain) {
    trace log;
    foreign object{&log, 3};
    auto c = awaits(awaits(object, log), log);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(10).yielded(), 2);
    EXPECT_EQ(c.send(20).yielded(), 3);
    EXPECT_EQ(c.send(30).returned(), 1060);
    EXPECT_EQ(log, trace(4, "send"));
}

TEST(Delegate, CompletesWithoutSuspending) {
    trace log;
    foreign object{&log, 0};
    EXPECT_EQ(awaits(awaits(object, log), log).send().returned(), 1000);
}

TEST(Delegate, Clause_5_20_Throw) {
    {
        trace log;
        foreign object{&log, 3, 'y'};
        auto c = awaits(awaits(object, log), log);
        c.send();
        EXPECT_EQ(c.throw_(boom("x")).yielded(), 77);
        EXPECT_EQ(log, trace({"send", "throw x"}));
        EXPECT_EQ(c.send(5).returned(), 1005);
    }
    {
        trace log;
        foreign object{&log, 3, 'r'};
        auto c = awaits(awaits(object, log), log);
        c.send();
        EXPECT_EQ(c.throw_(boom("x")).returned(), 1088);
    }
    for (const char how : {'e', 'p'}) {
        trace log;
        foreign object{&log, 3, how};
        auto c = awaits(awaits(object, log), log);
        c.send();
        const std::string text = how == 'e' ? "another" : "x";
        EXPECT_ERROR(c.throw_(boom("x")), boom, text);
        EXPECT_EQ(log, trace({"send", "throw x", text, "outer " + text}));
    }
}

TEST(Delegate, Clause_5_21_WithoutThrowTheErrorIsRaisedAtTheAwait) {
    trace log;
    foreign object{&log, 3};
    auto c = awaits(awaits(object, log), log);
    c.send();
    EXPECT_ERROR(c.throw_(boom("x")), boom, "x");
    EXPECT_EQ(log, trace({"send", "x", "outer x"}));
}

TEST(Delegate, Clause_5_23_GeneratorExitIsAClose) {
    trace log;
    foreign object{&log, 3, 'p', 'r'};
    auto c = awaits(awaits(object, log), log);
    c.send();
    EXPECT_THROW(c.throw_(generator_exit()), generator_exit);
    EXPECT_EQ(log, trace({"send", "close", "exit", "outer exit"}));

    log.clear();
    foreign without{&log, 3, 'p', ' '};
    auto d = awaits(without, log);
    d.send();
    EXPECT_THROW(d.throw_(generator_exit()), generator_exit);
    EXPECT_EQ(log, trace({"send", "exit"}));
}

TEST(Delegate, Clause_5_23_WhatCloseRaisesTakesItsPlace) {
    trace log;
    foreign object{&log, 3, 'p', 'e'};
    auto c = awaits(awaits(object, log), log);
    c.send();
    EXPECT_ERROR(c.throw_(generator_exit()), boom, "from close");
    EXPECT_EQ(log, trace({"send", "close", "from close", "outer from close"}));

    log.clear();
    auto root = awaits(object, log);
    root.send();
    EXPECT_ERROR(root.close(), boom, "from close");
    EXPECT_EQ(log, trace({"send", "close", "from close"}));
}

TEST(Delegate, Clause_6_9_Close) {
    trace log;
    foreign object{&log, 3, 'p', 'r'};
    auto c = awaits(awaits(object, log), log);
    c.send();
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(log, trace({"send", "close", "exit", "outer exit"}));
}

TEST(Delegate, Clause_5_24_TheAwaitersAreRunningMeanwhile) {
    trace log;
    talking* root = nullptr;
    foreign object{&log, 3, 'y', 'r', [&] {
                       if (root != nullptr) {
                           EXPECT_EQ(root->state(), coroutine_state::running);
                           EXPECT_ERROR(root->send(1), isthmus::already_executing, test::executing);
                           EXPECT_ERROR(root->close(), isthmus::already_executing, test::executing);
                       }
                   }};
    auto c = awaits(awaits(object, log), log);
    c.send();
    root = &c;
    EXPECT_EQ(c.throw_(boom("x")).yielded(), 77);
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(log, trace({"send", "throw x", "close", "exit", "outer exit"}));
}

TEST(Delegate, IsLeftAloneByDestruction) {
    trace log;
    foreign object{&log, 3, 'p', 'e'};
    {
        auto c = awaits(awaits(object, log), log);
        c.send();
    }
    EXPECT_EQ(log, trace{"send"});
}

TEST(Delegate, AStolenStepReachesIt) {
    trace log;
    struct local {
        static talking awaits_kept(talking& inner) { co_return co_await inner; }
    };
    foreign object{&log, 5};
    auto inner = awaits(object, log);
    auto outer = local::awaits_kept(inner);
    EXPECT_EQ(outer.send().yielded(), 1);
    EXPECT_EQ(inner.send(10).yielded(), 2);
    EXPECT_EQ(outer.send(100).yielded(), 3);
    EXPECT_ERROR(outer.throw_(boom("x")), boom, "x");
    EXPECT_EQ(log, trace({"send", "send", "send", "x"}));
}

} // namespace
} // namespace test_delegate
