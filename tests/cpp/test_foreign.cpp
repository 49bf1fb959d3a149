// tests/cpp/test_foreign.cpp — co_await of a user's own class through its await().
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace test_foreign {
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

// Has no send() of a value. Records that it is asked for the next one.
class only_next {
public:
    only_next& await() { return *this; }
    step<int, int> send() {
        return n_++ < 3 ? step<int, int>(std::in_place_index<0>, n_) : step<int, int>(std::in_place_index<1>, n_);
    }

private:
    int n_ = 0;
};
coroutine<std::string, int, std::optional<int>> awaits_only_next() {
    only_next awaited;
    try {
        co_await awaited;
    } catch (const isthmus::attribute_error& error) {
        co_return error.what();
    }
    co_return "no error";
}

TEST(Foreign, Clause_3_2_AValueNeedsASendThatTakesIt) {
    auto c = awaits_only_next();
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(std::nullopt).yielded(), 2); // None calls what has no argument
    EXPECT_EQ(c.try_send(5).returned(), "object has no attribute 'send'");
    auto d = awaits_only_next();
    for (int i = 1; i < 4; ++i) {
        EXPECT_EQ(d.send().yielded(), i);
    }
    EXPECT_EQ(d.send().returned(), "no error");
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

// ---- the forms that a user's class may take ----

// Notes when it dies, and is itself the await-iterator.
class noted {
public:
    explicit noted(test::trace& log) : log_(&log), text_("alive, and longer than what a string keeps in itself") {}
    noted(const noted&) = delete;
    noted& operator=(const noted&) = delete;
    ~noted() {
        log_->push_back("destroyed");
        text_.clear();
    }
    noted& await() { return *this; }
    step<int, std::string> send() { return step<int, std::string>(std::in_place_index<0>, 1); }
    step<int, std::string> send(int value) {
        return value > 0 ? step<int, std::string>(std::in_place_index<0>, value)
                         : step<int, std::string>(std::in_place_index<1>, text_);
    }

private:
    test::trace* log_;
    std::string text_;
};
coroutine<std::string, int, int> awaits_prvalue(test::trace& log) {
    std::string text = co_await noted(log);
    log.push_back("awaited");
    co_return text;
}

TEST(Foreign, ATemporaryLivesAsLongAsItsAwait) {
    test::trace log;
    auto c = awaits_prvalue(log);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(5).yielded(), 5);
    EXPECT_EQ(log, test::trace());
    EXPECT_EQ(c.send(0).returned(), "alive, and longer than what a string keeps in itself");
    EXPECT_EQ(log, (test::trace{"destroyed", "awaited"}));

    auto dropped = awaits_prvalue(log);
    static_cast<void>(dropped.send());
    log.clear();
    dropped = {};
    EXPECT_EQ(log, test::trace{"destroyed"});
}

class constant {
public:
    const constant& await() const { return *this; }
    step<int, int> send() const { return step<int, int>(std::in_place_index<0>, 4); }
    step<int, int> send(int value) const { return step<int, int>(std::in_place_index<1>, value); }
    step<int, int> throw_(std::exception_ptr) const { return step<int, int>(std::in_place_index<1>, -1); }
};
coroutine<int, int, int> awaits_constant(const constant& awaited) { co_return co_await awaited; }

TEST(Foreign, MembersMayBeConst) {
    const constant awaited;
    auto c = awaits_constant(awaited);
    EXPECT_EQ(c.send().yielded(), 4);
    EXPECT_EQ(c.send(6).returned(), 6);
    auto d = awaits_constant(awaited);
    static_cast<void>(d.send());
    EXPECT_EQ(d.throw_(std::runtime_error("")).returned(), -1);
}

class overloaded {
public:
    explicit overloaded(std::string& log) : log_(&log) {}
    overloaded& await() { return *this; }
    step<int, std::string> send() { return yields("none"); }
    step<int, std::string> send(int) { return yields("int"); }
    step<int, std::string> send(std::string&& text) { return yields(std::move(text)); }
    step<int, std::string> send(const std::string&) { return yields("a copy"); }

private:
    step<int, std::string> yields(std::string what) {
        *log_ += what + ";";
        return step<int, std::string>(std::in_place_index<0>, 1);
    }
    std::string* log_;
};
coroutine<void, int, std::string> awaits_overloaded(std::string& log) {
    overloaded awaited(log);
    co_await awaited;
}

