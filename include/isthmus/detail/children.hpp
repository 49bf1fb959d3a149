// isthmus/detail/children.hpp — several tasks driven at once, as one operation of the task that waits for them.
// SPDX-License-Identifier: MIT
//
// The driver of the parent knows of one operation. Its waker is called when any child can go on; then the parent, which
// that resumes, steps those children, on the driver's thread. So tasks run at once under any driver, and no driver has
// to know of it.
#pragma once

#include "../task.hpp"

#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

namespace isthmus::inline v1::detail {

class child;

/// The children that can go on, in the order in which they were woken.
struct ready_children {
    std::mutex lock;
    child* first = nullptr;
    child* last = nullptr;
    waker parent;
};

/// A task that somebody waits for beside others. Shared with its wakers, which may outlive it.
class child : public wake_target, public std::enable_shared_from_this<child> {
public:
    virtual ~child() = default;
    child(const child&) = delete;
    child& operator=(const child&) = delete;

    bool over() const noexcept { return over_; }
    /// What it ended in, if that is an error.
    const std::exception_ptr& error() const noexcept { return error_; }
    /// Whether it ended because it was cancelled.
    bool was_cancelled() const noexcept { return error_ && exception_cast<cancelled>(error_) != nullptr; }

    void wake(std::uint64_t turn) noexcept final {
        waker parent;
        {
            const std::lock_guard guard(ready_->lock);
            if (turn != turn_) {
                return;
            }
            enqueue();
            parent = std::move(ready_->parent);
        }
        parent();
    }

protected:
    explicit child(std::shared_ptr<ready_children> ready) noexcept : ready_(std::move(ready)) {}

    /// One step: what it yields, or null when it is over.
    virtual const pending* resume(const std::exception_ptr& injected) noexcept = 0;
    /// Destroys the task.
    virtual void destroy() noexcept = 0;
    /// What it waits for; null if it does not wait.
    virtual delegate* awaited() noexcept = 0;

    std::exception_ptr error_;

private:
    friend class children;

    void enqueue() noexcept { // with the lock
        if (!queued_) {
            queued_ = true;
            next_ = nullptr;
            (ready_->last != nullptr ? ready_->last->next_ : ready_->first) = this;
            ready_->last = this;
        }
    }

    bool outlasts() noexcept { return outlasted_by(awaited()); }
    /// Lets what it waits for share the frames of its parent.
    void keep(const std::shared_ptr<void>& frames) noexcept {
        using owner = std::shared_ptr<void>;
        if (auto* const shared = new (std::nothrow) owner(frames)) {
            awaited()->keep({shared, [](void* what) noexcept { delete static_cast<owner*>(what); }});
        }
    }

    std::shared_ptr<ready_children> ready_;
    child* next_ = nullptr;
    bool queued_ = false;
    bool over_ = false;
    bool cancel_ = false;      ///< to be cancelled when it is stepped next
    bool cancel_next_ = false; ///< to be cancelled when the others have been stepped
    std::uint64_t turn_ = 0;   ///< the wake that it waits for
    std::size_t index_ = 0;    ///< among its siblings
};

template <class Return>
class task_child final : public child {
public:
    task_child(std::shared_ptr<ready_children> ready, task<Return> body)
        : child(std::move(ready)), body_(std::move(body)) {}

    /// Of a child that is over. Throws its error.
    Return take() {
        if (error_) {
            std::rethrow_exception(error_);
        }
        if constexpr (!std::is_void_v<Return>) {
            return static_cast<Return>(std::move(*value_));
        }
    }

private:
    const pending* resume(const std::exception_ptr& injected) noexcept override {
        try {
            auto outcome = injected ? body_.try_throw(injected) : body_.try_send();
            if (outcome.failed()) {
                error_ = outcome.error();
            } else if (!outcome.done()) {
                return &pending_.emplace(outcome.yielded());
            } else if constexpr (!std::is_void_v<Return>) {
                value_.emplace(std::move(outcome).returned());
            }
        } catch (...) { // of moving the value
            error_ = current_error();
        }
        return nullptr;
    }
    void destroy() noexcept override { body_ = task<Return>(); }
    delegate* awaited() noexcept override { return frame_access::awaited(body_); }

    task<Return> body_;
    std::optional<pending> pending_;
    std::optional<stored<Return>> value_;
};

/// Tasks that run until all are over, as an operation: what is built on it decides what happens when one ends.
class children {
public:
    virtual ~children() {
        for (const std::shared_ptr<child>& each : all_) {
            silence(*each);
            each->destroy();
        }
    }
    children(const children&) = delete;
    children& operator=(const children&) = delete;

