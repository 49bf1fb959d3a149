// isthmus/python/reactor.hpp — timers and file descriptors for tasks under a Python event loop.
// SPDX-License-Identifier: MIT
#pragma once

#include "../detail/timers.hpp"
#include "object.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <optional>
#include <string>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <system_error>
#include <unistd.h>
#include <unordered_map>
#include <vector>

namespace isthmus::inline v1::py::detail {

/// One descriptor stands for all that the tasks of a loop wait for, so any loop that can wait for one will do. For the
/// loop's thread, with the GIL.
class loop_reactor final : public reactor {
public:
    loop_reactor() : timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
        check(timer_.value, "timerfd_create");
        check(epoll_.value, "epoll_create1");
        update(EPOLL_CTL_ADD, timer_.value, EPOLLIN);
    }
    ~loop_reactor() {
        for (const auto& [descriptor, waiting] : watched_) {
            for (const watched& each : waiting) {
                each.by->detach();
            }
        }
    }
    loop_reactor(const loop_reactor&) = delete;
    loop_reactor& operator=(const loop_reactor&) = delete;

    /// Readable when dispatch() has something to do.
    int descriptor() const noexcept { return epoll_.value; }

    /// Calls the wakers of all that is due or ready.
    void dispatch() noexcept {
        epoll_event events[64];
        const int count = ::epoll_wait(epoll_.value, events, 64, 0);
        for (int i = 0; i < count; ++i) {
            if (events[i].data.fd != timer_.value) {
                wake(events[i].data.fd, events[i].events);
            }
        }
        timers_.wake_until(now());
        arm();
    }

    void wake_at(clock::time_point when, registration& timer, waker wake) override {
        timers_.add(when, timer, std::move(wake));
        timer.attach(*this);
        arm();
    }
    void wake_when(int descriptor, io_event event, registration& by, waker wake) override {
        std::vector<watched>& waiting = watched_[descriptor];
        const int operation = waiting.empty() ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        waiting.push_back({event, &by, std::move(wake)});
        try {
            update(operation, descriptor, interest(waiting));
        } catch (...) {
            waiting.pop_back();
            if (waiting.empty()) {
                watched_.erase(descriptor);
            }
            throw;
        }
        by.attach(*this);
    }
    isthmus::detail::blocking_call blocking() const noexcept override { return block_without_gil; }
    void forget(registration& dropped) noexcept override {
        if (timers_.forget(dropped)) {
            return; // the timer may come in vain
        }
        for (auto& [descriptor, waiting] : watched_) {
            if (std::erase_if(waiting, [&](const watched& each) { return each.by == &dropped; }) != 0) {
                settle(descriptor, waiting);
                return;
            }
        }
    }

private:
    struct owned_descriptor {
        ~owned_descriptor() {
            if (value >= 0) {
                ::close(value);
            }
        }
        int value;
    };
    struct watched {
        io_event event;
        registration* by;
        waker wake;
    };

    static void block_without_gil(void (*wait)(void*), void* context) {
        without_gil([&] { wait(context); });
    }
    static void check(int result, const char* function) {
        if (result < 0) {
            throw std::system_error(errno, std::generic_category(), std::string("isthmus: ") + function);
        }
    }
    static std::uint32_t interest(const std::vector<watched>& waiting) noexcept {
        std::uint32_t events = 0;
        for (const watched& each : waiting) {
            events |= each.event == io_event::readable ? EPOLLIN : EPOLLOUT;
        }
        return events;
    }
    void update(int operation, int descriptor, std::uint32_t events) {
        epoll_event event{};
        event.events = events;
        event.data.fd = descriptor;
        check(::epoll_ctl(epoll_.value, operation, descriptor, &event), "epoll_ctl");
    }
    /// After some who waited for it are gone. The descriptor may have been closed: then epoll has dropped it.
    void settle(int descriptor, std::vector<watched>& waiting) noexcept {
        epoll_event event{};
        event.events = interest(waiting);
        event.data.fd = descriptor;
        ::epoll_ctl(epoll_.value, waiting.empty() ? EPOLL_CTL_DEL : EPOLL_CTL_MOD, descriptor, &event);
        if (waiting.empty()) {
            watched_.erase(descriptor);
        }
    }
    void wake(int descriptor, std::uint32_t events) noexcept {
        const auto at = watched_.find(descriptor);
        if (at == watched_.end()) {
            return;
        }
        const auto is_ready = [&](const watched& each) {
            const std::uint32_t wanted = each.event == io_event::readable ? EPOLLIN : EPOLLOUT;
            return (events & (wanted | EPOLLERR | EPOLLHUP)) != 0;
        };
        for (watched& each : at->second) {
            if (is_ready(each)) {
                each.by->detach();
                each.wake();
                each.by = nullptr;
            }
        }
        std::erase_if(at->second, [](const watched& each) { return each.by == nullptr; });
        settle(descriptor, at->second);
    }
    /// Sets the timer to what is due next.
    void arm() noexcept {
        const auto next = timers_.next();
        if (next == armed_) {
            return;
        }
        armed_ = next;
        itimerspec when{};
        if (next) {
            const auto since = std::max(next->time_since_epoch(), clock::duration(1)); // zero would disarm it
            const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(since);
            when.it_value.tv_sec = static_cast<time_t>(seconds.count());
            when.it_value.tv_nsec = static_cast<long>(std::chrono::nanoseconds(since - seconds).count());
        }
        ::timerfd_settime(timer_.value, TFD_TIMER_ABSTIME, &when, nullptr);
    }

    owned_descriptor timer_;
    owned_descriptor epoll_{::epoll_create1(EPOLL_CLOEXEC)};
    isthmus::detail::timers timers_;
    std::optional<clock::time_point> armed_;
    std::unordered_map<int, std::vector<watched>> watched_;
};

} // namespace isthmus::inline v1::py::detail