TEST(Foreign, TheOverloadOfSendIsChosenByTheValue) {
    std::string log;
    auto c = awaits_overloaded(log);
    static_cast<void>(c.send());
    static_cast<void>(c.send("moved"));
    EXPECT_EQ(log, "none;moved;");
}

// Sends that take None as a value of their own need no send() beside them.
class optional_send {
public:
    optional_send& await() { return *this; }
    step<int, int> send(const std::optional<int>& value) {
        return value ? step<int, int>(std::in_place_index<1>, *value) : step<int, int>(std::in_place_index<0>, 3);
    }
};
coroutine<int, int, std::optional<int>> awaits_optional_send() {
    optional_send awaited;
    co_return co_await awaited;
}

TEST(Foreign, NoneMayBeAValueOfSend) {
    auto c = awaits_optional_send();
    EXPECT_EQ(c.send().yielded(), 3);
    EXPECT_EQ(c.send().yielded(), 3);
    EXPECT_EQ(c.send(9).returned(), 9);
}

// An await-iterator of its own class, which can be neither copied nor moved; await() is for expiring objects.
class pinned_iterator {
public:
    explicit pinned_iterator(int value) : value_(value), self_(this) {}
    pinned_iterator(pinned_iterator&&) = delete;
    pinned_iterator& operator=(pinned_iterator&&) = delete;
    ~pinned_iterator() { EXPECT_EQ(self_, this); }
    step<int, int> send() {
        EXPECT_EQ(self_, this);
        return value_ > 0 ? step<int, int>(std::in_place_index<0>, value_--)
                          : step<int, int>(std::in_place_index<1>, 8);
    }

private:
    int value_;
    pinned_iterator* self_;
};
class pinned {
public:
    pinned_iterator await() && { return pinned_iterator(1); }
    pinned_iterator await() & { return pinned_iterator(2); }
};
coroutine<int, int> awaits_pinned() {
    pinned awaited;
    const int first = co_await awaited;
    co_return first + co_await std::move(awaited);
}

TEST(Foreign, TheIteratorMayBeImmovable) {
    auto c = awaits_pinned();
    EXPECT_EQ(c.send().yielded(), 2);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send().returned(), 16);
}

// Yield and Return of each kind.
class gives_references {
public:
    gives_references(int& yields, int& returns) : yields_(&yields), returns_(&returns) {}
    gives_references& await() { return *this; }
    step<int&, int&> send() {
        return started_++ == 0 ? step<int&, int&>(std::in_place_index<0>, *yields_)
                               : step<int&, int&>(std::in_place_index<1>, *returns_);
    }

private:
    int* yields_;
    int* returns_;
    int started_ = 0;
};
coroutine<int&, int&> awaits_references(int& yields, int& returns) {
    gives_references awaited(yields, returns);
    co_return co_await awaited;
}

class gives_move_only {
public:
    gives_move_only& await() { return *this; }
    step<std::unique_ptr<int>, std::unique_ptr<int>> send() {
        using both = step<std::unique_ptr<int>, std::unique_ptr<int>>;
        return started_++ == 0 ? both(std::in_place_index<0>, new int(1)) : both(std::in_place_index<1>, new int(2));
    }

private:
    int started_ = 0;
};
coroutine<std::unique_ptr<int>, std::unique_ptr<int>> awaits_move_only() {
    gives_move_only awaited;
    std::unique_ptr<int> result = co_await awaited;
    co_return result;
}

class gives_nothing {
public:
    gives_nothing& await() { return *this; }
    step<void, void> send() {
        return started_++ == 0 ? step<void, void>(std::in_place_index<0>) : step<void, void>(std::in_place_index<1>);
    }

private:
    int started_ = 0;
};
coroutine<int, void, void> awaits_nothing() {
    gives_nothing awaited;
    co_await awaited;
    co_return 1;
}

TEST(Foreign, EachKindOfYieldAndReturn) {
    int one = 1;
    int two = 2;
    auto references = awaits_references(one, two);
    EXPECT_EQ(&references.send().yielded(), &one);
    EXPECT_EQ(&references.send().returned(), &two);

    auto move_only = awaits_move_only();
    EXPECT_EQ(*move_only.send().yielded(), 1);
    EXPECT_EQ(*move_only.send().returned(), 2);

    auto nothing = awaits_nothing();
    EXPECT_FALSE(nothing.send().done());
    EXPECT_EQ(nothing.send().returned(), 1);
}

