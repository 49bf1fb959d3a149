// isthmus/asio/executor_driver.hpp — what an Asio executor lends to the tasks that it drives: wakes, timers and file
// descriptors.
// SPDX-License-Identifier: MIT
#pragma once

#include "../detail/timers.hpp"
#include "../task.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/execution_context.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <memory>
#include <mutex>
#include <optional>
#include <sys/epoll.h>
#include <system_error>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

namespace isthmus::inline v1::asio::detail {

using any_executor = ::asio::any_io_executor;

class executor_driver;

/// How wakers, and the handlers of operations, find the driver of a task: they may outlive it, and its context too.
/// Any thread.
class driver_link final : public wake_target, public std::enable_shared_from_this<driver_link> {
public:
    explicit driver_link(executor_driver& driver) noexcept : driver_(&driver) {}

    /// What the task waits for next.
    waker next_waker() {
        const std::lock_guard guard(lock_);
        return waker(shared_from_this(), ++turn_);
    }
    /// Posts to the executor that the task goes on.
    inline void wake(std::uint64_t turn) noexcept override;
    /// Posts to the executor that isthmus::cancelled is thrown into the task.
    void cancel();

    /// Of the Asio operations of the task, whose handlers are to be gone before its frames are.
    void operation_begins() noexcept {
        const std::lock_guard guard(lock_);
        ++operations_;
    }
    void operation_ends() noexcept;
    /// The task is over.
    void release() noexcept {
        const std::lock_guard guard(lock_);
        driver_ = nullptr;
    }
    /// The context shuts down: the driver is destroyed, with its task, as soon as no Asio operation refers to that.
    void close() noexcept;

    /// Calls `use(driver)` if there still is one. On the executor.
    template <class Use>
    void with_driver(const Use& use) {
        if (executor_driver* const driver = find()) {
            use(*driver);
        }
    }

private:
    executor_driver* find() noexcept {
        const std::lock_guard guard(lock_);
        return closed_ ? nullptr : driver_;
    }
    executor_driver* find(std::uint64_t turn) noexcept {
        const std::lock_guard guard(lock_);
        return closed_ || turn != turn_ ? nullptr : driver_;
    }
    executor_driver* take_if_closed() noexcept { // with the lock
        return closed_ && operations_ == 0 ? std::exchange(driver_, nullptr) : nullptr;
    }

    std::mutex lock_;
    executor_driver* driver_;
    std::uint64_t turn_ = 0;
    std::size_t operations_ = 0;
    bool closed_ = false;
};

/// The tasks that the executors of one context drive: when it is destroyed, so are they.
class driver_service final : public ::asio::execution_context::service {
public:
    using key_type = driver_service;
    static inline ::asio::execution_context::id id;

    explicit driver_service(::asio::execution_context& owner) : service(owner) {}

    void add(executor_driver& driver) noexcept;
    void remove(executor_driver& driver) noexcept;
    /// Whether this thread is destroying the context, whose handlers nobody calls any more.
    static bool ends_here(const any_executor& executor) noexcept {
        ::asio::execution_context& context = ::asio::query(executor, ::asio::execution::context);
        return ::asio::has_service<driver_service>(context) &&
               ::asio::use_service<driver_service>(context).ends_on_ == std::this_thread::get_id();
    }

private:
    inline void shutdown() noexcept override;

    std::mutex lock_;
    executor_driver* first_ = nullptr;
    std::atomic<std::thread::id> ends_on_{};
};

/// Drives one task on an executor, which runs its handlers one at a time. Owns itself, until the task is over or the
/// context is destroyed. A member function is called on the executor, unless it says otherwise.
class executor_driver : public reactor {
public:
    executor_driver(const executor_driver&) = delete;
    executor_driver& operator=(const executor_driver&) = delete;

    /// Any thread.
    const any_executor& executor() const noexcept { return executor_; }
    const std::shared_ptr<driver_link>& link() const noexcept { return link_; }

    void wake_at(clock::time_point when, registration& timer, waker wake) override {
        timers_.add(when, timer, std::move(wake));
        timer.attach(*this);
        arm();
    }
    /// The descriptor is watched through another one of our own, as Asio would make it non-blocking, also for all who
    /// share it.
    void wake_when(int descriptor, io_event event, registration& by, waker wake) override {
        auto added = std::make_shared<watch>(executor_, by, std::move(wake));
        added->add(descriptor, event);
        watches_.push_back(added);
        by.attach(*this);
        const auto ready = [link = link_, weak = std::weak_ptr(added)](const std::error_code&) {
            if (const std::shared_ptr<watch> woken = weak.lock()) {
                link->with_driver([&](executor_driver& driver) { driver.end_watch(woken); });
            }
        };
        added->epoll.async_wait(::asio::posix::descriptor_base::wait_read, ready);
    }
    void forget(registration& dropped) noexcept override {
        if (!timers_.forget(dropped)) { // else the timer may come in vain
            std::erase_if(watches_, [&](const auto& each) { return each->by == &dropped; });
        }
    }

protected:
    explicit executor_driver(const any_executor& executor)
        : link_(std::make_shared<driver_link>(*this)), executor_(executor),
          service_(::asio::use_service<driver_service>(::asio::query(executor, ::asio::execution::context))) {
        service_.add(*this);
    }
    virtual ~executor_driver() {
        service_.remove(*this);
        for (const std::shared_ptr<watch>& each : watches_) {
            each->by->detach();
        }
    }

