// examples/postgres/exchange.hpp — the operation that waits for all that the server replies to a command.
// SPDX-License-Identifier: MIT
#pragma once

#include "client.hpp"
#include "socket_wait.hpp"

#include <optional>

namespace pg {

/// What is left of a command is sent, and all of its results are read, before the task goes on. If it is cancelled, the
/// rest can be awaited by awaiting it once more.
class exchange final : public socket_wait {
public:
    exchange(connection& on, bool pipeline) noexcept : on_(on), pipeline_(pipeline) {}

    // As an operation.
    bool start(isthmus::reactor& lent, isthmus::waker wake);
    bool finished();
    bool cancel() noexcept {
        stop();
        return true;
    }
    void result() const noexcept {}

    /// Whether the server is ready for the next command, or the connection is gone.
    bool over() const noexcept { return over_; }
    /// The last result. Throws server_error, or why the connection is gone.
    pg::result take();

private:
    void read();
    void take_results();
    void take(pg_result* next);
    bool skip_copied_rows();

    connection& on_;
    bool pipeline_;
    bool flushed_ = false;
    bool copying_out_ = false;
    bool over_ = false;
    pg::result last_;
    std::optional<diagnostics> error_;
};

} // namespace pg
