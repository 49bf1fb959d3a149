// isthmus/detail/poll_reactor.hpp — the reactor of run(): timers and poll(), on the thread that waits.
// SPDX-License-Identifier: MIT
#pragma once

#include "timers.hpp"
#include "wakeup.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <poll.h>
#include <system_error>
#include <utility>
#include <vector>

namespace isthmus::inline v1::detail {

/// Blocks until a waker was called. All but the wakers is for one thread.
class poll_reactor final : public reactor {
public:
    poll_reactor() : target_(std::make_shared<target>()) {}
    ~poll_reactor() {
        for (const watched& each : watched_) {
            each.by->detach();
        }
    }
    poll_reactor(const poll_reactor&) = delete;
    poll_reactor& operator=(const poll_reactor&) = delete;

    /// What the next wait() waits for.
    waker next_waker() noexcept { return waker(target_, target_->next_turn()); }

    /// Returns when the last waker was called, by a timer, a descriptor or another thread.
    void wait() {
        while (!target_->woken()) {
            poll_once();
        }
    }

    void wake_at(clock::time_point when, registration& timer, waker wake) override {
        timers_.add(when, timer, std::move(wake));
        timer.attach(*this);
    }
    void wake_when(int descriptor, io_event event, registration& by, waker wake) override {
        watched_.push_back({descriptor, event, &by, std::move(wake)});
        by.attach(*this);
    }
    void forget(registration& dropped) noexcept override {
        if (!timers_.forget(dropped)) {
            std::erase_if(watched_, [&](const watched& each) { return each.by == &dropped; });
        }
    }

private:
    class target final : public wake_target {
    public:
        std::uint64_t next_turn() noexcept { return turn_.fetch_add(1, std::memory_order_relaxed) + 1; }
        bool woken() const noexcept {
            return woken_.load(std::memory_order_acquire) == turn_.load(std::memory_order_relaxed);
        }
        void wake(std::uint64_t turn) noexcept override {
            std::uint64_t seen = woken_.load(std::memory_order_relaxed);
            while (seen < turn && !woken_.compare_exchange_weak(seen, turn, std::memory_order_release)) {}
            wakeup_.notify();
        }
        const wakeup& descriptor() const noexcept { return wakeup_; }

    private:
        std::atomic<std::uint64_t> turn_{0};
        std::atomic<std::uint64_t> woken_{0};
        wakeup wakeup_;
    };
    struct watched {
        int descriptor;
        io_event event;
        registration* by;
        waker wake;
    };

    void poll_once() {
        polled_.clear();
        polled_.push_back({target_->descriptor().descriptor(), POLLIN, 0});
        for (const watched& each : watched_) {
            polled_.push_back({each.descriptor, each.event == io_event::readable ? short{POLLIN} : short{POLLOUT}, 0});
        }
        if (::poll(polled_.data(), polled_.size(), timeout()) < 0 && errno != EINTR) {
            throw std::system_error(errno, std::generic_category(), "isthmus: poll");
        }
        if (polled_[0].revents != 0) {
            target_->descriptor().clear();
        }
        for (std::size_t i = polled_.size(); i-- > 1;) { // from the end, as it takes them out
            if (polled_[i].revents != 0) {
                const auto at = watched_.begin() + static_cast<std::ptrdiff_t>(i - 1);
                waker wake = std::move(at->wake);
                at->by->detach();
                watched_.erase(at);
                wake();
            }
        }
        timers_.wake_until(now());
    }

    /// In milliseconds, rounded up; -1 for ever.
    int timeout() const {
        const std::optional<clock::time_point> next = timers_.next();
        if (!next) {
            return -1;
        }
        const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now()).count();
        return static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000)); // it is asked again when that is over
    }

    std::shared_ptr<target> target_;
    timers timers_;
    std::vector<watched> watched_;
    std::vector<pollfd> polled_;
};

} // namespace isthmus::inline v1::detail
