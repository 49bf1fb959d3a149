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
#include <stdexcept>
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

struct world;

/// What the operations are about.
struct kind {
    std::function<task<>(std::uint64_t)> one;                 ///< one operation, chosen by the seed
    std::function<bool()> is_at_rest = []() { return true; }; ///< when all are over: whether the server knows it
    int at_once = 800;                                        ///< how many on a thread
    std::size_t cached = 0; ///< how much the caches of frames may grow by, as frames go from one thread to another
};
/// This library was built without what a kind needs.
struct left_out : std::runtime_error {
    using std::runtime_error::runtime_error;
};
/// Timers, descriptors and what workers do: needs nothing but Isthmus.
kind plain_kind(world& in);
/// Asio's timers and sockets, on threads of its own, and tasks that it drives.
kind asio_kind(world& in);
/// Commands for a PostgreSQL server, by the client of the example.
kind postgres_kind(world& in);
/// "plain", "asio" or "postgres". Throws left_out.
kind make_kind(world& in, const std::string& name);

/// Everything that the operations share.
struct world {
    world(const std::string& name_of_kind, std::string address_of_server, int threads)
        : address(std::move(address_of_server)), operate(make_kind(*this, name_of_kind)), workers(threads) {}

    std::string address;        ///< of the server: the path of its socket, or what libpq takes
    ledger operations;          ///< each `act`
    ledger jobs;                ///< each job that workers do
    ledger deliveries;          ///< each result that workers, or other threads, brought: as many as were asked for
    std::atomic<int> faults{0}; ///< what must never happen; each is printed
    kind operate;
    worker_threads workers;

    void fault(const char* text) noexcept;
    /// Waits for the workers, and a little for other threads and the server; a fault if anything is still open then.
    void expect_balance();
    /// How many there were of each kind, and how they ended, as text.
    std::string accounts() const;
};

/// A result that workers bring, as one value that only this one expects.
task<> await_completion(world& in, std::uint64_t seed);
/// One operation, or several at once, chosen by the seed; all errors are part of it, cancellation is raised.
task<> act(world& in, std::uint64_t seed);

/// Returns `check()` as soon as that is true, false if it is not after ten seconds.
bool comes_true(const std::function<bool()>& check);

/// A time of its own choice, often none.
std::chrono::microseconds some_time(random& dice, int at_most);

/// How much more may be allocated in the last rounds than in the first ones, in which caches grow to their limit.
inline std::size_t tolerance(const kind& of) {
    return std::size_t{256} * 1024 + (ISTHMUS_RECYCLE_FRAMES ? of.cached : 0);
}
/// What the allocator has handed out just now.
std::size_t allocated_bytes();
int open_descriptors();

} // namespace soak
