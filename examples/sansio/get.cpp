// examples/sansio/get.cpp — sansio_get: prints what is at a URL.
// SPDX-License-Identifier: MIT

#include "http/session.hpp"
#include "posix.hpp"

#include <isthmus/run.hpp>

#include <cstdio>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace {

struct url {
    std::string host, port, target;
};

url parse(std::string_view text) {
    constexpr std::string_view scheme = "http://";
    if (!text.starts_with(scheme)) {
        throw std::invalid_argument("only http:// URLs");
    }
    text.remove_prefix(scheme.size());
    const std::size_t slash = std::min(text.find('/'), text.size());
    const std::string_view authority = text.substr(0, slash);
    const std::string_view target = text.substr(slash, text.find('#') - slash);
    const std::size_t bracket = authority.find(']'); // of an IPv6 address
    const std::size_t colon = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    std::string_view host = authority.substr(0, colon);
    if (bracket != std::string_view::npos) {
        host = host.substr(1, bracket - 1);
    }
    const std::string_view port = colon == std::string_view::npos ? "80" : authority.substr(colon + 1);
    return {std::string(host), std::string(port), target.empty() ? "/" : std::string(target)};
}

/// The whole conversation. Returns the status.
http::io<int> get(http::session& s, const url& from) {
    http::request request("GET", from.target);
    const bool numeric = from.host.find(':') != std::string::npos;
    request.fields.add("Host", (numeric ? "[" + from.host + "]" : from.host) + ":" + from.port);
    request.fields.add("Connection", "close");
    co_await s.write(request, "");
    const http::response response = co_await s.next_response();
    std::fprintf(stderr, "%d %s\n", response.status, response.reason.c_str());
    for (const http::field each : response.fields) {
        std::fprintf(stderr, "%s: %s\n", std::string(each.name).c_str(), std::string(each.value).c_str());
    }
    while (const std::optional<std::string_view> piece = co_await s.next_piece()) {
        std::fwrite(piece->data(), 1, piece->size(), stdout);
    }
    co_return response.status;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 2) {
        std::fprintf(stderr, "usage: sansio_get http://HOST[:PORT]/PATH    (the body to stdout, the rest to stderr)\n");
        return 2;
    }
    try {
        const url from = parse(argv[1]);
        posix::socket connected = posix::connect(from.host, from.port);
        connected.set_timeout(60);
        http::session s(http::role::client);
        return isthmus::run(get(s, from), connected) < 400 ? 0 : 1;
    } catch (const std::exception& e) {
        std::fprintf(stderr, "sansio_get: %s\n", e.what());
        return 1;
    }
}