    // As an operation: see the concept of that name.
    bool start(reactor& lent, waker wake) {
        lent_ = &lent;
        run();
        const std::lock_guard guard(ready_->lock);
        if (running_ == 0 || ready_->first != nullptr) {
            return true;
        }
        ready_->parent = std::move(wake);
        return false;
    }
    bool finished() noexcept {
        run();
        return running_ == 0;
    }
    bool cancel() noexcept {
        cancelling_ = true;
        for (const std::shared_ptr<child>& each : all_) {
            cancel_now(*each);
        }
        run();
        return running_ == 0;
    }
    bool outlasts() noexcept {
        bool any = false;
        for (const std::shared_ptr<child>& each : all_) {
            any = each->outlasts() || any;
        }
        return any;
    }
    void keep(const std::shared_ptr<void>& frames) noexcept {
        for (const std::shared_ptr<child>& each : all_) {
            silence(*each);
            if (each->outlasts()) {
                each->keep(frames);
            } else { // it may hold what the driver has lent, which goes next
                each->destroy();
            }
        }
    }

protected:
    children() : ready_(std::make_shared<ready_children>()) {}

    /// Adds a task, which runs from the next step of the parent on.
    template <class Return>
    std::shared_ptr<task_child<Return>> add(task<Return> body) {
        auto added = std::make_shared<task_child<Return>>(ready_, std::move(body));
        added->index_ = all_.size();
        added->cancel_ = cancelling_;
        all_.push_back(added);
        ++running_;
        const std::lock_guard guard(ready_->lock);
        added->enqueue();
        return added;
    }
    /// Throws isthmus::cancelled into all that are not over, when those that can go on have done so, and into those
    /// that are added later.
    void cancel_all() noexcept {
        cancelling_ = true;
        for (const std::shared_ptr<child>& each : all_) {
            cancel(*each);
        }
    }
    void cancel(child& one) noexcept { one.cancel_next_ = !one.over_; }
    /// Drops a child that is over.
    void drop(const child& over) noexcept {
        const std::size_t index = over.index_;
        all_.back()->index_ = index;
        std::swap(all_[index], all_.back());
        all_.pop_back();
    }
    std::size_t size() const noexcept { return all_.size(); }

private:
    static constexpr std::uint64_t no_turn = ~std::uint64_t{0};

    /// Wakes that come too late are not for anybody.
    void silence(child& one) noexcept {
        const std::lock_guard guard(ready_->lock);
        one.turn_ = no_turn;
    }

    /// `over` has ended.
    virtual void on_end(child& over) noexcept = 0;

    /// Steps all that can go on. Whoever is to be cancelled since another ended goes on first if it can, as under
    /// asyncio.
    void run() noexcept {
        while (child* next = take_ready()) {
            while (next != nullptr) {
                const std::shared_ptr<child> current = next->shared_from_this();
                next = next->next_;
                step(current);
            }
            for (const std::shared_ptr<child>& each : all_) {
                if (std::exchange(each->cancel_next_, false)) {
                    cancel_now(*each);
                }
            }
        }
    }
    void step(const std::shared_ptr<child>& current) noexcept {
        {
            const std::lock_guard guard(ready_->lock);
            current->queued_ = false;
            ++current->turn_; // wakes up to now were for this step
        }
        const bool cancels = std::exchange(current->cancel_, false);
        const pending* const waits =
            current->resume(cancels ? std::make_exception_ptr(cancelled()) : std::exception_ptr());
        if (waits == nullptr) {
            current->over_ = true;
            --running_;
            on_end(*current);
        } else if (waits->start(*lent_, waker(current, current->turn_))) {
            const std::lock_guard guard(ready_->lock);
            current->enqueue();
        }
    }
    void cancel_now(child& one) noexcept {
        if (!one.over_) {
            one.cancel_ = true;
            const std::lock_guard guard(ready_->lock);
            one.enqueue();
        }
    }
    child* take_ready() noexcept {
        const std::lock_guard guard(ready_->lock);
        ready_->last = nullptr;
        return std::exchange(ready_->first, nullptr);
    }

    std::shared_ptr<ready_children> ready_;
    std::vector<std::shared_ptr<child>> all_;
    std::size_t running_ = 0;
    reactor* lent_ = nullptr;
    bool cancelling_ = false;
};

} // namespace isthmus::inline v1::detail
