// examples/sansio/bench.cpp — sansio_bench: parses and answers requests in memory, and prints how many a second.
// SPDX-License-Identifier: MIT
//
// bench.py runs it, beside the same from Python and beside h11.

#include "http/connection.hpp"

#include <chrono>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <variant>

namespace {

/// Feeds `text`, which holds requests, in pieces of `piece` bytes `rounds` times; answers each of them.
std::size_t answer_all(std::string_view text, std::size_t piece, int rounds) {
    http::connection server(http::role::server);
    const http::response ok(200, {{"Content-Type", "text/plain"}, {"Content-Length", "5"}});
    std::size_t answered = 0;
    std::size_t sent = 0;
    for (int round = 0; round < rounds; ++round) {
        for (std::size_t at = 0; at < text.size(); at += piece) {
            server.receive(std::string(text.substr(at, piece)));
            while (true) {
                const http::event event = server.next_event();
                if (std::holds_alternative<http::need_data>(event)) {
                    break;
                }
                if (std::holds_alternative<http::end_of_message>(event)) {
                    const std::string head = server.send(ok).joined();
                    const std::string body = server.send(http::data{"hello"}).joined();
                    sent += head.size() + body.size() + server.send(http::end_of_message()).joined().size();
                    ++answered;
                }
            }
        }
    }
    return sent > 0 ? answered : 0;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 4) {
        std::fprintf(stderr, "usage: sansio_bench FILE PIECE ROUNDS\n");
        return 2;
    }
    std::ifstream file(argv[1], std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t piece = std::strtoul(argv[2], nullptr, 10);
    const int rounds = std::atoi(argv[3]);
    const auto start = std::chrono::steady_clock::now();
    const std::size_t answered = answer_all(text, piece == 0 ? text.size() : piece, rounds);
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    std::printf("%.1f\n", static_cast<double>(answered) / seconds.count());
}
