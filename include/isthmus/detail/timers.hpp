// isthmus/detail/timers.hpp — the timers of a reactor, in the order in which they are due.
// SPDX-License-Identifier: MIT
#pragma once

#include "../task.hpp"

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace isthmus::inline v1::detail {

/// For one thread. Adding and forgetting are O(log n).
class timers {
    using time_point = reactor::clock::time_point;

public:
    timers() = default;
    ~timers() {
        for (const auto& [timer, when] : due_) {
            timer->detach();
        }
    }
    timers(const timers&) = delete;
    timers& operator=(const timers&) = delete;

    void add(time_point when, registration& timer, waker wake) {
        const auto [at, added] = wakers_.emplace(std::pair(when, &timer), std::move(wake));
        try {
            due_.emplace(&timer, when);
        } catch (...) {
            wakers_.erase(at);
            throw;
        }
    }
    /// Whether it was here.
    bool forget(registration& timer) noexcept {
        const auto at = due_.find(&timer);
        if (at == due_.end()) {
            return false;
        }
        wakers_.erase(std::pair(at->second, &timer));
        due_.erase(at);
        return true;
    }
    std::optional<time_point> next() const noexcept {
        return wakers_.empty() ? std::nullopt : std::optional(wakers_.begin()->first.first);
    }
    /// Wakes whoever waited for a time until `now`.
    void wake_until(time_point now) noexcept {
        while (!wakers_.empty() && wakers_.begin()->first.first <= now) {
            auto first = wakers_.extract(wakers_.begin());
            registration& timer = *first.key().second;
            timer.detach();
            due_.erase(&timer);
            first.mapped()();
        }
    }

private:
    std::map<std::pair<time_point, registration*>, waker> wakers_;
    std::unordered_map<registration*, time_point> due_;
};

} // namespace isthmus::inline v1::detail
