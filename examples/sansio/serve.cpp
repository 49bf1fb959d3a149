// examples/sansio/serve.cpp — sansio_serve: a server of files, or an echo, with a thread for each connection.
// SPDX-License-Identifier: MIT

#include "http/session.hpp"
#include "posix.hpp"

#include <isthmus/run.hpp>

#include <cstdio>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace fs = std::filesystem;

namespace {

/// Answers one request.
using answer = std::function<http::io<>(http::session&, const http::request&)>;

/// A response whose body says what its status means.
http::io<> write_status(http::session& s, int status, std::string text) {
    text += '\n';
    http::response head(status, {{"Content-Type", "text/plain"}});
    if (status == 405) {
        head.fields.add("Allow", "GET, HEAD");
    }
    co_await s.write(std::move(head), text);
}

/// A whole connection: request after request, until it ends or the client breaks the protocol.
http::io<> serve(http::session& s, const answer& answer_one) {
    int status = 0;
    std::string reason;
    try {
        while (const std::optional<http::request> request = co_await s.next_request()) {
            co_await answer_one(s, *request);
        }
    } catch (const http::remote_error& e) { // nothing can be awaited in here
        status = e.status();
        reason = e.what();
    }
    if (status != 0 && !s.sending()) {
        co_await write_status(s, status, reason);
    }
}

/// Sends back what it gets, piece by piece.
http::io<> echo(http::session& s, const http::request& request) {
    std::optional<std::string_view> piece = co_await s.next_piece();
    http::response head;
    if (const auto type = request.fields.find("Content-Type")) {
        head.fields.add("Content-Type", *type);
    }
    co_await s.write(head);
    while (piece) {
        if (request.method != "HEAD") {
            const http::data same = {*piece};
            co_await s.write(same);
        }
        piece = co_await s.next_piece();
    }
    const http::end_of_message end;
    co_await s.write(end);
}

/// The path that a request target names; nullopt if it is not encoded well.
std::optional<std::string> decoded_path(std::string_view target) {
    target = target.substr(0, target.find_first_of("?#"));
    std::string path;
    while (!target.empty()) {
        std::size_t length = 1;
        char c = target[0];
        if (c == '%') {
            length = 3;
            const auto code = http::syntax::number(target.substr(1, 2), 16);
            if (target.size() < length || !code || *code == 0) {
                return std::nullopt;
            }
            c = static_cast<char>(*code);
        }
        path += c;
        target.remove_prefix(length);
    }
    return path;
}

/// Sends a file of the folder.
http::io<> send_file(http::session& s, const http::request& request, const fs::path& folder) {
    const std::optional<std::string> path = decoded_path(request.target);
    if (request.method != "GET" && request.method != "HEAD") {
        co_await write_status(s, 405, "only GET and HEAD");
        co_return;
    }
    if (!path || !path->starts_with('/')) {
        co_await write_status(s, 400, "bad target");
        co_return;
    }
    std::error_code problem;
    const fs::path file = fs::canonical(folder / path->substr(1), problem);
    const fs::path inside = file.lexically_relative(folder);
    std::ifstream stream;
    if (!problem && *inside.begin() != ".." && fs::is_regular_file(file, problem)) {
        stream.open(file, std::ios::binary);
    }
    if (!stream.is_open()) {
        co_await write_status(s, 404, "not found");
        co_return;
    }
    http::response head(200, {{"Content-Type", "application/octet-stream"}});
    head.fields.add("Content-Length", std::to_string(fs::file_size(file)));
    co_await s.write(head);
    std::string block(64 * 1024, '\0');
    while (request.method != "HEAD" && stream) {
        stream.read(block.data(), static_cast<std::streamsize>(block.size()));
        const http::data piece = {std::string_view(block).substr(0, static_cast<std::size_t>(stream.gcount()))};
        co_await s.write(piece);
    }
    const http::end_of_message end;
    co_await s.write(end);
}

void converse(posix::socket connected, const answer& answer_one) {
    try {
        http::session s(http::role::server);
        isthmus::run(serve(s, answer_one), connected);
    } catch (const std::exception& e) { // the client has gone, or a file changed while it was sent
        std::fprintf(stderr, "%s\n", e.what());
    }
}

} // namespace

int main(int argc, char** argv) {
    const std::string port = argc > 2 ? argv[2] : "8080";
    if (argc < 2 || argc > 3) {
        std::fprintf(stderr, "usage: sansio_serve FOLDER|--echo [PORT]\n");
        return 2;
    }
    try {
        answer answer_one = echo;
        if (std::strcmp(argv[1], "--echo") != 0) {
            answer_one = [folder = fs::canonical(argv[1])](http::session& s, const http::request& request) {
                return send_file(s, request, folder);
            };
        }
        const posix::socket listening = posix::listen("127.0.0.1", port);
        std::printf("http://127.0.0.1:%s/\n", posix::port_of(listening).c_str());
        std::fflush(stdout);
        while (true) {
            posix::socket connected(::accept(listening.descriptor(), nullptr, nullptr));
            connected.set_timeout(60);
            connected.set_option(IPPROTO_TCP, TCP_NODELAY);
            std::thread(converse, std::move(connected), std::cref(answer_one)).detach();
        }
    } catch (const std::exception& e) {
        std::fprintf(stderr, "sansio_serve: %s\n", e.what());
        return 1;
    }
}
