// examples/sansio/tests/test_garbage.cpp — random and mutated bytes: only the documented errors come of them.
// SPDX-License-Identifier: MIT

#include "support.hpp"

#include <algorithm>
#include <random>

namespace {

const std::vector<std::string> seeds = {
    "GET /index.html HTTP/1.1\r\nHost: example.org\r\nAccept: */*\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5;a=b\r\nhello\r\n0\r\nT: "
    "1\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\n",
    "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\nUpgrade: b\r\n\r\nraw",
    "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcHTTP/1.1 204 No\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\n\r\n",
    "HTTP/1.0 200 OK\r\n\r\nuntil the end",
};

/// Tokens whose accidental combination is more likely to matter than that of single bytes.
const std::vector<std::string> tokens = {
    "\r\n",
    "\n",
    "\r",
    " ",
    "\t",
    ":",
    ";",
    ",",
    "0\r\n",
    "GET ",
    "HTTP/1.1",
    "HTTP/1.0",
    "Host: a",
    "chunked",
    "close",
    "100-continue",
    "ffffffffffffffff",
    "-1",
    "Content-Length: 1\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Upgrade: x\r\n",
    std::string(1, '\0'),
    "\xff",
    "HTTP/1.1 101 X\r\n",
};

class random_bytes {
public:
    explicit random_bytes(unsigned seed) : engine_(seed) {}

    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(engine_); }

    std::string mutated() {
        std::string text = seeds[below(seeds.size())];
        for (std::size_t i = below(6); i > 0; --i) {
            const std::size_t at = below(text.size() + 1);
            switch (below(5)) {
            case 0:
                text.insert(at, tokens[below(tokens.size())]);
                break;
            case 1:
                text.erase(at, below(8));
                break;
            case 2:
                text.insert(at, 1, static_cast<char>(below(256)));
                break;
            case 3:
                text += seeds[below(seeds.size())];
                break;
            default:
                text.replace(at, std::min(text.size() - at, below(4)), tokens[below(tokens.size())]);
                break;
            }
        }
        return text;
    }
    std::string noise() {
        std::string text;
        for (std::size_t i = below(40); i > 0; --i) {
            text += below(2) == 0 ? tokens[below(tokens.size())] : std::string(1, static_cast<char>(below(256)));
        }
        return text;
    }
    test::pieces split(const std::string& text) {
        test::pieces made;
        for (std::size_t at = 0; at < text.size();) {
            const std::size_t size = 1 + below(text.size());
            made.push_back(text.substr(at, size));
            at += size;
        }
        return made;
    }

private:
    std::mt19937 engine_;
};

TEST(Garbage, RaisesOnlyRemoteErrorsAndIsReadTheSameHoweverItIsSplit) {
    random_bytes random(20240229);
    std::size_t refused = 0;
    std::size_t accepted = 0;
    for (int i = 0; i < 2000; ++i) {
        const std::string text = i % 4 == 0 ? random.noise() : random.mutated();
        const test::pieces whole = text.empty() ? test::pieces() : test::pieces{text};
        const test::pieces split = random.split(text);
        const test::trace as_server = test::read_as_server(whole);
        const test::trace as_client = test::read_as_client(whole, {"GET", "HEAD", "CONNECT"});
        ASSERT_EQ(test::read_as_server(split), as_server) << testing::PrintToString(text);
        ASSERT_EQ(test::read_as_client(split, {"GET", "HEAD", "CONNECT"}), as_client) << testing::PrintToString(text);
        for (const test::trace& found : {as_server, as_client}) {
            ++(found.back() == "closed" ? accepted : refused);
        }
    }
    EXPECT_GT(refused, 500U); // both happen, or this test would say little
    EXPECT_GT(accepted, 100U);
}

TEST(Garbage, LeavesNothingBehindWhenAConnectionIsDropped) { // LeakSanitizer watches
    random_bytes random(7);
    for (int i = 0; i < 2000; ++i) {
        http::connection server(http::role::server);
        const std::string text = random.mutated();
        try {
            server.receive(text.substr(0, random.below(text.size() + 1)) + " ");
            for (std::size_t events = random.below(6); events > 0; --events) {
                static_cast<void>(server.next_event());
            }
        } catch (const http::remote_error& error) {
            EXPECT_GE(error.status(), 400);
        }
    }
}

} // namespace
