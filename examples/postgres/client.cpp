// examples/postgres/client.cpp — connections: their commands, and what ends them.
// SPDX-License-Identifier: MIT

#include "client.hpp"

#include "exchange.hpp"
#include "statement_cache.hpp"

#include <libpq-fe.h>

#include <algorithm>
#include <string_view>
#include <thread>

#if defined(Py_PYTHON_H)
#error "this client is to know nothing of Python"
#endif

namespace pg {

namespace {

/// How long a cancelled command may take until it ends. Then the connection is closed.
constexpr std::chrono::seconds patience{10};
constexpr std::chrono::milliseconds until_next_request{500};

constexpr std::size_t most_parameters = 65535;
constexpr std::size_t most_notices = 100;

/// Runs `body` to its end also if whoever awaits this is cancelled: `body` is told so, by isthmus::cancelled at its
/// co_await, but may go on to wait for what has to be done, and the other one does.
template <class T>
task<T> shielded(task<T> body) {
    if constexpr (std::is_void_v<T>) {
        co_await isthmus::when_all(std::move(body));
    } else {
        auto results = co_await isthmus::when_all(std::move(body));
        co_return std::get<0>(std::move(results));
    }
}

void refuse_null(const std::string& text) {
    if (text.find('\0') != std::string::npos) {
        throw misuse("PostgreSQL has no text with a null character in it");
    }
}

void check(const parameters& values) {
    if (values.size() > most_parameters) {
        throw misuse("a command can have " + std::to_string(most_parameters) + " parameters, not " +
                     std::to_string(values.size()));
    }
    for (const parameter& each : values) {
        if (each.text && !each.binary) {
            refuse_null(*each.text);
        }
    }
}

/// Parameters, as libpq takes them.
struct raw_parameters {
    explicit raw_parameters(const parameters& from) {
        for (const parameter& each : from) {
            values.push_back(each.text ? each.text->data() : nullptr);
            lengths.push_back(each.text ? static_cast<int>(each.text->size()) : 0);
            formats.push_back(each.binary ? 1 : 0);
        }
    }
    int count() const noexcept { return static_cast<int>(values.size()); }
    std::vector<const char*> values;
    std::vector<int> lengths, formats;
};

std::string trimmed(std::string text) {
    while (text.ends_with('\n')) {
        text.pop_back();
    }
    return text;
}

/// The server has prepared something else than what it would be now, or nothing.
bool is_outdated(const server_error& e) noexcept {
    return e.said().sqlstate == "26000" ||
           (e.said().sqlstate == "0A000" && e.said().message == "cached plan must not change result type");
}

} // namespace

// ---- connecting
// ------------------------------------------------------------------------------------------------------

void connection::finish::operator()(pg_conn* owned) const noexcept { PQfinish(owned); }

connection::connection(std::unique_ptr<pg_conn, finish> connected)
    : handle_(std::move(connected)), statements_(std::make_unique<statement_cache>()) {
    PQsetnonblocking(handle_.get(), 1);
    PQsetNoticeReceiver(handle_.get(), &note, this);
}

connection::~connection() = default;

task<std::shared_ptr<connection>> connection::connect(std::string dsn) {
    refuse_null(dsn);
    const char* const keywords[] = {"dbname", "client_encoding", "fallback_application_name", nullptr};
    const char* const values[] = {dsn.c_str(), "UTF8", "isthmus_postgres", nullptr};
    std::unique_ptr<pg_conn, finish> made(PQconnectStartParams(keywords, values, 1));
    if (made == nullptr) {
        throw std::bad_alloc();
    }
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    if (PQstatus(made.get()) == CONNECTION_BAD) {
        next = PGRES_POLLING_FAILED;
    }
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) {
            throw connection_lost(trimmed(PQerrorMessage(made.get())));
        }
        if (next == PGRES_POLLING_READING) {
            co_await isthmus::readable(PQsocket(made.get()));
        } else {
            co_await isthmus::writable(PQsocket(made.get()));
        }
        next = PQconnectPoll(made.get());
    }
    const std::shared_ptr<connection> connected(new connection(std::move(made)));
    if (const char* const style = PQparameterStatus(connected->handle_.get(), "DateStyle");
        style == nullptr || !std::string_view(style).starts_with("ISO")) {
        co_await connected->execute_script("SET DateStyle = 'ISO'");
    }
    co_return connected;
}

void connection::close() noexcept { disconnect(); }

/// Whoever waits is woken first, so that no reactor knows the socket any more.
void connection::disconnect() noexcept {
    const std::unique_ptr<pg_conn, finish> gone = std::move(handle_);
    if (running_ != nullptr) {
        running_->wake();
    }
    wake_subscriptions();
}

void connection::lose(diagnostics why) noexcept {
    if (is_open()) {
        why.message = trimmed(std::move(why.message));
        lost_ = std::move(why);
        disconnect();
    }
}

