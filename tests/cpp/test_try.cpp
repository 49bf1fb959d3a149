// tests/cpp/test_try.cpp — try_send(), try_throw() and try_close() report what the throwing forms throw.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <functional>
#include <string>
#include <typeinfo>
#include <utility>

namespace test_try {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using isthmus::outcome;
using isthmus::step;
using test::boom;
using test::trace;

using talking = coroutine<int, int, int>;

/// What came of an operation, as text: the two forms of one operation must give the same.
std::string text_of(const std::exception_ptr& error) {
    try {
        std::rethrow_exception(error);
    } catch (const std::exception& raised) {
        return std::string(typeid(raised).name()) + ": " + raised.what();
    } catch (const generator_exit&) {
        return "generator_exit";
    } catch (int number) {
        return "int " + std::to_string(number);
    }
}
std::string text_of(const std::function<step<int, int>()>& operation) {
    try {
        step<int, int> result = operation();
        return result.done() ? "returned " + std::to_string(result.returned())
                             : "yielded " + std::to_string(result.yielded());
    } catch (...) {
        return text_of(std::current_exception());
    }
}
std::string text_of(const outcome<int, int>& result) {
    EXPECT_EQ(result.done() + result.failed() + result.closed() <= 1, true);
    return result.failed()   ? text_of(result.error())
           : result.closed() ? "closed"
           : result.done()   ? "returned " + std::to_string(result.returned())
                             : "yielded " + std::to_string(result.yielded());
}
std::string text_of_close(const std::function<std::optional<int>()>& close) {
    try {
        std::optional<int> result = close();
        return result ? "returned " + std::to_string(*result) : "closed";
    } catch (...) {
        return text_of(std::current_exception());
    }
}

talking body(char what) {
    bool again = false;
    try {
        const int sent = co_yield 1;
        if (sent == 5) {
            throw 5;
        }
        co_yield sent;
    } catch (const boom&) {
        if (what == 'c') {
            co_return 10;
        }
        throw;
    } catch (const generator_exit&) {
        switch (what) {
        case 'r':
            co_return 20;
        case 'e':
            throw boom("on exit");
        case 'y':
            again = true;
            break;
        default:
            throw;
        }
    }
    if (again) {
        co_yield 30;
    }
    co_return 40;
}
talking awaits(talking inner) { co_return 100 + co_await inner; }

/// Does the same operations on two equal coroutines, by the two forms.
class pair {
public:
    pair(char what, bool nested)
        : throwing_(nested ? awaits(body(what)) : body(what)), trying_(nested ? awaits(body(what)) : body(what)) {}

    std::string send() {
        return both(text_of([&] { return throwing_.send(); }), text_of(trying_.try_send()));
    }
    std::string send(int value) {
        return both(text_of([&] { return throwing_.send(value); }), text_of(trying_.try_send(value)));
    }
    std::string throw_(const std::exception_ptr& error) {
        return both(text_of([&] { return throwing_.throw_(error); }), text_of(trying_.try_throw(error)));
    }
    std::string close() {
        return both(text_of_close([&] { return throwing_.close(); }), text_of(trying_.try_close()));
    }

private:
    std::string both(std::string thrown, const std::string& tried) {
        EXPECT_EQ(thrown, tried);
        EXPECT_EQ(throwing_.state(), trying_.state());
        return thrown;
    }

