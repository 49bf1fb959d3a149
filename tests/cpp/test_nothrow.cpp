// tests/cpp/test_nothrow.cpp — nothrow, as_outcome and with_error: errors without a C++ throw, with the same results as
// with one (5.9, 5.19, 5.23, 6.9, 6.13).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace test_nothrow {
namespace {

using isthmus::as_outcome;
using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::from_generator;
using isthmus::generator;
using isthmus::generator_exit;
using isthmus::none;
using isthmus::nothrow;
using isthmus::outcome;
using isthmus::with_error;
using isthmus::yield_from;
using test::boom;
using test::note;
using test::trace;

using counting = coroutine<int, int>;

counting counts(int to) {
    for (int i = 1; i <= to; ++i) {
        co_yield i;
    }
    co_return to;
}

counting fails(std::string text) {
    co_yield 1;
    throw boom(text);
}

counting passes(counting inner) { co_return 100 + co_await nothrow(inner); }

TEST(Nothrow, GivesTheResult) {
    auto c = passes(passes(counts(2)));
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send().yielded(), 2);
    EXPECT_EQ(c.send().returned(), 202);
    EXPECT_EQ(c.state(), coroutine_state::closed);
}

TEST(Nothrow, AnErrorGoesToTheDriver) {
    auto c = passes(passes(fails("x")));
    c.send();
    EXPECT_ERROR(c.send(), boom, "x");
    EXPECT_EQ(c.state(), coroutine_state::closed);
    auto other = passes(passes(fails("y")));
    other.send();
    const auto ended = other.try_send();
    EXPECT_EQ(test::caught<boom>(ended.error()), "y");
    EXPECT_EQ(other.state(), coroutine_state::closed);
}

TEST(Nothrow, AnErrorIsCaughtFurtherOut) {
    struct local {
        static counting catches(counting inner) {
            int result = 0;
            try {
                result = co_await inner;
            } catch (const boom& e) {
                result = static_cast<int>(std::string(e.what()).size());
            }
            co_yield 50;
            co_return result;
        }
    };
    auto c = local::catches(passes(passes(fails("four"))));
    c.send();
    EXPECT_EQ(c.send().yielded(), 50);
    EXPECT_EQ(c.send().returned(), 4);
}

// The declaration of nothrow(): what it is awaited in does not catch.
TEST(Nothrow, NoCatchBlockRuns) {
    struct local {
        static counting catches(counting inner) {
            try {
                co_await nothrow(inner);
            } catch (...) {
                ADD_FAILURE();
            }
            co_return 0;
        }
    };
    auto c = local::catches(fails("x"));
    c.send();
    EXPECT_ERROR(c.send(), boom, "x");
}

TEST(Nothrow, UncaughtExceptionsIsZeroInDestructors) {
    static int uncaught = -1;
    struct observer {
        ~observer() { uncaught = std::uncaught_exceptions(); }
    };
    struct local {
        static counting observed(counting inner) {
            const observer at_end;
            co_return co_await nothrow(inner);
        }
    };
    auto c = local::observed(fails("x"));
    c.send();
    EXPECT_TRUE(c.try_send().failed());
    EXPECT_EQ(uncaught, 0);
}

/// A chain whose levels await, and whose leaf yields, by nothrow() where `mask` says so, and note their destruction.
counting level(trace& log, unsigned mask, int depth) {
    const note at_end(log, std::to_string(depth));
    if (depth == 0) {
        const note at_leaf(log, "leaf");
        int sum = 0;
        for (int i = 1; i <= 3; ++i) {
            if ((mask & 1U) != 0) {
                co_yield nothrow(i);
            } else {
                co_yield i;
            }
            sum += i;
        }
        throw boom("end " + std::to_string(sum));
    }
    if ((mask & 1U) != 0) {
        co_return 1 + co_await nothrow(level(log, mask >> 1U, depth - 1));
    }
    co_return 1 + co_await level(log, mask >> 1U, depth - 1);
}

