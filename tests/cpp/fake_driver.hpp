// tests/cpp/fake_driver.hpp — drives a task by hand, on a clock that the test moves.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/task.hpp>

#include <atomic>
#include <exception>
#include <map>
#include <memory>
#include <optional>
#include <utility>

namespace test {

/// Timers whose time goes by only when the test says so.
class fake_reactor final : public isthmus::reactor {
public:
    clock::time_point now() const override { return now_; }
    void wake_at(clock::time_point when, isthmus::registration& timer, isthmus::waker wake) override {
        timers_.emplace(when, std::pair(&timer, std::move(wake)));
        timer.attach(*this);
    }
    void forget(isthmus::registration& dropped) noexcept override {
        std::erase_if(timers_, [&](const auto& each) { return each.second.first == &dropped; });
    }
    void advance(clock::duration time) {
        now_ += time;
        while (!timers_.empty() && timers_.begin()->first <= now_) {
            auto first = timers_.extract(timers_.begin());
            first.mapped().first->detach();
            first.mapped().second();
        }
    }
    std::size_t timers() const noexcept { return timers_.size(); }

private:
    clock::time_point now_{};
    // Equal times in the order in which they were set.
    std::multimap<clock::time_point, std::pair<isthmus::registration*, isthmus::waker>> timers_;
};

/// Counts the wakes of the turn that is waited for.
class fake_target final : public isthmus::wake_target {
public:
    void wake(std::uint64_t turn) noexcept override {
        if (turn == expected.load()) {
            woken = true;
        }
    }
    std::atomic<std::uint64_t> expected{0};
    std::atomic<bool> woken{false};
};

/// A task and who drives it. Each call goes on until the task waits for a wake that has not come.
template <class Return>
class driven {
public:
    explicit driven(isthmus::task<Return> body) : body_(std::move(body)) {}

    void start() { settle(body_.try_send()); }
    /// Lets time go by, and resumes the task if that wakes it.
    void advance(isthmus::reactor::clock::duration time) {
        reactor.advance(time);
        resume_if_woken();
    }
    void resume_if_woken() {
        if (target->woken.exchange(false)) {
            settle(body_.try_send());
        }
    }
    void cancel() { throw_in(std::make_exception_ptr(isthmus::cancelled())); }
    void throw_in(std::exception_ptr error) { settle(body_.try_throw(std::move(error))); }
    bool done() const { return ended_.has_value(); }
    /// The result; throws the error.
    Return result() { return std::move(*ended_).get().returned(); }
    std::exception_ptr error() const { return ended_->failed() ? ended_->error() : nullptr; }
    isthmus::task<Return>& body() { return body_; }

    fake_reactor reactor;
    std::shared_ptr<fake_target> target = std::make_shared<fake_target>();
    int yields = 0;

private:
    using outcome = typename isthmus::task<Return>::outcome_type;

    void settle(outcome now) {
        while (true) {
            if (now.failed() || now.done()) {
                ended_.emplace(std::move(now));
                return;
            }
            ++yields;
            target->woken = false;
            if (!now.yielded().start(reactor, isthmus::waker(target, ++target->expected))) {
                return;
            }
            now = body_.try_send();
        }
    }

    isthmus::task<Return> body_;
    std::optional<outcome> ended_;
};

} // namespace test
