// tests/cpp/test_abc.cpp — abc::awaitable and abc::coroutine (17.1, 17.2, 17.7).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace test_abc {
namespace {

using isthmus::any_coroutine;
using isthmus::coroutine;
using isthmus::generator_exit;
using isthmus::none;
using isthmus::step;
using test::boom;
namespace abc = isthmus::abc;

// Yields what it was sent, and returns the sum when it is sent -1. What throw_() does is chosen by the test.
class adder : public abc::coroutine<int, int, std::optional<int>> {
public:
    enum class on_throw { raises, yields, returns, raises_another };
    explicit adder(on_throw reaction = on_throw::raises) : reaction_(reaction) {}

    step_type send(std::optional<int> value) override {
        if (value == -1) {
            return step_type(std::in_place_index<1>, sum_);
        }
        sum_ += value.value_or(0);
        return step_type(std::in_place_index<0>, value.value_or(0));
    }
    step_type throw_(std::exception_ptr error) override {
        switch (reaction_) {
        case on_throw::raises:
            std::rethrow_exception(error);
        case on_throw::yields:
            return step_type(std::in_place_index<0>, 100);
        case on_throw::returns:
            return step_type(std::in_place_index<1>, 200);
        case on_throw::raises_another:
            break;
        }
        throw boom("another");
    }

private:
    on_throw reaction_;
    int sum_ = 0;
};

// With a Send type that has no empty value, the start is a member of its own.
class repeats : public abc::coroutine<std::string, std::string, std::string> {
public:
    step_type send() override { return step_type(std::in_place_index<0>, "started"); }
    step_type send(std::string value) override {
        return value.empty() ? step_type(std::in_place_index<1>, "ended")
                             : step_type(std::in_place_index<0>, std::move(value));
    }
    step_type throw_(std::exception_ptr error) override { std::rethrow_exception(error); }
};

class void_one : public abc::coroutine<void, void, void> {
public:
    step_type send(none) override { return step_type(std::in_place_index<1>); }
    step_type throw_(std::exception_ptr error) override { std::rethrow_exception(error); }
};

coroutine<int, int, std::optional<int>> native() { co_return (co_yield 1).value_or(0); }

// Chooses at run time what is awaited.
class chooses : public abc::awaitable<int, int, std::optional<int>> {
public:
    explicit chooses(int choice) : choice_(choice) {}
    any_coroutine<int, int, std::optional<int>> await() override {
        if (choice_ == 0) {
            return native();
        }
        if (choice_ == 1) {
            return adder();
        }
        throw boom("no such choice");
    }

private:
    int choice_;
};

using driver = coroutine<int, int, std::optional<int>>;
driver awaits(abc::awaitable<int, int, std::optional<int>>& awaited) { co_return co_await awaited; }
driver awaits_derived(adder awaited) { co_return co_await awaited; }
driver awaits_temporary() { co_return co_await adder(); }
driver awaits_temporary_awaitable(int choice) { co_return co_await chooses(choice); }

TEST(Abc, Clauses_17_1_17_2_WhatIsAbstract) {
    using base = abc::coroutine<int, int, std::optional<int>>;
    static_assert(std::is_abstract_v<abc::awaitable<int>> && std::is_abstract_v<base>);
    static_assert(std::is_base_of_v<abc::awaitable<int, int, std::optional<int>>, base>);
    static_assert(std::has_virtual_destructor_v<base> && std::has_virtual_destructor_v<abc::awaitable<int>>);
    static_assert(isthmus::coroutine_like<base> && isthmus::coroutine_like<adder> && isthmus::coroutine_like<repeats>);
    static_assert(isthmus::coroutine_like<void_one>);
    static_assert(isthmus::awaitable<chooses> && !isthmus::coroutine_like<chooses>);
    static_assert(!std::is_base_of_v<base, coroutine<int, int, std::optional<int>>>);
    static_assert(std::is_move_constructible_v<adder> && std::is_copy_assignable_v<adder>);
}

TEST(Abc, SendWithoutAValueIsSendNone) {
    adder own;
    abc::coroutine<int, int, std::optional<int>>& c = own;
    EXPECT_EQ(c.send().yielded(), 0);
    EXPECT_EQ(c.send(5).yielded(), 5);
    EXPECT_EQ(c.send(-1).returned(), 5);
    EXPECT_ERROR(c.throw_(boom("in")), boom, "in");

    void_one ends;
    abc::coroutine<void, void, void>& v = ends;
    EXPECT_TRUE(v.send().done());
}

TEST(Abc, Clause_17_7_CloseSwallowsTheExitAndTheValue) {
    EXPECT_EQ(adder(adder::on_throw::raises).close(), std::nullopt);
    EXPECT_EQ(adder(adder::on_throw::returns).close(), std::nullopt); // never the value
}

TEST(Abc, Clause_17_7_CloseOfOneThatYields) {
    EXPECT_ERROR(adder(adder::on_throw::yields).close(), isthmus::ignored_generator_exit, test::ignored);
}

TEST(Abc, Clause_17_7_OtherErrorsPropagate) {
    EXPECT_ERROR(adder(adder::on_throw::raises_another).close(), boom, "another");
}

class exits_in_its_own_way : public adder {
public:
    step_type throw_(std::exception_ptr) override { throw test::custom_exit(1); }
};
class closes_itself : public adder {
public:
    std::optional<int> close() override { return 7; }
};
TEST(Abc, Clause_17_7_CloseIsAMixin) {
    EXPECT_EQ(exits_in_its_own_way().close(), std::nullopt);
    any_coroutine<int, int, std::optional<int>> c = closes_itself();
    EXPECT_EQ(c.close(), 7);
    EXPECT_EQ(c.try_close().returned(), 7);
}

TEST(Abc, CanBeAwaitedWithFullDelegation) {
    adder own;
    driver c = awaits(own);
    EXPECT_EQ(c.send().yielded(), 0);
    EXPECT_EQ(c.send(3).yielded(), 3);
    EXPECT_EQ(c.send(-1).returned(), 3);

    driver derived = awaits_derived(adder());
    EXPECT_EQ(derived.send().yielded(), 0);
    EXPECT_EQ(derived.send(4).yielded(), 4);
    EXPECT_ERROR(derived.throw_(boom("through")), boom, "through");

    driver temporary = awaits_temporary();
    EXPECT_EQ(temporary.send().yielded(), 0);
    EXPECT_EQ(temporary.send(-1).returned(), 0);

    adder handles(adder::on_throw::returns);
    driver handling = awaits(handles);
    static_cast<void>(handling.send());
    EXPECT_EQ(handling.throw_(boom("handled")).returned(), 200); // 5.20
}

TEST(Abc, Clauses_5_23_6_9_GeneratorExitClosesIt) {
    adder stubborn(adder::on_throw::yields);
    driver c = awaits(stubborn);
    static_cast<void>(c.send());
    EXPECT_ERROR(c.close(), isthmus::ignored_generator_exit, test::ignored);

    driver silent = awaits_temporary();
    static_cast<void>(silent.send());
    EXPECT_EQ(silent.close(), std::nullopt);
}

TEST(Abc, Clause_7_4_AnAwaitableGivesWhatIsDriven) {
    driver native_one = awaits_temporary_awaitable(0);
    EXPECT_EQ(native_one.send().yielded(), 1);
    EXPECT_EQ(native_one.send(6).returned(), 6);

    chooses choice(1);
    driver other = awaits(choice);
    EXPECT_EQ(other.send().yielded(), 0);
    EXPECT_EQ(other.send(-1).returned(), 0);

    driver failing = awaits_temporary_awaitable(2);
    EXPECT_ERROR(failing.send(), boom, "no such choice");
}

TEST(Abc, CanBeDrivenAndHeld) {
    int answers = 0;
    EXPECT_EQ(isthmus::run(adder(), [&](int) { return ++answers < 4 ? answers : -1; }), 6);
    EXPECT_EQ(isthmus::run(repeats(), [](const std::string&) { return std::string(); }), "ended");
    isthmus::run(void_one());

    any_coroutine<std::string, std::string, std::string> value = repeats();
    EXPECT_EQ(value.send().yielded(), "started");
    EXPECT_EQ(value.send("text").yielded(), "text");

    std::unique_ptr<abc::coroutine<int, int, std::optional<int>>> pointer = std::make_unique<adder>();
    any_coroutine<int, int, std::optional<int>> owned = std::move(pointer);
    EXPECT_EQ(owned.send().yielded(), 0);
    EXPECT_EQ(owned.send(2).yielded(), 2);
    EXPECT_EQ(owned.close(), std::nullopt);

    adder own;
    any_coroutine<int, int, std::optional<int>> borrowed = std::ref<abc::coroutine<int, int, std::optional<int>>>(own);
    EXPECT_EQ(borrowed.send(8).yielded(), 8);
}

} // namespace
} // namespace test_abc
