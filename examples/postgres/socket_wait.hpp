// examples/postgres/socket_wait.hpp — the base of the operations that wait for a connection.
// SPDX-License-Identifier: MIT
#pragma once

#include <isthmus/isthmus.hpp>

#include <cstdint>
#include <memory>
#include <utility>

namespace pg {

/// Waits for a socket to be readable or writable, or until the connection wakes it for another reason. All of it is for
/// the thread of the connection.
class socket_wait {
public:
    socket_wait() = default;
    socket_wait(const socket_wait&) = delete;
    socket_wait& operator=(const socket_wait&) = delete;

    /// Wakes whoever waits. From now on the reactor knows nothing of the socket, so that it can be closed.
    void wake() noexcept {
        stop();
        if (const std::shared_ptr<relay> waiting = std::move(relay_)) {
            waiting->to();
        }
    }

protected:
    ~socket_wait() = default;

    void wait(isthmus::reactor& lent, isthmus::waker wake, int socket, bool readable, bool writable) {
        relay_ = std::make_shared<relay>(std::move(wake));
        if (readable) {
            lent.wake_when(socket, isthmus::io_event::readable, readable_, isthmus::waker(relay_, 0));
        }
        if (writable) {
            lent.wake_when(socket, isthmus::io_event::writable, writable_, isthmus::waker(relay_, 0));
        }
    }
    void stop() noexcept {
        readable_.forget();
        writable_.forget();
    }

private:
    /// Whoever of them is first calls the waker.
    struct relay final : isthmus::wake_target {
        explicit relay(isthmus::waker target) noexcept : to(std::move(target)) {}
        void wake(std::uint64_t) noexcept override { to(); }
        isthmus::waker to;
    };
    isthmus::registration readable_, writable_;
    std::shared_ptr<relay> relay_;
};

} // namespace pg
