// tests/soak/world.cpp — compiled without Python's headers.
// SPDX-License-Identifier: MIT

#include "world.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <iterator>
#include <malloc.h>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string_view>
#include <sys/socket.h>
#include <sys/un.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#if defined(Py_PYTHON_H)
#error "this library is to know nothing of Python"
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SOAK_SANITIZED
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SOAK_SANITIZED
#endif
#endif
#ifdef SOAK_SANITIZED
extern "C" std::size_t __sanitizer_get_current_allocated_bytes();
#endif

namespace soak {

// ---- threads and accounts ------------------------------------------------------------------------------------------

worker_threads::worker_threads(int count) {
    for (int i = 0; i < count; ++i) {
        threads_.emplace_back([this] { work(); });
    }
}

worker_threads::~worker_threads() {
    drain();
    {
        const std::lock_guard guard(lock_);
        stopping_ = true;
    }
    changed_.notify_all();
    for (std::thread& each : threads_) {
        each.join();
    }
}

void worker_threads::call_after(std::chrono::microseconds delay, std::function<void()> function) {
    {
        const std::lock_guard guard(lock_);
        queue_.push({clock::now() + delay, std::move(function)});
    }
    changed_.notify_one();
}

void worker_threads::drain() {
    std::unique_lock lock(lock_);
    changed_.wait(lock, [this] { return queue_.empty() && busy_ == 0; });
}

void worker_threads::work() {
    std::unique_lock lock(lock_);
    while (!stopping_) {
        if (queue_.empty()) {
            changed_.wait(lock);
        } else if (const clock::time_point due = queue_.top().due; due > clock::now()) {
            changed_.wait_until(lock, due);
        } else {
            std::function<void()> function = std::move(const_cast<job&>(queue_.top()).function);
            queue_.pop();
            ++busy_;
            lock.unlock();
            function();
            function = nullptr;
            lock.lock();
            --busy_;
            if (queue_.empty() && busy_ == 0) {
                changed_.notify_all();
            }
        }
    }
}

void world::fault(const char* text) noexcept {
    ++faults;
    std::fprintf(stderr, "soak: %s\n", text);
}

void world::expect_balance() {
    workers.drain();
    const auto balances = [this] {
        return operations.pending() == 0 && jobs.pending() == 0 && deliveries.pending() == 0;
    };
    if (!comes_true(balances)) {
        fault("the accounts do not balance");
        std::fprintf(stderr, "soak: pending: %lld operations, %lld jobs, %lld deliveries\n",
                     static_cast<long long>(operations.pending()), static_cast<long long>(jobs.pending()),
                     static_cast<long long>(deliveries.pending()));
    } else if (!comes_true(operate.is_at_rest)) {
        fault("the server waits for somebody");
    }
}

bool comes_true(const std::function<bool()>& check) {
    const clock::time_point end = clock::now() + std::chrono::seconds(10);
    while (!check()) {
        if (clock::now() > end) {
            return false;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
}

std::chrono::microseconds some_time(random& dice, int at_most) {
    return std::chrono::microseconds(roll(dice, 4) == 0 ? 0 : roll(dice, at_most));
}

kind make_kind(world& in, const std::string& name) {
    if (name == "plain") {
        return plain_kind(in);
    }
    if (name == "asio") {
#if defined(SOAK_ASIO)
        return asio_kind(in);
#else
        throw left_out("this was built without Asio");
#endif
    }
    if (name == "postgres") {
#if defined(SOAK_POSTGRES)
        return postgres_kind(in);
#else
        throw left_out("this was built without libpq");
#endif
    }
    throw std::invalid_argument(name);
}

std::string world::accounts() const {
    std::string text;
    const auto add = [&text](const char* name, const ledger& account) {
        text += std::to_string(account.begun()) + " " + name + ":";
        for (std::size_t i = 0; i < ending_names.size(); ++i) {
            text += " " + std::to_string(account.ended(static_cast<ending>(i))) + " " + ending_names[i];
        }
        text += "\n";
    };
    add("operations", operations);
    add("jobs", jobs);
    add("deliveries", deliveries);
    return text;
}

std::size_t allocated_bytes() {
#ifdef SOAK_SANITIZED
    return __sanitizer_get_current_allocated_bytes();
#else
    return mallinfo2().uordblks;
#endif
}

int open_descriptors() {
    const std::filesystem::directory_iterator open("/proc/self/fd");
    return static_cast<int>(std::distance(begin(open), end(open))) - 1;
}

// ---- an operation of its own ---------------------------------------------------------------------------------------

namespace {

/// Work for the workers. At random it is over at once, fails, can be cancelled at once, or only by a worker.
class job {
public:
    job(world& in, random& dice) : in_(in), entry_(in.jobs), dice_(dice()) {}
    job(const job&) = delete;
    job& operator=(const job&) = delete;
    ~job() {
        if (!entry_.has_ended() && shared_ != nullptr && is_over()) {
            entry_.end(ending::cancelled); // the worker has answered to cancel()
        } // else destroyed in flight: the worker finds nobody
    }

    bool start(isthmus::reactor&, isthmus::waker wake) {
        if (shared_ != nullptr) { // a new waker, after cancel()
            const std::lock_guard guard(shared_->lock);
            shared_->wake = std::move(wake);
            return shared_->over;
        }
        shared_ = std::make_shared<shared>();
        if (roll(dice_, 8) == 0) {
            shared_->over = true;
            return true;
        }
        shared_->wake = std::move(wake);
        deliver_after(some_time(dice_, 6000));
        return false;
    }

    bool cancel() noexcept {
        if (entry_.has_ended()) {
            in_.fault("an operation that is over was cancelled");
        }
        if (roll(dice_, 2) == 0) {
            const std::lock_guard guard(shared_->lock);
            shared_->wake = isthmus::waker();
            entry_.end(ending::cancelled);
            return true;
        }
        deliver_after(some_time(dice_, 500)); // two workers may now be about to deliver
        return false;
    }

    void result() {
        if (entry_.has_ended() || !is_over()) {
            in_.fault(entry_.has_ended() ? "an operation gave two results" : "an operation was resumed early");
        }
        if (roll(dice_, 4) == 0) {
            entry_.end(ending::failed);
            throw std::runtime_error("the job failed");
        }
        entry_.end(ending::completed);
    }

private:
    struct shared {
        std::mutex lock;
        isthmus::waker wake;
        bool over = false;
    };

    bool is_over() const {
        const std::lock_guard guard(shared_->lock);
        return shared_->over;
    }

    void deliver_after(std::chrono::microseconds delay) {
        in_.deliveries.begin();
        in_.workers.call_after(delay, [to = shared_, &in = in_] {
            isthmus::waker now;
            {
                const std::lock_guard guard(to->lock);
                to->over = true;
                now = std::move(to->wake);
            }
            now();
            in.deliveries.end(ending::completed);
        });
    }

    world& in_;
    entry entry_;
    random dice_;
    std::shared_ptr<shared> shared_;
};
static_assert(isthmus::operation<job>);

/// Begins a task, and destroys it in flight after a while.
class abandoned {
public:
    abandoned(task<> begun, std::chrono::microseconds after) : begun_(std::move(begun)), after_(after) {}

    bool start(isthmus::reactor& lent, isthmus::waker wake) {
        const auto outcome = begun_->try_send();
        if (outcome.done() || outcome.failed()) {
            return true;
        }
        static_cast<void>(outcome.yielded().start(lent, isthmus::waker(std::make_shared<nobody>(), 0)));
        lent.wake_at(lent.now() + after_, timer_, std::move(wake));
        return false;
    }
    bool cancel() noexcept {
        timer_.forget();
        begun_.reset();
        return true;
    }
    void result() { begun_.reset(); }

private:
    struct nobody final : isthmus::wake_target {
        void wake(std::uint64_t) noexcept override {}
    };
    std::optional<task<>> begun_;
    std::chrono::microseconds after_;
    isthmus::registration timer_;
};

// ---- the server ----------------------------------------------------------------------------------------------------

class connection {
public:
    connection() : descriptor_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
        if (descriptor_ < 0) {
            throw std::system_error(errno, std::generic_category(), "socket");
        }
    }
    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection() { ::close(descriptor_); }

    task<> open(std::string path) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        path.copy(address.sun_path, sizeof(address.sun_path) - 1);
        if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0) {
            co_return;
        }
        if (errno != EINPROGRESS) {
            throw std::system_error(errno, std::generic_category(), "connect");
        }
        co_await isthmus::writable(descriptor_);
    }
    task<> send(std::string_view text) {
        while (!text.empty()) {
            const ssize_t count = ::send(descriptor_, text.data(), text.size(), MSG_NOSIGNAL);
            if (count >= 0) {
                text.remove_prefix(static_cast<std::size_t>(count));
            } else if (errno == EAGAIN) {
                co_await isthmus::writable(descriptor_);
            } else {
                throw std::system_error(errno, std::generic_category(), "send");
            }
        }
    }
    task<std::string> receive(std::size_t size) {
        std::string text;
        while (text.size() < size) {
            co_await isthmus::readable(descriptor_);
            char buffer[256];
            const ssize_t count = ::recv(descriptor_, buffer, sizeof(buffer), 0);
            if (count > 0) {
                text.append(buffer, static_cast<std::size_t>(count));
            } else if (count == 0) {
                throw std::runtime_error("the server has gone");
            } else if (errno != EAGAIN) {
                throw std::system_error(errno, std::generic_category(), "receive");
            }
        }
        co_return text;
    }

private:
    int descriptor_;
};

task<> echo(world& in, std::uint64_t seed) {
    connection server;
    co_await server.open(in.address);
    for (int i = 0; i < 3; ++i) {
        const std::string sent = std::to_string(seed) + "-" + std::to_string(i);
        co_await server.send(sent);
        const std::string received = co_await server.receive(sent.size());
        if (received != sent) {
            in.fault("the server's answer is another one's");
        }
    }
}

// ---- one thing, and several at once --------------------------------------------------------------------------------

task<> do_job(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    job work(in, dice);
    co_await work;
}

task<> one_plain(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    switch (roll(dice, 4)) {
    case 0:
        co_await do_job(in, dice());
        break;
    case 1:
        co_await await_completion(in, dice());
        break;
    case 2:
        co_await echo(in, dice());
        break;
    default:
        co_await isthmus::sleep_for(some_time(dice, 5000));
    }
}

/// Is over when a worker says so: how others cancel, from any thread.
task<> told_to_stop(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    isthmus::completion<> stop;
    in.deliveries.begin();
    in.workers.call_after(some_time(dice, 3000), [call = stop.callback(), &in] {
        call();
        in.deliveries.end(ending::completed);
    });
    co_await stop;
    throw isthmus::timed_out();
}

task<> group_of(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    auto body = [&in, &dice](isthmus::task_group& group) -> task<> {
        for (int i = 0; i < 3; ++i) {
            group.start(in.operate.one(dice()));
            if (roll(dice, 3) == 0) {
                co_await isthmus::sleep_for(some_time(dice, 500));
            }
        }
        if (roll(dice, 3) == 0) {
            throw std::runtime_error("the body failed");
        }
    };
    co_await isthmus::with_task_group(body);
}

task<> some(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    switch (roll(dice, 8)) {
    case 0: {
        const std::chrono::microseconds limit = some_time(dice, 4000);
        co_await isthmus::with_timeout(limit, in.operate.one(dice()));
        break;
    }
    case 1:
        co_await isthmus::race(in.operate.one(dice()), in.operate.one(dice()));
        break;
    case 2:
        co_await isthmus::race(in.operate.one(dice()), told_to_stop(in, dice()));
        break;
    case 3:
        co_await isthmus::when_all(in.operate.one(dice()), in.operate.one(dice()));
        break;
    case 4:
        co_await group_of(in, dice());
        break;
    case 5: {
        abandoned left(in.operate.one(dice()), some_time(dice, 3000));
        co_await left;
        break;
    }
    default:
        co_await in.operate.one(dice());
    }
}

} // namespace

kind plain_kind(world& in) {
    return {.one = [&in](std::uint64_t seed) { return one_plain(in, seed); }};
}

task<> await_completion(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    isthmus::completion<std::uint64_t> expected;
    const int how = roll(dice, 6);
    const int callers = how == 0 ? 2 : 1; // two at once: the first one counts
    for (int i = 0; i < callers; ++i) {
        in.deliveries.begin();
        in.workers.call_after(some_time(dice, 5000), [call = expected.callback(), seed, how, &in] {
            if (how == 1) {
                call.set_exception(std::make_exception_ptr(std::runtime_error("the worker failed")));
            } else if (how != 2) { // else it dies uncalled
                call(seed);
            }
            in.deliveries.end(ending::completed);
        });
    }
    if (co_await expected != seed) {
        in.fault("the result is another one's");
    }
}

task<> act(world& in, std::uint64_t seed) {
    entry account(in.operations);
    try {
        co_await some(in, seed);
        account.end(ending::completed);
    } catch (const isthmus::timed_out&) {
        account.end(ending::timed_out);
    } catch (const isthmus::cancelled&) {
        account.end(ending::cancelled);
        throw;
    } catch (const std::exception&) {
        account.end(ending::failed);
    }
}

} // namespace soak
