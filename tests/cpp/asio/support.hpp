// tests/cpp/asio/support.hpp — what the tests with Asio share.
// SPDX-License-Identifier: MIT
#pragma once

#include "../support.hpp"

#include <isthmus/asio.hpp>

#include <asio.hpp>
#if __has_include(<asio/as_tuple.hpp>)
#include <asio/as_tuple.hpp>
#else
#include <asio/experimental/as_tuple.hpp>
#endif
#include <asio/experimental/awaitable_operators.hpp>

#include <atomic>
#include <chrono>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>

namespace test {

using namespace std::chrono_literals;
using asio::local::stream_protocol;
using isthmus::task;
using isthmus::asio::use_coroutine;

#if __has_include(<asio/as_tuple.hpp>)
using asio::as_tuple;
#else // before 1.24
using asio::experimental::as_tuple;
#endif

/// Two sockets that are connected.
template <class Executor>
std::pair<stream_protocol::socket, stream_protocol::socket> connected(const Executor& executor) {
    stream_protocol::socket first(executor);
    stream_protocol::socket second(executor);
    asio::local::connect_pair(first, second);
    return {std::move(first), std::move(second)};
}

/// What a spawned task has ended in.
template <class Return>
class ended {
public:
    auto handler() {
        return [this](std::exception_ptr error, Return value) {
            error_ = std::move(error);
            value_.emplace(std::move(value));
        };
    }
    bool done() const { return value_.has_value(); }
    const std::exception_ptr& error() const { return error_; }
    Return get() {
        if (error_) {
            std::rethrow_exception(error_);
        }
        return std::move(value_.value());
    }

private:
    std::exception_ptr error_;
    std::optional<Return> value_;
};

/// Runs a task on an io_context until that has nothing more to do.
template <class Return>
Return run_on(asio::io_context& io, task<Return> body) {
    ended<Return> result;
    isthmus::asio::co_spawn(io, std::move(body), result.handler());
    io.restart();
    io.run();
    return result.get();
}

/// An io_context on a thread of its own.
class context_thread {
public:
    context_thread() : work_(asio::make_work_guard(io)), thread_([this] { io.run(); }) {}
    ~context_thread() {
        work_.reset();
        thread_.join();
    }
    context_thread(const context_thread&) = delete;
    context_thread& operator=(const context_thread&) = delete;

    std::thread::id id() const { return thread_.get_id(); }

    asio::io_context io{1};

private:
    asio::executor_work_guard<asio::io_context::executor_type> work_;
    std::thread thread_;
};

/// Counts those that live.
class counted {
public:
    explicit counted(int& living) : living_(living) { ++living_; }
    ~counted() { --living_; }
    counted(const counted&) = delete;
    counted& operator=(const counted&) = delete;

private:
    int& living_;
};

} // namespace test
