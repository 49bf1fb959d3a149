// tests/cpp/test_types.cpp — every kind of Return, Yield and Send, run through every operation.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <array>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

namespace test_types {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using isthmus::none;
using test::boom;
using test::trace;

/// Neither copyable nor default-constructible, and not assignable.
class rigid {
public:
    explicit rigid(int number) : number_(std::make_unique<int>(number)) {}
    rigid(rigid&&) noexcept = default;
    rigid& operator=(rigid&&) = delete;
    int number() const { return *number_; }

private:
    std::unique_ptr<int> number_; // so that a sanitizer sees what is used after a move, or leaks
};

std::array<std::string, 10> referents = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};

/// How the tests make a T of a number, and read the number again.
template <class T>
struct kind;
template <>
struct kind<void> {
    static none make(int) { return {}; }
};
template <>
struct kind<none> {
    static none make(int) { return {}; }
    static int number(none) { return 0; }
};
template <>
struct kind<rigid> {
    static rigid make(int number) { return rigid(number); }
    static int number(const rigid& value) { return value.number(); }
};
template <>
struct kind<std::string&> {
    static std::string& make(int number) { return referents.at(static_cast<std::size_t>(number)); }
    static int number(const std::string& value) { return std::stoi(value); }
};
template <>
struct kind<std::optional<int>> {
    static std::optional<int> make(int number) { return number; }
    static int number(std::optional<int> value) { return value.value_or(-1); }
};

template <class T>
inline constexpr bool has_number = !std::is_void_v<T> && !std::is_same_v<T, none>;

// Functions, as the macros would be expanded thousands of times here.
void expect(bool condition) { EXPECT_TRUE(condition); }
void expect_equal(int got, int expected) { EXPECT_EQ(got, expected); }

template <class T, class Value>
void expect_number(const Value& value, int number) {
    if constexpr (has_number<T>) {
        expect_equal(kind<T>::number(value), number);
    }
}

/// Yields 1 and 2, is sent 3 and 4, and returns 5; after a boom it returns 6, after a generator_exit 7.
template <class Return, class Yield, class Send>
coroutine<Return, Yield, Send> body() {
    int result = 5;
    try {
        if constexpr (std::is_void_v<Send>) {
            co_yield kind<Yield>::make(1);
            co_yield kind<Yield>::make(2);
        } else {
            Send first = co_yield kind<Yield>::make(1);
            expect_number<Send>(first, 3);
            Send second = co_yield kind<Yield>::make(2);
            expect_number<Send>(second, 4);
        }
    } catch (const boom&) {
        result = 6;
    } catch (const generator_exit&) {
        result = 7;
    }
    if constexpr (std::is_void_v<Return>) {
        co_return;
    } else {
        co_return kind<Return>::make(result);
    }
}

template <class Return, class Yield, class Send>
coroutine<Return, Yield, Send> awaits(coroutine<Return, Yield, Send> inner) {
    if constexpr (std::is_void_v<Return>) {
        co_await inner;
    } else {
        co_return co_await inner;
    }
}

template <class Send, class Coroutine>
auto send(Coroutine& c, int number) {
    if constexpr (std::is_void_v<Send>) {
        return c.send();
    } else {
        return c.send(kind<Send>::make(number));
    }
}
template <class Send, class Coroutine>
auto try_send(Coroutine& c, int number) {
    if constexpr (std::is_void_v<Send>) {
        return c.try_send();
    } else {
        return c.try_send(kind<Send>::make(number));
    }
}

template <class Yield, class Step>
void expect_yielded(Step step, int number) {
    expect(!step.done());
    static_assert(std::is_same_v<decltype(step.yielded()), std::add_lvalue_reference_t<Yield>>);
    static_assert(std::is_same_v<decltype(std::move(step).yielded()), std::add_rvalue_reference_t<Yield>>);
    if constexpr (has_number<Yield>) {
        expect_number<Yield>(step.yielded(), number);
        expect_number<Yield>(std::as_const(step).yielded(), number);
    }
}
template <class Return, class Step>
void expect_returned(Step step, int number) {
    expect(step.done());
    static_assert(std::is_same_v<decltype(step.returned()), std::add_lvalue_reference_t<Return>>);
    static_assert(std::is_same_v<decltype(std::move(step).returned()), std::add_rvalue_reference_t<Return>>);
    if constexpr (std::is_void_v<Return>) {
        step.returned();
    } else {
        expect_number<Return>(step.returned(), number);
        expect_number<Return>(std::as_const(step).returned(), number);
        [[maybe_unused]] Return taken = std::move(step).returned();
        expect_number<Return>(taken, number);
    }
}