/// What happens if one is driven: `steps` sends, then an end of the kind `how`.
trace history(unsigned mask, int steps, char how) {
    trace log;
    auto c = level(log, mask, 4);
    for (int i = 0; i < steps; ++i) {
        const auto step = c.try_send();
        log.push_back(step.failed() ? "failed " + test::caught<boom>(step.error()) : std::to_string(step.yielded()));
    }
    if (how == 't') {
        log.push_back("thrown " + test::caught<boom>(c.try_throw(std::make_exception_ptr(boom("t"))).error()));
    } else if (how == 'c') {
        log.push_back(c.try_close().closed() ? "closed" : "not closed");
    } else if (how == 'g') {
        const auto exit = c.try_throw(std::make_exception_ptr(test::custom_exit(7)));
        try {
            std::rethrow_exception(exit.error());
        } catch (const test::custom_exit& e) {
            log.push_back("exit " + std::to_string(e.number));
        }
    }
    log.push_back(c.state() == coroutine_state::closed ? "is closed" : "is not closed");
    { auto dropped = std::move(c); }
    return log;
}

TEST(Nothrow, EveryMixtureOfLevelsBehavesAsWithoutIt) {
    for (const char how : {'t', 'c', 'g', ' '}) {
        for (int steps = how == ' ' ? 4 : 1; steps <= (how == ' ' ? 4 : 3); ++steps) {
            const trace expected = history(0, steps, how);
            for (unsigned mask = 1; mask < 32; ++mask) {
                EXPECT_EQ(history(mask, steps, how), expected) << how << steps << ' ' << mask;
            }
        }
    }
}

// 5.9, 6.2: the coroutine ends where it yields, without its catch blocks; a resume makes the next co_yield an ordinary
// one.
TEST(Nothrow, AYieldEndsInWhatIsThrownIn) {
    struct local {
        static counting yields(trace& log) {
            const note at_end(log, "destroyed");
            try {
                co_yield nothrow(1);
                log.push_back("resumed");
            } catch (const boom&) {
                log.push_back("caught by the wrong one");
            }
            try {
                co_yield 2;
            } catch (const boom&) {
                log.push_back("caught");
            }
            co_return 3;
        }
    };
    trace log;
    auto ended = local::yields(log);
    EXPECT_EQ(ended.send().yielded(), 1);
    EXPECT_EQ(test::caught<boom>(ended.try_throw(std::make_exception_ptr(boom("in"))).error()), "in");
    EXPECT_EQ(ended.state(), coroutine_state::closed);
    EXPECT_EQ(log, (trace{"destroyed"}));

    log.clear();
    auto resumed = local::yields(log);
    resumed.send();
    EXPECT_EQ(resumed.send().yielded(), 2);
    EXPECT_EQ(resumed.throw_(boom("in")).returned(), 3);
    EXPECT_EQ(log, (trace{"resumed", "caught", "destroyed"}));

    log.clear();
    auto closed = local::yields(log);
    closed.send();
    EXPECT_FALSE(closed.close().has_value());
    EXPECT_EQ(log, (trace{"destroyed"}));
}

// 5.19: the error goes on in whoever awaits the one that yields, also one that somebody else has driven.
TEST(Nothrow, AYieldInAnAwaitedOne) {
    struct local {
        static counting yields() {
            co_yield nothrow(1);
            co_return 2;
        }
        static counting catches(counting& inner) {
            try {
                co_return co_await inner.await();
            } catch (const boom&) {
                co_return 7;
            }
        }
    };
    counting inner = local::yields();
    inner.send();
    auto outer = local::catches(inner);
    EXPECT_EQ(outer.send().returned(), 2);

    counting stolen = local::yields();
    auto awaiter = local::catches(stolen);
    EXPECT_EQ(awaiter.send().yielded(), 1);
    EXPECT_TRUE(stolen.try_throw(std::make_exception_ptr(boom("x"))).failed());
    EXPECT_EQ(stolen.state(), coroutine_state::closed);

    counting thrown_into = local::yields();
    auto catcher = local::catches(thrown_into);
    catcher.send();
    EXPECT_EQ(catcher.throw_(boom("x")).returned(), 7);
}

