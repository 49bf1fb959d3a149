// examples/postgres/exchange.cpp — what the server replies to a command.
// SPDX-License-Identifier: MIT

#include "exchange.hpp"

#include <libpq-fe.h>

#include <poll.h>

namespace pg {

namespace {

constexpr const char* no_copy = "COPY FROM STDIN and TO STDOUT are not supported by this client";

/// Whether there is more to read at once.
bool is_readable(int socket) noexcept {
    pollfd asked{socket, POLLIN, 0};
    return ::poll(&asked, 1, 0) > 0;
}

} // namespace

bool exchange::start(isthmus::reactor& lent, isthmus::waker wake) {
    if (over_ || !on_.is_open()) {
        over_ = true;
        return true;
    }
    // An error here shows when it is read: the server may have said why.
    flushed_ = flushed_ || PQflush(on_.handle_.get()) <= 0;
    wait(lent, std::move(wake), PQsocket(on_.handle_.get()), true, !flushed_);
    return false;
}

bool exchange::finished() {
    stop();
    if (!on_.is_open()) {
        over_ = true;
        return true;
    }
    read();
    return over_ || on_.cancel_requested_;
}

/// A large result does not come at once, but each wait for a part of it costs as much as many a row. So all that is
/// there is read, but not for so long that others on the loop would notice.
void exchange::read() {
    pg_conn* const handle = on_.handle_.get();
    for (int part = 0; part < 32; ++part) {
        const bool alive = PQconsumeInput(handle) == 1;
        flushed_ = flushed_ || PQflush(handle) <= 0;
        take_results();
        on_.collect_notifications();
        if (!alive || PQstatus(handle) == CONNECTION_BAD) {
            over_ = true;
            const bool told = error_ && error_->severity == "FATAL";
            on_.lose(told ? *std::move(error_) : on_.farewell());
            return;
        }
        if (over_ || !is_readable(PQsocket(handle))) {
            return;
        }
    }
}

void exchange::take_results() {
    while (!over_ && PQisBusy(on_.handle_.get()) == 0) {
        if (copying_out_ && !skip_copied_rows()) {
            return;
        }
        take(PQgetResult(on_.handle_.get()));
    }
}

void exchange::take(pg_result* next) {
    pg::result owned(next);
    if (next == nullptr) { // the end; in a pipeline, of one command, or of all if there is no connection any more
        over_ = !pipeline_ || PQstatus(on_.handle_.get()) == CONNECTION_BAD;
        return;
    }
    switch (PQresultStatus(next)) {
    case PGRES_FATAL_ERROR:
    case PGRES_BAD_RESPONSE:
        if (!error_) {
            error_ = read_diagnostics(next);
        }
        break;
    case PGRES_COPY_IN:
    case PGRES_COPY_OUT:
        if (PQresultStatus(next) == PGRES_COPY_IN) { // the server makes an error of it
            PQputCopyEnd(on_.handle_.get(), no_copy);
            flushed_ = false;
        } else {
            copying_out_ = true;
        }
        if (!error_) {
            error_ = diagnostics{.severity = "ERROR", .sqlstate = "0A000", .message = no_copy};
        }
        break;
    case PGRES_PIPELINE_SYNC:
        over_ = true;
        break;
    case PGRES_PIPELINE_ABORTED: // for the error before
        break;
    default:
        last_ = std::move(owned);
    }
}

/// Whether all of them have come.
bool exchange::skip_copied_rows() {
    char* row = nullptr;
    int size = 0;
    while ((size = PQgetCopyData(on_.handle_.get(), &row, 1)) > 0) {
        PQfreemem(row);
    }
    copying_out_ = size == 0;
    return !copying_out_;
}

pg::result exchange::take() {
    on_.require_open();
    if (error_) {
        throw server_error(*std::move(error_));
    }
    return std::move(last_);
}

} // namespace pg
