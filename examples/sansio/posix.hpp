// examples/sansio/posix.hpp — a driver of conversations: blocking POSIX sockets.
// SPDX-License-Identifier: MIT
#pragma once

#include "http/session.hpp"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <variant>

namespace posix {

/// Owns a connected or listening socket. As a handler for isthmus::run() it does what a conversation asks for.
class socket {
public:
    explicit socket(int descriptor) : descriptor_(descriptor) {
        if (descriptor < 0) {
            throw std::system_error(errno, std::generic_category(), "socket");
        }
    }
    socket(socket&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
    socket& operator=(socket&&) = delete;
    ~socket() {
        if (descriptor_ >= 0) {
            ::close(descriptor_);
        }
    }

    int descriptor() const noexcept { return descriptor_; }

    /// What isthmus::run() calls: returns what was received, nothing at the end of the connection or for what was sent.
    std::string operator()(const http::want& wanted) {
        if (const http::outgoing* const sent = std::get_if<http::outgoing>(&wanted)) {
            send(*sent);
            return {};
        }
        return receive();
    }

    std::string receive() {
        std::string bytes(16 * 1024, '\0');
        const ssize_t count = again([&] { return ::recv(descriptor_, bytes.data(), bytes.size(), 0); });
        bytes.resize(static_cast<std::size_t>(count));
        return bytes;
    }

    /// Sends all pieces, where possible with one call.
    void send(http::outgoing sent) {
        auto& pieces = sent.pieces;
        while (!pieces[0].empty() || !pieces[1].empty() || !pieces[2].empty()) {
            iovec vectors[3];
            for (std::size_t i = 0; i < 3; ++i) {
                vectors[i] = {const_cast<char*>(pieces[i].data()), pieces[i].size()};
            }
            msghdr message = {};
            message.msg_iov = vectors;
            message.msg_iovlen = 3;
            auto count =
                static_cast<std::size_t>(again([&] { return ::sendmsg(descriptor_, &message, MSG_NOSIGNAL); }));
            for (std::string_view& piece : pieces) {
                const std::size_t done = std::min(count, piece.size());
                piece.remove_prefix(done);
                count -= done;
            }
        }
    }

    /// A receive that waits for longer fails.
    void set_timeout(int seconds) {
        const timeval time = {seconds, 0};
        ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time);
    }
    void set_option(int level, int option) {
        const int on = 1;
        ::setsockopt(descriptor_, level, option, &on, sizeof on);
    }

private:
    template <class Call>
    static ssize_t again(Call call) {
        while (true) {
            const ssize_t count = call();
            if (count >= 0) {
                return count;
            }
            if (errno != EINTR) {
                throw std::system_error(errno, std::generic_category(), "connection");
            }
        }
    }

    int descriptor_;
};

using addresses = std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)>;

inline addresses resolve(const std::string& host, const std::string& port) {
    addrinfo hints = {};
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    if (const int problem = ::getaddrinfo(host.c_str(), port.c_str(), &hints, &found); problem != 0) {
        throw std::runtime_error(host + ": " + ::gai_strerror(problem));
    }
    return {found, &::freeaddrinfo};
}

/// Connects to the first address of `host` that answers. Throws if none does.
inline socket connect(const std::string& host, const std::string& port) {
    const addresses all = resolve(host, port);
    for (const addrinfo* each = all.get(); each != nullptr; each = each->ai_next) {
        socket made(::socket(each->ai_family, each->ai_socktype, each->ai_protocol));
        if (::connect(made.descriptor(), each->ai_addr, each->ai_addrlen) == 0) {
            made.set_option(IPPROTO_TCP, TCP_NODELAY);
            return made;
        }
    }
    throw std::system_error(errno, std::generic_category(), host + ":" + port);
}

/// Listens at an address of this machine; `port` "0" takes any.
inline socket listen(const std::string& host, const std::string& port) {
    const addresses all = resolve(host, port);
    socket made(::socket(all->ai_family, all->ai_socktype, all->ai_protocol));
    made.set_option(SOL_SOCKET, SO_REUSEADDR);
    if (::bind(made.descriptor(), all->ai_addr, all->ai_addrlen) != 0 || ::listen(made.descriptor(), SOMAXCONN) != 0) {
        throw std::system_error(errno, std::generic_category(), host + ":" + port);
    }
    return made;
}

inline std::string port_of(const socket& listening) {
    sockaddr_storage address = {};
    socklen_t size = sizeof address;
    char port[NI_MAXSERV];
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (::getsockname(listening.descriptor(), any, &size) != 0 ||
        ::getnameinfo(any, size, nullptr, 0, port, sizeof port, NI_NUMERICSERV) != 0) {
        throw std::runtime_error("the port is unknown");
    }
    return port;
}

} // namespace posix