TEST(Nothrow, AYieldOfEveryKind) {
    struct local {
        static generator<std::string, int> texts() {
            const std::string kept = "kept";
            const int sent = co_yield nothrow(kept);
            co_yield nothrow("sent " + std::to_string(sent));
            co_yield nothrow("literal");
        }
        static coroutine<int, int&> references(int& number) {
            co_yield nothrow(number);
            co_return number;
        }
        static coroutine<int> nothing() {
            co_yield nothrow(none());
            co_return 1;
        }
        static coroutine<int, std::unique_ptr<int>> moved() {
            co_yield nothrow(std::make_unique<int>(4));
            co_return 5;
        }
    };
    auto texts = local::texts();
    EXPECT_EQ(texts.send().yielded(), "kept");
    EXPECT_EQ(texts.send(3).yielded(), "sent 3");
    EXPECT_EQ(texts.send(4).yielded(), "literal");
    EXPECT_EQ(test::caught<boom>(texts.try_throw(std::make_exception_ptr(boom("g"))).error()), "g");

    int number = 1;
    auto references = local::references(number);
    references.send().yielded() = 2;
    EXPECT_EQ(references.send().returned(), 2);

    auto nothing = local::nothing();
    EXPECT_FALSE(nothing.send().done());
    EXPECT_EQ(nothing.send().returned(), 1);

    auto moved = local::moved();
    EXPECT_EQ(*moved.send().yielded(), 4);
    EXPECT_EQ(moved.send().returned(), 5);
}

// It converts as without nothrow().
TEST(Nothrow, AYieldConverts) {
    struct first {
        int value = 1;
    };
    struct second {
        int value = 2;
    };
    struct both : first, second {};
    struct local {
        static coroutine<void, second&> base(both& object) {
            co_yield nothrow(object);
            co_yield nothrow(std::ref(object));
        }
        static coroutine<void, const int&> referent(std::reference_wrapper<int> number) { co_yield nothrow(number); }
        static coroutine<void, double> widened(int number) {
            co_yield nothrow(number);
            co_yield nothrow(2);
        }
    };
    both object;
    auto base = local::base(object);
    EXPECT_EQ(&base.send().yielded(), static_cast<second*>(&object));
    EXPECT_EQ(&base.send().yielded(), static_cast<second*>(&object));

    int number = 7;
    auto referent = local::referent(std::ref(number));
    EXPECT_EQ(&referent.send().yielded(), &number);

    auto widened = local::widened(1);
    EXPECT_EQ(widened.send().yielded(), 1.0);
    EXPECT_EQ(widened.send().yielded(), 2.0);
}

// 7.6–7.8: also what the co_await itself refuses passes on, and the catch block does not see it.
TEST(Nothrow, Misuse) {
    struct local {
        static counting awaits(counting& other) {
            try {
                co_return co_await nothrow(other);
            } catch (...) {
                co_return -1;
            }
        }
    };
    counting finished = counts(0);
    finished.send();
    auto a = local::awaits(finished);
    EXPECT_ERROR(a.send(), isthmus::already_finished, test::finished);
    counting started = counts(2);
    started.send();
    auto b = local::awaits(started);
    EXPECT_ERROR(b.send(), isthmus::already_awaited, test::awaited);
    EXPECT_EQ(started.send().yielded(), 2);
}

// 7.6, 7.9: closed behind the awaiter's back.
TEST(Nothrow, TheAwaitedIsClosedByAnother) {
    counting inner = counts(3);
    struct local {
        static counting awaits(counting& other) { co_return co_await nothrow(other); }
    };
    auto outer = local::awaits(inner);
    outer.send();
    inner.close();
    EXPECT_ERROR(outer.send(), isthmus::already_finished, test::finished);
    EXPECT_EQ(outer.state(), coroutine_state::closed);
}

TEST(Nothrow, TheAwaitedRunsAlready) {
    struct local {
        static counting awaits(counting*& other) { co_return co_await nothrow(other->await()); }
        static counting drives(std::unique_ptr<counting>& outer) {
            co_yield 1;
            outer->send();
            co_return 0;
        }
    };
    std::unique_ptr<counting> outer;
    counting inner = local::drives(outer);
    counting* pointer = &inner;
    inner.send();
    outer = std::make_unique<counting>(local::awaits(pointer));
    EXPECT_ERROR(inner.send(), isthmus::already_executing, test::executing);
    EXPECT_EQ(outer->state(), coroutine_state::closed);
}

// 6.5: a level that goes on after its GeneratorExit; the error of that passes.
TEST(Nothrow, AnIgnoredGeneratorExitPasses) {
    struct local {
        static counting ignores() {
            while (true) {
                try {
                    co_yield 1;
                } catch (const generator_exit&) {}
            }
        }
        static counting awaits(counting& inner) { co_return co_await nothrow(inner); }
    };
    counting inner = local::ignores();
    {
        auto outer = local::awaits(inner);
        outer.send();
        EXPECT_ERROR(outer.close(), isthmus::ignored_generator_exit, test::ignored);
        EXPECT_EQ(outer.state(), coroutine_state::closed);
    }
    EXPECT_EQ(inner.state(), coroutine_state::suspended);
}

