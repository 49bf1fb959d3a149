// isthmus/detail/wakeup.hpp — what a thread wakes an event loop with.
// SPDX-License-Identifier: MIT
#pragma once

#include <cerrno>
#include <cstdint>
#include <fcntl.h>
#include <system_error>
#include <unistd.h>
#if defined(__linux__)
#include <sys/eventfd.h>
#endif

namespace isthmus::inline v1::detail {

/// A file descriptor that becomes readable when another thread says so.
class wakeup {
public:
    wakeup() {
#if defined(__linux__)
        read_ = write_ = ::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
        if (read_ < 0) {
            throw std::system_error(errno, std::generic_category(), "isthmus: eventfd");
        }
#else
        int ends[2];
        if (::pipe(ends) != 0) {
            throw std::system_error(errno, std::generic_category(), "isthmus: pipe");
        }
        for (const int end : ends) {
            ::fcntl(end, F_SETFL, O_NONBLOCK);
            ::fcntl(end, F_SETFD, FD_CLOEXEC);
        }
        read_ = ends[0];
        write_ = ends[1];
#endif
    }
    ~wakeup() {
        ::close(read_);
        if (write_ != read_) {
            ::close(write_);
        }
    }
    wakeup(const wakeup&) = delete;
    wakeup& operator=(const wakeup&) = delete;

    int descriptor() const noexcept { return read_; }
    /// Makes it readable. If it cannot take more, it is readable already.
    void notify() const noexcept {
        const std::uint64_t one = 1;
        while (::write(write_, &one, sizeof(one)) < 0 && errno == EINTR) {}
    }
    void clear() const noexcept {
        std::uint64_t counted[16];
        ssize_t taken;
        do {
            taken = ::read(read_, counted, sizeof(counted));
        } while (taken == sizeof(counted) || (taken < 0 && errno == EINTR));
    }

private:
    int read_ = -1;
    int write_ = -1;
};

} // namespace isthmus::inline v1::detail
