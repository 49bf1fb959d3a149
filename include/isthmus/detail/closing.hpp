// isthmus/detail/closing.hpp — what is thrown into a chain, and how a GeneratorExit closes it level by level.
// SPDX-License-Identifier: MIT
#pragma once

#include "chain.hpp"

#include <exception>
#include <utility>

namespace isthmus::inline v1::detail {

/// Raises `step.injected` in `f`, its own leaf: where `f` is suspended, unless it passes errors on.
inline void raise_in(frame& f, activation& step, driver_traits driver, bool passes_errors) noexcept {
    frame* const leaf = join_step(f, step, driver);
    if (passes_errors) {
        f.fail(step.take_injected());
        step.leaf = nullptr;
    } else {
        f.tell_arrival(*step.injected);
        drive_on(step, leaf);
    }
}

/// Whether `f` is suspended in the co_await or co_yield of a nothrow().
inline bool passes_errors(const frame& f) noexcept {
    return f.awaiting != nullptr ? f.awaiting->passes_errors : f.passes_errors;
}

inline std::exception_ptr native_link::take_closed_child(frame& closed, activation& step) noexcept {
    if (step.yielded != nullptr) { // it stays suspended, detached; whoever drives it next may be no Python
        std::exception_ptr refused = make_misuse(misuse::ignored_generator_exit, closed.kind);
        bool abandoned = false;
        {
            const chain_lock lock;
            abandoned = bring_to_rest(closed, step);
            split(closed);
        }
        if (abandoned) {
            discard(&closed);
        }
        return refused;
    }
    std::exception_ptr error = closed.take_error();
    destroy(closed);
    return error && !is_generator_exit(error) ? error : nullptr;
}

/// GeneratorExit goes level by level (5.23, 6.9, 6.13): closes each level below `root`, from the leaf up, as a root
/// of its own. `root` must count as running. Returns the error that `root` gets instead of the GeneratorExit, or
/// null. Afterwards `root` is its own leaf.
inline std::exception_ptr close_below(frame& root, frame* level) noexcept {
    bool passes = passes_errors(*level);
    std::exception_ptr error = level->awaiting != nullptr ? level->awaiting->close() : nullptr;
    level->awaiting = nullptr;
    while (level != &root) {
        native_link& link = *level->up;
        frame* const awaiter = link.parent;
        {
            const chain_lock lock;
            link.to_child = native_link::bond::none;
        }
        const std::exception_ptr injected = error ? std::move(error) : std::make_exception_ptr(generator_exit());
        activation step;
        step.leaf = level;
        step.injected = &injected;
        step.observer = root.observer();
        raise_in(*level, step, {.observed = step.observer != nullptr}, passes);
        error = link.take_closed(*level, step);
        passes = passes_errors(*awaiter);
        awaiter->awaiting = nullptr;
        level = awaiter;
    }
    return error;
}

/// Throws `error` into `f`, prepared by begin() and suspended. A GeneratorExit closes the levels below, unless the leaf
/// waits for something that cannot end yet: then that is cancelled, and the chain goes on waiting, as a coroutine that
/// awaits when it cleans up does (6.5).
inline void throw_step(frame& f, activation& step, driver_traits driver, const std::exception_ptr& error) noexcept {
    step.injected = &error;
    frame* const leaf = join_step(f, step, driver);
    if (!is_generator_exit(error) || outlasted_by(leaf->awaiting)) {
        if (leaf->awaiting == nullptr && !leaf->passes_errors) { // otherwise that decides what becomes of it
            leaf->tell_arrival(error);
        }
        drive_on(step, leaf);
        return;
    }
    const bool passes = passes_errors(f);
    step.leaf = &f;
    const std::exception_ptr replaced = close_below(f, leaf);
    if (replaced) {
        step.injected = &replaced;
    }
    raise_in(f, step, driver, passes);
}

/// close() of what is awaited, outside of the chain or gone by now. Its value is dropped.
inline std::exception_ptr native_link::close_child() noexcept {
    activation step;
    frame* f = nullptr;
    if (const misuse refused = begin(child, step, {}, f); refused != misuse::none) {
        return refused == misuse::already_finished ? nullptr : make_misuse(refused, child_kind);
    }
    if (f->created()) {
        destroy_unstarted(*f, step);
        return nullptr;
    }
    throw_step(*f, step, {}, std::make_exception_ptr(generator_exit()));
    return take_closed_child(*f, step);
}

} // namespace isthmus::inline v1::detail