/// A server that ends may have said so before, in what libpq takes for a notice.
diagnostics connection::farewell() const {
    if (!notices_.empty() && notices_.back().sqlstate.starts_with("57P0")) {
        return notices_.back();
    }
    return {.message = PQerrorMessage(handle_.get())};
}

void connection::require_open() const {
    if (lost_) {
        throw connection_lost(*lost_);
    }
    if (!is_open()) {
        throw misuse("the connection is closed");
    }
}

bool connection::in_transaction() const noexcept {
    return is_open() && PQtransactionStatus(handle_.get()) != PQTRANS_IDLE;
}

int connection::pid() const noexcept { return is_open() ? PQbackendPID(handle_.get()) : 0; }

void connection::note(void* self, const pg_result* notice) {
    std::vector<diagnostics>& notices = static_cast<connection*>(self)->notices_;
    try {
        if (notices.size() == most_notices) {
            notices.erase(notices.begin());
        }
        notices.push_back(read_diagnostics(notice));
    } catch (const std::bad_alloc&) { // libpq is no place to throw in, and a notice can be missed
    }
}

// ---- commands
// --------------------------------------------------------------------------------------------------------

/// The connection executes a command. One that is not over at the end of it was destroyed: nobody will read the rest.
class connection::in_use {
public:
    in_use(connection& on, exchange& replies, interrupts may) : on_(on) {
        on_.require_open();
        if (on_.running_ != nullptr) {
            throw misuse("another task uses this connection: a connection is for one task at a time");
        }
        on_.running_ = &replies;
        on_.interruptible_ = may == interrupts::allowed;
        on_.cancel_requested_ = false;
    }
    ~in_use() {
        on_.running_ = nullptr;
        if (sent_) {
            on_.lose({.message = "the connection was closed: a command on it was abandoned"});
        }
        on_.wake_subscriptions(); // from now on they have to read themselves
    }
    in_use(const in_use&) = delete;
    in_use& operator=(const in_use&) = delete;
    void sent() noexcept { sent_ = true; }
    void over() noexcept { sent_ = false; }

private:
    connection& on_;
    bool sent_ = false;
};

task<result> connection::run(const command& what, interrupts may) { return shielded(perform(what, may)); }

task<result> connection::perform(const command& what, interrupts may) {
    const bool pipeline = what.what == command::kind::many;
    exchange replies(*this, pipeline);
    in_use scope(*this, replies, may);
    if (send(what) == 0) {
        std::string why = trimmed(PQerrorMessage(handle_.get()));
        if (pipeline || PQstatus(handle_.get()) == CONNECTION_BAD) {
            lose({.message = why});
            require_open();
        }
        throw misuse(why);
    }
    scope.sent();
    std::exception_ptr cancelled;
    try {
        co_await replies;
    } catch (const isthmus::cancelled&) {
        cancelled = std::current_exception();
    }
    if (!replies.over()) {
        co_await stop(replies, may);
    }
    scope.over();
    if (pipeline && is_open()) {
        PQexitPipelineMode(handle_.get());
    }
    if (cancelled) {
        std::rethrow_exception(cancelled);
    }
    co_return replies.take();
}

/// Ends a command that was cancelled, so that the connection can be used for the next one.
task<> connection::stop(exchange& replies, interrupts may) {
    interruptible_ = cancel_requested_ = false;
    try {
        co_await isthmus::with_timeout(patience, drain(replies, may));
    } catch (const std::exception& e) {
        lose({.message = std::string("the connection was closed: a command could not be cancelled: ") + e.what()});
    }
}

/// A request can be lost: PostgreSQL 15 does not see one that comes while it loads its compiler (JIT) for the query. So
/// it is made again.
task<> connection::drain(exchange& replies, interrupts may) {
    while (!replies.over()) {
        if (may == interrupts::allowed) {
            co_await request_cancel();
        }
        try {
            co_await isthmus::with_timeout(until_next_request, read_rest(replies));
        } catch (const isthmus::timed_out&) { // once more
        }
    }
}

task<> connection::read_rest(exchange& replies) {
    while (!replies.over()) {
        co_await replies;
    }
}

/// Returns when the server has dealt with the request. So it cannot hit the command after.
task<> connection::request_cancel() {
#if defined(LIBPQ_HAS_ASYNC_CANCEL)
    struct finish_request {
        void operator()(PGcancelConn* owned) const noexcept { PQcancelFinish(owned); }
    };
    const std::unique_ptr<PGcancelConn, finish_request> request(PQcancelCreate(handle_.get()));
    PostgresPollingStatusType next = PGRES_POLLING_WRITING;
    if (PQcancelStart(request.get()) == 0) {
        next = PGRES_POLLING_FAILED;
    }
    while (next != PGRES_POLLING_OK) {
        if (next == PGRES_POLLING_FAILED) {
            throw connection_lost(trimmed(PQcancelErrorMessage(request.get())));
        }
        if (next == PGRES_POLLING_READING) {
            co_await isthmus::readable(PQcancelSocket(request.get()));
        } else {
            co_await isthmus::writable(PQcancelSocket(request.get()));
        }
        next = PQcancelPoll(request.get());
    }
#else
    // Before version 17, libpq can only block for it, and tells nobody the key that another way would need.
    struct free_request {
        void operator()(PGcancel* owned) const noexcept { PQfreeCancel(owned); }
    };
    std::unique_ptr<PGcancel, free_request> request(PQgetCancel(handle_.get()));
    isthmus::completion<std::string> done;
    std::thread([request = std::move(request), callback = done.callback()] {
        char why[256] = "";
        callback(PQcancel(request.get(), why, sizeof why) == 1 ? std::string() : trimmed(why));
    }).detach();
    const std::string why = co_await done;
    if (!why.empty()) {
        throw connection_lost(why);
    }
#endif
}

