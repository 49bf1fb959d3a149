// isthmus/detail/chain.hpp — the await chain: how coroutines that await one another are driven as one.
// SPDX-License-Identifier: MIT
//
// A coroutine that somebody drives is a *root*. It awaits another, that one a third, and so on to the *leaf*, the
// only one that is really suspended. The root remembers the leaf, so a resume goes straight to it and costs the
// same at any depth. While a chain runs, an `activation` on the driver's stack holds what the step passes in and
// out; only the root and the leaf point to it. When a frame ends, it hands that pointer to its awaiter.
//
// What a frame is doing follows from the chain and is stored nowhere else:
//   no frame: closed      link == 0: created      its root runs an activation: running      otherwise: suspended
#pragma once

#include "../errors.hpp"
#include "../step.hpp"
#include "memory.hpp"

#include <coroutine>
#include <cstdint>
#include <source_location>
#include <utility>

namespace isthmus::inline v1::detail {

struct frame;
struct native_link;

/// One step of a chain, on the stack of whoever drives it.
struct activation {
    frame* leaf = nullptr;   ///< the frame to resume next; null when the root has ended
    void* sent = nullptr;    ///< the driver's Send object; null for None; taken by whoever consumes it
    void* yielded = nullptr; ///< set when the chain suspends: the Yield object, which lives in the chain
    const std::exception_ptr* injected = nullptr; ///< raised where the leaf is resumed; taken like `sent`
    bool accepts_none = true;                     ///< whether the root can yield None

    // Where `yielded` points when there is no object. Not globals, of which each extension module has its own.
    none none_yielded; ///< a level whose Yield is `none` has suspended, whatever the root's Yield is
    none refused;      ///< nothing was resumed; `error` of the leaf, which is at rest as before, is the driver's (5.22)

    /// The injected error, which from now on counts as delivered.
    std::exception_ptr take_injected() noexcept { return *std::exchange(injected, nullptr); }
};

/// What a frame suspended in `co_await` waits for. Lives in that frame, and is consulted when the frame is the
/// leaf: that is, when what it awaits is not itself part of this chain.
struct delegate {
    frame* parent = nullptr;

    /// Passes the step on to what is awaited. Afterwards either `yielded` is set, or the leaf has changed, or
    /// the frame is to be resumed, which is said by clearing its `awaiting`.
    virtual void advance(activation& step) noexcept = 0;
    /// Closes what is awaited (5.23, 6.9). Returns the error that came out, null if none did.
    virtual std::exception_ptr close() noexcept = 0;
    /// Shows every object of the layer above that is held here to `visit`, for its garbage collector.
    virtual void visit(void (*)(void* held, void* context), void*) const noexcept {}
    /// Where the layer above may leave what it throws in, in a form of its own, for the next advance(). Null: nowhere.
    virtual const void** thrown() noexcept { return nullptr; }

    delegate() = default;
    delegate(const delegate&) = delete;
    delegate& operator=(const delegate&) = delete;

protected:
    ~delegate() = default;
};

/// The head of every coroutine's frame: first base of its promise.
struct frame {
    std::coroutine_handle<> self;
    native_link* up = nullptr;    ///< those who await this frame; the first of them may have it attached
    frame** owner = nullptr;      ///< the coroutine object's pointer to this frame; null once that is gone
    std::uintptr_t link = 0;      ///< 0: created. Root at rest: the leaf. Root or leaf of a running chain:
                                  ///< the activation, with the low bit set. Others: meaningless.
    delegate* awaiting = nullptr; ///< what it waits for, if the leaf has to consult it or to show it
    std::exception_ptr error;     ///< what left the body
    std::source_location where;   ///< the coroutine function
    frame_kind kind = frame_kind::coroutine;

    activation& step() const noexcept { return *reinterpret_cast<activation*>(link & ~std::uintptr_t{1}); }
    frame* leaf_at_rest() const noexcept { return reinterpret_cast<frame*>(link); }
    bool runs_as_root() const noexcept { return (link & 1) != 0; }
    void join(activation& step) noexcept { link = reinterpret_cast<std::uintptr_t>(&step) | 1; }
    void rest(frame* leaf) noexcept { link = reinterpret_cast<std::uintptr_t>(leaf); }
    bool attached() const noexcept;
};

/// One coroutine awaiting another, or a generator that yields from another. While attached, the child's frames are part
/// of the parent's chain; while not (somebody else drives the child just now), the parent is the leaf of its chain and
/// consults this delegate.
struct native_link : delegate {
    frame* child = nullptr; ///< null once the child is gone
    native_link* next = nullptr;
    bool attached = false;
    misuse failure = misuse::none; ///< why awaiting cannot go on, for await_resume
    const frame_kind child_kind;   ///< known also when the child is gone

    explicit native_link(frame_kind kind) noexcept : child_kind(kind) {}
    ~native_link() { forget(); }

    /// Registers as awaiting `target` and makes it part of the chain that `awaiter` is the running leaf of.
    void attach(frame& awaiter, frame& target) noexcept;
    /// Undoes attach(): the child is left to itself.
    void forget() noexcept;

