// tests/cpp/test_lifetime.cpp — when frames and what they hold are destroyed; moving and destroying coroutines while
// they run (clause 12, 2.8, 5.24); exceptions from moving values.
// SPDX-License-Identifier: MIT
#include "support.hpp"

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace test_lifetime {
namespace {

using isthmus::coroutine;
using isthmus::coroutine_state;
using isthmus::generator_exit;
using test::boom;
using test::note;
using test::trace;

using counting = coroutine<int, int>;

// ---- destroying what is suspended
// ------------------------------------------------------------------------------------

/// Says when its parameter and its local are destroyed; catches nothing that is not thrown.
counting leaf(trace& log, std::string name, note) {
    note local(log, name + " local");
    try {
        co_yield 1;
        log.push_back(name + " resumed");
    } catch (...) {
        log.push_back(name + " caught");
        throw;
    }
    co_return 5;
}
counting awaits(trace& log, std::string name, note, counting inner) {
    note local(log, name + " local");
    try {
        co_return co_await inner;
    } catch (...) {
        log.push_back(name + " caught");
        throw;
    }
}
counting make_leaf(trace& log, const std::string& name) { return leaf(log, name, note(log, name + " parameter")); }
counting make_awaits(trace& log, const std::string& name, counting inner) {
    return awaits(log, name, note(log, name + " parameter"), std::move(inner));
}
const trace leaf_first = {"1 local", "1 parameter", "2 local", "2 parameter", "3 local", "3 parameter"};

TEST(Lifetime, Clause_12_1_12_8_DestructorsRunLeafFirstAndNothingIsThrown) {
    trace log;
    {
        auto c = make_awaits(log, "3", make_awaits(log, "2", make_leaf(log, "1")));
        c.send();
        EXPECT_TRUE(log.empty());
    }
    EXPECT_EQ(log, leaf_first);
}

counting awaits_kept(trace& log, std::string name, note, counting& inner) {
    note local(log, name + " local");
    co_return co_await inner;
}

TEST(Lifetime, Clause_12_1_WhoeverOwnsTheObjects) {
    trace log;
    auto first = make_leaf(log, "1");
    auto second = awaits_kept(log, "2", note(log, "2 parameter"), first);
    {
        auto third = awaits_kept(log, "3", note(log, "3 parameter"), second);
        third.send();
    }
    EXPECT_EQ(log, leaf_first);
    EXPECT_EQ(first.state(), coroutine_state::closed);
    EXPECT_EQ(second.state(), coroutine_state::closed);
    EXPECT_ERROR(first.send(), isthmus::already_finished, test::finished);
}

TEST(Lifetime, Clause_12_1_AnUnstartedOneReleasesItsParameters) {
    trace log;
    { auto c = make_awaits(log, "2", make_leaf(log, "1")); }
    std::ranges::sort(log); // in which order a frame destroys its parameters, compilers disagree
    EXPECT_EQ(log, trace({"1 parameter", "2 parameter"}));
}

TEST(Lifetime, Clause_12_6_CompletionReleasesParametersAndLocals) {
    trace log;
    auto c = make_leaf(log, "1");
    c.send();
    EXPECT_TRUE(log.empty());
    EXPECT_EQ(c.send().returned(), 5);
    EXPECT_EQ(log, trace({"1 resumed", "1 local", "1 parameter"}));
}

TEST(Lifetime, Clause_12_6_AlsoByAnErrorOrAnExit) {
    trace log;
    auto failed = make_leaf(log, "1");
    failed.send();
    EXPECT_ERROR(failed.throw_(boom("x")), boom, "x");
    EXPECT_EQ(log, trace({"1 caught", "1 local", "1 parameter"}));
    log.clear();
    auto closed = make_leaf(log, "1");
    closed.send();
    closed.close();
    EXPECT_EQ(log, trace({"1 caught", "1 local", "1 parameter"}));
}

counting awaits_and_goes_on(trace& log, counting& inner) {
    const int value = co_await inner;
    log.push_back("goes on");
    co_yield 2;
    co_return value;
}

TEST(Lifetime, Clause_12_6_AlsoOfOneThatIsAwaited) {
    trace log;
    auto inner = make_leaf(log, "1");
    auto outer = awaits_and_goes_on(log, inner);
    outer.send();
    EXPECT_EQ(outer.send().yielded(), 2);
    EXPECT_EQ(log, trace({"1 resumed", "1 local", "1 parameter", "goes on"}));
}

TEST(Lifetime, TheMiddleOfAChainIsDestroyed) {
    trace log;
    auto first = make_leaf(log, "1");
    auto second = std::make_unique<counting>(awaits_kept(log, "2", note(log, "2 parameter"), first));
    auto third = awaits_kept(log, "3", note(log, "3 parameter"), *second);
    third.send();
    second.reset();
    EXPECT_EQ(log, trace({"1 local", "1 parameter", "2 local", "2 parameter"}));
    EXPECT_EQ(first.state(), coroutine_state::closed);
    EXPECT_EQ(third.state(), coroutine_state::suspended);
    EXPECT_ERROR(third.send(), isthmus::already_finished, test::finished);
    EXPECT_EQ(log.size(), 6U);
}

/// A generator that drives its children by hand, so that each frame owns the next and lends it a local.
struct lender {
    int& alive;
    explicit lender(int& counter) : alive(counter) { ++alive; }
    lender(const lender&) = delete;
    lender& operator=(const lender&) = delete;
    ~lender() { --alive; }
};
/// Must not outlive what it borrows from.
struct borrower {
    const lender& from;
    const int& alive;
    bool& dangled;
    ~borrower() {
        if (alive == 0 || &from.alive != &alive) {
            dangled = true;
        }
    }
};
counting walks(int depth, const lender& above, bool& dangled) {
    int own_counter = 0;
    const lender own(own_counter);
    const borrower borrowed{above, above.alive, dangled};
    if (depth > 0) {
        auto below = walks(depth - 1, own, dangled);
        for (auto step = below.send(); !step.done(); step = below.send()) {
            co_yield step.yielded();
        }
    }
    co_yield depth;
    co_return 0;
}

TEST(Lifetime, WhatAFrameOwnsIsDestroyedBeforeWhatItBorrowsFrom) {
    for (const int depth : {5, 31, 32, 33, 100, 400}) {
        bool dangled = false;
        int counter = 0;
        const lender root(counter);
        {
            auto c = walks(depth, root, dangled);
            EXPECT_EQ(c.send().yielded(), 0);
        }
        EXPECT_FALSE(dangled) << depth;
    }
}

// ---- destructors that touch coroutines
// -------------------------------------------------------------------------------

/// Calls a function when it is destroyed.
class at_end {
public:
    explicit at_end(std::function<void()> action) : action_(std::move(action)) {}
    at_end(const at_end&) = delete;
    at_end& operator=(const at_end&) = delete;
    ~at_end() { action_(); }

private:
    std::function<void()> action_;
};

counting acts_at_end(std::function<void()>& action) {
    at_end local([&action] { action(); });
    co_yield 1;
    co_yield 2;
    co_return 3;
}
counting awaits_plainly(counting& inner) { co_return co_await inner; }

TEST(Lifetime, ADestructorSeesTheChainRunning) {
    trace log;
    std::function<void()> action;
    auto inner = acts_at_end(action);
    auto middle = awaits_plainly(inner);
    auto outer = std::make_unique<counting>(awaits_plainly(middle));
    outer->send();
    action = [&] {
        EXPECT_EQ(inner.state(), coroutine_state::closed);
        EXPECT_EQ(middle.state(), coroutine_state::running);
        log.push_back(test::caught<isthmus::already_finished>([&] { inner.send(); }));
        log.push_back(test::caught<isthmus::already_executing>([&] { middle.send(); }));
        log.push_back(test::caught<isthmus::already_executing>([&] { middle.throw_(boom("x")); }));
        log.push_back(test::caught<isthmus::already_executing>([&] { middle.close(); }));
        middle = counting();
    };
    outer.reset();
    EXPECT_EQ(log, trace({test::finished, test::executing, test::executing, test::executing}));
    EXPECT_EQ(middle.state(), coroutine_state::closed);
}

TEST(Lifetime, ADestructorDrivesAwaitsClosesAndDestroysOthers) {
    trace log;
    std::function<void()> action;
    std::function<void()> nothing = [] {};
    auto dropped = std::make_unique<counting>(acts_at_end(action));
    dropped->send();
    auto driven = acts_at_end(nothing);
    auto other = std::make_unique<counting>(make_awaits(log, "2", make_leaf(log, "1")));
    other->send();
    action = [&] {
        EXPECT_EQ(driven.send().yielded(), 1);
        auto awaiter = awaits_plainly(driven);
        EXPECT_THROW(awaiter.send(), isthmus::already_awaited);
        EXPECT_EQ(driven.send().yielded(), 2);
        driven.close();
        other.reset();
    };
    dropped.reset();
    EXPECT_EQ(log, trace({"1 local", "1 parameter", "2 local", "2 parameter"}));
    EXPECT_EQ(driven.state(), coroutine_state::closed);
}

TEST(Lifetime, ADestructorRunsAtCompletionWhileItsOwnersStillRun) {
    std::vector<coroutine_state> seen;
    std::function<void()> action;
    auto inner = acts_at_end(action);
    auto outer = awaits_plainly(inner);
    action = [&] {
        seen.push_back(inner.state());
        seen.push_back(outer.state());
    };
    outer.send();
    outer.send();
    EXPECT_EQ(outer.send().returned(), 3);
    EXPECT_EQ(seen, std::vector(2, coroutine_state::running));
}

counting parameter_acts(std::shared_ptr<at_end>) {
    co_yield 1;
    co_return 3;
}

TEST(Lifetime, AParameterIsReleasedWhenTheCoroutineIsClosed) {
    std::vector<coroutine_state> seen;
    counting* at = nullptr;
    counting* outer_at = nullptr;
    auto c = parameter_acts(std::make_shared<at_end>([&] {
        seen.push_back(at->state());
        if (outer_at != nullptr) {
            seen.push_back(outer_at->state());
        }
    }));
    at = &c;
    c.send();
    EXPECT_EQ(c.send().returned(), 3);
    EXPECT_EQ(seen, std::vector({coroutine_state::closed}));

    seen.clear();
    auto inner = parameter_acts(std::make_shared<at_end>([&] {
        seen.push_back(at->state());
        seen.push_back(outer_at->state());
    }));
    auto outer = awaits_plainly(inner);
    at = &inner;
    outer_at = &outer;
    outer.send();
    EXPECT_EQ(outer.send().returned(), 3);
    EXPECT_EQ(seen, std::vector({coroutine_state::closed, coroutine_state::running}));
}

TEST(Lifetime, ADestructorDestroysTheObjectThatIsBeingDestroyed) {
    // The object's last owner is a local of its own frame's.
    struct local {
        static counting holds(std::shared_ptr<counting>& own) {
            const std::shared_ptr<counting> kept = own;
            own.reset();
            co_yield 1;
            co_return 2;
        }
    };
    auto own = std::make_shared<counting>();
    *own = local::holds(own);
    counting* const c = own.get();
    std::weak_ptr<counting> watched = own;
    c->send();
    EXPECT_EQ(own, nullptr);
    EXPECT_EQ(watched.use_count(), 1);
    const std::shared_ptr<counting> last = watched.lock();
    EXPECT_EQ(last->close(), std::nullopt); // breaks the cycle
    EXPECT_EQ(watched.use_count(), 1);
}

// ---- destroying and moving what runs
// ---------------------------------------------------------------------------------

/// Destroys `object` in its middle, and then yields, returns or raises.
counting destroys(std::unique_ptr<counting>& object, trace& log, std::string name, char then) {
    note local(log, name + " local");
    co_yield 1;
    object.reset();
    log.push_back(name + " destroyed it");
    switch (then) {
    case 'y':
        co_yield 2;
        log.push_back(name + " resumed");
        break;
    case 't':
        throw boom(name);
    default:
        break;
    }
    co_return 3;
}

TEST(Lifetime, ARunningOneDestroysItself) {
    for (const char then : {'y', 'r', 't'}) {
        trace log;
        std::unique_ptr<counting> object;
        object = std::make_unique<counting>(destroys(object, log, "c", then));
        counting* const c = object.get();
        c->send();
        if (then == 't') {
            EXPECT_ERROR(c->send(), boom, "c");
        } else {
            auto step = c->send();
            EXPECT_EQ(step.done(), then == 'r');
            EXPECT_EQ(step.done() ? step.returned() : step.yielded(), then == 'r' ? 3 : 2);
        }
        EXPECT_EQ(log, trace({"c destroyed it", "c local"})); // a suspended one is destroyed by its driver
    }
}

TEST(Lifetime, ARunningOneDestroysItselfInTryForms) {
    for (const char then : {'y', 'r', 't'}) {
        for (const bool by_throw : {false, true}) {
            trace log;
            std::unique_ptr<counting> object;
            struct local {
                static counting body(std::unique_ptr<counting>& own, trace& log, char what) {
                    note end(log, "local");
                    try {
                        co_yield 1;
                    } catch (const boom&) {
                        log.push_back("caught");
                    }
                    own.reset();
                    if (what == 'y') {
                        co_yield 2;
                    }
                    if (what == 't') {
                        throw boom("out");
                    }
                    co_return 3;
                }
            };
            object = std::make_unique<counting>(local::body(object, log, then));
            counting* const c = object.get();
            static_cast<void>(c->try_send());
            auto outcome = by_throw ? c->try_throw(std::make_exception_ptr(boom("in"))) : c->try_send();
            EXPECT_EQ(outcome.done(), then == 'r');
            EXPECT_EQ(outcome.failed(), then == 't');
            EXPECT_EQ(log.back(), "local");
        }
    }
}

TEST(Lifetime, AChildDestroysTheRootThatAwaitsIt) {
    for (const char then : {'y', 'r', 't'}) {
        trace log;
        std::unique_ptr<counting> root;
        root = std::make_unique<counting>(make_awaits(log, "root", destroys(root, log, "leaf", then)));
        counting* const c = root.get();
        c->send();
        if (then == 't') {
            EXPECT_ERROR(c->send(), boom, "leaf");
            EXPECT_EQ(log, trace({"leaf destroyed it", "leaf local", "root caught", "root local", "root parameter"}));
        } else {
            auto step = c->send();
            EXPECT_EQ(step.done() ? step.returned() : step.yielded(), then == 'r' ? 3 : 2);
            EXPECT_EQ(log, trace({"leaf destroyed it", "leaf local", "root local", "root parameter"}));
        }
    }
}

TEST(Lifetime, AChildDestroysTheMiddleThatAwaitsIt) {
    for (const char then : {'y', 'r', 't'}) {
        trace log;
        std::unique_ptr<counting> middle;
        middle = std::make_unique<counting>(make_awaits(log, "middle", destroys(middle, log, "leaf", then)));
        auto root = awaits_kept(log, "root", note(log, "root parameter"), *middle);
        root.send();
        if (then == 't') {
            EXPECT_ERROR(root.send(), boom, "leaf");
        } else if (then == 'r') {
            EXPECT_EQ(root.send().returned(), 3);
        } else { // it is left to the chain
            EXPECT_EQ(root.send().yielded(), 2);
            EXPECT_EQ(log, trace({"leaf destroyed it"}));
            EXPECT_EQ(root.send().returned(), 3);
        }
        EXPECT_EQ(root.state(), coroutine_state::closed);
        EXPECT_EQ(log.back(), "root parameter");
    }
}

TEST(Lifetime, AChildDestroysItsOwnObjectWhichTheChainThenOwns) {
    trace log;
    std::unique_ptr<counting> child;
    child = std::make_unique<counting>(destroys(child, log, "leaf", 'y'));
    {
        auto root = awaits_kept(log, "root", note(log, "root parameter"), *child);
        root.send();
        EXPECT_EQ(root.send().yielded(), 2);
    }
    EXPECT_EQ(log, trace({"leaf destroyed it", "leaf local", "root local", "root parameter"}));
}

TEST(Lifetime, AnOrphanIsClosedWithItsChain) {
    for (const bool yields_on_exit : {false, true}) {
        trace log;
        std::unique_ptr<counting> child;
        struct local {
            static counting body(std::unique_ptr<counting>& own, trace& log, bool yields) {
                note end(log, "child ends");
                bool exits = false;
                try {
                    own.reset();
                    co_yield 1;
                } catch (const generator_exit&) {
                    log.push_back("exit");
                    exits = true;
                }
                if (exits && yields) {
                    co_yield 2;
                }
                co_return 3;
            }
        };
        child = std::make_unique<counting>(local::body(child, log, yields_on_exit));
        auto root = awaits_kept(log, "root", note(log, "root parameter"), *child);
        EXPECT_EQ(root.send().yielded(), 1);
        if (yields_on_exit) {
            EXPECT_ERROR(root.close(), isthmus::ignored_generator_exit, test::ignored);
        } else {
            EXPECT_EQ(root.close(), std::nullopt);
        }
        EXPECT_EQ(log, trace({"exit", "child ends", "root local", "root parameter"}));
    }
}

TEST(Lifetime, ACloseDestroysTheOneItCloses) {
    for (const bool yields : {false, true}) {
        trace log;
        std::unique_ptr<counting> object;
        struct local {
            static counting body(std::unique_ptr<counting>& own, trace& log, bool yields) {
                note end(log, "ends");
                try {
                    co_yield 1;
                } catch (const generator_exit&) {
                    own.reset();
                }
                if (yields) {
                    co_yield 2;
                }
                co_return 3;
            }
        };
        object = std::make_unique<counting>(local::body(object, log, yields));
        counting* const c = object.get();
        c->send();
        if (yields) {
            EXPECT_ERROR(c->close(), isthmus::ignored_generator_exit, test::ignored);
        } else {
            EXPECT_EQ(c->close(), 3);
        }
        EXPECT_EQ(log, trace{"ends"});
    }
}

TEST(Lifetime, AnInnersCloseDestroysTheOuter) {
    for (const bool yields : {false, true}) {
        trace log;
        std::unique_ptr<counting> outer;
        struct local {
            static counting body(std::unique_ptr<counting>& above, trace& log, bool yields) {
                note end(log, "inner ends");
                try {
                    co_yield 1;
                } catch (const generator_exit&) {
                    above.reset();
                }
                if (yields) {
                    co_yield 2;
                }
                co_return 3;
            }
        };
        auto inner = local::body(outer, log, yields);
        outer = std::make_unique<counting>(awaits_kept(log, "outer", note(log, "outer parameter"), inner));
        counting* const c = outer.get();
        c->send();
        if (yields) {
            EXPECT_ERROR(c->close(), isthmus::ignored_generator_exit, test::ignored);
            EXPECT_EQ(log, trace({"outer local", "outer parameter"}));
            EXPECT_EQ(inner.state(), coroutine_state::suspended);
        } else {
            EXPECT_EQ(c->close(), std::nullopt);
            EXPECT_EQ(log, trace({"inner ends", "outer local", "outer parameter"}));
        }
    }
}

counting moves_itself(std::optional<counting>& from, std::optional<counting>& to) {
    to.emplace(std::move(*from));
    from.reset();
    EXPECT_EQ(to->state(), coroutine_state::running);
    co_yield 1;
    from.emplace(std::move(*to));
    to.reset();
    co_yield 2;
    co_return 3;
}

TEST(Lifetime, ARunningOneIsMoved) {
    std::optional<counting> a;
    std::optional<counting> b;
    a.emplace(moves_itself(a, b));
    EXPECT_EQ(a->send().yielded(), 1);
    ASSERT_TRUE(b.has_value());
    EXPECT_EQ(b->state(), coroutine_state::suspended);
    EXPECT_EQ(b->send().yielded(), 2);
    EXPECT_EQ(a->send().returned(), 3);
    EXPECT_EQ(a->state(), coroutine_state::closed);
}

counting replaces(counting*& self, trace& log) {
    note local(log, "replaced");
    *self = make_leaf(log, "new");
    EXPECT_EQ(self->state(), coroutine_state::created);
    co_yield 1;
    co_return 2;
}

TEST(Lifetime, ARunningOneIsReplaced) {
    trace log;
    counting* self = nullptr;
    counting c = replaces(self, log);
    self = &c;
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(log, trace{"replaced"}); // by the driver, as nobody can reach it any more
    EXPECT_EQ(c.state(), coroutine_state::created);
    EXPECT_EQ(c.send().yielded(), 1);
    EXPECT_EQ(c.send().returned(), 5);
}

TEST(Lifetime, MovingAndSwapping) {
    trace log;
    auto a = make_leaf(log, "a");
    auto b = make_leaf(log, "b");
    a.send();
    std::swap(a, b);
    EXPECT_EQ(a.state(), coroutine_state::created);
    EXPECT_EQ(b.state(), coroutine_state::suspended);
    counting& same = b;
    b = std::move(same);
    EXPECT_EQ(b.state(), coroutine_state::suspended);
    EXPECT_TRUE(log.empty());
    a = std::move(b);
    EXPECT_EQ(log, trace{"b parameter"});
    EXPECT_EQ(a.send().returned(), 5);
    a = counting();
    EXPECT_EQ(a.state(), coroutine_state::closed);
}

TEST(Lifetime, InAVectorThatIsSorted) {
    trace log;
    std::vector<counting> all;
    for (int i = 0; i < 50; ++i) {
        all.push_back(make_leaf(log, std::to_string(i)));
        if (i % 3 == 0) {
            all.back().send();
        }
    }
    std::ranges::sort(all, [](const counting& a, const counting& b) { return a.state() < b.state(); });
    EXPECT_TRUE(std::ranges::is_sorted(all, {}, &counting::state));
    EXPECT_TRUE(log.empty());
    all.erase(all.begin() + 10, all.end());
    EXPECT_EQ(log.size(), 23U + 17U * 2);
}

// ---- exceptions from moving values
// -----------------------------------------------------------------------------------

/// Throws when it is moved for the nth time, counted from when `fuse` is set.
class fragile {
public:
    static inline int fuse = 0; ///< 0: never
    static inline int alive = 0;

    fragile() { ++alive; }
    fragile(fragile&&) : fragile() {
        if (fuse > 0 && --fuse == 0) {
            throw boom("moved");
        }
    }
    fragile& operator=(fragile&&) = delete;
    ~fragile() { --alive; }
};

coroutine<fragile> returns_fragile() { co_return fragile(); }
coroutine<fragile> awaits_fragile() { co_return co_await returns_fragile(); }
coroutine<int, fragile> yields_fragile() {
    co_yield fragile();
    co_return 1;
}
coroutine<int, int, fragile> takes_fragile(trace& log) {
    try {
        fragile got = co_yield 1;
    } catch (const boom&) {
        log.push_back("at the co_yield");
    }
    co_return 2;
}
coroutine<std::string> catches_fragile() {
    try {
        fragile got = co_await returns_fragile();
    } catch (const boom&) {
        co_return "caught";
    }
    co_return "moved";
}

TEST(Lifetime, WhenMovingTheReturnedValueThrows) {
    bool failed_at_all = false;
    for (int fuse = 1; fuse < 10; ++fuse) {
        auto c = fuse % 2 == 0 ? returns_fragile() : awaits_fragile();
        fragile::fuse = fuse;
        try {
            auto step = c.send();
            EXPECT_TRUE(step.done());
        } catch (const boom&) {
            failed_at_all = true;
        }
        fragile::fuse = 0;
        EXPECT_EQ(c.state(), coroutine_state::closed);
        EXPECT_EQ(fragile::alive, 0);
    }
    EXPECT_TRUE(failed_at_all);
}

TEST(Lifetime, WhenMovingTheAwaitedValueThrowsItIsRaisedAtTheAwait) {
    auto c = catches_fragile();
    fragile::fuse = 2; // the first is into the promise
    EXPECT_EQ(c.send().returned(), "caught");
    fragile::fuse = 0;
    EXPECT_EQ(fragile::alive, 0);
}

TEST(Lifetime, WhenMovingTheYieldedValueThrowsItStaysSuspended) {
    for (const bool tries : {false, true}) {
        auto c = yields_fragile();
        fragile::fuse = 1;
        if (tries) {
            EXPECT_THROW(static_cast<void>(c.try_send()), boom);
        } else {
            EXPECT_THROW(c.send(), boom);
        }
        fragile::fuse = 0;
        EXPECT_EQ(c.state(), coroutine_state::suspended);
        EXPECT_EQ(c.send().returned(), 1);
    }
    EXPECT_EQ(fragile::alive, 0);
}

TEST(Lifetime, WhenMovingTheYieldedValueThrowsAndTheObjectIsGone) {
    struct local {
        static coroutine<int, fragile> body(std::unique_ptr<coroutine<int, fragile>>& own, trace& log) {
            note end(log, "ends");
            own.reset();
            co_yield fragile();
            co_return 1;
        }
    };
    trace log;
    std::unique_ptr<coroutine<int, fragile>> own;
    own = std::make_unique<coroutine<int, fragile>>(local::body(own, log));
    fragile::fuse = 1;
    EXPECT_THROW(own->send(), boom);
    fragile::fuse = 0;
    EXPECT_EQ(log, trace{"ends"});
    EXPECT_EQ(fragile::alive, 0);
}

TEST(Lifetime, WhenMovingTheSentValueThrowsItIsRaisedAtTheYield) {
    trace log;
    auto c = takes_fragile(log);
    c.send();
    fragile value;
    fragile::fuse = 2; // the first is into the parameter of send()
    EXPECT_EQ(c.send(std::move(value)).returned(), 2);
    fragile::fuse = 0;
    EXPECT_EQ(log, trace{"at the co_yield"});
}

TEST(Lifetime, WhenMovingAParameterThrows) {
    struct local {
        static coroutine<int> takes(fragile) { co_return 1; }
    };
    fragile value;
    fragile::fuse = 2; // into the parameter, and then into the frame
    EXPECT_THROW(static_cast<void>(local::takes(std::move(value)).state()), boom);
    fragile::fuse = 0;
    EXPECT_EQ(fragile::alive, 1);
}

// ---- exceptions in flight
// --------------------------------------------------------------------------------------------

TEST(Lifetime, DestroyedAndDrivenWhileAnExceptionIsInFlight) {
    trace log;
    struct local {
        static counting fails() {
            co_yield 1;
            throw boom("inner");
        }
    };
    try {
        at_end drives([&] {
            auto c = local::fails();
            c.send();
            log.push_back(test::caught<boom>([&] { c.send(); }));
        });
        auto dropped = make_awaits(log, "2", make_leaf(log, "1"));
        dropped.send();
        throw boom("outer");
    } catch (const boom& error) {
        log.push_back(error.what());
    }
    EXPECT_EQ(log, trace({"1 local", "1 parameter", "2 local", "2 parameter", "inner", "outer"}));
}

counting handles_while_suspended() {
    std::exception_ptr own;
    try {
        throw boom("own");
    } catch (...) {
        own = std::current_exception();
    }
    co_yield 1;
    EXPECT_EQ(std::current_exception(), nullptr);
    EXPECT_EQ(test::caught<boom>(own), "own");
    co_return 2;
}

TEST(Lifetime, TheDriversExceptionDoesNotGetLost) {
    auto c = handles_while_suspended();
    try {
        throw boom("drivers");
    } catch (const boom&) {
        c.send();
        EXPECT_EQ(test::caught<boom>(std::current_exception()), "drivers");
    }
    EXPECT_EQ(c.send().returned(), 2);
}

// ---- a destructor that throws after co_return -------------------------------------------------------------------

/// A result of `Size` bytes: a small one is kept where the frame's error would be.
template <std::size_t Size>
struct counted_result {
    static inline int alive = 0;
    explicit counted_result(char number) : value{number} { ++alive; }
    counted_result(counted_result&& other) noexcept : value{other.value[0]} { ++alive; }
    ~counted_result() { --alive; }
    char value[Size];
};
struct throws_at_end {
    ~throws_at_end() noexcept(false) { throw boom("destructor"); }
};
coroutine<int, int> fails_later() {
    co_yield 1;
    throw boom("awaited");
}

template <class Result>
coroutine<Result, int> lets_it_out() {
    const throws_at_end local;
    co_return Result(1);
}
template <class Result>
coroutine<Result, int> returns_again() {
    try {
        const throws_at_end local;
        co_return Result(1);
    } catch (const boom&) { // goes on below
    }
    co_return Result(2);
}
template <class Result>
coroutine<Result, int> ends_in_an_error() {
    try {
        const throws_at_end local;
        co_return Result(1);
    } catch (const boom&) { // goes on below
    }
    co_await isthmus::nothrow(fails_later());
    co_return Result(2);
}

template <class Result>
void check_abandoned_results() {
    EXPECT_EQ(test::caught<boom>([] { lets_it_out<Result>().send(); }), "destructor");
    EXPECT_EQ(Result::alive, 0);
    EXPECT_EQ(returns_again<Result>().send().returned().value[0], 2);
    EXPECT_EQ(Result::alive, 0);
    auto c = ends_in_an_error<Result>();
    c.send();
    EXPECT_EQ(test::caught<boom>([&] { c.send(); }), "awaited");
    EXPECT_EQ(Result::alive, 0);
}

TEST(Lifetime, AResultThatIsNotReturnedIsDestroyed) {
    check_abandoned_results<counted_result<1>>();
    check_abandoned_results<counted_result<sizeof(void*)>>();
    check_abandoned_results<counted_result<100>>();
}

} // namespace
} // namespace test_lifetime
