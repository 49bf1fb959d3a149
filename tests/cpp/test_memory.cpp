// tests/cpp/test_memory.cpp — where frames live: the recycling per thread, allocators, and what happens when they fail.
// SPDX-License-Identifier: MIT
#include "allocation.hpp"
#include "support.hpp"

#include <array>
#include <atomic>
#include <cstddef>
#include <memory>
#include <memory_resource>
#include <new>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace test_memory {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::none;
using isthmus::detail::frame_cache;
using test::boom;
using test::note;
using test::trace;

coroutine<int> pauses(int value) {
    co_yield {};
    co_return value;
}
coroutine<int> immediate(int value) { co_return value; }
coroutine<int> awaits(int times) {
    int sum = 0;
    for (int i = 0; i < times; ++i) {
        sum += co_await immediate(1);
    }
    co_return sum;
}

// ---- recycling
// -------------------------------------------------------------------------------------------------------

TEST(Memory, FramesAreRecycled) {
    EXPECT_EQ(awaits(10).send().returned(), 10);
    pauses(0).send();
    const long before = test::allocations();
    EXPECT_EQ(awaits(1000).send().returned(), 1000);
    for (int i = 0; i < 1000; ++i) {
        auto c = pauses(i);
        c.send();
    }
    EXPECT_EQ(test::allocations() - before, ISTHMUS_RECYCLE_FRAMES ? 0 : 2001);
}

template <std::size_t Size>
coroutine<int> of_size() {
    std::array<char, Size> kept{};
    const char* volatile somewhere = kept.data(); // else the compiler may leave out the array
    co_yield {};
    co_return somewhere[Size / 2];
}

TEST(Memory, FramesOfAnySize) {
    for (int round = 0; round < 3; ++round) {
        auto a = of_size<1>();
        auto b = of_size<100>();
        auto c = of_size<1000>();
        auto d = of_size<1800>();
        auto e = of_size<2048>();
        auto f = of_size<100'000>();
        for (coroutine<int>* each : {&a, &b, &c, &d, &e, &f}) {
            each->send();
            EXPECT_EQ(each->send().returned(), 0);
        }
    }
}

TEST(Memory, WhatIsKeptIsBounded) {
    std::thread([] {
        for (int round = 0; round < 3; ++round) {
            std::vector<coroutine<int>> all;
            for (int i = 0; i < 50'000; ++i) {
                all.push_back(pauses(i));
            }
        }
        EXPECT_LE(frame_cache::of_this_thread().bytes, frame_cache::byte_limit);
        if (ISTHMUS_RECYCLE_FRAMES) {
            EXPECT_GT(frame_cache::of_this_thread().bytes, 0U);
        }
    }).join();
}

TEST(Memory, WhatIsKeptIsFreedAtTheEndOfTheThread) {
    const auto work = [] {
        for (int i = 0; i < 100; ++i) {
            auto c = pauses(i);
            c.send();
        }
    };
    std::thread(work).join();
    const long before = test::live_allocations();
    for (int i = 0; i < 10; ++i) {
        std::thread(work).join();
    }
    EXPECT_EQ(test::live_allocations(), before);
}

TEST(Memory, DestroyedOnAnotherThreadThanMadeOn) {
    constexpr int rounds = 20;
    constexpr int each = 1000;
    for (int i = 0; i < rounds; ++i) {
        std::vector<coroutine<int>> made;
        for (int j = 0; j < each; ++j) {
            made.push_back(pauses(j));
            if (j % 2 == 0) {
                made.back().send();
            }
        }
        std::thread([&made, i] {
            if (i % 2 == 0) {
                made.clear();
            } else {
                for (coroutine<int>& c : made) {
                    EXPECT_NO_THROW(isthmus::run(c));
                }
            }
        }).join();
        EXPECT_LE(frame_cache::of_this_thread().bytes, frame_cache::byte_limit);
    }
}

