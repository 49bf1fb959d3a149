// isthmus/task_group.hpp — several tasks at once: when_all, race, timeouts and task groups. Nothing outlives them.
// SPDX-License-Identifier: MIT
//
// All of them are operations that a task co_awaits, under any driver. The tasks run on the thread that drives the one
// that waits, in turn. If that one is cancelled, they are, and it goes on when they are over; if it is destroyed, so
// are they.
#pragma once

#include "detail/children.hpp"
#include "operations.hpp"

#include <tuple>
#include <utility>
#include <variant>
#include <vector>

namespace isthmus::inline v1 {

/// What with_task_group() throws: the errors of its tasks, in the order in which they came. Python's ExceptionGroup.
class ISTHMUS_EXPORT exception_group : public std::exception {
public:
    explicit exception_group(std::vector<std::exception_ptr> errors)
        : errors_(std::make_shared<const std::vector<std::exception_ptr>>(std::move(errors))) {}
    const char* what() const noexcept override { return "unhandled errors in a task group"; }
    const std::vector<std::exception_ptr>& errors() const noexcept { return *errors_; }

private:
    std::shared_ptr<const std::vector<std::exception_ptr>> errors_; // copying an exception must not throw
};

/// What with_timeout() and with_deadline() throw when the time is over. Python's TimeoutError.
class ISTHMUS_EXPORT timed_out : public std::exception {
public:
    const char* what() const noexcept override { return "timed out"; }
};

namespace detail {

/// The first error cancels the others, and is the result.
class failing_children : public children {
protected:
    void check() const {
        if (first_error_) {
            std::rethrow_exception(first_error_);
        }
    }

private:
    void on_end(child& over) noexcept override {
        if (over.error() && !first_error_) {
            first_error_ = over.error();
            cancel_all();
        }
    }
    std::exception_ptr first_error_;
};

template <class... Returns>
class all_operation final : public failing_children {
public:
    explicit all_operation(task<Returns>... tasks) : tasks_{this->add(std::move(tasks))...} {}

    std::tuple<stored<Returns>...> result() {
        check();
        return std::apply([](const auto&... each) { return std::tuple<stored<Returns>...>(take_stored(*each)...); },
                          tasks_);
    }

private:
    template <class Return>
    static stored<Return> take_stored(task_child<Return>& over) {
        if constexpr (std::is_void_v<Return>) {
            over.take();
            return none();
        } else {
            return over.take();
        }
    }
    std::tuple<std::shared_ptr<task_child<Returns>>...> tasks_;
};

template <class Return>
class all_of_operation final : public failing_children {
public:
    explicit all_of_operation(std::vector<task<Return>> tasks) {
        tasks_.reserve(tasks.size());
        for (task<Return>& each : tasks) {
            tasks_.push_back(this->add(std::move(each)));
        }
    }

    auto result() {
        check();
        if constexpr (!std::is_void_v<Return>) {
            std::vector<stored<Return>> values;
            values.reserve(tasks_.size());
            for (const auto& each : tasks_) {
                values.push_back(each->take());
            }
            return values;
        }
    }

private:
    std::vector<std::shared_ptr<task_child<Return>>> tasks_;
};

template <class... Returns>
class race_operation final : public children {
    static_assert(sizeof...(Returns) > 0, "isthmus: race() needs at least one task");

public:
    explicit race_operation(task<Returns>... tasks) : tasks_{this->add(std::move(tasks))...} {}

    std::variant<stored<Returns>...> result() { return take(std::index_sequence_for<Returns...>()); }

private:
    void on_end(child& over) noexcept override {
        if (winner_ == nullptr) {
            winner_ = &over;
            this->cancel_all();
        }
    }
    template <std::size_t... I>
    std::variant<stored<Returns>...> take(std::index_sequence<I...>) {
        std::optional<std::variant<stored<Returns>...>> value;
        (take_if<I>(value), ...);
        return std::move(*value);
    }
    template <std::size_t I>
    void take_if(std::optional<std::variant<stored<Returns>...>>& value) {
        auto& candidate = *std::get<I>(tasks_);
        if (winner_ == &candidate) {
            if constexpr (std::is_void_v<decltype(candidate.take())>) {
                candidate.take();
                value.emplace(std::in_place_index<I>);
            } else {
                value.emplace(std::in_place_index<I>, candidate.take());
            }
        }
    }
    std::tuple<std::shared_ptr<task_child<Returns>>...> tasks_;
    const child* winner_ = nullptr;
};

template <class Return>
class timeout_operation final : public children {
public:
    /// `limit` is a duration or a time.
    template <class Limit>
    timeout_operation(Limit limit, task<Return> body)
        : body_(this->add(std::move(body))), timer_(this->add(wait(limit))) {}