TEST(Nothrow, AMillionLevels) {
    struct local {
        static counting chain(int depth) {
            if (depth == 0) {
                co_yield 1;
                co_yield with_error(boom("deep"));
            }
            co_return co_await nothrow(chain(depth - 1));
        }
    };
    test::on_8_mb_stack([] {
        auto sent = local::chain(test::deep);
        sent.send();
        EXPECT_EQ(test::caught<boom>(sent.try_send().error()), "deep");
        auto thrown = local::chain(test::deep);
        thrown.send();
        EXPECT_EQ(test::caught<boom>(thrown.try_throw(std::make_exception_ptr(boom("in"))).error()), "in");
        auto closed = local::chain(test::deep);
        closed.send();
        EXPECT_TRUE(closed.try_close().closed());
    });
}

// 5.20, 5.21: a user's own class.
class own {
public:
    explicit own(bool throws) : throws_(throws) {}
    own& await() { return *this; }
    isthmus::step<int, int> send() {
        if (std::exchange(started_, true)) {
            if (throws_) {
                throw boom("own");
            }
            return isthmus::step<int, int>(std::in_place_index<1>, 7);
        }
        return isthmus::step<int, int>(std::in_place_index<0>, 6);
    }

private:
    bool throws_;
    bool started_ = false;
};

TEST(Nothrow, AUsersOwnClass) {
    struct local {
        static counting awaits(own object) {
            try {
                co_return co_await nothrow(object);
            } catch (...) {
                co_return -1;
            }
        }
    };
    auto good = local::awaits(own(false));
    EXPECT_EQ(good.send().yielded(), 6);
    EXPECT_EQ(good.send().returned(), 7);
    auto bad = local::awaits(own(true));
    bad.send();
    EXPECT_ERROR(bad.send(), boom, "own");
    auto thrown = local::awaits(own(false));
    thrown.send();
    EXPECT_ERROR(thrown.throw_(boom("in")), boom, "in");
    auto closed = local::awaits(own(false));
    closed.send();
    EXPECT_EQ(closed.close(), std::nullopt);
}

TEST(Nothrow, AGeneratorBasedCoroutine) {
    struct local {
        static generator<int, none, int> values(bool fail) {
            co_yield 1;
            if (fail) {
                throw boom("g");
            }
            co_return 2;
        }
        static counting awaits(bool fail) { co_return co_await nothrow(from_generator(values(fail))); }
        static counting awaits_ended() {
            auto ended = values(false);
            ended.send();
            ended.send();
            try {
                co_return co_await nothrow(from_generator(std::move(ended)));
            } catch (...) {
                co_return -1;
            }
        }
    };
    auto good = local::awaits(false);
    good.send();
    EXPECT_EQ(good.send().returned(), 2);
    auto bad = local::awaits(true);
    bad.send();
    EXPECT_ERROR(bad.send(), boom, "g");
}

TEST(AsOutcome, AResultOrAnError) {
    struct local {
        static coroutine<std::string, int> observes(counting inner) {
            const outcome<none, int> ended = co_await as_outcome(inner);
            if (ended.failed()) {
                co_return test::caught<boom>(ended.error());
            }
            co_return std::to_string(ended.returned());
        }
    };
    auto good = local::observes(counts(1));
    good.send();
    EXPECT_EQ(good.send().returned(), "1");
    auto bad = local::observes(passes(fails("x")));
    bad.send();
    EXPECT_EQ(bad.send().returned(), "x");
    auto thrown = local::observes(passes(counts(2)));
    thrown.send();
    EXPECT_EQ(thrown.throw_(boom("in")).returned(), "in"); // 5.9
}

TEST(AsOutcome, Misuse) {
    struct local {
        static coroutine<std::string, int> observes(counting& inner) {
            const auto ended = co_await as_outcome(inner);
            co_return ended.failed() ? test::caught<isthmus::already_awaited>(ended.error()) : "no error";
        }
    };
    counting started = counts(2);
    started.send();
    EXPECT_EQ(local::observes(started).send().returned(), test::awaited); // 7.7
    EXPECT_EQ(started.send().yielded(), 2);
}