TEST(Memory, ProducedAndConsumedByThreadsThatNeverSwitch) {
    // All frames are made here and die there, so that neither cache may grow with their number.
    std::vector<coroutine<int>> passed;
    std::size_t kept = 0;
    for (int round = 0; round < 5; ++round) {
        for (int i = 0; i < 20'000; ++i) {
            passed.push_back(pauses(i));
        }
        std::thread([&] {
            passed.clear();
            kept = frame_cache::of_this_thread().bytes;
        }).join();
        EXPECT_LE(kept, frame_cache::byte_limit);
    }
}

// ---- the end of threads and of the program
// ---------------------------------------------------------------------------

/// Says whether it was destroyed.
struct flag {
    std::atomic<int>* count;
    explicit flag(std::atomic<int>& counter) : count(&counter) {}
    flag(flag&& other) noexcept : count(std::exchange(other.count, nullptr)) {}
    flag& operator=(flag&&) = delete;
    ~flag() {
        if (count != nullptr) {
            ++*count;
        }
    }
};
coroutine<int> holds(flag kept) {
    co_yield {};
    co_return kept.count->load();
}

/// Also makes and runs coroutines when it is destroyed.
struct late {
    std::optional<coroutine<int>> held;
    ~late() {
        held.reset();
        EXPECT_EQ(isthmus::run(awaits(3)), 3);
        auto dropped = pauses(1);
        dropped.send();
    }
};

TEST(Memory, AThreadLocalOutlivesTheCache) {
    static std::atomic<int> destroyed;
    destroyed = 0;
    std::thread([] {
        static thread_local late before; // made before the thread's first coroutine, so destroyed after its cache
        before.held.reset();
        before.held.emplace(holds(flag(destroyed)));
        before.held->send();
    }).join();
    EXPECT_EQ(destroyed, 1);
}

TEST(Memory, AThreadLocalDiesBeforeTheCache) {
    static std::atomic<int> destroyed;
    destroyed = 0;
    std::thread([] {
        isthmus::run(awaits(1));
        static thread_local late after;
        after.held.emplace(holds(flag(destroyed)));
        after.held->send();
    }).join();
    EXPECT_EQ(destroyed, 1);
}

/// Statics die after the thread_locals of the main thread; that the program still ends well is the test.
late made_before_main;
TEST(Memory, AStaticOutlivesTheCache) {
    static std::atomic<int> destroyed;
    static late local;
    local.held.reset();
    destroyed = 0;
    local.held.emplace(holds(flag(destroyed)));
    local.held->send();
    made_before_main.held.emplace(pauses(1));
    made_before_main.held->send();
    EXPECT_EQ(destroyed, 0);
}

// ---- allocators
// ------------------------------------------------------------------------------------------------------

/// What a counting allocator has given out, and how much is left until it fails.
struct account {
    long blocks = 0;
    std::size_t bytes = 0;
    long calls = 0;
    long left = 1'000'000;
};

/// Has a state, no default constructor, and compares by its account.
template <class T>
class counting_allocator {
public:
    using value_type = T;
    explicit counting_allocator(account& of) noexcept : account_(&of) {}
    template <class U>
    counting_allocator(const counting_allocator<U>& other) noexcept : account_(other.account_) {}

    T* allocate(std::size_t count) {
        if (account_->left == 0) {
            throw std::bad_alloc();
        }
        --account_->left;
        ++account_->calls;
        ++account_->blocks;
        account_->bytes += count * sizeof(T);
        return std::allocator<T>().allocate(count);
    }
    void deallocate(T* memory, std::size_t count) noexcept {
        --account_->blocks;
        account_->bytes -= count * sizeof(T);
        std::allocator<T>().deallocate(memory, count);
    }
    friend bool operator==(const counting_allocator& a, const counting_allocator& b) noexcept {
        return a.account_ == b.account_;
    }

    account* account_;
};
using counting = counting_allocator<std::byte>;

coroutine<int> with_allocator(std::allocator_arg_t, counting, int value) {
    co_yield {};
    co_return value;
}
coroutine<int> with_reference(std::allocator_arg_t, const counting&, int value) { co_return value; }
coroutine<int> awaits_with_allocator(std::allocator_arg_t, counting allocator, int depth) {
    if (depth == 0) {
        co_return co_await with_allocator(std::allocator_arg, allocator, 1);
    }
    co_return 1 + co_await awaits_with_allocator(std::allocator_arg, allocator, depth - 1);
}