    Return result() {
        if (timer_error_) {
            std::rethrow_exception(timer_error_);
        }
        if (expired_ && body_->was_cancelled()) {
            throw timed_out();
        }
        return body_->take();
    }

private:
    template <class Limit>
    static task<> wait(Limit limit) {
        co_await sleep_operation(limit);
    }
    void on_end(child& over) noexcept override {
        if (&over == body_.get()) {
            this->cancel(*timer_);
        } else if (!over.was_cancelled()) {
            timer_error_ = over.error();
            expired_ = true;
            this->cancel(*body_);
        }
    }
    std::shared_ptr<task_child<Return>> body_;
    std::shared_ptr<task_child<void>> timer_;
    std::exception_ptr timer_error_;
    bool expired_ = false;
};

} // namespace detail

/// `auto [a, b] = co_await when_all(first(), second());` runs the tasks at once, and gives their results (none for
/// void) when all are over. The first error cancels the others and is thrown; theirs are dropped.
template <class... Returns>
detail::all_operation<Returns...> when_all(task<Returns>... tasks) {
    return detail::all_operation<Returns...>(std::move(tasks)...);
}
/// The same for any number of one kind: gives a vector of their results, nothing for void.
template <class Return>
detail::all_of_operation<Return> when_all(std::vector<task<Return>> tasks) {
    return detail::all_of_operation<Return>(std::move(tasks));
}

/// `co_await race(first(), second())` gives the result of the first that is over, as a variant whose index says which,
/// or throws its error. The others are cancelled, and it waits until they are over; their results are dropped.
template <class... Returns>
detail::race_operation<Returns...> race(task<Returns>... tasks) {
    return detail::race_operation<Returns...>(std::move(tasks)...);
}

/// `co_await with_timeout(5s, fetch())` gives the task's result, or cancels it when the time is over and then throws
/// timed_out. If the task ends otherwise although it was cancelled, that counts, as in Python (asyncio.timeout). Where
/// several limits are nested, the task finds timed_out at the one that is over, and `cancelled` within it.
template <class Return>
detail::timeout_operation<Return> with_timeout(reactor::clock::duration limit, task<Return> body) {
    return detail::timeout_operation<Return>(limit, std::move(body));
}
/// The same until a point of the driver's time.
template <class Return>
detail::timeout_operation<Return> with_deadline(reactor::clock::time_point when, task<Return> body) {
    return detail::timeout_operation<Return>(when, std::move(body));
}

/// The tasks of a with_task_group(). Valid while its body, or any task in it, runs.
class task_group : protected detail::children {
public:
    /// Adds a task, which runs from the next time on that the group is stepped. Its result is dropped. If the group is
    /// being cancelled, so is the task, at once. On the driver's thread.
    template <class Return>
    void start(task<Return> body) {
        if (const std::size_t most = errors_.size() + this->size() + 1; most > errors_.capacity()) {
            errors_.reserve(2 * most); // for on_end()
        }
        this->add(std::move(body));
    }

protected:
    task_group() = default;
    std::vector<std::exception_ptr> errors_;
};

namespace detail {

template <class T>
inline constexpr bool is_task = false;
template <class Return>
inline constexpr bool is_task<task<Return>> = true;

template <class Body>
class group_operation final : task_group {
    using body_task = std::invoke_result_t<Body&, task_group&>;
    static_assert(is_task<body_task>, "isthmus: the body of with_task_group() takes a task_group& and returns a task");
    using return_type = typename body_task::return_type;

public:
    explicit group_operation(Body body) : body_(std::move(body)) {
        errors_.reserve(1);
        main_ = this->add(body_(static_cast<task_group&>(*this)));
    }
    using children::cancel;
    using children::finished;
    using children::keep;
    using children::outlasts;
    using children::start;

    return_type result() {
        if (!errors_.empty()) {
            throw exception_group(std::move(errors_));
        }
        return main_->take();
    }

private:
    void on_end(child& over) noexcept override {
        if (over.error() && !over.was_cancelled()) {
            errors_.push_back(over.error());
            this->cancel_all();
        }
        if (&over != main_.get()) {
            this->drop(over);
        }
    }
    Body body_;
    std::shared_ptr<task_child<return_type>> main_;
};

} // namespace detail

/// Runs tasks that are started as one goes along, and waits for all of them:
///
///     auto body = [&](task_group& group) -> task<> {
///         while (auto connection = co_await accept(socket)) {
///             group.start(serve(std::move(*connection)));
///         }
///     };
///     co_await with_task_group(body);
///
/// Gives what the body returned. The first error, of the body or of a task, cancels all others; when they are over, an
/// exception_group with all errors is thrown. What was cancelled is no error.
template <class Body>
detail::group_operation<Body> with_task_group(Body body) {
    return detail::group_operation<Body>(std::move(body));
}

} // namespace isthmus::inline v1
