// examples/postgres/subscription.cpp — LISTEN and NOTIFY.
// SPDX-License-Identifier: MIT

#include "exchange.hpp"

#include <libpq-fe.h>

#include <algorithm>

namespace pg {

/// Waits until something has arrived, or will not any more. While a command is executed on the connection, that one
/// reads; then the connection wakes.
class subscription::arrival final : public socket_wait {
public:
    explicit arrival(subscription& of) noexcept : of_(of) { of_.waiting_ = this; }
    ~arrival() { of_.waiting_ = nullptr; }

    bool start(isthmus::reactor& lent, isthmus::waker wake) {
        if (is_over()) {
            return true;
        }
        const connection& on = *of_.connection_;
        wait(lent, std::move(wake), PQsocket(on.handle_.get()), on.running_ == nullptr, false);
        return false;
    }
    bool finished() {
        stop();
        connection& on = *of_.connection_;
        if (on.is_open() && on.running_ == nullptr) {
            on.read_idle();
        }
        return is_over();
    }
    bool cancel() noexcept {
        stop();
        return true;
    }
    void result() const noexcept {}

private:
    bool is_over() const noexcept {
        return !of_.arrived_.empty() || !of_.connection_->is_open() || of_.state_ == state::closed;
    }
    subscription& of_;
};

namespace {

std::string quoted(const std::string& name) {
    std::string result = "\"";
    for (const char c : name) {
        result += c == '"' ? "\"\"" : std::string(1, c);
    }
    return result + '"';
}

} // namespace

subscription::subscription(std::shared_ptr<connection> of, std::vector<std::string> channels)
    : connection_(std::move(of)), channels_(std::move(channels)) {
    if (channels_.empty()) {
        throw misuse("there is no channel to listen to");
    }
}

subscription::~subscription() { forget(); }

void subscription::forget() noexcept {
    std::erase(connection_->subscriptions_, this);
    state_ = state::closed;
    arrived_.clear();
    if (waiting_ != nullptr) {
        waiting_->wake();
    }
}

task<> subscription::start() {
    if (state_ != state::created) {
        co_return;
    }
    connection_->require_open();
    std::string script;
    for (const std::string& channel : channels_) {
        script += "LISTEN " + quoted(channel) + ";";
    }
    connection_->subscriptions_.push_back(this); // the first may come with the reply
    state_ = state::started;
    struct starting {
        subscription* of;
        ~starting() {
            if (of != nullptr) {
                std::erase(of->connection_->subscriptions_, of);
                of->state_ = state::created;
            }
        }
    } guard{this};
    co_await connection_->execute_script(std::move(script));
    guard.of = nullptr;
}

task<std::optional<notification>> subscription::next() {
    if (in_next_) {
        throw misuse("another task waits for these notifications already");
    }
    in_next_ = true;
    struct waiting {
        bool& flag;
        ~waiting() { flag = false; }
    } const guard{in_next_};
    co_await start();
    if (arrived_.empty()) {
        arrival awaited(*this);
        co_await awaited;
    }
    if (arrived_.empty()) {
        if (state_ != state::closed) {
            connection_->require_open();
        }
        co_return std::nullopt;
    }
    notification first = std::move(arrived_.front());
    arrived_.pop_front();
    co_return first;
}

task<> subscription::close() {
    const bool started = state_ == state::started;
    forget();
    std::string script;
    for (const std::string& channel : channels_) {
        if (!shares(channel)) {
            script += "UNLISTEN " + quoted(channel) + ";";
        }
    }
    if (started && connection_->is_open() && !script.empty()) {
        co_await connection_->execute_script(std::move(script));
    }
}

bool subscription::shares(const std::string& channel) const noexcept {
    const auto has = [&channel](const subscription* other) {
        return std::find(other->channels_.begin(), other->channels_.end(), channel) != other->channels_.end();
    };
    return std::any_of(connection_->subscriptions_.begin(), connection_->subscriptions_.end(), has);
}

// ---- of the connection
// -----------------------------------------------------------------------------------------------

void connection::collect_notifications() {
    struct free {
        void operator()(PGnotify* owned) const noexcept { PQfreemem(owned); }
    };
    while (const std::unique_ptr<PGnotify, free> next{PQnotifies(handle_.get())}) {
        for (subscription* const each : subscriptions_) {
            if (std::find(each->channels_.begin(), each->channels_.end(), next->relname) != each->channels_.end()) {
                each->arrived_.push_back({next->relname, next->extra, next->be_pid});
                if (each->waiting_ != nullptr) {
                    each->waiting_->wake();
                }
            }
        }
    }
}

void connection::wake_subscriptions() noexcept {
    for (const subscription* const each : subscriptions_) {
        if (each->waiting_ != nullptr) {
            each->waiting_->wake();
        }
    }
}

} // namespace pg