TEST(Memory, AnAllocatorAfterAllocatorArg) {
    account used;
    {
        auto c = with_allocator(std::allocator_arg, counting(used), 5);
        EXPECT_EQ(used.blocks, 1);
        EXPECT_EQ(c.state(), coroutine_state::created);
        c.send();
        EXPECT_EQ(c.send().returned(), 5);
        EXPECT_EQ(used.blocks, 0); // released at completion
        EXPECT_EQ(with_reference(std::allocator_arg, counting(used), 6).send().returned(), 6);
        auto unstarted = with_allocator(std::allocator_arg, counting(used), 5);
        auto suspended = with_allocator(std::allocator_arg, counting(used), 5);
        suspended.send();
        EXPECT_EQ(used.blocks, 2);
    }
    EXPECT_EQ(used.blocks, 0);
    EXPECT_EQ(used.bytes, 0U);
    EXPECT_EQ(used.calls, 4);
}

TEST(Memory, AnAllocatorInAChain) {
    account used;
    {
        auto c = awaits_with_allocator(std::allocator_arg, counting(used), 10);
        c.send();
        EXPECT_EQ(used.blocks, 12);
        EXPECT_EQ(c.send().returned(), 11);
        auto dropped = awaits_with_allocator(std::allocator_arg, counting(used), 10);
        dropped.send();
        auto failed = awaits_with_allocator(std::allocator_arg, counting(used), 10);
        failed.send();
        EXPECT_ERROR(failed.throw_(boom("x")), boom, "x");
        EXPECT_EQ(used.blocks, 12);
    }
    EXPECT_EQ(used.blocks, 0);
    EXPECT_EQ(used.bytes, 0U);
}

TEST(Memory, WhatIsAwaitedMayHaveAnotherAllocation) {
    account used;
    struct local {
        static coroutine<int> plain(account& of) {
            co_return co_await with_allocator(std::allocator_arg, counting(of), 3);
        }
        static coroutine<int> mixed(std::allocator_arg_t, counting, account& of) { co_return co_await plain(of); }
    };
    auto c = local::mixed(std::allocator_arg, counting(used), used);
    c.send();
    EXPECT_EQ(used.blocks, 2);
    EXPECT_EQ(c.send().returned(), 3);
    EXPECT_EQ(used.blocks, 0);
}

class owner {
public:
    explicit owner(int value) : value_(value) {}
    coroutine<int> member(std::allocator_arg_t, counting, int more) {
        co_yield {};
        co_return value_ + more;
    }
    coroutine<int> constant(std::allocator_arg_t, counting) const { co_return value_; }

private:
    int value_;
};

TEST(Memory, AnAllocatorOfAMemberFunctionOrALambda) {
    account used;
    owner object(10);
    auto c = object.member(std::allocator_arg, counting(used), 1);
    EXPECT_EQ(used.blocks, 1);
    EXPECT_EQ(isthmus::run(c), 11);
    EXPECT_EQ(object.constant(std::allocator_arg, counting(used)).send().returned(), 10);

    const auto lambda = [factor = 2](std::allocator_arg_t, counting, int value) -> coroutine<int> {
        co_return factor* value;
    };
    auto d = lambda(std::allocator_arg, counting(used), 4);
    EXPECT_EQ(used.blocks, 1);
    EXPECT_EQ(d.send().returned(), 8);
    EXPECT_EQ(used.calls, 3);
    EXPECT_EQ(used.blocks, 0);
}

/// Of the standard: one without a state, and none of our business.
coroutine<int> with_standard_allocator(std::allocator_arg_t, std::allocator<int>, int value) { co_return value; }

TEST(Memory, TheStandardAllocator) {
    EXPECT_EQ(with_standard_allocator(std::allocator_arg, std::allocator<int>(), 3).send().returned(), 3);
}

