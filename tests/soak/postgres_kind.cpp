// tests/soak/postgres_kind.cpp — commands for a PostgreSQL server, which is killed now and then.
// SPDX-License-Identifier: MIT

#include "world.hpp"

#include <client.hpp>

#include <chrono>
#include <exception>
#include <memory>
#include <string>
#include <utility>

namespace soak {

namespace {

using connection = std::shared_ptr<pg::connection>;

task<std::string> ask(connection db, std::string sql, pg::parameters values = {}) {
    const pg::result found = co_await db->execute(std::move(sql), std::move(values));
    co_return std::string(found.value(0, 0).value_or("NULL"));
}

task<> expect_answer(world& in, connection db, std::uint64_t seed) {
    const std::string sent = std::to_string(seed);
    const std::string received = co_await ask(std::move(db), "SELECT $1::text", pg::parameters(1, sent));
    if (received != sent) {
        in.fault("the server's answer is another one's");
    }
}

/// A command that takes longer than it may; the connection works on.
task<> time_out(connection db) {
    try {
        co_await isthmus::with_timeout(std::chrono::milliseconds(2), db->execute("SELECT pg_sleep(10)"));
    } catch (const isthmus::timed_out&) {
        co_return;
    }
}

/// Rows that arrive in many parts.
task<> expect_rows(world& in, connection db) {
    const pg::result rows = co_await db->execute("SELECT i, repeat('x', 100) FROM generate_series(1, 3000) AS i");
    if (rows.rows() != 3000) {
        in.fault("rows are missing");
    }
}

task<> use_transaction(connection db, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    pg::transaction both(db);
    co_await both.begin();
    co_await db->execute_script("CREATE TEMPORARY TABLE t (x int)");
    const pg::statement insert = co_await db->prepare("INSERT INTO t VALUES ($1)");
    co_await db->execute_many(insert, std::vector<pg::parameters>(10, pg::parameters(1, 7)));
    if (roll(dice, 2) == 0) {
        co_await both.commit();
    } else {
        co_await both.roll_back();
    }
}

task<> use_connection(world& in, std::uint64_t seed) {
    random dice(static_cast<random::result_type>(seed));
    const connection db = co_await pg::connection::connect(in.address);
    co_await expect_answer(in, db, dice());
    switch (roll(dice, 6)) {
    case 0:
        co_await db->execute("SELECT 1 / $1::int", pg::parameters(1, 0));
        in.fault("an error was lost");
        break;
    case 1:
        co_await time_out(db);
        break;
    case 2:
        co_await db->execute("SELECT pg_sleep(0.005)");
        break;
    case 3:
        co_await expect_rows(in, db);
        break;
    case 4:
        co_await use_transaction(db, dice());
        break;
    default:
        break;
    }
    co_await expect_answer(in, db, dice());
}

/// Whether the server serves nobody but who asks. It takes a little until it knows that a client has gone.
bool is_alone(const std::string& dsn) {
    const auto count = [](std::string server) -> task<std::string> {
        const connection db = co_await pg::connection::connect(std::move(server));
        co_return co_await ask(db, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'");
    };
    try {
        return isthmus::run(count(dsn)) == "1";
    } catch (const std::exception&) {
        return false; // it is being started again
    }
}

} // namespace

kind postgres_kind(world& in) {
    return {.one = [&in](std::uint64_t seed) { return use_connection(in, seed); },
            .is_at_rest = [&in] { return is_alone(in.address); },
            .at_once = 15};
}

} // namespace soak