/// A body, by itself or two levels down.
template <class Return, class Yield, class Send>
void run_all(bool nested) {
    const auto make = [nested] {
        return nested ? awaits(awaits(body<Return, Yield, Send>())) : body<Return, Yield, Send>();
    };
    {
        auto c = make();
        expect_yielded<Yield>(c.send(), 1);
        expect_yielded<Yield>(send<Send>(c, 3), 2);
        expect_returned<Return>(send<Send>(c, 4), 5);
    }
    {
        auto c = make();
        expect_yielded<Yield>(c.try_send(), 1);
        expect_yielded<Yield>(try_send<Send>(c, 3), 2);
        expect_returned<Return>(try_send<Send>(c, 4), 5);
        EXPECT_TRUE(c.try_send().failed());
    }
    {
        auto c = make();
        c.send();
        expect_returned<Return>(c.throw_(boom("x")), 6);
        auto d = make();
        expect_yielded<Yield>(d.send(), 1);
        expect_returned<Return>(d.try_throw(std::make_exception_ptr(boom("x"))).get(), 6);
    }
    auto unstarted = make();
    expect(!unstarted.close().has_value());
    auto dropped = make().await();
    expect_yielded<Yield>(dropped.send(), 1);
}

template <class Return, class Yield, class Send>
void run_kind() {
    const testing::ScopedTrace what(__FILE__, __LINE__, typeid(coroutine<Return, Yield, Send>).name());
    run_all<Return, Yield, Send>(false);
    run_all<Return, Yield, Send>(true);

    auto c = body<Return, Yield, Send>();
    c.send();
    auto value = c.close();
    static_assert(std::is_same_v<decltype(value), std::optional<isthmus::stored<Return>>>);
    expect(value.has_value());
    expect_number<Return>(*value, 7);
    auto tried = body<Return, Yield, Send>();
    tried.send();
    expect_returned<Return>(tried.try_close(), 7);
    auto outer = awaits(body<Return, Yield, Send>());
    outer.send();
    expect(!outer.close().has_value()); // 6.9: the value of the inner one is dropped
}

template <class Return>
void run_product() {
    run_kind<Return, void, void>();
    run_kind<Return, void, rigid>();
    run_kind<Return, void, std::string&>();
    run_kind<Return, rigid, void>();
    run_kind<Return, rigid, rigid>();
    run_kind<Return, rigid, std::string&>();
    run_kind<Return, std::string&, void>();
    run_kind<Return, std::string&, rigid>();
    run_kind<Return, std::string&, std::string&>();
}

TEST(Types, ReturnVoid) { run_product<void>(); }
TEST(Types, ReturnMoveOnly) { run_product<rigid>(); }
TEST(Types, ReturnReference) { run_product<std::string&>(); }

// What has an empty value behaves alike for every Return.

TEST(Types, Optional) {
    run_kind<rigid, std::optional<int>, void>();
    run_kind<rigid, std::optional<int>, rigid>();
    run_kind<rigid, std::optional<int>, std::string&>();
    run_kind<rigid, std::optional<int>, std::optional<int>>();
    run_kind<rigid, void, std::optional<int>>();
    run_kind<rigid, rigid, std::optional<int>>();
    run_kind<rigid, std::string&, std::optional<int>>();
    run_kind<std::optional<int>, std::optional<int>, std::optional<int>>();
}

TEST(Types, None) {
    run_kind<none, none, none>();
    run_kind<none, rigid, std::string&>();
    run_kind<rigid, none, rigid>();
    run_kind<rigid, rigid, none>();
    run_kind<void, none, void>();
    run_kind<void, void, none>();
}

// Kinds on their own.

coroutine<const std::string&, const std::string&, const std::string&> constant_references(const std::string& value) {
    const std::string& sent = co_yield value;
    EXPECT_EQ(&sent, &value);
    const std::string& temporary = co_yield "temporary";
    EXPECT_EQ(temporary, "also temporary");
    co_return value;
}

TEST(Types, ConstantReferences) {
    const std::string value = "value";
    auto c = constant_references(value);
    EXPECT_EQ(&c.send().yielded(), &value);
    EXPECT_EQ(c.send(value).yielded(), "temporary");
    EXPECT_EQ(&c.send("also temporary").returned(), &value);
}

coroutine<bool, bool, bool> booleans() {
    const bool sent = co_yield true;
    co_return !sent;
}

TEST(Types, Booleans) {
    auto c = booleans();
    EXPECT_TRUE(c.send().yielded());
    EXPECT_FALSE(c.send(true).returned());
}