// 5.23, 6.2: a GeneratorExit is an error like others here, and returning after it closes silently.
TEST(AsOutcome, GeneratorExit) {
    struct local {
        static counting observes(trace& log) {
            const auto ended = co_await as_outcome(counts(2));
            if (ended.failed()) {
                log.push_back(isthmus::detail::is_generator_exit(ended.error()) ? "exit" : "other");
            }
            co_return 9;
        }
    };
    trace log;
    auto c = local::observes(log);
    c.send();
    EXPECT_EQ(c.close(), 9); // 6.3
    EXPECT_EQ(log, trace{"exit"});
}

TEST(AsOutcome, EveryKindOfReturn) {
    struct local {
        static coroutine<> nothing() { co_return; }
        static coroutine<int&> reference(int& value) { co_return value; }
        static coroutine<std::unique_ptr<int>> move_only() { co_return std::make_unique<int>(5); }
        static coroutine<int> all(int& value) {
            const outcome<none, void> first = co_await as_outcome(nothing());
            EXPECT_TRUE(first.done());
            outcome<none, int&> second = co_await as_outcome(reference(value));
            EXPECT_EQ(&second.returned(), &value);
            outcome<none, std::unique_ptr<int>> third = co_await as_outcome(move_only());
            co_return *std::move(third).returned();
        }
    };
    int value = 3;
    EXPECT_EQ(local::all(value).send().returned(), 5);
}

TEST(AsOutcome, AUsersOwnClass) {
    struct local {
        static coroutine<std::string, int> observes(own object) {
            const auto ended = co_await as_outcome(object);
            co_return ended.failed() ? test::caught<boom>(ended.error()) : std::to_string(ended.returned());
        }
    };
    auto good = local::observes(own(false));
    good.send();
    EXPECT_EQ(good.send().returned(), "7");
    auto bad = local::observes(own(true));
    bad.send();
    EXPECT_EQ(bad.send().returned(), "own");
    auto thrown = local::observes(own(false));
    thrown.send();
    EXPECT_EQ(thrown.throw_(boom("in")).returned(), "in");
}

TEST(WithError, EndsTheBody) {
    struct local {
        static counting raises(trace& log) {
            const note at_end(log, "destroyed");
            try {
                co_yield 1;
                co_yield with_error(boom("x"));
            } catch (...) {
                log.push_back("caught");
            }
            log.push_back("went on");
            co_return 0;
        }
        static counting catches(trace& log) {
            try {
                co_return co_await raises(log);
            } catch (const boom& e) {
                log.push_back(e.what());
            }
            co_return 5;
        }
    };
    trace log;
    auto c = local::raises(log);
    c.send();
    EXPECT_ERROR(c.send(), boom, "x");
    EXPECT_EQ(log, trace{"destroyed"});
    EXPECT_EQ(c.state(), coroutine_state::closed);
    EXPECT_ERROR(c.send(), isthmus::already_finished, test::finished); // 2.7
    log.clear();
    auto outer = local::catches(log);
    outer.send();
    EXPECT_EQ(outer.send().returned(), 5);
    EXPECT_EQ(log, (trace{"destroyed", "x"})); // the inner frame is gone before the handler runs
}

TEST(WithError, AnExceptionPointerOrAnObject) {
    struct local {
        static coroutine<int> raises(std::exception_ptr error) { co_yield with_error(error); }
        static coroutine<int> raises_nothing() {
            try {
                co_yield with_error(std::exception_ptr());
            } catch (const isthmus::not_an_exception&) {
                co_return 1;
            }
        }
    };
    EXPECT_ERROR(local::raises(std::make_exception_ptr(boom("p"))).send(), boom, "p");
    EXPECT_EQ(local::raises_nothing().send().returned(), 1); // 5.4
}

TEST(WithError, AGeneratorExitClosesSilently) {
    struct local {
        static counting exits() {
            bool closing = false;
            try {
                co_yield 1;
            } catch (const generator_exit&) {
                closing = true;
            }
            if (closing) {
                co_yield with_error(generator_exit());
            }
            co_return 1;
        }
    };
    auto c = local::exits();
    c.send();
    EXPECT_EQ(c.close(), std::nullopt); // 6.2
}

TEST(WithError, InAGenerator) {
    struct local {
        static generator<int> raises() {
            co_yield 1;
            co_yield with_error(boom("g"));
        }
        static generator<int> delegates() { co_yield yield_from(raises()); }
    };
    auto g = local::delegates();
    EXPECT_EQ(g.send().yielded(), 1);
    EXPECT_ERROR(g.send(), boom, "g");
    std::vector<int> seen;
    const auto iterate = [&seen] {
        for (const int value : local::raises()) {
            seen.push_back(value);
        }
    };
    EXPECT_EQ(test::caught<boom>(iterate), "g");
    EXPECT_EQ(seen, std::vector<int>{1});
}

