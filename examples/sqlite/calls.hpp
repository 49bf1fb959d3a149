// examples/sqlite/calls.hpp — the calls of one connection: a queue, and the work on it, one call at a time.
// SPDX-License-Identifier: MIT
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <stop_token>
#include <utility>
#include <vector>

/// A transaction, from when it begins until it ends. Transactions nest, so a call may belong to several.
using transaction_id = std::uint64_t;
using transaction_ids = std::vector<transaction_id>;

/// Calls are made in the order in which they were added. While a transaction runs, only those that belong to it are
/// made, and the others wait; of transactions within each other, the innermost counts.
///
/// Any thread may do all this, but work() is for one at a time.
class call_queue {
public:
    class call {
    public:
        explicit call(transaction_ids of) : belongs_to(std::move(of)) {}
        virtual ~call() = default;
        call(const call&) = delete;
        call& operator=(const call&) = delete;
        virtual void run() noexcept = 0;

        const transaction_ids belongs_to;
        std::stop_source stop;

    private:
        friend class call_queue;
        enum class state_type { outside, waiting, begun } state = state_type::outside;
        std::list<std::shared_ptr<call>>::iterator place;
    };
    enum class end { front, back };

    /// True if nobody works on the queue: then the caller has somebody call work(), or else give_up(). If somebody
    /// does, wake() hurries him.
    [[nodiscard]] bool add(std::shared_ptr<call> added, end where) {
        const std::lock_guard lock(mutex_);
        call& it = *added;
        it.state = call::state_type::waiting;
        it.place = waiting_.insert(where == end::front ? waiting_.begin() : waiting_.end(), std::move(added));
        ++changes_;
        return !std::exchange(somebody_works_, true);
    }
    void wake() noexcept { wake_.notify_one(); }
    void give_up() noexcept {
        const std::lock_guard lock(mutex_);
        somebody_works_ = false;
    }
    /// Takes back a call that has not begun, and stops one that has.
    void withdraw(call& unwanted) noexcept {
        std::unique_lock lock(mutex_);
        if (unwanted.state == call::state_type::waiting) {
            unwanted.state = call::state_type::outside;
            const std::shared_ptr<call> last = std::move(*unwanted.place); // may die with the lock released
            waiting_.erase(unwanted.place);
            lock.unlock();
        } else if (unwanted.state == call::state_type::begun) {
            lock.unlock();
            unwanted.stop.request_stop();
        }
    }
    /// Has a short `action` run between two calls: now and here, if none is being made. True as for add().
    [[nodiscard]] bool between_calls(std::function<void()> action) {
        std::unique_lock lock(mutex_);
        actions_.push_back(std::move(action));
        if (busy_) {
            return false;
        }
        run_actions(lock);
        wake_.notify_one();
        return next() != waiting_.end() && !std::exchange(somebody_works_, true);
    }

    /// Makes the calls, and returns when there have been none for a while, or after a stop.
    void work(const std::stop_token& stop) {
        std::unique_lock lock(mutex_);
        while (true) {
            wake_.wait(lock, [this] { return !busy_; });
            const auto chosen = stop.stop_requested() ? waiting_.end() : next();
            if (chosen == waiting_.end()) {
                if (!stop.stop_requested() && !last_one_ && expect_another(lock)) {
                    continue;
                }
                somebody_works_ = false;
                return;
            }
            const std::shared_ptr<call> made = std::move(*chosen);
            waiting_.erase(chosen);
            made->state = call::state_type::begun;
            busy_ = true;
            lock.unlock();
            {
                const std::stop_callback forward(stop, [&made] { made->stop.request_stop(); });
                made->run();
            }
            lock.lock();
            made->state = call::state_type::outside;
            run_actions(lock);
        }
    }

    /// For a call that runs: it is not worth while to wait for more.
    void expect_no_more() noexcept {
        const std::lock_guard lock(mutex_);
        last_one_ = true;
    }
    // Likewise: transactions begin and end.
    void begin(transaction_id transaction) {
        const std::lock_guard lock(mutex_);
        running_.push_back(transaction);
    }
    /// Also ends those within it.
    void finish(transaction_id transaction) noexcept {
        const std::lock_guard lock(mutex_);
        running_.erase(std::find(running_.begin(), running_.end(), transaction), running_.end());
    }
    bool is_running(transaction_id transaction) const noexcept {
        const std::lock_guard lock(mutex_);
        return std::find(running_.begin(), running_.end(), transaction) != running_.end();
    }

private:
    std::list<std::shared_ptr<call>>::iterator next() {
        return std::find_if(waiting_.begin(), waiting_.end(), [this](const std::shared_ptr<call>& waiting) {
            const transaction_ids& its = waiting->belongs_to;
            return running_.empty() || std::find(its.begin(), its.end(), running_.back()) != its.end();
        });
    }

    void run_actions(std::unique_lock<std::mutex>& lock) {
        busy_ = true;
        while (!actions_.empty()) {
            const std::function<void()> action = std::move(actions_.front());
            actions_.pop_front();
            lock.unlock();
            action();
            lock.lock();
        }
        busy_ = false;
        ++changes_;
    }

    /// Waits a little for one more call: who has just got a result often asks for the next, and starting a worker is
    /// dear. Only a few may wait like that, fewer than there are threads: others need them.
    bool expect_another(std::unique_lock<std::mutex>& lock) {
        static std::atomic<int> expecting = 0;
        const unsigned before = changes_;
        const bool added =
            ++expecting <= 4 && wake_.wait_for(lock, std::chrono::milliseconds(5), [&] { return changes_ != before; });
        --expecting;
        return added;
    }

    mutable std::mutex mutex_;
    std::condition_variable wake_;
    bool somebody_works_ = false;
    bool last_one_ = false;
    bool busy_ = false;    ///< a call or an action runs
    unsigned changes_ = 0; ///< after which a call may be made that could not be before
    std::list<std::shared_ptr<call>> waiting_;
    std::deque<std::function<void()>> actions_;
    transaction_ids running_; ///< transactions, the innermost last
};