/// Counts what goes through it.
class counting_resource final : public std::pmr::memory_resource {
public:
    long blocks = 0;
    long calls = 0;
    std::size_t bytes = 0;

private:
    void* do_allocate(std::size_t size, std::size_t alignment) override {
        ++blocks;
        ++calls;
        bytes += size;
        return std::pmr::new_delete_resource()->allocate(size, alignment);
    }
    void do_deallocate(void* memory, std::size_t size, std::size_t alignment) override {
        --blocks;
        bytes -= size;
        std::pmr::new_delete_resource()->deallocate(memory, size, alignment);
    }
    bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

coroutine<int> with_polymorphic(std::allocator_arg_t, std::pmr::polymorphic_allocator<> allocator, int depth) {
    if (depth == 0) {
        co_yield {};
        co_return 1;
    }
    co_return 1 + co_await with_polymorphic(std::allocator_arg, allocator, depth - 1);
}
coroutine<int> with_resource(std::allocator_arg_t, std::pmr::memory_resource*, int value) {
    co_yield {};
    co_return value;
}
coroutine<int> with_derived_resource(std::allocator_arg_t, counting_resource*, int value) { co_return value; }

TEST(Memory, PolymorphicAllocators) {
    counting_resource resource;
    {
        auto c = with_polymorphic(std::allocator_arg, &resource, 9);
        c.send();
        EXPECT_EQ(resource.blocks, 10);
        EXPECT_EQ(c.send().returned(), 10);
        EXPECT_EQ(resource.blocks, 0);
        auto dropped = with_polymorphic(std::allocator_arg, &resource, 9);
        dropped.send();
        auto pointer = with_resource(std::allocator_arg, &resource, 2);
        EXPECT_EQ(resource.blocks, 11);
        EXPECT_EQ(isthmus::run(pointer), 2);
        EXPECT_EQ(with_derived_resource(std::allocator_arg, &resource, 3).send().returned(), 3);
    }
    EXPECT_EQ(resource.blocks, 0);
    EXPECT_EQ(resource.bytes, 0U);
    EXPECT_EQ(resource.calls, 22);
}

TEST(Memory, AMonotonicBuffer) {
    alignas(std::max_align_t) std::array<std::byte, 64 * 1024> buffer;
    std::pmr::monotonic_buffer_resource arena(buffer.data(), buffer.size(), std::pmr::null_memory_resource());
    auto c = with_polymorphic(std::allocator_arg, &arena, 20);
    c.send();
    EXPECT_EQ(c.send().returned(), 21);
    auto dropped = with_polymorphic(std::allocator_arg, &arena, 20);
    dropped.send();
}

// ---- failure
// ---------------------------------------------------------------------------------------------------------

coroutine<int> takes(std::allocator_arg_t, counting, note) { co_return 1; }

TEST(Memory, WhenTheAllocatorFailsTheCallThrows) {
    account used;
    used.left = 0;
    trace log;
    EXPECT_THROW(static_cast<void>(takes(std::allocator_arg, counting(used), note(log, "argument")).state()),
                 std::bad_alloc);
    EXPECT_EQ(log, trace{"argument"});
    EXPECT_EQ(used.blocks, 0);
}

TEST(Memory, WhenAnInnerFrameCannotBeMadeItsAwaiterFails) {
    for (int left = 1; left < 12; ++left) {
        account used;
        used.left = left;
        auto c = awaits_with_allocator(std::allocator_arg, counting(used), 10);
        EXPECT_THROW(c.send(), std::bad_alloc);
        EXPECT_EQ(c.state(), coroutine_state::closed);
        EXPECT_EQ(used.blocks, 0);
    }
}

TEST(Memory, WhenNewFailsTheCallThrows) {
    bool thrown = false;
    coroutine<int> (*const volatile make)() = of_size<70'000>; // else the compiler may leave out the frame
    try {
        const test::failing_allocation failing(1);
        static_cast<void>(make().state());
    } catch (const std::bad_alloc&) {
        thrown = true;
    }
    EXPECT_TRUE(thrown);
}

} // namespace
} // namespace test_memory
