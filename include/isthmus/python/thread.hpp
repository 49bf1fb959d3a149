// isthmus/python/thread.hpp — py::in_thread: a blocking C++ callable, run on a thread that never touches Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "pool.hpp"
#include "self.hpp"
#include "waiter.hpp"

#include <functional>
#include <stop_token>
#include <tuple>

namespace isthmus::inline v1::py {

namespace detail {

/// Calls `function` with the stop token if it takes one.
template <class Function>
decltype(auto) call_with_token(Function& function, std::stop_token token) {
    if constexpr (std::is_invocable_v<Function&, std::stop_token>) {
        return function(std::move(token));
    } else {
        return function();
    }
}
template <class Function>
using thread_result =
    std::decay_t<decltype(detail::call_with_token(std::declval<Function&>(), std::declval<std::stop_token>()))>;

/// A callable on its way to a worker and back: it and its result die on the loop's thread.
template <class Function>
class thread_job final : public pending_value<thread_result<Function>>, public pool_job {
public:
    thread_job(std::shared_ptr<completion_queue> queue, Function function)
        : pending_value<thread_result<Function>>(std::move(queue)),
          pool_job(std::is_invocable_v<Function&, std::stop_token>), function_(std::move(function)) {}

private:
    void run() noexcept override {
        this->resolve(
            [this]() -> thread_result<Function> { return detail::call_with_token(function_, stop.get_token()); });
    }
    void give_back(std::shared_ptr<pool_job> self) noexcept override {
        // The base's pointer is dropped here while the other one is held: the worker keeps none.
        std::shared_ptr<pending_result> mine(self, static_cast<pending_result*>(this));
        self.reset();
        this->post(std::move(mine));
    }

    Function function_;
};

template <class Function>
class thread_awaiter final : pending_awaiter<thread_job<Function>> {
    using base = pending_awaiter<thread_job<Function>>;

public:
    using base::await_suspend;
    using base::pass_errors;
    using base::take_failure;
    using typename base::send_type;
    using typename base::yield_type;

    template <class Call>
    explicit thread_awaiter(Call&& call) : function_(std::forward<Call>(call).function()) {}
    ~thread_awaiter() {
        if (this->result_ && !this->result_->delivered()) {
            this->result_->stop.request_stop();
        }
    }

