// examples/postgres/select.cpp — postgres_select DSN SQL [VALUE...]: prints the rows of a query, without any Python.
// SPDX-License-Identifier: MIT

#include "client.hpp"

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

namespace {

isthmus::task<pg::result> select(std::string dsn, std::string sql, pg::parameters values) {
    const std::shared_ptr<pg::connection> db = co_await isthmus::with_timeout(10s, pg::connection::connect(dsn));
    co_return co_await isthmus::with_timeout(10s, db->execute(std::move(sql), std::move(values)));
}

} // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fprintf(stderr, "usage: %s DSN SQL [VALUE...]\n", argv[0]);
        return 2;
    }
    try {
        const pg::result rows = isthmus::run(select(argv[1], argv[2], pg::parameters(argv + 3, argv + argc)));
        for (std::size_t row = 0; row < rows.rows(); ++row) {
            for (std::size_t column = 0; column < rows.columns(); ++column) {
                const std::string value(rows.value(row, column).value_or("NULL"));
                std::printf("%s%s", column == 0 ? "" : "\t", value.c_str());
            }
            std::printf("\n");
        }
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
