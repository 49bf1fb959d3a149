// examples/postgres/client.hpp — a PostgreSQL client, as tasks over libpq's non-blocking functions. It knows no event
// loop and nothing of Python.
// SPDX-License-Identifier: MIT
#pragma once

#include "result.hpp"

#include <isthmus/isthmus.hpp>

#include <chrono>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

struct pg_conn; // libpq's PGconn

namespace pg {

template <class T = void>
using task = isthmus::task<T>;

class exchange;
class connection;
class subscription;

/// What NOTIFY has sent.
struct notification {
    std::string channel, payload;
    int pid = 0; ///< of the server's process that sent it
};

/// A prepared statement. Copies stand for the same one; it is deallocated some time after the last of them died.
class statement {
public:
    const std::string& name() const noexcept { return *name_; }

private:
    friend class connection;
    explicit statement(std::shared_ptr<const std::string> name) noexcept : name_(std::move(name)) {}
    std::shared_ptr<const std::string> name_;
};

/// A connection to a server. It is for one thread, and executes one command at a time: a second task that wants to is
/// refused (misuse), since it would find itself in whatever transaction the first one has begun. It must outlive its
/// tasks.
///
/// A task that is cancelled cancels its command on the server, and ends when the server has; the connection can be used
/// further. One that is destroyed while it waits closes the connection. Commands throw server_error, connection_lost or
/// misuse.
class connection : public std::enable_shared_from_this<connection> {
public:
    /// Connects. `dsn` is what libpq takes: "host=/run/postgresql dbname=shop" or "postgresql://...". Names of hosts
    /// are looked up by a call that blocks, as libpq has no other; an address or `hostaddr` avoids it. Throws
    /// connection_lost.
    static task<std::shared_ptr<connection>> connect(std::string dsn);

    connection(const connection&) = delete;
    connection& operator=(const connection&) = delete;
    ~connection();

    /// Executes one statement. One that comes again is prepared, and stays so.
    task<result> execute(std::string sql, parameters values = {});
    /// Executes statements that are separated by semicolons, in one transaction unless they say otherwise. Gives the
    /// last result.
    task<result> execute_script(std::string sql);
    task<statement> prepare(std::string sql);
    task<result> execute(statement prepared, parameters values = {});
    /// Executes it for each of the rows, which are sent without waiting in between: all or nothing.
    task<> execute_many(statement prepared, std::vector<parameters> rows);

    /// Cancels what another task executes, which then ends in a server_error with the SQLSTATE 57014. False if there is
    /// nothing to cancel. Does not wait.
    bool cancel() noexcept;
    /// Closes it, at once. Whoever waits gets a misuse.
    void close() noexcept;
    bool is_open() const noexcept { return handle_ != nullptr; }
    /// Whether it is in a transaction, also in one that has failed.
    bool in_transaction() const noexcept;
    /// Of the server's process; 0 if the connection is closed.
    int pid() const noexcept;
    /// Notices, warnings for example, that have come since this was called last. The last hundred are kept.
    std::vector<diagnostics> take_notices() noexcept { return std::exchange(notices_, {}); }

private:
    friend class exchange;
    friend class subscription;
    friend class transaction;

    struct finish {
        void operator()(pg_conn* owned) const noexcept;
    };
    /// What is sent to the server.
    struct command {
        enum class kind { script, query, prepare, prepared, many } what;
        std::string sql; ///< or the name of a prepared statement
        parameters values = {};
        std::vector<parameters> rows = {};
        std::string name = {}; ///< for `prepare`
    };
    class in_use;
    class statement_cache;
    enum class interrupts { allowed, refused };

    explicit connection(std::unique_ptr<pg_conn, finish> connected);

    task<result> run(const command& what, interrupts may = interrupts::allowed);
    task<result> perform(const command& what, interrupts may);
    task<> stop(exchange& replies, interrupts may);
    task<> drain(exchange& replies, interrupts may);
    task<> read_rest(exchange& replies);
    task<> request_cancel();
    task<> deallocate_dropped();
    int send(const command& what);
    void require_open() const;
    /// Closes what has failed; `why` is told to all who use it.
    void lose(diagnostics why) noexcept;
    /// Why libpq has no connection any more.
    diagnostics farewell() const;
    void disconnect() noexcept;
    void read_idle();
    void collect_notifications();
    void wake_subscriptions() noexcept;
    static void note(void* self, const pg_result* notice);

    std::unique_ptr<pg_conn, finish> handle_;
    exchange* running_ = nullptr; ///< null between commands
    bool interruptible_ = false;
    bool cancel_requested_ = false;
    std::optional<diagnostics> lost_;
    std::vector<diagnostics> notices_;
    std::vector<subscription*> subscriptions_;
    std::vector<std::string> dropped_; ///< prepared statements that nobody has any more
    int prepared_ = 0;
    std::unique_ptr<statement_cache> statements_;
};

/// Notifications of some channels, from start() until close() or the destructor. They come in while anybody uses the
/// connection, and while next() waits, which does not hinder others from using it.
class subscription {
public:
    subscription(std::shared_ptr<connection> of, std::vector<std::string> channels);
    subscription(const subscription&) = delete;
    subscription& operator=(const subscription&) = delete;
    ~subscription();

    task<> start();
    /// The next one; none if it was closed. Starts it if need be. One task at a time.
    task<std::optional<notification>> next();
    task<> close();

private:
    friend class connection;
    class arrival;
    /// Whether another subscription has the channel.
    bool shares(const std::string& channel) const noexcept;
    void forget() noexcept;

    std::shared_ptr<connection> connection_;
    std::vector<std::string> channels_;
    std::deque<notification> arrived_;
    arrival* waiting_ = nullptr;
    bool in_next_ = false;
    enum class state { created, started, closed } state_ = state::created;
};

/// A transaction, or a savepoint in one.
class transaction {
public:
    /// `mode` is what BEGIN takes: "ISOLATION LEVEL SERIALIZABLE READ ONLY".
    explicit transaction(std::shared_ptr<connection> of, std::string mode = {});

    // A cancelled task goes on until these are over: then it is known what became of the transaction.
    task<> begin();
    /// Throws a server_error if the transaction was rolled back because a command in it had failed.
    task<> commit();
    task<> roll_back();

private:
    task<> begin_or_undo();
    task<result> run(std::string sql);
    task<result> end(std::string outer, std::string inner);

    std::shared_ptr<connection> connection_;
    std::string mode_;
    std::string savepoint_; ///< empty: it is the transaction
    enum class state { created, running, over } state_ = state::created;
};

} // namespace pg