bool connection::cancel() noexcept {
    if (running_ == nullptr || !interruptible_) {
        return false;
    }
    cancel_requested_ = true;
    running_->wake();
    return true;
}

/// As libpq's functions: 0 if it cannot be sent.
int connection::send(const command& what) {
    refuse_null(what.sql);
    check(what.values);
    std::for_each(what.rows.begin(), what.rows.end(), check);
    pg_conn* const to = handle_.get();
    const char* const sql = what.sql.c_str();
    const auto send_prepared = [to, sql](const parameters& values) {
        const raw_parameters raw(values);
        return PQsendQueryPrepared(to, sql, raw.count(), raw.values.data(), raw.lengths.data(), raw.formats.data(), 0);
    };
    switch (what.what) {
    case command::kind::script:
        return PQsendQuery(to, sql);
    case command::kind::query: {
        const raw_parameters raw(what.values);
        return PQsendQueryParams(to, sql, raw.count(), nullptr, raw.values.data(), raw.lengths.data(),
                                 raw.formats.data(), 0);
    }
    case command::kind::prepare:
        return PQsendPrepare(to, what.name.c_str(), sql, 0, nullptr);
    case command::kind::prepared:
        return send_prepared(what.values);
    case command::kind::many:
        break;
    }
    return PQenterPipelineMode(to) == 1 && std::all_of(what.rows.begin(), what.rows.end(), send_prepared) &&
           PQpipelineSync(to) == 1;
}

task<result> connection::execute(std::string sql, parameters values) {
    std::optional<statement> prepared = statements_->find(sql);
    if (!prepared && statements_->came_before(sql)) {
        prepared = co_await prepare(sql);
        statements_->keep(sql, *prepared);
    }
    const command direct{.what = command::kind::query, .sql = std::move(sql), .values = std::move(values)};
    if (!prepared) {
        co_return co_await run(direct);
    }
    try {
        co_return co_await execute(*prepared, direct.values);
    } catch (const server_error& e) {
        if (!is_outdated(e)) {
            throw;
        }
        statements_->forget(direct.sql);
        if (in_transaction()) { // which has failed
            throw;
        }
    }
    co_return co_await run(direct);
}

task<result> connection::execute_script(std::string sql) {
    const command what{.what = command::kind::script, .sql = std::move(sql)};
    co_return co_await run(what);
}

task<statement> connection::prepare(std::string sql) {
    co_await deallocate_dropped();
    const command what{
        .what = command::kind::prepare, .sql = std::move(sql), .name = "s" + std::to_string(++prepared_)};
    co_await run(what);
    const auto drop = [of = weak_from_this()](const std::string* name) {
        const std::unique_ptr<const std::string> dropped(name);
        if (const std::shared_ptr<connection> alive = of.lock()) {
            alive->dropped_.push_back(*dropped);
        }
    };
    co_return statement(std::shared_ptr<const std::string>(new std::string(what.name), drop));
}

/// Not in a transaction, which a name that is gone (DISCARD ALL) would spoil.
task<> connection::deallocate_dropped() {
    require_open();
    if (dropped_.empty() || in_transaction()) {
        co_return;
    }
    std::string script;
    for (const std::string& name : std::exchange(dropped_, {})) {
        script += "DEALLOCATE " + name + ";";
    }
    try {
        co_await execute_script(std::move(script));
    } catch (const server_error&) { // the connection goes on without
    }
}

task<result> connection::execute(statement prepared, parameters values) {
    const command what{.what = command::kind::prepared, .sql = prepared.name(), .values = std::move(values)};
    co_return co_await run(what);
}

task<> connection::execute_many(statement prepared, std::vector<parameters> rows) {
    const command what{.what = command::kind::many, .sql = prepared.name(), .rows = std::move(rows)};
    co_await run(what);
}

// ---- notifications
// ---------------------------------------------------------------------------------------------------

/// Between commands: takes what the server sends by itself.
void connection::read_idle() {
    const bool alive = PQconsumeInput(handle_.get()) == 1;
    collect_notifications();
    if (!alive || PQstatus(handle_.get()) == CONNECTION_BAD) {
        lose(farewell());
    }
}

} // namespace pg
