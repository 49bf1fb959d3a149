// tests/cpp/test_foreign.cpp — co_await of a user's own class through its await().
// SPDX-License-Identifier: MIT
#include <isthmus/isthmus.hpp>

#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>
#include <string>

namespace {

using isthmus::coroutine;
using isthmus::step;

// Yields its countdown, and returns what it was sent. Only send: no throw_ and no close.
class counter {
public:
    explicit counter(int from) : left_(from) {}
    counter& await() { return *this; }
    step<int, std::string> send() { return advance("-"); }
    step<int, std::string> send(int value) { return advance(std::to_string(value)); }

private:
    step<int, std::string> advance(const std::string& sent) {
        log_ += sent;
        if (left_ > 0) {
            return step<int, std::string>(std::in_place_index<0>, left_--);
        }
        return step<int, std::string>(std::in_place_index<1>, log_);
    }
    int left_;
    std::string log_;
};

// Has all of the protocol, and records what reaches it. throw_ returns ('r'), yields ('y') or raises another error
// ('e'); close returns ('r'), or raises an error ('e') or a generator_exit ('x').
class recorder {
public:
    explicit recorder(std::string& log, char on_throw = 'r', char on_close = 'r')
        : log_(&log), on_throw_(on_throw), on_close_(on_close) {}
    recorder await() { return *this; }
    step<int, int> send(std::optional<int> value = std::nullopt) {
        *log_ += value ? "send " + std::to_string(*value) + ";" : std::string("send;");
        return step<int, int>(std::in_place_index<0>, 1);
    }
    step<int, int> throw_(std::exception_ptr error) {
        try {
            std::rethrow_exception(error);
        } catch (const std::runtime_error& e) {
            *log_ += std::string("throw ") + e.what() + ";";
        }
        if (on_throw_ == 'e') {
            throw std::logic_error("throw_ failed");
        }
        if (on_throw_ == 'y') {
            return step<int, int>(std::in_place_index<0>, 41);
        }
        return step<int, int>(std::in_place_index<1>, 42);
    }
    void close() {
        *log_ += "close;";
        if (on_close_ == 'e') {
            throw std::logic_error("close failed");
        }
        if (on_close_ == 'x') {
            throw isthmus::generator_exit();
        }
    }

private:
    std::string* log_;
    char on_throw_;
    char on_close_;
};

// Can be closed, but nothing can be thrown in.
class only_closes {
public:
    explicit only_closes(std::string& log) : log_(&log) {}
    only_closes& await() { return *this; }
    step<int, int> send() {
        *log_ += "send;";
        return step<int, int>(std::in_place_index<0>, 1);
    }
    void close() { *log_ += "close;"; }

private:
    std::string* log_;
};

coroutine<std::string, int, int> awaits_counter(int from) {
    counter awaited(from);
    co_return co_await awaited;
}
coroutine<std::string, int, int> awaits_temporary() { co_return co_await counter(1); }
coroutine<int, int> awaits_closing(std::string& log) {
    only_closes awaited(log);
    co_return co_await awaited;
}
coroutine<int, int, std::optional<int>> awaits_recorder(recorder awaited) { co_return co_await awaited; }
coroutine<int, int, std::optional<int>> nested(recorder awaited, int depth) {
    if (depth == 0) {
        co_return co_await awaits_recorder(awaited);
    }
    co_return co_await nested(awaited, depth - 1);
}

TEST(Foreign, Clause_3_1_ResultIsTheValueOfTheAwait) {
    auto c = awaits_counter(2);
    EXPECT_EQ(c.send().yielded(), 2);
    EXPECT_EQ(c.send(7).yielded(), 1);
    EXPECT_EQ(c.send(8).returned(), "-78");

    auto t = awaits_temporary();
    EXPECT_EQ(t.send().yielded(), 1);
    EXPECT_EQ(t.send(5).returned(), "-5");
}

TEST(Foreign, Clause_5_21_WithoutThrowTheErrorIsRaisedAtTheAwait) {
    auto c = awaits_counter(2);
    c.send();
    EXPECT_THROW(c.throw_(std::runtime_error("lost")), std::runtime_error);
    EXPECT_EQ(c.state(), isthmus::coroutine_state::closed);
}

TEST(Foreign, Clause_5_21_WithoutThrowItIsNeitherAdvancedNorClosed) {
    std::string log;
    auto c = awaits_closing(log);
    c.send();
    EXPECT_THROW(c.throw_(std::runtime_error("lost")), std::runtime_error);
    EXPECT_EQ(log, "send;");
}

TEST(Foreign, Clause_5_20_ThrowIsCalledAndItsResultIsTheValueOfTheAwait) {
    std::string log;
    auto c = nested(recorder(log), 10);
    c.send();
    c.send(3);
    EXPECT_EQ(c.throw_(std::runtime_error("lost")).returned(), 42);
    EXPECT_EQ(log, "send;send 3;throw lost;");
}

TEST(Foreign, Clause_5_20_WhatThrowYieldsGoesToTheDriver) {
    std::string log;
    auto c = nested(recorder(log, 'y'), 10);
    c.send();
    EXPECT_EQ(c.throw_(std::runtime_error("lost")).yielded(), 41);
    EXPECT_EQ(c.send(3).yielded(), 1);
    EXPECT_EQ(log, "send;throw lost;send 3;");
}

TEST(Foreign, Clause_5_20_WhatThrowRaisesIsRaisedAtTheAwait) {
    std::string log;
    auto c = nested(recorder(log, 'e'), 10);
    c.send();
    EXPECT_THROW(c.throw_(std::runtime_error("lost")), std::logic_error);
    EXPECT_EQ(c.state(), isthmus::coroutine_state::closed);
}

TEST(Foreign, Clause_5_23_GeneratorExitClosesIt) {
    std::string log;
    auto c = nested(recorder(log), 10);
    c.send();
    EXPECT_THROW(c.throw_(isthmus::generator_exit()), isthmus::generator_exit);
    EXPECT_EQ(log, "send;close;");
    auto without = awaits_counter(2);
    without.send();
    EXPECT_THROW(without.throw_(isthmus::generator_exit()), isthmus::generator_exit);
    auto failing = nested(recorder(log, 'r', 'e'), 10);
    failing.send();
    EXPECT_THROW(failing.throw_(isthmus::generator_exit()), std::logic_error);
}

TEST(Foreign, Clause_6_9_AnExitOfCloseIsNormal) {
    std::string log;
    auto c = nested(recorder(log, 'r', 'x'), 10);
    c.send();
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(log, "send;close;");
}

TEST(Foreign, Clause_6_9_AnErrorOfCloseReplacesTheGeneratorExit) {
    std::string log;
    auto c = nested(recorder(log, 'r', 'e'), 10);
    c.send();
    EXPECT_THROW(c.close(), std::logic_error);
    EXPECT_EQ(c.state(), isthmus::coroutine_state::closed);
}

TEST(Foreign, Clause_6_9_CloseMayBeMissing) {
    auto c = awaits_counter(2);
    c.send();
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(c.state(), isthmus::coroutine_state::closed);
}

// One that yields nothing but None can be awaited anywhere, as a plain coroutine can.
class pause {
public:
    pause& await() { return *this; }
    step<isthmus::none, int> send() {
        return paused_++ == 0 ? step<isthmus::none, int>(std::in_place_index<0>)
                              : step<isthmus::none, int>(std::in_place_index<1>, 5);
    }

private:
    int paused_ = 0;
};
coroutine<int, std::optional<int>> pauses() { co_return co_await pause(); }
coroutine<int, int> cannot_pause() { co_return co_await pause(); }

TEST(Foreign, YieldingNoneNeedsAnEmptyValue) {
    auto c = pauses();
    EXPECT_EQ(c.send().yielded(), std::nullopt);
    EXPECT_EQ(c.send().returned(), 5);
    auto d = cannot_pause();
    EXPECT_THROW(d.send(), isthmus::unexpected_yield);
}

} // namespace
