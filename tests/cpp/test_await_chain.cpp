// tests/cpp/test_await_chain.cpp — await_chain(): what a coroutine is waiting for (8.2, 8.3), with names and lines.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <ranges>
#include <source_location>
#include <string>
#include <string_view>
#include <vector>

namespace test_await_chain {
namespace {

using isthmus::await_chain;
using isthmus::await_chain_level;
using isthmus::coroutine;
using isthmus::from_generator;
using isthmus::generator;
using isthmus::none;
using test::boom;

using counting = coroutine<int, int>;

std::uint32_t here(std::source_location at = std::source_location::current()) { return at.line(); }

std::uint32_t leaf_line = 0;
std::uint32_t middle_line = 0;
std::uint32_t root_line = 0;

counting leaf() {
    leaf_line = here() + 1;
    co_yield 1;
    leaf_line = here() + 1;
    co_yield 2;
    co_return 3;
}
counting middle(counting& inner) {
    middle_line = here() + 1;
    co_return 1 + co_await inner;
}
counting root(counting& inner) {
    root_line = here() + 1;
    co_return 1 + co_await middle(inner);
}

std::vector<std::string> names(counting& c) {
    std::vector<std::string> all;
    for (const await_chain_level level : await_chain(c)) {
        std::string name = level.name();
        all.push_back(name.substr(name.rfind(':') + 1));
    }
    return all;
}
std::vector<std::uint32_t> lines(counting& c) {
    std::vector<std::uint32_t> all;
    for (const await_chain_level level : await_chain(c)) {
        all.push_back(level.line());
    }
    return all;
}

static_assert(std::ranges::forward_range<isthmus::await_chain_view>);
static_assert(std::ranges::view<isthmus::await_chain_view>);

TEST(AwaitChain, FromTheRootToTheLeaf) {
    counting inner = leaf();
    counting outer = root(inner);
    EXPECT_EQ(names(outer), std::vector<std::string>{"root"}); // not started
    outer.send();
    EXPECT_EQ(names(outer), (std::vector<std::string>{"root", "middle", "leaf"}));
    EXPECT_EQ(lines(outer), (std::vector<std::uint32_t>{root_line, middle_line, leaf_line}));
    outer.send();
    EXPECT_EQ(lines(outer), (std::vector<std::uint32_t>{root_line, middle_line, leaf_line}));
    EXPECT_EQ(names(inner), std::vector<std::string>{"leaf"});
    EXPECT_EQ((*await_chain(inner).begin()).line(), leaf_line);
    for (const await_chain_level level : await_chain(outer)) {
        EXPECT_TRUE(level.is_native());
        EXPECT_EQ(std::string_view(level.file()), __FILE__);
    }
    outer.send();
    EXPECT_TRUE(await_chain(outer).empty()); // closed
}

TEST(AwaitChain, AsText) {
    counting inner = leaf();
    counting outer = root(inner);
    outer.send();
    const auto line = [](std::uint32_t number, const char* name) {
        return "File \"" + std::string(__FILE__) + "\", line " + std::to_string(number) + ", in " + name + "\n";
    };
    const std::string text = await_chain(outer).text();
    EXPECT_EQ(std::ranges::count(text, '\n'), 3);
    EXPECT_NE(text.find(", line " + std::to_string(middle_line) + ", in "), std::string::npos);
    EXPECT_TRUE(text.ends_with("leaf\n")) << text;
    EXPECT_FALSE(line(1, "x").empty());
}

// 7.9, 8.3: it still waits for what somebody else drove last.
TEST(AwaitChain, WhatWasDrivenByHand) {
    counting inner = leaf();
    counting outer = root(inner);
    outer.send();
    inner.send();
    EXPECT_EQ(names(outer), (std::vector<std::string>{"root", "middle", "leaf"}));
    inner.close();
    EXPECT_EQ(names(outer), (std::vector<std::string>{"root", "middle", "coroutine"}));
}

// 8.2: also while it runs.
TEST(AwaitChain, WhileItRuns) {
    struct local {
        static counting looks(counting*& outer, std::vector<std::string>& seen) {
            seen = names(*outer);
            co_return 1;
        }
        static counting awaits(counting*& outer, std::vector<std::string>& seen) {
            co_return co_await looks(outer, seen);
        }
    };
    std::vector<std::string> seen;
    counting* pointer = nullptr;
    counting outer = local::awaits(pointer, seen);
    pointer = &outer;
    outer.send();
    EXPECT_EQ(seen, (std::vector<std::string>{"awaits", "looks"}));
}

class ticket {
public:
    ticket& await() { return *this; }
    isthmus::step<int, int> send() { return isthmus::step<int, int>(std::in_place_index<0>, 1); }
};

TEST(AwaitChain, AUsersOwnClassComesLast) {
    struct local {
        static counting awaits(ticket& object) { co_return co_await object; }
    };
    ticket object;
    counting outer = local::awaits(object);
    outer.send();
    std::vector<await_chain_level> levels;
    std::ranges::copy(await_chain(outer), std::back_inserter(levels));
    ASSERT_EQ(levels.size(), 2U);
    EXPECT_FALSE(levels[1].is_native());
    EXPECT_NE(levels[1].name().find("ticket"), std::string::npos) << levels[1].name();
    EXPECT_EQ(levels[1].line(), 0U);
    EXPECT_STREQ(levels[1].file(), "");
    EXPECT_NE(await_chain(outer).text().find("\nawaiting "), std::string::npos);
}

TEST(AwaitChain, Generators) {
    struct local {
        static generator<int, none, int> values() {
            co_yield 1;
            co_return 2;
        }
        static generator<int, none, int> delegates() { co_return co_yield isthmus::yield_from(values()); }
        static counting awaits() { co_return co_await from_generator(delegates()); }
    };
    counting outer = local::awaits();
    outer.send();
    EXPECT_EQ(names(outer), (std::vector<std::string>{"awaits", "delegates", "values"}));
    auto g = local::delegates();
    g.send();
    EXPECT_EQ(std::ranges::distance(await_chain(g)), 2);
}

TEST(AwaitChain, NamesOfMembersAndTemplates) {
    struct local {
        counting member() const {
            co_yield 1;
            co_return 2;
        }
    };
    const local object;
    counting c = object.member();
    c.send();
    EXPECT_TRUE((*await_chain(c).begin()).name().ends_with("local::member")) << (*await_chain(c).begin()).name();
}

/// The name of the function where this is called. In a coroutine's body g++ has a name of its own for it.
std::string name_here(std::source_location at = std::source_location::current()) {
    return std::string(isthmus::detail::plain_name(at.function_name()));
}

coroutine<std::string> names_itself(int, std::string (*)(int)) { co_return name_here(); }
struct member {
    coroutine<std::string> names_itself(std::vector<int>) const { co_return name_here(); }
};

TEST(AwaitChain, A_place_in_a_body_has_the_name_of_its_function) {
    struct local {
        coroutine<std::string> names_itself() { co_return name_here(); }
    } of_class;
    auto lambda = [](int) -> coroutine<std::string> { co_return name_here(); };
    for (coroutine<std::string>& c :
         std::array{names_itself(1, nullptr), member().names_itself({}), of_class.names_itself(), lambda(1)}) {
        const std::string name = (*await_chain(c).begin()).name();
        EXPECT_EQ(run(c), name);
        EXPECT_TRUE(name.ends_with("names_itself") || name == "<lambda>") << name;
    }
}

} // namespace
} // namespace test_await_chain