TEST(WithError, NothingIsThrownOnTheWay) {
    struct local {
        static counting chain(int depth) {
            if (depth == 0) {
                co_yield with_error(boom("deep"));
            }
            co_return co_await nothrow(chain(depth - 1));
        }
    };
    // A throw would be counted while destructors run.
    static int most = 0;
    struct observer {
        ~observer() { most = std::max(most, std::uncaught_exceptions()); }
    };
    struct outer {
        static counting observed() {
            const observer at_end;
            co_return co_await nothrow(local::chain(10));
        }
    };
    EXPECT_EQ(test::caught<boom>(outer::observed().try_send().error()), "deep");
    EXPECT_EQ(most, 0);
}

TEST(Nothrow, AnExhaustedGenerator) {
    using plain = generator<int, none, int>;
    struct local {
        static plain values() {
            co_yield 1;
            co_return 2;
        }
        static counting awaits(isthmus::generator_based_coroutine<int, none, int>& source) {
            try {
                co_return co_await nothrow(source);
            } catch (...) {
                co_return -1;
            }
        }
    };
    auto ended = from_generator(local::values());
    ended.send();
    ended.send();
    auto a = local::awaits(ended);
    EXPECT_EQ(test::caught<isthmus::generator_exhausted>([&] { a.send(); }),
              std::string(isthmus::generator_exhausted().what()));
    auto shared = from_generator(local::values()); // another finishes it meanwhile
    auto b = local::awaits(shared);
    b.send();
    shared.send();
    EXPECT_EQ(test::caught<isthmus::generator_exhausted>([&] { b.send(); }),
              std::string(isthmus::generator_exhausted().what()));
}

// The awaiter's object dies while what it awaits runs and fails, yields or is closed.
TEST(Nothrow, TheAwaitersObjectDiesMeanwhile) {
    struct local {
        static counting destroys(std::unique_ptr<counting>& owner, trace& log, char how) {
            const note at_end(log, "inner");
            if (how == 'c') {
                try {
                    co_yield 1;
                } catch (const generator_exit&) {
                    owner.reset();
                    throw;
                }
            }
            owner.reset();
            log.push_back("went on");
            if (how == 'y') {
                co_yield 1;
            }
            co_yield with_error(boom("x"));
        }
        static counting passes(counting inner, trace& log) {
            const note at_end(log, "outer");
            co_return co_await nothrow(inner);
        }
    };
    for (const char how : {'f', 'y', 'c'}) {
        for (const bool middle : {false, true}) {
            trace log;
            std::unique_ptr<counting> owner;
            counting root;
            owner = std::make_unique<counting>(local::passes(local::destroys(owner, log, how), log));
            counting* driven = owner.get();
            if (middle) {
                struct top {
                    static counting awaits(counting& inner) { co_return co_await nothrow(inner); }
                };
                root = top::awaits(*owner);
                driven = &root;
            }
            auto first = driven->try_send();
            if (how == 'c') {
                EXPECT_TRUE(driven->try_close().closed());
                EXPECT_EQ(log, (trace{"inner", "outer"}));
                continue;
            }
            EXPECT_EQ(first.failed(), how == 'f');
            EXPECT_EQ(owner, nullptr);
            if (how == 'y' && middle) {
                EXPECT_EQ(test::caught<boom>(root.try_send().error()), "x");
            }
            EXPECT_EQ(log, (trace{"went on", "inner", "outer"}));
        }
    }
}

