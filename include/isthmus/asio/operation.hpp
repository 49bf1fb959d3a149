// isthmus/asio/operation.hpp — an Asio operation in flight: what the task that waits for it, the handler, and the
// executor share.
// SPDX-License-Identifier: MIT
#pragma once

#include "executor_driver.hpp"

#include <asio/any_io_executor.hpp>
#include <asio/associated_executor.hpp>
#include <asio/associator.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/dispatch.hpp>
#include <asio/system_executor.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdio>
#include <exception>
#include <future>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <tuple>
#include <typeinfo>
#include <utility>
#include <vector>

namespace isthmus::inline v1::asio::detail {

/// All of it happens on the executor that is associated with the handler: that the operation is initiated, completes,
/// and is cancelled. The task that waits may be on another thread.
class operation_state : public std::enable_shared_from_this<operation_state> {
public:
    operation_state() = default;
    operation_state(const operation_state&) = delete;
    operation_state& operator=(const operation_state&) = delete;

    // For the task.

    /// Before it is initiated: where. Null if only the operation itself will tell.
    void run_on(any_executor executor, std::shared_ptr<driver_link> driver) noexcept {
        executor_ = std::move(executor);
        driver_ = std::move(driver);
        if (driver_) {
            driver_->operation_begins();
        }
    }
    /// True if it is over, else the waker will be called.
    bool wait(waker wake) noexcept {
        const std::lock_guard guard(lock_);
        if (over_) {
            return true;
        }
        wake_ = std::move(wake);
        return false;
    }
    /// True if it is over, else the waker will be called.
    bool cancel() noexcept {
        give_up();
        return over();
    }
    /// Whoever drives the task may resume it too early.
    bool over() noexcept {
        const std::lock_guard guard(lock_);
        return over_;
    }
    /// Cancels it. True if it will end on this thread, so that there is no waiting for that here.
    bool outlasts() noexcept {
        give_up();
        const std::lock_guard guard(lock_);
        return begun_ && !over_ && runs_here();
    }
    /// Shares the frames of its task until it is over. The waker is not called any more.
    void keep(const std::shared_ptr<void>& frames) noexcept {
        const std::lock_guard guard(lock_);
        wake_ = waker();
        try {
            if (!over_) {
                frames_.push_back(frames);
            }
        } catch (const std::bad_alloc&) { // they are better never destroyed than too early
            alignas(std::shared_ptr<void>) std::byte never_destroyed[sizeof(std::shared_ptr<void>)];
            ::new (never_destroyed) std::shared_ptr<void>(frames);
        }
    }
    /// Cancels it, and returns when the handler is gone, and with it all that refers to what the task has lent. The
    /// waker is not called any more.
    void end(isthmus::detail::blocking_call block) noexcept {
        {
            const std::lock_guard guard(lock_);
            wake_ = waker();
        }
        if (outlasts()) {
            fail_loudly();
        }
        block([](void* self) { static_cast<operation_state*>(self)->wait_for_end(); }, this);
    }

    // For the operation.

    /// Whether to initiate it.
    bool begin() noexcept {
        const std::lock_guard guard(lock_);
        seen_on_ = std::this_thread::get_id();
        begun_ = initiating_ = !cancelled_;
        return begun_;
    }
    /// It has been initiated, or that has thrown `error`.
    void initiated(std::exception_ptr error) noexcept {
        bool is_over = false;
        {
            const std::lock_guard guard(lock_);
            initiating_ = false;
            if (!over_ && error) {
                error_ = std::move(error);
            }
            is_over = abandoned_;
        }
        if (is_over) {
            finish();
        }
    }
    /// Its handler died uncalled.
    void abandon() noexcept {
        {
            const std::lock_guard guard(lock_);
            abandoned_ = true;
            if (!error_) {
                error_ = std::make_exception_ptr(std::future_error(std::future_errc::broken_promise));
            }
            if (initiating_) { // by this thread, or one that tells when it has finished
                return;
            }
        }
        finish();
    }
    any_executor executor_or(const any_executor& other) noexcept {
        const std::lock_guard guard(lock_);
        if (!executor_) {
            executor_ = other;
        }
        return executor_;
    }
    ::asio::cancellation_slot slot() noexcept { return signal_.slot(); }

protected:
    ~operation_state() = default;

    /// The results are there. The task may go on, or be destroyed, before this returns.
    void finish() noexcept {
        waker now;
        std::vector<std::shared_ptr<void>> frames;
        {
            const std::lock_guard guard(lock_);
            over_ = true;
            now = std::move(wake_);
            frames = std::move(frames_);
            ended_.notify_all();
        }
        if (driver_) {
            driver_->operation_ends();
        }
        now();
        while (!frames.empty()) { // who awaited another one comes after it
            frames.pop_back();
        }
    }