    talking throwing_;
    talking trying_;
};

TEST(Try, EveryOperationInEveryOrderGivesTheSame) {
    const auto error = std::make_exception_ptr(boom("thrown"));
    const auto exit = std::make_exception_ptr(generator_exit());
    const std::function<std::string(pair&)> operations[] = {
        [](pair& p) { return p.send(); },        [](pair& p) { return p.send(2); },
        [](pair& p) { return p.send(5); },       [&](pair& p) { return p.throw_(error); },
        [&](pair& p) { return p.throw_(exit); }, [](pair& p) { return p.close(); },
    };
    for (const char what : {'p', 'c', 'r', 'e', 'y'}) {
        for (const bool nested : {false, true}) {
            for (std::size_t program = 0; program < 6 * 6 * 6 * 6; ++program) {
                pair p(what, nested);
                std::size_t rest = program;
                for (int i = 0; i < 4; ++i) {
                    operations[rest % 6](p);
                    rest /= 6;
                }
            }
        }
    }
}

TEST(Try, Clause_5_4_NoErrorGivesTheSame) {
    pair p('p', false);
    const std::string text = p.throw_(nullptr);
    p.send();
    EXPECT_EQ(p.throw_(nullptr), text);
    p.close();
    EXPECT_EQ(p.throw_(nullptr), text);
}

TEST(Try, Clause_2_2_AMisuseIsAnOutcome) {
    talking c = body('p');
    outcome<int, int> refused = c.try_send(3);
    EXPECT_TRUE(refused.failed());
    EXPECT_FALSE(refused.done());
    EXPECT_EQ(test::caught<isthmus::send_to_unstarted>(refused.error()), test::unstarted);
    EXPECT_EQ(c.state(), coroutine_state::created);
    EXPECT_EQ(c.try_send().yielded(), 1);
    EXPECT_EQ(test::caught<isthmus::missing_value>(c.try_send().error()), test::no_none);
    EXPECT_EQ(c.try_send(2).yielded(), 2);
    EXPECT_EQ(c.try_send(2).returned(), 40);
    EXPECT_EQ(test::caught<isthmus::already_finished>(c.try_send(1).error()), test::finished);
}

talking tries_itself(talking*& self, trace& log) {
    log.push_back(test::caught<isthmus::already_executing>(self->try_send().error()));
    log.push_back(test::caught<isthmus::already_executing>(self->try_throw(std::make_exception_ptr(1)).error()));
    log.push_back(test::caught<isthmus::already_executing>(self->try_close().error()));
    co_return 0;
}

TEST(Try, Clause_2_8_OfARunningOne) {
    trace log;
    talking* self = nullptr;
    talking c = tries_itself(self, log);
    self = &c;
    EXPECT_TRUE(c.try_send().done());
    EXPECT_EQ(log, trace(3, test::executing));
}

TEST(Try, Clause_5_12_TheSameInstanceComesOut) {
    const auto error = std::make_exception_ptr(boom("x"));
    talking c = awaits(body('p'));
    static_cast<void>(c.try_send());
    EXPECT_EQ(c.try_throw(error).error(), error);
    talking unstarted = body('p');
    EXPECT_EQ(unstarted.try_throw(error).error(), error);
    EXPECT_EQ(unstarted.state(), coroutine_state::closed);
}

TEST(Try, Clause_6_2_ASilentCloseIsNeitherAValueNorAnError) {
    talking c = body('p');
    static_cast<void>(c.try_send());
    outcome<int, int> closed = c.try_close();
    EXPECT_TRUE(closed.closed());
    EXPECT_FALSE(closed.done());
    EXPECT_FALSE(closed.failed());
    EXPECT_THROW(static_cast<void>(closed.returned()), isthmus::bad_step_access);
    EXPECT_THROW(static_cast<void>(closed.yielded()), isthmus::bad_step_access);
    EXPECT_THROW(static_cast<void>(closed.error()), isthmus::bad_step_access);
    EXPECT_THROW(static_cast<void>(std::move(closed).get()), isthmus::bad_step_access);
}

TEST(Try, AnExitThatIsThrownInIsAnErrorAndNotAClose) {
    talking c = body('p');
    static_cast<void>(c.try_send());
    outcome<int, int> result = c.try_throw(std::make_exception_ptr(generator_exit()));
    EXPECT_TRUE(result.failed());
    EXPECT_THROW(static_cast<void>(std::move(result).get()), generator_exit);
}

TEST(Try, GetGivesTheStepOrThrows) {
    talking c = body('p');
    EXPECT_EQ(c.try_send().get().yielded(), 1);
    EXPECT_THROW(static_cast<void>(c.try_send(5).get()), int);
    EXPECT_ERROR(c.try_send(5).get(), isthmus::already_finished, test::finished);
}

} // namespace
} // namespace test_try