// What fits into a register is returned in one; other steps are as movable as what they hold.
static_assert(std::is_trivially_copyable_v<isthmus::step<int, void>>);
static_assert(std::is_trivially_copyable_v<isthmus::step<int&, double>>);
static_assert(!std::is_trivially_copyable_v<isthmus::step<int, std::string>>);
static_assert(!std::is_copy_constructible_v<isthmus::step<int, std::unique_ptr<int>>>);

enum class colour : unsigned char { red, green };
coroutine<double, colour, float> small_values() {
    float sum = 0;
    for (const colour each : {colour::red, colour::green}) {
        sum += co_yield each;
    }
    co_return sum;
}

TEST(Types, SmallValues) {
    auto c = small_values();
    auto step = c.send();
    EXPECT_EQ(step.yielded(), colour::red);
    EXPECT_THROW(step.returned(), isthmus::bad_step_access);
    step.yielded() = colour::green;
    const auto copy = step;
    EXPECT_EQ(copy.yielded(), colour::green);
    step = c.send(0.5F);
    EXPECT_EQ(std::move(step).yielded(), colour::green);
    step = c.send(1.5F);
    EXPECT_TRUE(step.done());
    EXPECT_EQ(step.returned(), 2.0);
    EXPECT_THROW(step.yielded(), isthmus::bad_step_access);
    EXPECT_EQ(copy.yielded(), colour::green);
}

/// As small as an int, and moved alone, as handles are.
struct moved_alone {
    int value;
    explicit moved_alone(int of) noexcept : value(of) {}
    moved_alone(moved_alone&&) = default;
    moved_alone& operator=(moved_alone&&) = default;
    moved_alone(const moved_alone&) = delete;
    moved_alone& operator=(const moved_alone&) = delete;
};
static_assert(std::is_trivially_copyable_v<moved_alone>);

isthmus::generator<moved_alone> moved_ones() { co_yield moved_alone(4); }

TEST(Types, SmallValuesThatAreMovedAlone) {
    auto g = moved_ones();
    EXPECT_EQ(g.send().yielded().value, 4);
    EXPECT_TRUE(g.send().done());
}

/// It is copied only on request.
struct copied_explicitly {
    int value = 1;
    copied_explicitly() = default;
    explicit copied_explicitly(const copied_explicitly&) = default;
};
isthmus::generator<copied_explicitly> explicit_copies() {
    const copied_explicitly one;
    co_yield one;
}
isthmus::generator<int> narrowed() {
    const long value = 3;
    co_yield isthmus::nothrow(value);
}
TEST(Types, ACoYieldConvertsAsItsTypeAllows) {
    auto copies = explicit_copies();
    const auto yields_copy = copies.send();
    EXPECT_TRUE(!yields_copy.done());
    auto n = narrowed();
    EXPECT_EQ(n.send().yielded(), 3);
}

/// Its empty value cannot be made.
struct never_empty {
    int value;
};

} // namespace
} // namespace test_types

template <>
struct isthmus::empty_value<test_types::never_empty> {
    static constexpr bool exists = true;
    static test_types::never_empty make() { throw test::boom("no empty value"); }
    static bool test(const test_types::never_empty&) noexcept { return false; }
};

