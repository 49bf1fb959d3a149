// tests/cpp/test_throw.cpp — throw_(): by state, and into what is awaited (clause 5).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <cstdlib>
#include <exception>
#include <memory>
#include <string>
#include <unwind.h>
#include <utility>

namespace test_throw {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using test::boom;
using test::custom_exit;
using test::note;
using test::trace;

using talking = coroutine<std::string, int, int>;

/// Yields 1, and after an error 2; says in the trace what it caught, and returns it.
talking handles(trace& log, std::string name, bool yields_again) {
    std::string got;
    try {
        co_yield 1;
    } catch (const boom& error) {
        got = error.what();
    }
    log.push_back(name + " caught '" + got + "'");
    if (yields_again) {
        co_yield 2;
    }
    co_return name + ":" + got;
}

/// Yields `first` and lets every error out; says when it ends.
talking passes(trace& log, std::string name) {
    note end(log, name + " ends");
    co_yield 1;
    co_return name;
}

talking awaits(trace& log, std::string name, talking inner) {
    note end(log, name + " ends");
    std::string value = co_await inner;
    log.push_back(name + " got " + value);
    co_return name + "(" + value + ")";
}

TEST(Throw, Clause_5_8_AnUnstartedOneEndsWithoutRunning) {
    trace log;
    auto c = handles(log, "c", false);
    EXPECT_ERROR(c.throw_(boom("x")), boom, "x");
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished);
    EXPECT_TRUE(log.empty());

    auto d = handles(log, "d", false);
    EXPECT_THROW(d.throw_(generator_exit()), generator_exit);
    EXPECT_EQ(d.state(), coroutine_state::closed);
    EXPECT_TRUE(log.empty());
}

talking holds(note) { co_return ""; }

TEST(Throw, Clause_5_8_ItsParametersAreReleased) {
    trace log;
    auto c = holds(note(log, "parameter"));
    EXPECT_TRUE(log.empty());
    EXPECT_ERROR(c.throw_(boom("x")), boom, "x");
    EXPECT_EQ(log, trace{"parameter"});
}

TEST(Throw, Clause_5_8_BadArgumentsLeaveItCreated) {
    trace log;
    auto c = handles(log, "c", false);
    const char* const text = "exceptions must be classes or instances deriving from BaseException, not NoneType";
    EXPECT_ERROR(c.throw_(nullptr), isthmus::not_an_exception, text);
    EXPECT_EQ(c.state(), coroutine_state::created);
    c.send();
    EXPECT_ERROR(c.throw_(std::exception_ptr()), isthmus::not_an_exception, text);
    EXPECT_EQ(c.state(), coroutine_state::suspended);
    EXPECT_EQ(c.send(1).returned(), "c:");
}

TEST(Throw, Clause_5_9_DeliveredAtTheSuspensionPoint) {
    trace log;
    auto c = handles(log, "c", true);
    c.send();
    auto step = c.throw_(boom("x"));
    ASSERT_FALSE(step.done());
    EXPECT_EQ(step.yielded(), 2);
    EXPECT_EQ(c.send(0).returned(), "c:x");

    auto d = handles(log, "d", false);
    d.send();
    EXPECT_EQ(d.throw_(boom("y")).returned(), "d:y");
    EXPECT_EQ(d.state(), coroutine_state::closed);

    auto e = passes(log, "e");
    e.send();
    EXPECT_ERROR(e.throw_(boom("z")), boom, "z");
    EXPECT_EQ(e.state(), coroutine_state::closed);
}

TEST(Throw, Clause_5_10_AFinishedOneDropsTheError) {
    trace log;
    auto closed = handles(log, "c", false);
    closed.close();
    auto failed = passes(log, "f");
    EXPECT_THROW(failed.throw_(boom("x")), boom);
    auto returned = handles(log, "r", false);
    returned.send();
    EXPECT_TRUE(returned.send(1).done());
    for (talking* const c : {&closed, &failed, &returned}) {
        EXPECT_ERROR(c->throw_(boom("dropped")), isthmus::already_finished, test::finished);
        EXPECT_ERROR(c->throw_(generator_exit()), isthmus::already_finished, test::finished);
    }
    coroutine<int> empty;
    EXPECT_ERROR(empty.throw_(boom("dropped")), isthmus::already_finished, test::finished);
}

coroutine<> throws_into_itself(coroutine<>*& self, trace& log) {
    log.push_back(test::caught<isthmus::already_executing>([&] { self->throw_(boom("x")); }));
    co_yield {};
    log.push_back(test::caught<isthmus::already_executing>([&] { self->throw_(generator_exit()); }));
}

