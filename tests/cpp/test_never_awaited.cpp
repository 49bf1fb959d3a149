// tests/cpp/test_never_awaited.cpp — the report of a coroutine that dies before it was started (section 11).
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace test_never_awaited {
namespace {

using isthmus::coroutine;
using isthmus::generator;
using test::boom;
using test::trace;

trace* reported = nullptr;
void report(std::string_view name, const std::source_location& function) {
    const bool here = std::string_view(function.file_name()) == __FILE__ && function.line() != 0;
    reported->push_back(std::string(name.substr(name.rfind(':') + 1)) + (here ? "" : " elsewhere"));
}

class NeverAwaited : public testing::Test {
protected:
    void SetUp() override {
        reported = &log;
        before = isthmus::set_never_awaited_hook(report);
    }
    void TearDown() override { EXPECT_EQ(isthmus::set_never_awaited_hook(before), report); }
    trace log;
    isthmus::never_awaited_hook before = nullptr;
};

coroutine<int, int, int> waits(std::string = {}) { co_return co_yield 1; }

TEST_F(NeverAwaited, Clause_11_1_OneThatDiesUnstarted) {
    { auto c = waits(); }
    EXPECT_EQ(log, trace{"waits"});
}

TEST_F(NeverAwaited, Clause_11_10_OneThatIsReplaced) {
    auto c = waits();
    c = waits();
    EXPECT_EQ(log, trace{"waits"});
    c.send();
}

TEST_F(NeverAwaited, Clause_11_2_NotAfterAStartAThrowOrAClose) {
    {
        auto started = waits();
        started.send();
        auto thrown = waits();
        EXPECT_ERROR(thrown.throw_(boom("x")), boom, "x");
        auto closed = waits();
        closed.close();
        auto moved = waits();
        auto other = std::move(moved);
        other.close();
    }
    EXPECT_EQ(log, trace());
}

TEST_F(NeverAwaited, Clause_11_3_OneThatDiesWithItsAwaitIterator) {
    { auto iterator = waits().await(); }
    EXPECT_EQ(log, trace{"waits"});
}

TEST_F(NeverAwaited, Clause_11_4_StillIfTheOnlySendWasRefused) {
    {
        auto c = waits();
        EXPECT_ERROR(c.send(5), isthmus::send_to_unstarted, test::unstarted);
        auto d = waits();
        EXPECT_ERROR(d.throw_(std::exception_ptr()), isthmus::not_an_exception, isthmus::not_an_exception().what());
    }
    EXPECT_EQ(log, (trace{"waits", "waits"}));
}

TEST_F(NeverAwaited, Clause_11_9_AGeneratorIsNot) {
    struct local {
        static generator<int> values() { co_yield 1; }
    };
    { auto g = local::values(); }
    EXPECT_EQ(log, trace());
}

TEST_F(NeverAwaited, WhatTheHookThrowsIsDropped) {
    isthmus::set_never_awaited_hook([](std::string_view, const std::source_location&) { throw boom("hook"); });
    { auto c = waits(); }
    isthmus::set_never_awaited_hook(report);
    EXPECT_EQ(log, trace());
}

TEST_F(NeverAwaited, TheHookMayMakeAndDropCoroutines) {
    isthmus::set_never_awaited_hook([](std::string_view, const std::source_location&) {
        auto c = waits();
        c.send();
        reported->push_back("hook");
    });
    { auto c = waits(); }
    isthmus::set_never_awaited_hook(report);
    EXPECT_EQ(log, trace{"hook"});
}

#if ISTHMUS_REPORT_NEVER_AWAITED
TEST_F(NeverAwaited, TheDefaultIsALineOnStderr) {
    isthmus::set_never_awaited_hook(nullptr);
    testing::internal::CaptureStderr();
    { auto c = waits(); }
    const std::string text = testing::internal::GetCapturedStderr();
    isthmus::set_never_awaited_hook(report);
    EXPECT_TRUE(text.starts_with("isthmus: coroutine '")) << text;
    EXPECT_NE(text.find("waits' was never awaited (" __FILE__ ":"), std::string::npos) << text;
    EXPECT_EQ(text.find('\n'), text.size() - 1);
}
#endif

} // namespace
} // namespace test_never_awaited
