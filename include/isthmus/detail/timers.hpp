// isthmus/detail/timers.hpp — the timers of a reactor, in the order in which they are due.
// SPDX-License-Identifier: MIT
#pragma once

#include "../task.hpp"

#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

namespace isthmus::inline v1::detail {

/// For one thread. Those that are due at the same time are woken in the order in which they were added. Adding and
/// forgetting are O(log n).
class timers {
    using time_point = reactor::clock::time_point;

public:
    timers() = default;
    ~timers() {
        for (const auto& [timer, place] : places_) {
            timer->detach();
        }
    }
    timers(const timers&) = delete;
    timers& operator=(const timers&) = delete;

    void add(time_point when, registration& timer, waker wake) {
        const auto place = due_.emplace(when, entry(&timer, std::move(wake)));
        try {
            places_.emplace(&timer, place);
        } catch (...) {
            due_.erase(place);
            throw;
        }
    }
    /// Whether it was here.
    bool forget(registration& timer) noexcept {
        const auto at = places_.find(&timer);
        if (at == places_.end()) {
            return false;
        }
        due_.erase(at->second);
        places_.erase(at);
        return true;
    }
    std::optional<time_point> next() const noexcept {
        return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
    }
    /// Wakes whoever waited for a time until `now`.
    void wake_until(time_point now) noexcept {
        while (!due_.empty() && due_.begin()->first <= now) {
            auto first = due_.extract(due_.begin());
            registration& timer = *first.mapped().first;
            timer.detach();
            places_.erase(&timer);
            first.mapped().second();
        }
    }

private:
    using entry = std::pair<registration*, waker>;
    std::multimap<time_point, entry> due_; ///< equal ones in the order in which they were added
    std::unordered_map<registration*, std::multimap<time_point, entry>::iterator> places_;
};

} // namespace isthmus::inline v1::detail
