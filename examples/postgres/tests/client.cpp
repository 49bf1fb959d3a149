// examples/postgres/tests/client.cpp — postgres_client_test DSN: the client under isthmus::run(), with several tasks
// and connections at once. Prints what it has checked. SPDX-License-Identifier: MIT

#include "client.hpp"

#include <chrono>
#include <cstdio>

using namespace std::chrono_literals;

namespace {

using isthmus::task;
using connection_ptr = std::shared_ptr<pg::connection>;

void check(bool holds, const char* what) {
    if (!holds) {
        throw std::runtime_error(std::string("wrong: ") + what);
    }
    std::printf("%s\n", what);
}

task<std::string> ask(connection_ptr db, std::string sql) {
    const pg::result found = co_await db->execute(std::move(sql));
    co_return std::string(found.value(0, 0).value_or("NULL"));
}

task<std::string> connect_and_ask(std::string dsn, int number) {
    const connection_ptr db = co_await pg::connection::connect(std::move(dsn));
    co_return co_await ask(db, "SELECT pg_sleep(0.1)::text || " + std::to_string(number));
}

task<> many_connections(std::string dsn) {
    std::vector<task<std::string>> all;
    for (int number = 0; number < 20; ++number) {
        all.push_back(connect_and_ask(dsn, number));
    }
    const std::vector<std::string> answers = co_await isthmus::when_all(std::move(all));
    check(answers.size() == 20 && answers[7] == "7", "twenty connections at once");
}

task<> timeouts(connection_ptr db) {
    bool timed_out = false;
    try {
        co_await isthmus::with_timeout(20ms, db->execute("SELECT pg_sleep(60)"));
    } catch (const isthmus::timed_out&) {
        timed_out = true;
    }
    check(timed_out && db->is_open(), "a command that took too long");
    check(co_await ask(db, "SELECT 1") == "1", "the connection after it");
}

task<> one_at_a_time(connection_ptr db) {
    std::string refused;
    try {
        co_await isthmus::when_all(ask(db, "SELECT pg_sleep(60)"), ask(db, "SELECT 1"));
    } catch (const pg::misuse& e) {
        refused = e.what();
    }
    check(refused.starts_with("another task uses this connection"), "two tasks on one connection");
    check(co_await ask(db, "SELECT 2") == "2", "the connection after them");
}

task<std::string> next_payload(pg::subscription& channel) {
    const std::optional<pg::notification> arrived = co_await channel.next();
    co_return arrived ? arrived->payload : "none";
}

task<> notify(connection_ptr from) {
    co_await isthmus::sleep_for(10ms);
    co_await from->execute("NOTIFY channel, 'hello'");
}

task<> notifications(connection_ptr db, connection_ptr other) {
    pg::subscription channel(db, std::vector<std::string>{"channel"});
    co_await channel.start();
    const auto arrived = co_await isthmus::when_all(next_payload(channel), ask(db, "SELECT 3"), notify(other));
    check(std::get<0>(arrived) == "hello", "a notification, while a command was executed");
    co_await channel.close();
}

task<> transactions(connection_ptr db, connection_ptr other) {
    co_await db->execute("CREATE TABLE t (x int)");
    const pg::statement insert = co_await db->prepare("INSERT INTO t VALUES ($1)");
    pg::transaction outer(db);
    co_await outer.begin();
    std::vector<pg::parameters> rows(3, pg::parameters(1)); // the value of which is NULL
    rows[0][0] = 1;
    co_await db->execute_many(insert, std::move(rows));
    pg::transaction inner(db);
    co_await inner.begin();
    co_await db->execute(insert, pg::parameters(1, 3));
    co_await inner.roll_back();
    check(co_await ask(other, "SELECT count(*) FROM t") == "0", "a transaction that is not over");
    co_await outer.commit();
    check(co_await ask(other, "SELECT count(*) FROM t") == "3", "a transaction that is, and a savepoint");
    std::string state;
    try {
        co_await db->execute("SELECT 1 / $1::int", pg::parameters(1, 0));
    } catch (const pg::server_error& e) {
        state = e.said().sqlstate;
    }
    check(state == "22012", "an error of the server");
}

task<> lost(connection_ptr db, connection_ptr other) {
    std::string state;
    try {
        const std::string end = "SELECT pg_terminate_backend(" + std::to_string(db->pid()) + ")";
        co_await isthmus::when_all(ask(db, "SELECT pg_sleep(60)"), ask(other, end));
    } catch (const pg::connection_lost& e) {
        state = e.said().sqlstate;
    }
    check(state == "57P01" && !db->is_open(), "a connection that broke");
}

task<> all(std::string dsn) {
    co_await many_connections(dsn);
    const connection_ptr db = co_await pg::connection::connect(dsn);
    const connection_ptr other = co_await pg::connection::connect(dsn);
    co_await timeouts(db);
    co_await one_at_a_time(db);
    co_await notifications(db, other);
    co_await transactions(db, other);
    co_await lost(db, other);
}

} // namespace

int main(int argc, char** argv) {
    try {
        isthmus::run(all(argc > 1 ? argv[1] : ""));
    } catch (const std::exception& e) {
        std::fprintf(stderr, "%s\n", e.what());
        return 1;
    }
}