TEST(Throw, Clause_5_11_ARunningOneRefuses) {
    trace log;
    coroutine<>* self = nullptr;
    auto c = throws_into_itself(self, log);
    self = &c;
    c.send();
    EXPECT_TRUE(c.send().done());
    EXPECT_EQ(log, trace({test::executing, test::executing}));
}

talking identifies(const void*& seen) {
    try {
        co_yield 1;
    } catch (const boom& error) {
        seen = &error;
    }
    co_return "";
}

talking rethrows() {
    try {
        co_yield 1;
    } catch (...) {
        throw;
    }
    co_return "";
}

talking awaits_plainly(talking inner) { co_return co_await inner; }

TEST(Throw, Clause_5_12_TheSameInstanceArrives) {
    const auto error = std::make_exception_ptr(boom("x"));
    const void* original = nullptr;
    try {
        std::rethrow_exception(error);
    } catch (const boom& raised) {
        original = &raised;
    }
    const void* seen = nullptr;
    auto c = awaits_plainly(identifies(seen));
    c.send();
    c.throw_(error);
    EXPECT_EQ(seen, original);

    auto d = awaits_plainly(rethrows());
    d.send();
    try {
        d.throw_(error);
        FAIL();
    } catch (const boom& left) {
        EXPECT_EQ(&left, original);
    }
    auto unstarted = rethrows();
    try {
        unstarted.throw_(error);
        FAIL();
    } catch (const boom& left) {
        EXPECT_EQ(&left, original);
    }
}

TEST(Throw, Clause_5_19_TheInnermostHandlesIt) {
    trace log;
    auto c = awaits(log, "outer", awaits(log, "middle", handles(log, "inner", false)));
    c.send();
    EXPECT_EQ(c.throw_(boom("x")).returned(), "outer(middle(inner:x))");
    EXPECT_EQ(log, trace({"inner caught 'x'", "middle got inner:x", "middle ends", "outer got middle(inner:x)",
                          "outer ends"}));
}

TEST(Throw, Clause_5_19_TheInnermostHandlesItAndYields) {
    trace log;
    auto c = awaits(log, "outer", handles(log, "inner", true));
    c.send();
    EXPECT_EQ(c.throw_(boom("x")).yielded(), 2);
    EXPECT_ERROR(c.throw_(boom("y")), boom, "y");
    EXPECT_EQ(log, trace({"inner caught 'x'", "outer ends"}));
}

TEST(Throw, Clause_5_19_CleanUpGoesFromTheInnermostOut) {
    trace log;
    auto c = awaits(log, "outer", awaits(log, "middle", passes(log, "inner")));
    c.send();
    EXPECT_ERROR(c.throw_(boom("x")), boom, "x");
    EXPECT_EQ(log, trace({"inner ends", "middle ends", "outer ends"}));
}

talking catches(trace& log, std::string name, talking inner, bool yields) {
    try {
        co_await inner;
    } catch (const boom& error) {
        log.push_back(name + " caught " + error.what());
    }
    if (yields) {
        co_yield 7;
    }
    co_return name;
}

TEST(Throw, Clause_5_19_AnAwaiterCatchesWhatTheInnermostLetsOut) {
    trace log;
    auto c = awaits(log, "outer", catches(log, "middle", passes(log, "inner"), true));
    c.send();
    EXPECT_EQ(c.throw_(boom("x")).yielded(), 7);
    EXPECT_EQ(c.send(0).returned(), "outer(middle)");
}

coroutine<> throws_another() {
    try {
        co_yield {};
    } catch (const boom&) {
        throw std::logic_error("another");
    }
}
coroutine<> awaits_another() { co_await throws_another(); }

TEST(Throw, Clause_5_19_AHandlerMayThrowAnother) {
    auto c = awaits_another();
    c.send();
    EXPECT_ERROR(c.throw_(boom("x")), std::logic_error, "another");
    EXPECT_EQ(c.state(), coroutine_state::closed);
}

/// Records what reaches it while it is suspended in `inner`, and goes on to raise or return.
talking sees(trace& log, std::string name, talking& inner) {
    try {
        co_await inner;
    } catch (const custom_exit& exit) {
        log.push_back(name + " custom_exit " + std::to_string(exit.number));
        throw;
    } catch (const generator_exit&) {
        log.push_back(name + " generator_exit");
        throw;
    } catch (const std::exception& error) {
        log.push_back(name + " " + error.what());
        throw;
    }
    log.push_back(name + " was returned to");
    co_return name;
}