// 7.9: what is awaited is taken by another, and runs, ends or comes back.
TEST(AsOutcome, WhatIsAwaitedIsStolen) {
    struct local {
        static counting observes(counting& inner, std::string& seen) {
            const auto ended = co_await as_outcome(inner.await());
            if (ended.failed()) {
                try {
                    std::rethrow_exception(ended.error());
                } catch (const isthmus::protocol_error& error) {
                    seen = error.what();
                } catch (const boom& error) {
                    seen = error.what();
                }
                co_return -1;
            }
            co_return ended.returned();
        }
        static counting drives(counting*& other) {
            co_yield 1;
            other->send();
            co_return 7;
        }
    };
    std::string seen;
    counting back = counts(3);
    auto a = local::observes(back, seen);
    EXPECT_EQ(a.send().yielded(), 1);
    EXPECT_EQ(back.send().yielded(), 2);
    EXPECT_EQ(a.send().yielded(), 3);
    EXPECT_EQ(a.send().returned(), 3);
    counting gone = counts(3);
    auto b = local::observes(gone, seen);
    b.send();
    gone.close();
    EXPECT_EQ(b.send().returned(), -1);
    EXPECT_EQ(seen, test::finished);
    counting* driven = nullptr;
    counting running = local::drives(driven);
    auto c = local::observes(running, seen);
    c.send();
    driven = &c;
    EXPECT_EQ(running.send().returned(), 7); // drives c, which finds it running
    EXPECT_EQ(seen, test::executing);
    EXPECT_EQ(c.state(), coroutine_state::closed);
    counting failing = fails("f");
    auto d = local::observes(failing, seen);
    d.send();
    auto thief = local::observes(failing, seen);
    EXPECT_EQ(thief.send().returned(), -1); // it fails in the thief's step
    EXPECT_EQ(seen, "f");
    EXPECT_EQ(d.send().returned(), -1);
    EXPECT_EQ(seen, test::finished);
}

// 7.9: two wait for one that ends by with_error(): its last awaiter gets the error, the other that it is gone.
TEST(WithError, AwaitedByTwo) {
    struct local {
        static counting raises() {
            co_yield 1;
            co_yield 2;
            co_yield with_error(boom("x"));
        }
        static counting passes(counting& inner) { co_return co_await nothrow(inner.await()); }
        static counting throws(counting& inner) { co_return co_await inner.await(); }
    };
    for (const bool swapped : {false, true}) {
        counting inner = local::raises();
        counting first = swapped ? local::throws(inner) : local::passes(inner);
        counting second = swapped ? local::passes(inner) : local::throws(inner);
        first.send();
        second.send();
        EXPECT_ERROR(second.send(), boom, "x");
        EXPECT_EQ(inner.state(), coroutine_state::closed);
        EXPECT_ERROR(first.send(), isthmus::already_finished, test::finished);
        EXPECT_EQ(first.state(), coroutine_state::closed);
    }
}

// 6.7, 6.9: while a chain is closed, each level tries to close and to destroy the others.
TEST(Nothrow, ClosingWhileClosing) {
    struct local {
        static counting tries(std::vector<counting>& all, trace& log, counting inner, bool leaf) {
            try {
                if (leaf) {
                    co_yield 1;
                }
                co_return co_await nothrow(inner);
            } catch (const generator_exit&) {
                for (counting& each : all) {
                    const auto ended = each.try_close();
                    log.push_back(ended.failed() ? test::caught<isthmus::already_executing>(ended.error()) : "closed");
                }
                all.clear();
                throw;
            }
        }
    };
    trace log;
    std::vector<counting> all;
    all.push_back(local::tries(all, log, local::tries(all, log, {}, true), false));
    all.front().send();
    counting driven = std::move(all.front());
    all.clear();
    struct top {
        static counting awaits(counting& inner) { co_return co_await nothrow(inner); }
    };
    all.push_back(std::move(driven));
    counting root = top::awaits(all.front());
    root.close();
    EXPECT_EQ(root.state(), coroutine_state::closed);
}

// A generator that closes, and then destroys, the one that delegates to it.
TEST(WithError, AGeneratorClosesItsDelegator) {
    struct local {
        static generator<int> closes(std::unique_ptr<generator<int>>& outer, trace& log) {
            const note at_end(log, "inner");
            EXPECT_ERROR(outer->close(), isthmus::already_executing, "generator already executing"); // 6.7
            co_yield 1;
            outer.reset();
            co_yield 2;
            log.push_back("unreachable");
        }
        static generator<int> delegates(std::unique_ptr<generator<int>>& outer, trace& log) {
            const note at_end(log, "outer");
            co_yield yield_from(closes(outer, log));
        }
    };
    trace log;
    std::unique_ptr<generator<int>> outer;
    outer = std::make_unique<generator<int>>(local::delegates(outer, log));
    generator<int>* const driven = outer.get();
    EXPECT_EQ(driven->send().yielded(), 1);
    EXPECT_EQ(driven->send().yielded(), 2); // destroyed when it suspends
    EXPECT_EQ(log, (trace{"inner", "outer"}));
}

} // namespace
} // namespace test_nothrow
