// isthmus/event.hpp — a flag that tasks wait for, and any thread sets.
// SPDX-License-Identifier: MIT
#pragma once

#include "task.hpp"

#include <memory>
#include <mutex>
#include <utility>

namespace isthmus::inline v1 {

namespace detail {

/// A link of a circular list, or its head.
struct event_waiter {
    event_waiter* previous = this;
    event_waiter* next = this;
    bool signalled = false;
    waker wake;

    event_waiter() noexcept = default;
    event_waiter(const event_waiter&) = delete;
    event_waiter& operator=(const event_waiter&) = delete;

    bool is_linked() const noexcept { return next != this; }
    void unlink() noexcept {
        previous->next = next;
        next->previous = previous;
        previous = next = this;
    }
    /// Becomes the one before `place`.
    void link_before(event_waiter& place) noexcept {
        previous = place.previous;
        next = &place;
        previous->next = this;
        place.previous = this;
    }
};

struct event_state {
    std::mutex lock;
    bool set = false;
    event_waiter waiting; ///< the head of those who wait
};

class event_operation {
public:
    explicit event_operation(std::shared_ptr<event_state> state) noexcept : state_(std::move(state)) {}
    event_operation(const event_operation&) = delete;
    event_operation& operator=(const event_operation&) = delete;
    ~event_operation() { cancel(); }

    // As an operation: see the concept of that name.
    bool start(reactor&, waker wake) {
        const std::lock_guard guard(state_->lock);
        if (self_.signalled || (state_->set && !self_.is_linked())) {
            return true;
        }
        self_.wake = std::move(wake);
        if (!self_.is_linked()) {
            self_.link_before(state_->waiting);
        }
        return false;
    }
    bool cancel() noexcept {
        const std::lock_guard guard(state_->lock);
        self_.unlink();
        return true;
    }
    void result() const noexcept {}

private:
    std::shared_ptr<event_state> state_;
    event_waiter self_;
};

} // namespace detail

/// A flag, unset at first. `co_await e.wait()` in a task waits until it is set, under any driver; any number of tasks
/// may. Its copies are the same event, so a thread that keeps one can set it whatever has become of the task. All
/// members are for any thread.
///
///     task<> worker(event stop) {
///         co_await stop.wait();
///     }
class event {
public:
    event() : state_(std::make_shared<detail::event_state>()) {}
    event(const event&) noexcept = default; // moved from, it is the event still
    event& operator=(const event&) noexcept = default;
    ~event() = default;

    /// Wakes all who wait, in the order in which they came, also if it is reset before they go on. From now on nobody
    /// waits. O(waiting).
    void set() noexcept {
        const std::shared_ptr<detail::event_state> state = state_; // whoever is woken may destroy this
        detail::event_waiter woken;
        std::unique_lock lock(state->lock);
        state->set = true;
        if (state->waiting.is_linked()) {
            woken.link_before(state->waiting);
            state->waiting.unlink();
        }
        while (woken.is_linked()) {
            detail::event_waiter& first = *woken.next;
            first.unlink();
            first.signalled = true;
            waker now = std::move(first.wake);
            lock.unlock();
            now();
            lock.lock();
        }
    }
    /// From now on tasks wait again.
    void reset() noexcept {
        const std::lock_guard guard(state_->lock);
        state_->set = false;
    }
    bool is_set() const noexcept {
        const std::lock_guard guard(state_->lock);
        return state_->set;
    }
    /// To be awaited in a task or a py::coroutine. Does not wait if it is set.
    detail::event_operation wait() const noexcept { return detail::event_operation(state_); }

private:
    std::shared_ptr<detail::event_state> state_;
};

} // namespace isthmus::inline v1