    bool await_ready() {
        detail::require_gil();
        const event_loop loop = event_loop::running();
        auto job = std::make_shared<thread_job<Function>>(completion_queue::of(loop), std::move(function_));
        this->wait_for(job, loop);
        thread_pool::get().submit(std::move(job));
        return false;
    }
    thread_result<Function> await_resume() {
        this->take_result();
        return this->result_->take();
    }

private:
    Function function_;
};

/// Awaitable: the callable is called without arguments, or with a std::stop_token.
template <class Function>
class thread_awaitable {
public:
    using awaiter_type = thread_awaiter<Function>;
    explicit thread_awaitable(Function callable) : function_(std::move(callable)) {}
    Function function() const& { return function_; }
    Function function() && { return std::move(function_); }

protected:
    Function function_;
};

template <class Function>
coroutine<thread_result<Function>> run_in_thread(Function function) {
    thread_awaitable<Function> call(std::move(function));
    co_return co_await std::move(call);
}

/// A callable with its arguments. A class and not a lambda: g++ 12 miscompiles those in co_await expressions.
template <class Function, class... Args>
class bound_call {
public:
    explicit bound_call(Function function, Args... args) : function_(std::move(function)), args_(std::move(args)...) {}
    decltype(auto) operator()()
        requires std::is_invocable_v<Function&, Args&...>
    {
        return std::apply(function_, args_);
    }
    decltype(auto) operator()(std::stop_token token)
        requires std::is_invocable_v<Function&, Args&..., std::stop_token>
    {
        return std::apply([&](Args&... args) -> decltype(auto) { return std::invoke(function_, args..., token); },
                          args_);
    }

private:
    Function function_;
    std::tuple<Args...> args_;
};

/// The member function of an object that a Python object owns.
template <class Member, class Class>
struct on_self {
    Member member;
    template <class... Args>
    decltype(auto) operator()(const self<Class>& object, Args&&... args) const
        requires std::is_invocable_v<Member, Class&, Args&&...>
    {
        return std::invoke(member, *object, std::forward<Args>(args)...);
    }
};

template <class... Args>
struct type_list {};
/// The parameters that Python passes: all but a std::stop_token at the end.
template <class Taken, class... Args>
struct python_parameters;
template <class... Taken>
struct python_parameters<type_list<Taken...>> {
    using type = type_list<Taken...>;
};
template <class... Taken>
struct python_parameters<type_list<Taken...>, std::stop_token> {
    using type = type_list<Taken...>;
};
template <class... Taken, class Next, class... Args>
    requires(sizeof...(Args) > 0 || !std::is_same_v<Next, std::stop_token>)
struct python_parameters<type_list<Taken...>, Next, Args...>
    : python_parameters<type_list<Taken..., std::decay_t<Next>>, Args...> {};
template <class... Args>
using python_parameters_t = typename python_parameters<type_list<>, Args...>::type;

/// Bindable: called with what Python passes, by value, it gives the coroutine.
template <class Function, class Parameters>
class thread_function;
template <class Function, class... Parameters>
class thread_function<Function, type_list<Parameters...>> {
    static_assert((!is_borrowed<Parameters> && ...),
                  "isthmus: a function that is bound with py::in_thread must not take a pointer or view, since what it "
                  "refers to may be gone when the thread runs: take a std::string, a std::vector or another owner");

public:
    explicit thread_function(Function function) : function_(std::move(function)) {}
    coroutine<thread_result<bound_call<Function, Parameters...>>> operator()(Parameters... parameters) const {
        return run_in_thread(bound_call<Function, Parameters...>(function_, std::move(parameters)...));
    }

private:
    Function function_;
};

/// A nullary callable can be both awaited and bound.
template <class Function>
class thread_function<Function, type_list<>> : public thread_awaitable<Function> {
public:
    using thread_awaitable<Function>::thread_awaitable;
    coroutine<thread_result<Function>> operator()() const { return run_in_thread(this->function_); }
};

template <class Function>
struct call_signature;
template <class Return, class Class, class... Args>
struct call_signature<Return (Class::*)(Args...)> : std::type_identity<python_parameters_t<Args...>> {};
template <class Return, class Class, class... Args>
struct call_signature<Return (Class::*)(Args...) const> : std::type_identity<python_parameters_t<Args...>> {};
template <class Return, class Class, class... Args>
struct call_signature<Return (Class::*)(Args...) noexcept> : std::type_identity<python_parameters_t<Args...>> {};
template <class Return, class Class, class... Args>
struct call_signature<Return (Class::*)(Args...) const noexcept> : std::type_identity<python_parameters_t<Args...>> {};

template <class Class, class Member, class... Parameters>
auto bind_member(Member member, type_list<Parameters...>) {
    return thread_function<on_self<Member, Class>, type_list<self<Class>, Parameters...>>(
        on_self<Member, Class>{member});
}

} // namespace detail

/// Runs a blocking callable on a worker thread: `co_await py::in_thread(f)` in a py::coroutine on asyncio, uvloop or
/// trio, or `m.def("solve", py::in_thread(&solve))`, which makes an existing blocking function awaitable. `f` must not
/// use Python. Its exceptions arrive at the co_await. A callable may take a std::stop_token, as its last parameter,
/// which is set when whoever waits is cancelled: the result is then abandoned, and dies on the loop's thread, as `f`
/// does.
///
/// Needs the GIL where it is awaited; the workers never take it. Throws py::error: a RuntimeError if no known loop
/// is running or the interpreter is shutting down. At interpreter exit, callables with a stop token are waited for.
template <class Function>
    requires std::is_class_v<Function>
auto in_thread(Function function) {
    if constexpr (requires { &Function::operator(); }) {
        using parameters = typename detail::call_signature<decltype(&Function::operator())>::type;
        return detail::thread_function<Function, parameters>(std::move(function));
    } else {
        return detail::thread_awaitable<Function>(std::move(function));
    }
}
template <class Return, class... Args>
auto in_thread(Return (*function)(Args...)) {
    return detail::thread_function<Return (*)(Args...), detail::python_parameters_t<Args...>>(function);
}
/// A member function: bound, it takes `self` first, which lives until the thread is done with it.
template <class Signature, class Class>
    requires std::is_function_v<Signature>
auto in_thread(Signature Class::* member) {
    return detail::bind_member<Class>(member, typename detail::call_signature<Signature Class::*>::type());
}

} // namespace isthmus::inline v1::py