// await() may give a coroutine, of this library too.
class work {
public:
    explicit work(int from) : from_(from) {}
    coroutine<std::string, int, int> await() { return awaits_counter(from_); }

private:
    int from_;
};
coroutine<std::string, int, int> awaits_work() { co_return co_await work(1); }

TEST(Foreign, TheIteratorMayBeACoroutine) {
    auto c = awaits_work();
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send(4).returned(), "-4");
}

class fails {
public:
    enum class where { await, first_send, later_send, thrown };
    explicit fails(where place) : place_(place) {}
    fails& await() {
        if (place_ == where::await) {
            throw test::boom("await");
        }
        return *this;
    }
    step<int, int> send() {
        if (place_ == where::first_send || started_) {
            throw test::boom("send");
        }
        started_ = true;
        return step<int, int>(std::in_place_index<0>, 1);
    }
    step<int, int> throw_(std::exception_ptr) { throw test::boom("throw"); }

private:
    where place_;
    bool started_ = false;
};
coroutine<std::string, int> catches(fails::where place) {
    fails awaited(place);
    try {
        co_await awaited;
    } catch (const test::boom& error) {
        co_return error.what();
    }
    co_return "no error";
}

TEST(Foreign, WhatItThrowsIsRaisedAtTheAwait) {
    EXPECT_EQ(catches(fails::where::await).send().returned(), "await"); // 7.4
    EXPECT_EQ(catches(fails::where::first_send).send().returned(), "send");
    auto later = catches(fails::where::later_send);
    static_cast<void>(later.send());
    EXPECT_EQ(later.send().returned(), "send");
    auto thrown = catches(fails::where::thrown);
    static_cast<void>(thrown.send());
    EXPECT_EQ(thrown.throw_(std::runtime_error("")).returned(), "throw"); // 5.20
}

// Yields once, and ends in a value, or in an error.
class ends {
public:
    explicit ends(int value) : value_(value) {}
    explicit ends(std::string error) : error_(std::move(error)) {}
    ends& await() { return *this; }
    step<int, int> send() {
        if (!std::exchange(started_, true)) {
            return step<int, int>(std::in_place_index<0>, 1);
        }
        if (!error_.empty()) {
            throw test::boom(error_);
        }
        return step<int, int>(std::in_place_index<1>, value_);
    }

private:
    int value_ = 0;
    std::string error_;
    bool started_ = false;
};
template <class Outcome>
std::string text_of(const Outcome& ended) {
    if (!ended.failed()) {
        return std::to_string(ended.returned());
    }
    try {
        std::rethrow_exception(ended.error());
    } catch (const test::boom& error) {
        return error.what();
    }
}
coroutine<std::string, int> awaits_both(ends first, ends second) {
    co_return text_of(co_await isthmus::as_outcome(first)) + " " + text_of(co_await isthmus::as_outcome(second));
}
coroutine<std::string, int> observes_first(ends first, ends second) {
    co_return text_of(co_await isthmus::as_outcome(first)) + std::to_string(co_await second);
}

// g++ takes both results when the second has ended.
TEST(Foreign, OfTwoInOneExpressionEachHasItsOwnEnd) {
    const auto run = [](coroutine<std::string, int> c) {
        EXPECT_EQ(c.send().yielded(), 1);
        EXPECT_EQ(c.send().yielded(), 1);
        return c.send().returned();
    };
    const auto both = [&](auto first, auto second) { return run(awaits_both(ends(first), ends(second))); };
    EXPECT_EQ(both(1, 2), "1 2");
    EXPECT_EQ(both(1, "b"), "1 b");
    EXPECT_EQ(both("a", 2), "a 2");
    EXPECT_EQ(both("a", "b"), "a b");
    EXPECT_THROW(run(observes_first(ends(1), ends("b"))), test::boom);
}

class exits_on_close : public counter {
public:
    using counter::counter;
    exits_on_close& await() { return *this; }
    void close() { throw test::custom_exit(3); }
};
coroutine<std::string, int, int> awaits_exiting() {
    exits_on_close awaited(2);
    co_return co_await awaited;
}

TEST(Foreign, Clause_6_9_AGeneratorExitFromCloseIsNormal) {
    auto c = awaits_exiting();
    static_cast<void>(c.send());
    EXPECT_EQ(c.close(), std::nullopt);
    EXPECT_EQ(c.state(), isthmus::coroutine_state::closed);
}

} // namespace
} // namespace test_foreign
