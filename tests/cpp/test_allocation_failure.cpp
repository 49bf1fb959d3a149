// tests/cpp/test_allocation_failure.cpp — programs in which each allocation in turn fails: nothing leaks, nothing
// terminates, and every object can still be used.
// SPDX-License-Identifier: MIT
#include "allocation.hpp"
#include "support.hpp"

#include <array>
#include <cstddef>
#include <exception>
#include <functional>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <ranges>
#include <source_location>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

namespace test_allocation_failure {
namespace {

using isthmus::any_coroutine;
using isthmus::as_outcome;
using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::from_generator;
using isthmus::generator;
using isthmus::generator_based_coroutine;
using isthmus::generator_exit;
using isthmus::none;
using isthmus::nothrow;
using isthmus::step;
using isthmus::with_error;
using isthmus::yield_from;
using test::boom;

/// A text that std::string must allocate.
std::string text(int number) { return std::to_string(number) + " is followed by more than fits into a std::string"; }

using sent = std::optional<std::string>;
using talk = coroutine<std::string, std::string, sent>;
using texts = generator<std::string, sent, sent>;

/// The state is one that it can be in, and what is left of its life goes as that state promises (2.7, 6.4, 8).
template <class Coroutine>
void expect_usable(Coroutine& object) {
    const std::optional<coroutine_state> state = object.state();
    if (state == coroutine_state::created || state == coroutine_state::suspended) {
        const auto step = object.try_send();
        EXPECT_TRUE(!step.failed() || object.state() == coroutine_state::closed);
    }
    EXPECT_FALSE(object.try_close().failed());
    EXPECT_EQ(object.state(), coroutine_state::closed);
    EXPECT_NO_THROW(object.close());
    if constexpr (!isthmus::detail::any_generator<Coroutine>) {
        EXPECT_ERROR(object.send(), isthmus::already_finished, test::finished);
    }
}

/// Coroutines that die before they were started are not reported while it lives.
class unreported {
public:
    unreported() : before_(isthmus::set_never_awaited_hook([](std::string_view, const std::source_location&) {})) {}
    ~unreported() { isthmus::set_never_awaited_hook(before_); }
    unreported(const unreported&) = delete;
    unreported& operator=(const unreported&) = delete;

private:
    isthmus::never_awaited_hook before_;
};

/// Runs the program until none of its allocations fails, each time on a new thread, whose cache of frames is empty. A
/// Program has run(), which may throw std::bad_alloc, and check(), which looks at what that left behind.
template <class Program>
void fail_each_allocation(int at_least) {
    const unreported quiet;
    std::thread([] {}).join(); // what the first thread allocates for all is not counted
    bool happened = true;
    int failures = 0;
    for (long nth = 1; happened; ++nth) {
        const long before = test::live_allocations();
        std::thread([&] {
            Program program;
            bool thrown = false;
            {
                const test::failing_allocation failing(nth);
                try {
                    program.run();
                } catch (const std::bad_alloc&) {
                    thrown = true;
                }
                happened = failing.happened();
            }
            EXPECT_TRUE(happened || !thrown);
            failures += thrown;
            program.check();
        }).join();
        ASSERT_EQ(test::live_allocations(), before) << "after the failure of allocation " << nth;
        ASSERT_FALSE(testing::Test::HasFailure()) << "after the failure of allocation " << nth;
    }
    EXPECT_GE(failures, at_least);
}

// ---- coroutines that await one another
// -----------------------------------------------------------------------------------

/// Yields and returns what it makes, with a frame that is too large to be recycled.
talk speaks(std::string first) {
    std::array<char, 4000> large{};
    large[0] = 'x';
    std::string all = first + large[0];
    for (int i = 0; i < 2; ++i) {
        const sent answer = co_yield text(i);
        if (answer) {
            all += *answer;
        }
    }
    co_return all;
}

/// Goes on when what it awaits fails.
talk relays(int depth, bool recovers) {
    std::vector<std::string> kept;
    kept.push_back(text(depth));
    if (depth == 0) {
        co_return co_await speaks(text(0));
    }
    bool failed = false;
    try {
        kept.push_back(co_await relays(depth - 1, recovers));
    } catch (const std::bad_alloc&) {
        if (!recovers) {
            throw;
        }
        failed = true;
    }
    if (failed) {
        co_yield "short";
    }
    co_return kept.back();
}

template <bool Recovers>
struct nested {
    void run() {
        c = relays(3, Recovers);
        auto next = c.send();
        while (!next.done()) {
            next = c.send(sent(text(7)));
        }
        EXPECT_FALSE(next.returned().empty());
    }
    void check() { expect_usable(c); }
    talk c;
};

TEST(AllocationFailure, CreatingAwaitingAndSending) { fail_each_allocation<nested<false>>(10); }
TEST(AllocationFailure, AnAwaiterThatRecovers) { fail_each_allocation<nested<true>>(3); }

/// Allocates when it is thrown into and when it is closed.
talk insists() {
    std::string all = text(0);
    bool closing = false;
    try {
        const sent answer = co_yield text(1);
    } catch (const boom& error) {
        all += error.what();
    }
    try {
        co_yield std::move(all);
    } catch (const generator_exit&) {
        closing = true;
    }
    co_return text(closing);
}
talk wraps(talk inner) { co_return co_await inner + text(9); }

struct thrown_and_closed {
    void run() {
        a = wraps(wraps(insists()));
        EXPECT_EQ(a.send().yielded(), text(1));
        EXPECT_FALSE(a.throw_(boom(text(3))).done());
        EXPECT_FALSE(a.close().has_value()); // 6.9: what the innermost returned is dropped
        b = insists();
        b.send();
        EXPECT_FALSE(b.throw_(boom(text(3))).done());
        EXPECT_EQ(b.close(), text(1));
        b = wraps(insists()); // 5.8: one that has not started
        try {
            b.throw_(boom(text(3)));
        } catch (const boom&) {}
    }
    void check() {
        expect_usable(a);
        expect_usable(b);
    }
    talk a;
    talk b;
};
TEST(AllocationFailure, ThrowingAndClosing) { fail_each_allocation<thrown_and_closed>(8); }

/// The try_ forms report the failure; only the call that makes a coroutine throws.
struct tried {
    void run() {
        c = wraps(wraps(insists()));
        try {
            sent value = text(4);
            const std::exception_ptr error = std::make_exception_ptr(boom(text(3)));
            made = true;
            operations(std::move(value), error);
        } catch (const std::bad_alloc&) {
            EXPECT_FALSE(made);
            throw;
        }
    }
    void operations(sent value, const std::exception_ptr& error) {
        const auto started = c.try_send();
        const auto refused = c.try_send(std::move(value));
        const auto thrown = c.try_throw(error);
        const auto closed = c.try_close();
        if (started.failed()) {
            EXPECT_EQ(test::caught<std::bad_alloc>(started.error()), std::bad_alloc().what());
            EXPECT_EQ(test::caught<isthmus::already_finished>(refused.error()), test::finished);
            EXPECT_EQ(test::caught<isthmus::already_finished>(thrown.error()), test::finished);
            EXPECT_TRUE(closed.closed());
        }
        EXPECT_EQ(c.state(), coroutine_state::closed);
    }
    void check() { expect_usable(c); }
    talk c;
    bool made = false;
};
TEST(AllocationFailure, TheTryForms) { fail_each_allocation<tried>(5); }

coroutine<std::unique_ptr<int>, std::unique_ptr<int>, std::unique_ptr<int>> exchanges(std::unique_ptr<int> first) {
    std::unique_ptr<int> second = co_yield std::move(first);
    std::unique_ptr<int> third = co_yield std::make_unique<int>(*second + 1);
    co_return std::make_unique<int>(*third + 1);
}

struct move_only {
    void run() {
        c = exchanges(std::make_unique<int>(1));
        auto first = c.send();
        auto second = c.send(std::move(first).yielded());
        auto third = c.send(std::move(second).yielded());
        EXPECT_EQ(*third.returned(), 3);
    }
    void check() {
        if (c.state() == coroutine_state::suspended) { // no std::unique_ptr to send could be made
            EXPECT_NO_THROW(c.send(std::make_unique<int>(5)));
        }
        EXPECT_FALSE(c.try_close().failed());
        EXPECT_EQ(c.state(), coroutine_state::closed);
    }
    decltype(exchanges(nullptr)) c;
};
TEST(AllocationFailure, ValuesThatCanOnlyBeMoved) { fail_each_allocation<move_only>(4); }

/// 7.9: goes on with one that was started, and that another awaiter holds.
talk continues(talk& other) { co_return co_await other.await() + text(1); }

struct continued {
    void run() {
        inner = speaks(text(0));
        inner.send();
        first = continues(inner);
        first.send();
        second = continues(inner);
        const auto step = second.send();
        EXPECT_TRUE(step.done());
        EXPECT_TRUE(first.try_send().failed());
    }
    void check() {
        expect_usable(second);
        expect_usable(first);
        expect_usable(inner);
    }
    talk inner;
    talk first;
    talk second;
};
TEST(AllocationFailure, AwaitingAnAwaitIterator) { fail_each_allocation<continued>(5); }

// ---- generators
// ----------------------------------------------------------------------------------------------------------

texts lines(int count) {
    for (int i = 0; i < count; ++i) {
        co_yield text(i);
    }
    co_return text(count);
}

/// A user's iterator, which allocates in each operation.
class source {
public:
    explicit source(int count) : left_(count) {}
    step<std::string, sent> send() {
        if (left_-- == 0) {
            return step<std::string, sent>(std::in_place_index<1>, text(0));
        }
        return step<std::string, sent>(std::in_place_index<0>, text(left_));
    }
    step<std::string, sent> send(sent value) {
        last_ = *value + text(1);
        return send();
    }
    step<std::string, sent> throw_(const std::exception_ptr&) {
        return step<std::string, sent>(std::in_place_index<0>, text(5));
    }
    void close() { last_ = text(2); }

private:
    int left_;
    std::string last_;
};

texts delegates(texts& lent) {
    const sent first = co_yield yield_from(lent);
    const sent second = co_yield yield_from(lines(1));
    const auto digits = std::views::iota(0, 2) | std::views::transform(text);
    co_yield yield_from(digits);
    const sent third = co_yield yield_from(source(2));
    co_return *first + *second + *third;
}

struct generated {
    void run() {
        inner = lines(2);
        outer = delegates(inner);
        std::size_t length = 0;
        for (const std::string& line : outer) {
            length += line.size();
        }
        EXPECT_GT(length, 100U);
        inner = lines(2);
        outer = delegates(inner);
        outer.send();
        outer.throw_(generator_exit());
    }
    void check() {
        expect_usable(outer);
        expect_usable(inner);
    }
    texts inner;
    texts outer;
};

/// A generator_exit that comes out is how `run` ends.
struct generated_and_closed : generated {
    void run() {
        try {
            generated::run();
        } catch (const generator_exit&) {}
    }
};
TEST(AllocationFailure, GeneratorsAndYieldFrom) { fail_each_allocation<generated_and_closed>(15); }

generator<std::string, sent, std::string> one_line(std::string line) {
    const sent answer = co_yield std::move(line);
    co_return answer.value_or(text(3));
}

struct awaited_generators {
    static talk awaits(std::function<generator_based_coroutine<std::string, sent, std::string>(std::string)>& make) {
        std::string all = co_await make(text(1));
        all += co_await from_generator(one_line(text(2)));
        co_return all;
    }
    void run() {
        make = from_generator(std::function(one_line));
        c = awaits(make);
        c.send();
        c.send(text(4));
        EXPECT_EQ(c.send(text(5)).returned(), text(4) + text(5));
    }
    void check() { expect_usable(c); }
    std::function<generator_based_coroutine<std::string, sent, std::string>(std::string)> make;
    talk c;
};
TEST(AllocationFailure, GeneratorBasedCoroutines) { fail_each_allocation<awaited_generators>(8); }

// ---- what a user wrote
// ---------------------------------------------------------------------------------------------------

/// Awaitable by a class of the user's own, whose await() allocates too.
class reads {
public:
    std::unique_ptr<int> prepared;
    source await() {
        prepared = std::make_unique<int>(1);
        return source(2);
    }
};
talk awaits_reads() {
    reads operand;
    sent result = co_await operand;
    co_return *result + text(*operand.prepared);
}

struct foreign {
    void run() {
        a = awaits_reads();
        a.send();
        a.send(text(3));
        a.throw_(boom(text(1)));
        EXPECT_TRUE(a.send().done());
        b = awaits_reads();
        b.send();
        b.close();
    }
    void check() {
        expect_usable(a);
        expect_usable(b);
    }
    talk a;
    talk b;
};
TEST(AllocationFailure, AUsersOwnAwaitable) { fail_each_allocation<foreign>(12); }

class nominal final : public isthmus::abc::coroutine<std::string, std::string, sent> {
public:
    step_type send(sent) override {
        if (std::exchange(started_, true)) {
            return step_type(std::in_place_index<1>, text(1));
        }
        return step_type(std::in_place_index<0>, text(0));
    }
    step_type throw_(std::exception_ptr error) override {
        reason_ = text(8);
        std::rethrow_exception(std::move(error));
    }
    using isthmus::abc::coroutine<std::string, std::string, sent>::throw_;

private:
    bool started_ = false;
    std::string reason_;
};

using any_talk = any_coroutine<std::string, std::string, sent>;

talk awaits_any(any_talk held) { co_return co_await held; }

struct erased {
    void run() {
        native = speaks(text(0));
        pointer = std::make_unique<nominal>();
        a = std::move(pointer);
        EXPECT_EQ(pointer, nullptr);
        EXPECT_FALSE(a.send().done());
        EXPECT_TRUE(a.send().done());
        b = nominal();
        b.send();
        EXPECT_FALSE(b.close().has_value());
        c = awaits_any(std::move(native));
        c.send();
        any_talk inner = nominal();
        c = awaits_any(std::move(inner));
        c.send();
        c.close();
    }
    void check() {
        if (pointer != nullptr) { // the any_coroutine could not be made, and has not taken it
            EXPECT_FALSE(pointer->send(std::nullopt).done());
        }
        expect_usable(native);
        expect_usable(c);
        for (any_talk* each : {&a, &b}) { // a nominal one has no state()
            EXPECT_FALSE(each->try_close().failed());
        }
    }
    talk native;
    std::unique_ptr<isthmus::abc::coroutine<std::string, std::string, sent>> pointer;
    any_talk a;
    any_talk b;
    talk c;
};
TEST(AllocationFailure, AnyCoroutineAndTheNominalClasses) { fail_each_allocation<erased>(10); }

// ---- errors without a throw, drivers, memory of the user's, and reports
// ----------------------------------------------------------

talk passes(bool fails) {
    const std::string result = co_await nothrow(speaks(text(0)));
    if (fails) {
        co_yield with_error(boom(text(1)));
    }
    co_return result;
}
talk observes() {
    std::string seen = text(0);
    for (const bool fails : {true, false}) {
        const auto inner = co_await as_outcome(passes(fails));
        if (inner.failed() && isthmus::detail::is_generator_exit(inner.error())) {
            co_return seen;
        }
        seen += inner.failed() ? text(1) : inner.returned();
    }
    const auto own = co_await as_outcome(reads());
    seen += own.failed() ? text(1) : *own.returned();
    co_return seen;
}

struct observed {
    void run() {
        c = observes();
        auto next = c.send();
        while (!next.done()) {
            next = c.send(sent(text(7)));
        }
        EXPECT_GT(next.returned().size(), 100U);
        c = observes();
        c.send();
        try {
            c.throw_(boom(text(2))); // seen as an outcome
        } catch (const boom&) {
            ADD_FAILURE();
        }
        c = passes(false);
        c.send();
        c.close();
    }
    void check() { expect_usable(c); }
    talk c;
};
TEST(AllocationFailure, NothrowAsOutcomeAndWithError) { fail_each_allocation<observed>(12); }

talk handles() {
    std::string all;
    for (int i = 0; i < 3; ++i) {
        try {
            const sent answer = co_yield text(i);
            all += answer.value_or("");
        } catch (const std::bad_alloc&) { // also the handler's, which run() throws in
            all += 'x';
        }
    }
    co_return all;
}

struct driven {
    void run() {
        a = handles();
        const std::string result = isthmus::run(a, [](const std::string& question) { return sent(question + "?"); });
        EXPECT_FALSE(result.empty());
        b = relays(2, true);
        EXPECT_FALSE(isthmus::run(b, [](std::string) {}).empty());
    }
    void check() {
        expect_usable(a);
        expect_usable(b);
    }
    talk a;
    talk b;
};
TEST(AllocationFailure, RunWithAHandler) { fail_each_allocation<driven>(4); }

coroutine<int> in_resource(std::allocator_arg_t, std::pmr::memory_resource*, std::string kept) {
    co_yield {};
    co_return static_cast<int>(kept.size());
}
coroutine<int> in_memory_of(std::allocator_arg_t, std::pmr::polymorphic_allocator<> memory, int depth) {
    if (depth == 0) {
        co_return co_await in_resource(std::allocator_arg, memory.resource(), text(0));
    }
    co_return 1 + co_await in_memory_of(std::allocator_arg, memory, depth - 1);
}
coroutine<int> in_standard_memory(std::allocator_arg_t, std::allocator<std::byte>, std::string kept) {
    co_return static_cast<int>(kept.size());
}

struct placed {
    void run() {
        a = in_memory_of(std::allocator_arg, std::pmr::new_delete_resource(), 4);
        a.send();
        EXPECT_TRUE(a.send().done());
        b = in_memory_of(std::allocator_arg, &pool, 4);
        b.send();
        c = in_standard_memory(std::allocator_arg, {}, text(0));
        EXPECT_TRUE(c.send().done());
    }
    void check() {
        expect_usable(a);
        expect_usable(b);
        expect_usable(c);
    }
    std::pmr::monotonic_buffer_resource pool{std::pmr::new_delete_resource()};
    coroutine<int> a;
    coroutine<int> b;
    coroutine<int> c;
};
TEST(AllocationFailure, AllocatorsOfTheUser) { fail_each_allocation<placed>(8); }

struct described {
    void run() {
        c = wraps(wraps(awaits_reads()));
        c.send();
        EXPECT_EQ(std::ranges::distance(isthmus::await_chain(c)), 4);
        const std::string lines = isthmus::await_chain(c).text();
        EXPECT_NE(lines.find("awaits_reads"), std::string::npos);
    }
    void check() { expect_usable(c); }
    talk c;
};
TEST(AllocationFailure, TheTextOfAChain) { fail_each_allocation<described>(10); }

int reported = 0;

struct never_awaited {
    void run() {
        reported = 0;
        before = isthmus::set_never_awaited_hook([](std::string_view name, const std::source_location&) {
            ++reported;
            const std::string copied = std::string(name) + text(1);
            auto another = speaks(copied);
            another.close();
        });
        {
            made = speaks(text(0));
            const talk dropped = std::move(made);
        }
        EXPECT_EQ(reported, 1);
    }
    void check() {
        isthmus::set_never_awaited_hook(before);
        expect_usable(made);
    }
    isthmus::never_awaited_hook before = nullptr;
    talk made;
};
TEST(AllocationFailure, TheNeverAwaitedHook) { fail_each_allocation<never_awaited>(2); }

/// The first thing that a thread does with coroutines is to destroy some, and it has no memory for a cache.
TEST(AllocationFailure, AThreadThatCannotHaveACache) {
    const unreported quiet;
    std::thread([] {}).join();
    for (const bool started : {false, true}) {
        const long before = test::live_allocations();
        std::thread([started] {
            auto a = wraps(wraps(insists()));
            auto b = wraps(insists());
            if (started) {
                a.send();
                b.send();
            }
            std::thread([&a, &b] {
                const test::failing_allocation failing(1);
                { const talk dropped = std::move(a); }
                EXPECT_TRUE(failing.happened() || !ISTHMUS_RECYCLE_FRAMES);
                static_cast<void>(b.try_close());
                EXPECT_EQ(b.state(), coroutine_state::closed);
            }).join();
            expect_usable(a);
            expect_usable(b);
        }).join();
        EXPECT_EQ(test::live_allocations(), before);
    }
}

} // namespace
} // namespace test_allocation_failure
