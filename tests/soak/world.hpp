// tests/soak/world.hpp — what the soak test does at random, as tasks that know neither Python nor a loop, and the
// accounts that must balance when all of it is over.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/isthmus.hpp>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <queue>
#include <random>
#include <string>
#include <thread>
#include <vector>

namespace soak {

using isthmus::task;
using random = std::minstd_rand; // each operation has its own, from a seed: small
using clock = std::chrono::steady_clock;

inline int roll(random& dice, int sides) { return static_cast<int>(dice() % static_cast<unsigned>(sides)); }

/// How something ended. `destroyed`: in flight.
enum class ending : std::uint8_t { completed, failed, timed_out, cancelled, destroyed };
inline constexpr std::array<const char*, 5> ending_names{"completed", "failed", "timed out", "cancelled", "destroyed"};

/// How many of one kind were begun, and how they ended.
class ledger {
public:
    void begin() noexcept { ++begun_; }
    void end(ending how) noexcept { ++ended_[static_cast<std::size_t>(how)]; }

    std::int64_t begun() const noexcept { return begun_; }
    std::int64_t ended(ending how) const noexcept { return ended_[static_cast<std::size_t>(how)]; }
    std::int64_t pending() const noexcept {
        std::int64_t left = begun_;
        for (const auto& each : ended_) {
            left -= each;
        }
        return left;
    }

private:
    std::atomic<std::int64_t> begun_{0};
    std::array<std::atomic<std::int64_t>, ending_names.size()> ended_{};
};

/// A line in the ledger: ends once, at the latest when it is destroyed.
class entry {
public:
    explicit entry(ledger& owner) noexcept : owner_(owner) { owner_.begin(); }
    entry(const entry&) = delete;
    entry& operator=(const entry&) = delete;
    ~entry() {
        if (!ended_) {
            owner_.end(ending::destroyed);
        }
    }
    void end(ending how) noexcept {
        ended_ = true;
        owner_.end(how);
    }
    bool has_ended() const noexcept { return ended_; }

private:
    ledger& owner_;
    bool ended_ = false;
};

/// Threads that call functions after a while.
class worker_threads {
public:
    explicit worker_threads(int count);
    ~worker_threads();
    void call_after(std::chrono::microseconds delay, std::function<void()> function);
    /// Waits until all that was asked for is done.
    void drain();

private:
    struct job {
        clock::time_point due;
        std::function<void()> function;
        bool operator<(const job& other) const noexcept { return due > other.due; } // the earliest is on top
    };
    void work();

    std::mutex lock_;
    std::condition_variable changed_;
    std::priority_queue<job> queue_;
    int busy_ = 0;
    bool stopping_ = false;
    std::vector<std::thread> threads_;
};

/// Everything that the operations share.
struct world {
    world(std::string socket_path, int threads) : path(std::move(socket_path)), workers(threads) {}

    std::string path;           ///< of the server's socket
    ledger operations;          ///< each `act`
    ledger jobs;                ///< each job that workers do
    ledger deliveries;          ///< each result that workers brought: as many as were asked for
    std::atomic<int> faults{0}; ///< what must never happen; each is printed
    worker_threads workers;

    void fault(const char* text) noexcept;
    /// Waits for the workers; a fault if anything is still open then.
    void expect_balance();
    /// How many there were of each kind, and how they ended, as text.
    std::string accounts() const;
};

/// A result that workers bring, as one value that only this one expects.
task<> await_completion(world& in, std::uint64_t seed);
/// One operation, or several at once, chosen by the seed; all errors are part of it, cancellation is raised.
task<> act(world& in, std::uint64_t seed);

/// What the allocator has handed out just now.
std::size_t allocated_bytes();
int open_descriptors();

} // namespace soak