    void advance(activation& step) noexcept final;
    std::exception_ptr close() noexcept final;
};

inline bool frame::attached() const noexcept { return up != nullptr && up->attached; }

/// The root of the chain that `f` is in. O(levels above f).
inline frame& root_of(frame& f) noexcept {
    frame* level = &f;
    while (level->attached()) {
        level = level->up->parent;
    }
    return *level;
}

/// Whether `f`, which has started, is running (clause 8.2: also while it waits for one that runs).
inline bool is_running(frame& f) noexcept { return root_of(f).runs_as_root(); }

/// Makes `f`, attached in a chain at rest, the root of its own part of it; its awaiter becomes the leaf of the rest.
inline void detach(frame& f) noexcept {
    frame& root = root_of(f);
    frame* const leaf = root.leaf_at_rest();
    f.up->attached = false;
    root.rest(f.up->parent);
    f.rest(leaf);
}

/// Resumes the leaf, and then whichever frame becomes the leaf, until the chain suspends or its root has ended.
/// A loop and not symmetric transfer: not every compiler makes that a tail call, and it is no faster.
inline void drive(activation& step) noexcept {
    do {
        frame* const leaf = step.leaf;
        if (leaf->awaiting != nullptr) [[unlikely]] {
            leaf->awaiting->advance(step);
            if (leaf->awaiting != nullptr) {
                continue;
            }
        }
        leaf->self.resume();
    } while (step.leaf != nullptr && step.yielded == nullptr);
}

/// Those who still wait for `f` learn that it is gone (7.6).
inline void release_waiters(frame& f) noexcept {
    for (native_link* link = std::exchange(f.up, nullptr); link != nullptr; link = link->next) {
        link->child = nullptr;
        link->attached = false;
    }
}

/// Destroys one frame that no chain runs through.
inline void destroy(frame& f) noexcept {
    if (f.owner != nullptr) {
        *f.owner = nullptr;
    }
    release_waiters(f);
    f.self.destroy();
}

/// Destroys a chain at rest, or a frame that never started, leaf first and in a loop: destructors that recursed
/// would overflow the stack.
inline void destroy_chain(frame& root) noexcept {
    activation busy; // whoever asks meanwhile sees a running coroutine
    frame* level = root.link == 0 ? &root : root.leaf_at_rest();
    root.join(busy);
    while (level != &root) {
        frame* const awaiter = level->up->parent;
        destroy(*level);
        level = awaiter;
    }
    destroy(root);
}

/// Ends the life of a frame whose coroutine object is gone (12.1: destructors run, nothing is thrown). A running
/// one cannot be destroyed yet; whoever drives it does so afterwards.
inline void discard(frame& f) noexcept {
    if (f.link != 0 && is_running(f)) {
        return;
    }
    if (f.attached()) {
        detach(f);
    }
    frame_cache& cache = frame_cache::of_this_thread();
    if (cache.retired) [[unlikely]] {
        const temporary_frame_cache meanwhile;
        discard(f);
        return;
    }
    // A coroutine may own another in a parameter, that one a third, and so on. Past many levels, what is to be
    // destroyed is put in a list that the outermost call works off. Then it outlives its owner's other variables, to
    // which it may refer: hence a limit that only such towers reach, and for which 100 KB of stack are enough.
    constexpr unsigned nesting_limit = 500;
    if (cache.teardown_depth >= nesting_limit) {
        release_waiters(f);
        f.owner = reinterpret_cast<frame**>(std::exchange(cache.teardown_pending, &f));
        return;
    }
    ++cache.teardown_depth;
    destroy_chain(f);
    --cache.teardown_depth;
    while (cache.teardown_depth == 0 && cache.teardown_pending != nullptr) {
        frame* const pending = cache.teardown_pending;
        cache.teardown_pending = reinterpret_cast<frame*>(std::exchange(pending->owner, nullptr));
        ++cache.teardown_depth;
        destroy_chain(*pending);
        --cache.teardown_depth;
    }
}

/// Prepares a step of `f` as a root: takes it out of a chain at rest (7.9: that steals a step), finds its leaf.
inline misuse begin(frame* f, activation& step) noexcept {
    if (f == nullptr) [[unlikely]] {
        return misuse::already_finished;
    }
    if (f->attached()) [[unlikely]] {
        if (is_running(*f)) {
            return misuse::already_executing;
        }
        detach(*f);
    }
    if (f->runs_as_root()) [[unlikely]] {
        return misuse::already_executing;
    }
    step.leaf = f->link == 0 ? f : f->leaf_at_rest();
    return misuse::none;
}

/// Drives a step that begin() has prepared. Afterwards `f` is at rest if the step yielded, else it has ended.
inline void run_step(frame& f, activation& step) noexcept {
    f.join(step);
    step.leaf->join(step);
    drive(step);
    if (step.yielded != nullptr) {
        f.rest(step.leaf);
    }
}

inline void native_link::attach(frame& awaiter, frame& target) noexcept {
    activation& step = awaiter.step();
    parent = &awaiter;
    child = &target;
    next = std::exchange(target.up, this);
    attached = true;
    awaiter.awaiting = this;
    step.leaf = target.link == 0 ? &target : target.leaf_at_rest();
    step.leaf->join(step);
    target.link = step.leaf->link; // no longer created; a root at rest no longer
}

inline void native_link::forget() noexcept {
    if (child == nullptr) {
        return;
    }
    native_link** place = &child->up;
    while (*place != this) {
        place = &(*place)->next;
    }
    *place = next;
    child = nullptr;
    attached = false;
}

/// The child is not in this chain: it is gone, or somebody else drives or awaits it, or it is at rest (7.9).
inline void native_link::advance(activation& step) noexcept {
    if (child == nullptr) {
        failure = misuse::already_finished;
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
    if (child != nullptr || child_kind != frame_kind::generator) { // a finished generator raises what is thrown (15.7)
        step.injected = nullptr; // dropped with the step that was refused (5.10, 5.11)
    }
    step.sent = nullptr;
    parent->awaiting = nullptr;
}

} // namespace isthmus::inline v1::detail
