// isthmus/detail/teardown.hpp — how frames leave the await chain, and how they are destroyed.
// SPDX-License-Identifier: MIT
#pragma once

#include "frame.hpp"
#include "memory.hpp"

#include <cstdint>
#include <utility>

namespace isthmus::inline v1::detail {

/// The root of the chain that `f` is in. O(levels above f).
inline frame& root_of(frame& f) noexcept {
    frame* level = &f;
    while (level->attached()) {
        level = level->up->parent;
    }
    return *level;
}

/// The nearest one above `f`, in a chain at rest or with `f` as its running leaf, that awaits an object of a layer
/// above with `f` in its part of the chain. Null if there is none. O(levels between).
inline native_link* translator_above(const frame& f) noexcept {
    for (const frame* level = &f; level->attached(); level = level->up->parent) {
        if (level->up->translates()) {
            return level->up;
        }
    }
    return nullptr;
}

/// Whether `f`, which has started, is running (clause 8.2: also while it waits for one that runs).
inline bool is_running(frame& f) noexcept {
    const chain_lock lock;
    return root_of(f).runs_as_root();
}

/// What a coroutine object with the frame `f`, null if it has none, is doing (8). O(levels above f).
inline coroutine_state state_of(frame* const& place) noexcept {
    const chain_lock lock; // before looking at `place`, which whoever drives the frame clears at its end
    const frame* const f = place;
    if (f == nullptr) {
        return coroutine_state::closed;
    }
    if (f->created()) {
        return coroutine_state::created;
    }
    return is_running(*place) ? coroutine_state::running : coroutine_state::suspended;
}

/// Makes `f`, attached in a chain at rest, the root of its own part of it; its awaiter becomes the leaf of the rest.
inline void detach(frame& f) noexcept {
    const chain_lock lock;
    frame& root = root_of(f);
    frame* const leaf = root.leaf_at_rest();
    f.up->to_child = native_link::bond::none;
    root.rest(f.up->parent);
    f.rest(leaf);
}

/// Where an object of a layer above is awaited, and its frames are part of the chain of `root`, which is at rest: they
/// become a chain of their own, and that object is what the end of this one waits for. O(levels), where there can be
/// such an object.
inline void split(frame& root) noexcept {
    if (!root.awaits_objects) [[likely]] {
        return;
    }
    const chain_lock lock;
    frame* first_of_object = nullptr;
    for (frame* level = root.leaf_at_rest(); level != &root; level = level->up->parent) {
        if (level->up->translates()) {
            first_of_object = level;
        }
    }
    if (first_of_object != nullptr) {
        detach(*first_of_object);
    }
}

inline void native_link::forget() noexcept {
    const chain_lock lock;
    if (child == nullptr) {
        return;
    }
    native_link** place = &child->up;
    while (*place != this) {
        place = &(*place)->next;
    }
    *place = next;
    child = nullptr;
    to_child = bond::none;
}

/// The coroutine object of `f`, and those who still wait for it, learn that it is gone (7.6).
ISTHMUS_ALWAYS_INLINE inline void tell_gone(frame& f) noexcept {
    if (f.owner != nullptr) {
        *f.owner = nullptr;
    }
    for (native_link* link = f.up; link != nullptr; link = link->next) {
        link->child = nullptr;
        if (link->attached()) {
            link->to_child = native_link::bond::none;
        }
    }
}

/// The same, where `f` lives on.
inline void cut_off(frame& f) noexcept {
    const chain_lock lock;
    tell_gone(f);
    f.owner = nullptr;
    f.up = nullptr;
}

/// Destroys a frame that has ended. Nobody comes to it again: of what it had, only parameters are left.
inline void destroy_finished(frame& f) noexcept {
    {
        const chain_lock lock;
        tell_gone(f);
    }
    f.handle().destroy();
}

/// Destroys one frame that no chain runs through.
inline void destroy(frame& f) noexcept {
    cut_off(f);
    f.handle().destroy();
}

/// What the chain of `f` waits for at its end, if it is at rest; else null. O(levels above f).
inline delegate* awaited_at_end(frame& f) noexcept {
    const chain_lock lock;
    if (f.created()) {
        return nullptr;
    }
    frame& root = root_of(f);
    return root.runs_as_root() ? nullptr : root.leaf_at_rest()->awaiting;
}

inline void discard(frame* const& place) noexcept;

/// Leaves the chain of `root`, which runs no more, to what its `leaf` waits for.
inline void leave(frame& root, frame& leaf) noexcept {
    cut_off(root);
    {
        const chain_lock lock;
        root.rest(&leaf);
    }
    const auto destroy = [](void* what) noexcept {
        frame* const left = static_cast<frame*>(what);
        discard(left);
    };
    leaf.awaiting->keep({&root, destroy});
}

/// Destroys a chain at rest, or a frame that never started, leaf first and in a loop: destructors that recursed
/// would overflow the stack. What the leaf awaits, outside of the chain, comes first. Objects of a layer above outlive
/// it, unless they are owned here alone, and end in their own way. If the leaf waits for something that cannot end yet,
/// all that happens when it has. `busy` has the guard.
inline void destroy_chain(frame& root, activation& busy) noexcept {
    frame* level = &root;
    if (!root.created()) {
        split(root);
        level = root.leaf_at_rest();
    }
    root.join(busy, {}); // whoever asks meanwhile sees a running coroutine
    busy.guard.unlock();
    if (level->awaiting != nullptr) {
        if (level->awaiting->outlasts()) [[unlikely]] {
            leave(root, *level);
            return;
        }
        level->awaiting->destroy_awaited();
    }
    while (level != &root) {
        frame* const awaiter = level->up->parent;
        destroy(*level);
        level = awaiter;
    }
    destroy(root);
}

/// discard() on a thread that has no cache.
ISTHMUS_COLD ISTHMUS_NOINLINE inline void discard_without_cache(frame* const& place) noexcept {
    const temporary_frame_cache meanwhile;
    discard(place);
}

/// Ends the life of a frame, unless `place` is null by now (12.1: destructors run, nothing is thrown). A running one
/// cannot be destroyed yet; whoever drives it does so afterwards, if its coroutine object is gone.
inline void discard(frame* const& place) noexcept {
    frame_cache& cache = frame_cache::of_this_thread();
    if (cache.retired) [[unlikely]] {
        discard_without_cache(place);
        return;
    }
    activation busy;
    busy.guard.lock();
    if (place == nullptr) {
        return;
    }
    frame& f = *place;
    if (!f.created() && is_running(f)) {
        return;
    }
    if (f.attached()) {
        detach(f);
    }
    // A coroutine may own another in a parameter, that one a third, and so on. Past many levels, what is to be
    // destroyed is put in a list that the outermost call works off. Then it outlives its owner's other variables, to
    // which it may refer: hence a limit that only such towers reach, and for which 100 KB of stack are enough.
    constexpr unsigned nesting_limit = 500;
    if (cache.teardown_depth >= nesting_limit) {
        cut_off(f);
        f.owner = reinterpret_cast<frame**>(std::exchange(cache.teardown_pending, &f));
        return;
    }
    ++cache.teardown_depth;
    destroy_chain(f, busy);
    --cache.teardown_depth;
    while (cache.teardown_depth == 0 && cache.teardown_pending != nullptr) {
        frame* const pending = cache.teardown_pending;
        cache.teardown_pending = reinterpret_cast<frame*>(std::exchange(pending->owner, nullptr));
        activation next;
        next.guard.lock();
        ++cache.teardown_depth;
        destroy_chain(*pending, next);
        --cache.teardown_depth;
    }
}

/// Somebody else drives the child just now, or did so last.
inline void native_link::destroy_child() noexcept { discard(child); }

} // namespace isthmus::inline v1::detail
