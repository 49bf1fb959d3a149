// isthmus/detail/chain.hpp — the await chain: how coroutines that await one another are driven as one.
// SPDX-License-Identifier: MIT
#pragma once

#include "teardown.hpp"

namespace isthmus::inline v1::detail {

/// `ended`, the running leaf, is over, with its result or `error` in it: the step goes on with its awaiter.
inline void hand_over(frame& ended) noexcept {
    const chain_lock lock;
    activation& step = ended.step();
    if (native_link* const link = ended.up; link != nullptr && link->attached()) {
        link->to_child = native_link::bond::ended;
        frame* const awaiter = link->parent;
        // Otherwise the driver consults the link.
        if (link->told == native_link::ends::none || (!ended.failed && !link->translates())) [[likely]] {
            awaiter->awaiting = nullptr;
        }
        awaiter->follow(ended);
        step.leaf = awaiter;
    } else {
        step.leaf = nullptr;
    }
}

/// Passes the step on to what `leaf` waits for, if there is something. Whether the leaf is to be resumed now.
inline bool consult_awaited(activation& step, frame& leaf) noexcept {
    if (leaf.awaiting == nullptr) [[likely]] {
        return true;
    }
    leaf.awaiting->advance(step);
    return step.leaf == &leaf && leaf.awaiting == nullptr; // in this order: an error may have ended the leaf
}

/// When a leaf has been resumed and another has come after it: resumes that, and then whichever frame becomes the leaf,
/// until the chain suspends or its root has ended. Nothing is sent or thrown in any more.
/// A loop and not symmetric transfer: not every compiler makes that a tail call, and it is no faster.
ISTHMUS_NOINLINE inline void drive_further(activation& step) noexcept {
    step.drop_sent();
    frame* leaf = step.leaf;
    do {
        if (consult_awaited(step, *leaf)) {
            leaf->handle().resume();
        }
    } while (step.yielded == nullptr && (leaf = step.leaf) != nullptr);
}

/// The same from the first leaf on, in which something may be thrown.
ISTHMUS_NOINLINE inline void drive_on(activation& step, frame* leaf) noexcept {
    do {
        if (consult_awaited(step, *leaf)) {
            if (step.injected != nullptr && leaf->passes_errors) {
                leaf->fail(step.take_injected());
                hand_over(*leaf);
            } else {
                leaf->handle().resume();
                step.drop_sent();
            }
        }
    } while (step.yielded == nullptr && (leaf = step.leaf) != nullptr);
}

/// The same, for a step that throws nothing in: most resume the leaf once.
inline void drive(activation& step, frame* leaf) noexcept {
    if (leaf->awaiting != nullptr) [[unlikely]] {
        drive_on(step, leaf);
        return;
    }
    leaf->handle().resume();
    if (step.yielded == nullptr && step.leaf != nullptr) {
        drive_further(step);
    }
}

/// For begin(): takes `f`, which has started and is no root at rest, out of its chain, unless that runs.
ISTHMUS_NOINLINE inline bool take_out(frame& f, bool splits) noexcept {
    if (is_running(f)) {
        return false;
    }
    detach(f);
    if (splits) {
        split(f);
    }
    return true;
}

/// Prepares a step of `root` as a root: takes it out of a chain at rest (7.9: that steals a step), finds its leaf.
inline misuse begin(frame* const& root, activation& step, driver_traits driver, frame*& f) noexcept {
    step.guard.lock(); // before looking at `root`, which whoever drives it clears at its end
    f = root;
    if (f == nullptr) [[unlikely]] {
        return misuse::already_finished;
    }
    chain_link link = f->link();
    if (!link.created() && !link.rests()) [[unlikely]] {
        if (!take_out(*f, !driver.observed)) {
            return misuse::already_executing;
        }
        link = f->link();
    }
    step.leaf = link.created() ? f : link.leaf();
    return misuse::none;
}

/// From here on the chain that begin() has prepared runs. Returns its leaf.
inline frame* join_step(frame& f, activation& step, driver_traits driver) noexcept {
    frame* const leaf = step.leaf;
    f.join(step, driver);
    if (leaf != &f) {
        leaf->join(step, driver);
    }
    step.guard.unlock();
    return leaf;
}

/// Drives a step that begin() has prepared. Afterwards `f` has ended or, if the step yielded, is to be brought to rest.
inline void run_step(frame& f, activation& step, driver_traits driver) noexcept {
    drive(step, join_step(f, step, driver));
}

/// Brings a root that has suspended to rest, when what it yielded has been taken: until then nobody may resume it.
/// True: its coroutine object died while it ran, and has left it to be discarded by its driver.
[[nodiscard]] inline bool bring_to_rest(frame& f, const activation& step) noexcept {
    const chain_lock lock;
    f.rest(step.leaf);
    return f.owner == nullptr;
}

/// The same, at the end of a scope.
struct at_rest {
    frame& f;
    activation& step;
    ~at_rest() {
        if (bring_to_rest(f, step)) [[unlikely]] {
            discard(&f);
        }
    }
};

/// Destroys a frame that never started, as prepared by begin().
inline void destroy_unstarted(frame& f, activation& step) noexcept {
    f.join(step, {});
    step.guard.unlock();
    destroy(f);
}

inline bool delegate::finish(std::exception_ptr& error) noexcept {
    if (error) [[unlikely]] {
        if (passes_errors) {
            parent->fail(std::move(error));
            hand_over(*parent);
            return false;
        }
        parent->tell_arrival(error);
    }
    parent->awaiting = nullptr;
    return true;
}

/// Makes the chain of `target`, which has started, the end of the one that `awaiter` is the running leaf of.
ISTHMUS_NOINLINE inline void append(frame& target, const frame& awaiter) noexcept {
    if (awaiter.observer() == nullptr) {
        split(target);
    }
    frame* const leaf = target.leaf_at_rest();
    awaiter.step().leaf = leaf;
    leaf->follow(awaiter);
    target.follow(awaiter); // a root at rest no longer
}

inline void native_link::attach(frame& awaiter, frame& target) noexcept {
    parent = &awaiter;
    child = &target;
    next = std::exchange(target.up, this);
    attach();
}

ISTHMUS_ALWAYS_INLINE inline void native_link::attach() noexcept {
    const chain_lock lock;
    frame& awaiter = *parent;
    frame* const target = child;
    awaiter.awaiting = this;
    if (target == nullptr || target->up != this) [[unlikely]] {
        return;
    }
    const chain_link link = target->link();
    if (!link.rests()) [[unlikely]] {
        return;
    }
    to_child = bond::attached;
    if (link.created()) [[likely]] {
        awaiter.step().leaf = target;
        target->follow(awaiter);
    } else {
        append(*target, awaiter);
    }
}

/// The child has ended in an error, which passes through `parent`, and through those above that let it.
inline void native_link::pass_error() noexcept {
    frame* from = child;
    native_link* link = this;
    do {
        frame& awaiter = *link->parent;
        awaiter.fail(from->take_error());
        destroy_finished(*from);
        hand_over(awaiter);
        from = &awaiter;
        link = from->up;
    } while (link != nullptr && link->ended() && link->only_passes_errors());
}

/// The child is not in this chain, unless it has ended and is told of: it is gone, or somebody else drives or awaits
/// it, or it is at rest (7.9).
inline void native_link::advance_child(activation& step) noexcept {
    if (ended()) {
        pass_error();
        return;
    }
    bool is_gone = false;
    {
        const chain_lock lock;
        is_gone = child == nullptr;
        if (is_gone) {
            failure = gone;
        } else if (is_running(*child)) {
            failure = misuse::already_executing;
        } else {
            frame& target = *child;
            if (target.attached()) {
                detach(target);
            }
            forget();
            attach(*parent, target);
            return;
        }
    }
    refuse_child(step, is_gone);
}

ISTHMUS_COLD ISTHMUS_NOINLINE inline void native_link::refuse_child(activation& step, bool is_gone) noexcept {
    // What was thrown in is dropped with the step that was refused (5.10, 5.11), but a finished generator raises it,
    // and is no error otherwise (15.7).
    const bool generator_ended = is_gone && child_kind == frame_kind::generator;
    step.sent = nullptr;
    if (!passes_errors) {
        if (!generator_ended) {
            step.injected = nullptr;
        }
        parent->awaiting = nullptr;
        return;
    }
    std::exception_ptr error;
    if (step.injected != nullptr) {
        error = step.take_injected();
    }
    if (!generator_ended || (!error && failure != misuse::none)) {
        error = make_misuse(failure, child_kind);
    }
    finish(error);
}

} // namespace isthmus::inline v1::detail