namespace test_types {
namespace {

coroutine<> yields_none() { co_yield isthmus::none(); }
coroutine<void, never_empty> cannot_pass_on_none() { co_await yields_none(); }

TEST(Types, WhenTheEmptyValueThrowsItStaysSuspended) {
    auto c = cannot_pass_on_none();
    EXPECT_ERROR(c.send(), boom, "no empty value");
    EXPECT_EQ(c.state(), isthmus::coroutine_state::suspended);
    EXPECT_EQ(c.close(), std::nullopt);
}

coroutine<void, int, std::optional<int>&> takes_a_reference() { co_yield 1; }

TEST(Types, Clause_2_2_AReferenceHasNoEmptyValue) {
    auto c = takes_a_reference();
    std::optional<int> nothing;
    EXPECT_ERROR(c.send(nothing), isthmus::send_to_unstarted, test::unstarted);
    EXPECT_EQ(c.send().yielded(), 1);
}

using large_array = std::array<int, 1000>;
coroutine<large_array, large_array, large_array> large() {
    large_array sent = co_yield large_array{1};
    sent[1] += 1;
    co_return sent;
}

TEST(Types, LargeValues) {
    auto c = large();
    EXPECT_EQ(c.send().yielded()[0], 1);
    large_array sent{5, 6};
    EXPECT_EQ(c.send(sent).returned()[1], 7);
}

coroutine<std::exception_ptr, std::exception_ptr, std::exception_ptr> errors_as_values() {
    std::exception_ptr sent = co_yield nullptr;
    co_return sent;
}

TEST(Types, ErrorsAsValues) {
    const auto error = std::make_exception_ptr(boom("a value"));
    auto c = errors_as_values();
    EXPECT_EQ(c.send().yielded(), nullptr);
    auto outcome = c.try_send(error);
    EXPECT_FALSE(outcome.failed());
    EXPECT_EQ(outcome.returned(), error);
    EXPECT_THROW(static_cast<void>(outcome.error()), isthmus::bad_step_access);
}

coroutine<std::function<int()>, std::function<int()>> functions() {
    co_yield [] { return 1; };
    co_return [] { return 2; };
}

TEST(Types, ConvertedValues) {
    auto c = functions();
    EXPECT_EQ(c.send().yielded()(), 1);
    EXPECT_EQ(c.send().returned()(), 2);
}

struct aggregate {
    int first = 0;
    std::string second;
};
coroutine<aggregate, aggregate> aggregates() {
    aggregate one{1, "one"};
    co_yield one;
    co_return {2, "two"};
}
coroutine<std::optional<std::string>> returns_braces() { co_return {}; }
coroutine<const int> returns_constant() { co_return 3; }

TEST(Types, BracedReturns) {
    auto c = aggregates();
    EXPECT_EQ(c.send().yielded().second, "one");
    EXPECT_EQ(c.send().returned().second, "two");
    EXPECT_EQ(returns_braces().send().returned(), std::nullopt);
    EXPECT_EQ(returns_constant().send().returned(), 3);
}

struct base {
    virtual ~base() = default;
    virtual int number() const = 0;
};
struct derived final : base {
    int number() const override { return 12; }
};
coroutine<std::unique_ptr<base>> returns_derived() { co_return std::make_unique<derived>(); }
coroutine<base&, base&, base&> abstract_references(derived& object) {
    base& sent = co_yield object;
    EXPECT_EQ(&sent, &object);
    co_return sent;
}

TEST(Types, AbstractClasses) {
    derived object;
    auto c = abstract_references(object);
    EXPECT_EQ(&c.send().yielded(), &object);
    EXPECT_EQ(c.send(object).returned().number(), 12);
    EXPECT_EQ(returns_derived().send().returned()->number(), 12);
}

using function_reference = int (&)(int);
int twice(int value) { return 2 * value; }
coroutine<function_reference> returns_function() { co_return twice; }

TEST(Types, FunctionReferences) { EXPECT_EQ(returns_function().send().returned()(4), 8); }

coroutine<coroutine<int>, coroutine<int>, coroutine<int>> made_of_coroutines() {
    struct local {
        static coroutine<int> gives(int value) { co_return value; }
    };
    coroutine<int> sent = co_yield local::gives(1);
    const int value = co_await sent;
    co_return local::gives(value + 1);
}

coroutine<int> gives(int value) { co_return value; }

TEST(Types, CoroutinesAsValues) {
    auto c = made_of_coroutines();
    EXPECT_EQ(c.send().yielded().send().returned(), 1);
    EXPECT_EQ(c.send(gives(7)).returned().send().returned(), 8);
}

// Functions of all sorts are coroutines.

class member {
public:
    explicit member(int value) : value_(value) {}
    coroutine<int> plain(int more) { co_return value_ + more; }
    coroutine<int> constant(int more) const { co_return value_ + more; }
    coroutine<int> reference() & { co_return value_; }
    virtual coroutine<int> overridden() { co_return 1; }
    coroutine<int> operator()(int more) { co_return value_* more; }
    static coroutine<int> of_class() { co_return 5; }
    virtual ~member() = default;

private:
    int value_;
};
class derived_member final : public member {
public:
    using member::member;
    coroutine<int> overridden() override { co_return 2 + co_await member::overridden(); }
};

TEST(Types, MemberFunctionsAndLambdas) {
    member object(10);
    EXPECT_EQ(object.plain(1).send().returned(), 11);
    EXPECT_EQ(object.constant(2).send().returned(), 12);
    EXPECT_EQ(object.reference().send().returned(), 10);
    EXPECT_EQ(object(3).send().returned(), 30);
    EXPECT_EQ(member::of_class().send().returned(), 5);
    derived_member other(1);
    EXPECT_EQ(static_cast<member&>(other).overridden().send().returned(), 3);

    const auto lambda = [factor = 4](int value) -> coroutine<int> { co_return factor* value; };
    EXPECT_EQ(lambda(5).send().returned(), 20);
    const auto generic = [](auto value) -> coroutine<decltype(value)> { co_return value; };
    EXPECT_EQ(generic(std::string("text")).send().returned(), "text");
}

} // namespace
} // namespace test_types