    /// Resumes the task, and throws `injected` in if it is not null.
    virtual void resume(std::exception_ptr injected) = 0;

private:
    friend class driver_link;
    friend class driver_service;

    struct watch {
        watch(const any_executor& executor, registration& owner, waker to_wake)
            : epoll(executor), by(&owner), wake(std::move(to_wake)) {}

        void add(int descriptor, io_event event) {
            const int made = ::epoll_create1(EPOLL_CLOEXEC);
            check(made, "isthmus: epoll_create1");
            try {
                epoll.assign(made);
            } catch (...) {
                ::close(made);
                throw;
            }
            epoll_event wanted{};
            wanted.events = event == io_event::readable ? EPOLLIN : EPOLLOUT;
            check(::epoll_ctl(made, EPOLL_CTL_ADD, descriptor, &wanted), "isthmus: epoll_ctl");
        }
        static void check(int result, const char* function) {
            if (result < 0) {
                throw std::system_error(errno, std::generic_category(), function);
            }
        }

        ::asio::posix::stream_descriptor epoll;
        registration* by;
        waker wake;
    };

    void end_watch(const std::shared_ptr<watch>& woken) {
        std::erase(watches_, woken);
        woken->by->detach();
        woken->wake();
    }

    /// Sets the timer to what is due next.
    void arm() {
        const auto next = timers_.next();
        if (!next || next == armed_) {
            return;
        }
        if (!timer_) {
            timer_.emplace(executor_);
        }
        timer_->expires_at(*next);
        armed_ = next;
        timer_->async_wait([link = link_](const std::error_code& error) {
            if (!error) {
                link->with_driver([](executor_driver& driver) {
                    driver.armed_.reset();
                    driver.timers_.wake_until(driver.now());
                    driver.arm();
                });
            }
        });
    }

    std::shared_ptr<driver_link> link_;
    any_executor executor_;
    driver_service& service_;
    executor_driver* next_ = nullptr;
    executor_driver* previous_ = nullptr;
    isthmus::detail::timers timers_;
    std::optional<clock::time_point> armed_;
    std::optional<::asio::steady_timer> timer_;
    std::vector<std::shared_ptr<watch>> watches_;
};

inline void driver_link::wake(std::uint64_t turn) noexcept {
    const std::lock_guard guard(lock_); // so that the executor's context lives
    if (driver_ != nullptr && !closed_ && turn == turn_) {
        ::asio::post(driver_->executor(), [self = shared_from_this(), turn] {
            if (executor_driver* const driver = self->find(turn)) {
                driver->resume(nullptr);
            }
        });
    }
}

inline void driver_link::cancel() {
    const std::lock_guard guard(lock_);
    if (driver_ != nullptr && !closed_) {
        ::asio::post(driver_->executor(), [self = shared_from_this()] {
            self->with_driver([](executor_driver& driver) { driver.resume(std::make_exception_ptr(cancelled())); });
        });
    }
}

inline void driver_link::operation_ends() noexcept {
    executor_driver* abandoned = nullptr;
    {
        const std::lock_guard guard(lock_);
        --operations_;
        abandoned = take_if_closed();
    }
    delete abandoned;
}

inline void driver_link::close() noexcept {
    executor_driver* abandoned = nullptr;
    {
        const std::lock_guard guard(lock_);
        closed_ = true;
        abandoned = take_if_closed();
    }
    delete abandoned;
}

inline void driver_service::add(executor_driver& driver) noexcept {
    const std::lock_guard guard(lock_);
    driver.next_ = first_;
    if (first_ != nullptr) {
        first_->previous_ = &driver;
    }
    first_ = &driver;
}

inline void driver_service::remove(executor_driver& driver) noexcept {
    const std::lock_guard guard(lock_);
    if (driver.next_ != nullptr) {
        driver.next_->previous_ = driver.previous_;
    }
    if (driver.previous_ != nullptr) {
        driver.previous_->next_ = driver.next_;
    } else if (first_ == &driver) {
        first_ = driver.next_;
    }
    driver.next_ = driver.previous_ = nullptr;
}

/// No thread runs the context any more. A task that ends here may destroy another one, or start one.
inline void driver_service::shutdown() noexcept {
    ends_on_ = std::this_thread::get_id();
    while (executor_driver* const driver = first_) {
        const std::shared_ptr<driver_link> link = driver->link();
        remove(*driver); // an operation in flight may put the rest off
        link->close();
    }
}

} // namespace isthmus::inline v1::asio::detail