talking leaf(trace& log, std::string name, char on_exit) {
    bool again = false;
    try {
        co_yield 1;
    } catch (const custom_exit&) {
        log.push_back(name + " custom_exit");
        throw;
    } catch (const generator_exit&) {
        log.push_back(name + " generator_exit");
        switch (on_exit) {
        case 'r':
            co_return "returned";
        case 'e':
            throw boom("on exit");
        case 'n':
            throw custom_exit(9);
        case 'y':
            again = true;
            break;
        default:
            throw;
        }
    }
    if (again) {
        co_yield 2;
    }
    co_return name;
}

TEST(Throw, Clause_5_23_GeneratorExitClosesTheInnerAndIsRaisedInTheOuter) {
    for (const char on_exit : {'p', 'r', 'n'}) {
        trace log;
        auto inner = leaf(log, "inner", on_exit);
        auto middle = sees(log, "middle", inner);
        auto outer = sees(log, "outer", middle);
        outer.send();
        EXPECT_THROW(outer.throw_(custom_exit(4)), custom_exit);
        EXPECT_EQ(log, trace({"inner generator_exit", "middle generator_exit", "outer custom_exit 4"}));
        EXPECT_EQ(inner.state(), coroutine_state::closed);
        EXPECT_EQ(middle.state(), coroutine_state::closed);
        EXPECT_EQ(outer.state(), coroutine_state::closed);
    }
}

TEST(Throw, Clause_5_23_WhatTheInnersCloseRaisesTakesItsPlace) {
    trace log;
    auto inner = leaf(log, "inner", 'e');
    auto middle = sees(log, "middle", inner);
    auto outer = sees(log, "outer", middle);
    outer.send();
    EXPECT_ERROR(outer.throw_(generator_exit()), boom, "on exit");
    EXPECT_EQ(log, trace({"inner generator_exit", "middle on exit", "outer on exit"}));
}

TEST(Throw, Clause_5_23_AnInnerThatYieldsOnCloseStaysSuspended) {
    trace log;
    auto inner = leaf(log, "inner", 'y');
    auto outer = sees(log, "outer", inner);
    outer.send();
    EXPECT_ERROR(outer.throw_(generator_exit()), isthmus::ignored_generator_exit, test::ignored);
    EXPECT_EQ(log, trace({"inner generator_exit", std::string("outer ") + test::ignored}));
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
    EXPECT_EQ(inner.send(0).returned(), "inner");
}

TEST(Throw, Clause_5_23_TheInnermostGetsTheInstanceIfItIsTheRoot) {
    trace log;
    auto c = leaf(log, "c", 'p');
    c.send();
    EXPECT_THROW(c.throw_(custom_exit(1)), custom_exit);
    EXPECT_EQ(log, trace{"c custom_exit"});
}

/// A caught GeneratorExit does not end the outer one.
talking survives(trace& log, talking inner) {
    try {
        co_await inner;
    } catch (const generator_exit&) {
        log.push_back("caught");
    }
    co_return std::to_string(co_yield 8);
}

TEST(Throw, Clause_5_23_TheOuterMayGoOn) {
    trace log;
    auto c = survives(log, leaf(log, "inner", 'r'));
    c.send();
    EXPECT_EQ(c.throw_(generator_exit()).yielded(), 8);
    EXPECT_EQ(c.send(3).returned(), "3");
    EXPECT_EQ(log, trace({"inner generator_exit", "caught"}));
}

/// A generator_exit that cannot be caught as one is an ordinary error.
struct private_exit : private generator_exit {};
struct left : generator_exit {};
struct right : generator_exit {};
struct ambiguous_exit : left, right {};
struct virtual_exit : virtual generator_exit {
    int number = 3;
};

template <class Error>
coroutine<std::string, int, int> catches_type(trace& log) {
    try {
        co_yield 1;
    } catch (const generator_exit&) {
        log.push_back("as generator_exit");
        throw;
    } catch (const Error&) {
        log.push_back("as itself");
        throw;
    }
    co_return "";
}

TEST(Throw, Clause_5_23_OnlyWhatCatchWouldMatchIsAGeneratorExit) {
    trace log;
    auto first = awaits_plainly(catches_type<private_exit>(log));
    first.send();
    EXPECT_THROW(first.throw_(private_exit()), private_exit);
    auto second = awaits_plainly(catches_type<ambiguous_exit>(log));
    second.send();
    EXPECT_THROW(second.throw_(ambiguous_exit()), ambiguous_exit);
    auto third = awaits_plainly(catches_type<generator_exit*>(log));
    third.send();
    EXPECT_THROW(third.throw_(static_cast<generator_exit*>(nullptr)), generator_exit*);
    EXPECT_EQ(log, trace({"as itself", "as itself", "as itself"}));

    auto fourth = awaits_plainly(catches_type<int>(log));
    fourth.send();
    EXPECT_THROW(fourth.throw_(virtual_exit()), virtual_exit);
    EXPECT_EQ(log.back(), "as generator_exit");
}