    std::exception_ptr error_; ///< instead of the results

private:
    /// Cancels it, unless it is over.
    void give_up() noexcept {
        {
            const std::lock_guard guard(lock_);
            cancelled_ = true;
            if (over_) {
                return;
            }
        }
        emit(); // each time: it may have been cancelled on another of the threads that run a strand
    }
    /// Whether this is the thread that was last seen to run the executor's handlers, or drops them with its context.
    bool runs_here() const noexcept {
        if (!executor_ || executor_.target_type() == typeid(::asio::system_executor)) {
            return false;
        }
        return seen_on_ == std::this_thread::get_id() || driver_service::ends_here(executor_);
    }
    /// Emits the signal, once, on the executor: at once if that is where we are, which is noted.
    void emit() noexcept {
        try {
            if (const any_executor executor = executor_or(any_executor())) {
                ::asio::dispatch(executor, [self = shared_from_this()] { self->emit_here(); });
            } else {
                emit_here();
            }
        } catch (...) {
            return; // there is no memory, so it ends by itself
        }
    }
    void emit_here() {
        {
            const std::lock_guard guard(lock_);
            seen_on_ = std::this_thread::get_id();
            if (over_ || std::exchange(emitted_, true)) { // if it is over, the I/O object may be gone
                return;
            }
        }
        signal_.emit(::asio::cancellation_type::all);
    }
    void wait_for_end() noexcept {
        std::unique_lock lock(lock_);
        ended_.wait(lock, [this] { return over_ || !begun_; });
    }
    [[noreturn]] static void fail_loudly() noexcept {
        std::fputs(
            "isthmus: an Asio operation was destroyed where it has yet to complete, and would write to what is gone. "
            "What holds it must pass on its outlasts() and keep().\n",
            stderr);
        std::terminate();
    }

    std::mutex lock_;
    std::condition_variable ended_;
    any_executor executor_; ///< associated with the handler
    std::shared_ptr<driver_link> driver_;
    ::asio::cancellation_signal signal_;
    waker wake_;
    std::vector<std::shared_ptr<void>> frames_; ///< of a task that was destroyed too early
    std::thread::id seen_on_;                   ///< by initiating or cancelling it
    bool cancelled_ = false;
    bool emitted_ = false;
    bool begun_ = false;
    bool initiating_ = false;
    bool abandoned_ = false;
    bool over_ = false;
};

/// The same with the arguments that the handler is called with.
template <class... Args>
class result_state final : public operation_state {
public:
    template <class... Given>
    void complete(Given&&... given) noexcept {
        try {
            values_.emplace(std::forward<Given>(given)...);
        } catch (...) {
            this->error_ = isthmus::detail::current_error();
        }
        this->finish();
    }
    /// When it is over. Throws what there is instead.
    std::tuple<Args...>& values() {
        if (this->error_) {
            std::rethrow_exception(this->error_);
        }
        return *values_;
    }

private:
    std::optional<std::tuple<Args...>> values_;
};

/// The completion handler.
template <class State>
class handler {
public:
    using cancellation_slot_type = ::asio::cancellation_slot;

    explicit handler(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}
    handler(handler&&) noexcept = default;
    handler& operator=(handler&&) = delete;
    ~handler() {
        if (state_) {
            state_->abandon();
        }
    }

    template <class... Args>
    void operator()(Args&&... args) noexcept {
        const std::shared_ptr<State> state = std::move(state_);
        state->complete(std::forward<Args>(args)...);
    }

    cancellation_slot_type get_cancellation_slot() const noexcept { return state_->slot(); }
    any_executor executor_or(const any_executor& other) const noexcept { return state_->executor_or(other); }
    State& state() const noexcept { return *state_; }

private:
    std::shared_ptr<State> state_;
};

/// What is dispatched to the executor: the initiation of an operation, once. If the executor drops it, the operation is
/// over.
template <class State, class Initiation, class... Args>
class initiator {
public:
    initiator(std::shared_ptr<State> state, Initiation&& initiation, std::tuple<Args...>&& args)
        : handler_(std::move(state)), initiation_(std::move(initiation)), args_(std::move(args)) {}

    void operator()() {
        const std::shared_ptr<operation_state> state = handler_.state().shared_from_this();
        if (!state->begin()) {
            const handler<State> dropped = std::move(handler_);
            return;
        }
        std::exception_ptr error;
        try {
            const auto initiate = [&](Args&... args) {
                std::move(initiation_)(std::move(handler_), static_cast<Args&&>(args)...);
            };
            std::apply(initiate, args_);
        } catch (...) {
            error = isthmus::detail::current_error();
        }
        state->initiated(std::move(error));
    }

private:
    handler<State> handler_;
    Initiation initiation_;
    std::tuple<Args...> args_;
};

} // namespace isthmus::inline v1::asio::detail

/// That of the task's driver if that is an executor, else that of the I/O object.
template <class State, class Executor>
struct asio::associated_executor<isthmus::asio::detail::handler<State>, Executor> {
    using type = any_io_executor;
    static type get(const isthmus::asio::detail::handler<State>& handler, const Executor& other = Executor()) noexcept {
        return handler.executor_or(type(other));
    }
};
