// examples/sqlite/client.cpp — a connection as the event loop sees it.
// SPDX-License-Identifier: MIT

#include "client.hpp"

#include <stop_token>
#include <vector>

namespace py = isthmus::py;

// ---- the database ------------------------------------------------------------------------------------------------

namespace {
std::string savepoint_of(transaction_id transaction) { return "isthmus_" + std::to_string(transaction); }
} // namespace

sqlite::connection& database::handle() const {
    if (connection == nullptr) {
        throw sqlite::misuse("Cannot operate on a closed database.");
    }
    return *connection;
}

void database::begin(transaction_id transaction, const std::string& how) {
    const bool outermost = !handle().in_transaction();
    handle().execute(outermost ? how : "SAVEPOINT " + savepoint_of(transaction), {});
    if (outermost) {
        outermost_ = transaction;
    }
    calls.begin(transaction);
}

void database::commit(transaction_id transaction) {
    if (!calls.is_running(transaction)) {
        throw sqlite::misuse("The transaction is over already.");
    }
    try {
        handle().execute(transaction == outermost_ ? "COMMIT" : "RELEASE " + savepoint_of(transaction), {});
    } catch (const sqlite::busy&) { // to be repeated
        throw;
    } catch (...) {
        roll_back(transaction);
        throw;
    }
    calls.finish(transaction);
}

void database::roll_back(transaction_id transaction) {
    if (!calls.is_running(transaction)) {
        return;
    }
    calls.finish(transaction);
    // Some errors end a transaction: an interrupted INSERT, for one.
    if (connection == nullptr || !connection->in_transaction()) {
        return;
    }
    if (transaction == outermost_) {
        connection->execute("ROLLBACK", {});
    } else {
        connection->execute("ROLLBACK TO " + savepoint_of(transaction), {});
        connection->execute("RELEASE " + savepoint_of(transaction), {});
    }
}

// ---- the worker --------------------------------------------------------------------------------------------------

namespace {

/// Works on the calls, on a thread. Whoever is last to hold the database closes it.
class worker {
public:
    explicit worker(std::shared_ptr<database> target) noexcept : target_(std::move(target)) {}
    void operator()(std::stop_token stop) {
        const std::shared_ptr<database> target = std::move(target_);
        target->calls.work(stop);
    }

private:
    std::shared_ptr<database> target_;
};

py::coroutine<> run_worker(worker it) { co_await py::in_thread(std::move(it)); }

} // namespace

/// One step is all that this coroutine needs: it gives the job to a thread. Nobody waits for its end, as each call has
/// its own completion. While the queue is in demand its worker stays, so that most calls cost no start of one.
void client::start_worker() {
    try {
        worker_ = run_worker(worker(target));
        worker_.send();
    } catch (...) {
        target->calls.give_up();
        throw;
    }
}

void client::require_open() const {
    if (state == state_type::unopened) {
        throw sqlite::misuse("The connection is not open yet: await it, or use `async with`.");
    }
    if (state == state_type::closed) {
        throw sqlite::misuse("Cannot operate on a closed database.");
    }
}

void client::add(std::shared_ptr<call_queue::call> added, call_queue::end where) {
    if (target->calls.add(std::move(added), where)) {
        start_worker();
    } else {
        wake_worker();
    }
}

/// To wake a thread costs more than many a call. A call that is the only one is begun at once; of several, each worker
/// is woken once for all that the loop's tasks ask for in one turn. (A worker that nobody wakes looks after a while.)
void client::wake_worker() {
    static auto& asleep = *new std::vector<std::shared_ptr<client>>; // never destroyed: Python may be gone before
    static PyMethodDef method{"isthmus_sqlite_wake",
                              [](PyObject*, PyObject*) noexcept -> PyObject* {
                                  for (const std::shared_ptr<client>& each : std::exchange(asleep, {})) {
                                      each->asleep_ = false;
                                      each->target->calls.wake();
                                  }
                                  Py_RETURN_NONE;
                              },
                              METH_NOARGS, nullptr};
    static PyObject* const wake_all = py::checked(PyCFunction_New(&method, nullptr)).release();
    if (waiting::count > 1 && asleep.empty()) {
        nanobind::module_::import_("asyncio").attr("get_running_loop")().attr("call_soon")(nanobind::borrow(wake_all));
    }
    if (!std::exchange(asleep_, true)) {
        asleep.push_back(shared_from_this());
    }
    if (waiting::count == 1) {
        py::checked(PyObject_CallNoArgs(wake_all));
    }
}

void client::between_calls(std::function<void(database&)> action) noexcept {
    database& it = *target;
    if (it.calls.between_calls([&it, action = std::move(action)] { action(it); })) {
        try {
            start_worker();
        } catch (...) { // no loop is running here: the next call starts it
        }
    }
}

// ---- transactions ------------------------------------------------------------------------------------------------

namespace {

PyObject* transactions_variable() {
    static PyObject* const made = py::checked(PyContextVar_New("isthmus_sqlite_transactions", nullptr)).release();
    return made;
}

} // namespace

transaction_ids current_transactions() {
    PyObject* found = nullptr;
    if (PyContextVar_Get(transactions_variable(), nullptr, &found) < 0) {
        py::throw_raised();
    }
    const py::object numbers = py::object::steal(found);
    transaction_ids ids;
    if (numbers) {
        for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(numbers.ptr()); ++i) {
            ids.push_back(PyLong_AsUnsignedLongLong(PyTuple_GET_ITEM(numbers.ptr(), i)));
        }
    }
    return ids;
}

void set_current_transactions(const transaction_ids& ids) {
    const py::object numbers = py::checked(PyTuple_New(static_cast<Py_ssize_t>(ids.size())));
    for (std::size_t i = 0; i < ids.size(); ++i) {
        py::object number = py::checked(PyLong_FromUnsignedLongLong(ids[i]));
        PyTuple_SET_ITEM(numbers.ptr(), static_cast<Py_ssize_t>(i), number.release());
    }
    py::checked(PyContextVar_Set(transactions_variable(), numbers.ptr()));
}