talking tries_the_outer(trace& log, talking*& outer, talking*& middle) {
    try {
        co_yield 1;
    } catch (...) {
        for (talking* const above : {outer, middle}) {
            EXPECT_EQ(above->state(), coroutine_state::running);
            log.push_back(test::caught<isthmus::already_executing>([&] { above->send(1); }));
            log.push_back(test::caught<isthmus::already_executing>([&] { above->throw_(boom("again")); }));
            log.push_back(test::caught<isthmus::already_executing>([&] { above->throw_(generator_exit()); }));
            log.push_back(test::caught<isthmus::already_executing>([&] { above->close(); }));
        }
        throw;
    }
    co_return "";
}

talking awaits_kept(talking& inner) { co_return co_await inner; }

TEST(Throw, Clause_5_24_TheOuterOnesAreRunningMeanwhile) {
    for (const bool exit : {false, true}) {
        trace log;
        talking* outer_at = nullptr;
        talking* middle_at = nullptr;
        auto inner = tries_the_outer(log, outer_at, middle_at);
        auto middle = awaits_kept(inner);
        auto outer = awaits_kept(middle);
        outer_at = &outer;
        middle_at = &middle;
        outer.send();
        if (exit) {
            EXPECT_THROW(outer.throw_(generator_exit()), generator_exit);
        } else {
            EXPECT_THROW(outer.throw_(boom("x")), boom);
        }
        EXPECT_EQ(log, trace(8, test::executing));
        EXPECT_EQ(outer.state(), coroutine_state::closed);
    }
}

TEST(Throw, AnyObjectCanBeThrown) {
    auto c = rethrows();
    c.send();
    try {
        c.throw_(std::string("text"));
        FAIL();
    } catch (const std::string& text) {
        EXPECT_EQ(text, "text");
    }
}

TEST(Throw, ByTheStaticType) {
    const boom error("sliced");
    auto c = rethrows();
    c.send();
    EXPECT_THROW(c.throw_(static_cast<const std::runtime_error&>(error)), std::runtime_error);
    try {
        auto d = rethrows();
        d.send();
        d.throw_(static_cast<const std::runtime_error&>(error));
    } catch (const boom&) {
        FAIL();
    } catch (const std::runtime_error& got) {
        EXPECT_STREQ(got.what(), "sliced");
    }
}

coroutine<int> handles_each(int times) {
    int caught = 0;
    while (caught < times) {
        try {
            co_yield {};
        } catch (const boom&) {
            ++caught;
        }
    }
    co_return caught;
}
coroutine<int> awaits_each(int times) { co_return co_await handles_each(times); }

TEST(Throw, AgainAndAgain) {
    auto c = awaits_each(3);
    c.send();
    EXPECT_FALSE(c.throw_(boom("1")).done());
    EXPECT_FALSE(c.send().done());
    EXPECT_FALSE(c.throw_(boom("2")).done());
    EXPECT_EQ(c.throw_(boom("3")).returned(), 3);
}

/// The error is thrown where the step of the driver is; nothing of it stays.
TEST(Throw, TheErrorIsNotKeptAlive) {
    struct counted {
        std::shared_ptr<int> life = std::make_shared<int>(0);
    };
    counted error;
    auto c = handles_each(2);
    c.send();
    c.throw_(boom("not this"));
    EXPECT_THROW(c.throw_(error), counted);
    EXPECT_EQ(error.life.use_count(), 1);
}

/// Raises an exception of another language, which std::exception_ptr cannot hold.
[[noreturn]] void raise_foreign() {
    static _Unwind_Exception exception{};
    _Unwind_RaiseException(&exception);
    std::abort(); // nobody handles it
}
coroutine<int, int> raises_foreign() {
    co_yield 1;
    raise_foreign();
}
coroutine<int, int> awaits_foreign(bool as_outcome) {
    if (as_outcome) {
        const auto outcome = co_await isthmus::as_outcome(raises_foreign());
        co_return outcome.failed() ? 2 : 0;
    }
    co_return co_await raises_foreign();
}

TEST(Throw, AnExceptionOfAnotherLanguageIsAnErrorAllTheSame) {
    auto c = awaits_foreign(false);
    c.send();
    EXPECT_ERROR(c.send(), std::bad_exception, std::bad_exception().what());
    EXPECT_EQ(c.state(), coroutine_state::closed);
    auto observes = awaits_foreign(true);
    observes.send();
    EXPECT_EQ(observes.send().returned(), 2);
    auto driven = raises_foreign();
    EXPECT_ERROR(isthmus::run(driven, [](int) { raise_foreign(); }), std::bad_exception, std::bad_exception().what());
}

} // namespace
} // namespace test_throw
