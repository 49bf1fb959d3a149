// tests/python/nb_threads.cpp — blocking functions and callback APIs as test_threads.py awaits them.
// SPDX-License-Identifier: MIT
#include <isthmus/nanobind.hpp>

#include <nanobind/stl/string.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>
#include <vector>

namespace nb = nanobind;
namespace py = isthmus::py;

namespace {

void sleep_ms(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

int add(int a, int b) { return a + b; }
int blocks(int ms) {
    sleep_ms(ms);
    return ms;
}
std::string greet(const std::string& name) { return "hello " + name; }
void nothing() {}
int fails(int) { throw std::out_of_range("out of reach"); }
bool has_gil() { return py::detail::attached(); }

std::atomic<int> stopped{0};
int until_stopped(std::stop_token token) {
    while (!token.stop_requested()) {
        sleep_ms(1);
    }
    ++stopped;
    return 1;
}

// Counts where the callables and results of in_thread die.
std::atomic<int> died_with_gil{0};
std::atomic<int> died_without_gil{0};
std::atomic<int> witnesses{0};
class witness {
public:
    witness() : alive_(true) { ++witnesses; }
    witness(witness&& other) noexcept : alive_(std::exchange(other.alive_, false)) {}
    witness& operator=(witness&&) = delete;
    ~witness() {
        if (alive_) {
            ++(py::detail::attached() ? died_with_gil : died_without_gil);
            --witnesses;
        }
    }

private:
    bool alive_;
};
class observed_call {
public:
    explicit observed_call(int ms) : ms_(ms) {}
    witness operator()() {
        sleep_ms(ms_);
        return witness();
    }

private:
    int ms_;
    witness witness_;
};
py::coroutine<> observed(int ms) {
    observed_call call(ms);
    co_await py::in_thread(std::move(call));
}

std::atomic<int> solvers{0};
class solver {
public:
    explicit solver(int base) : base_(base) { ++solvers; }
    solver(const solver&) = delete;
    solver& operator=(const solver&) = delete;
    ~solver() {
        base_ = -1;
        --solvers;
    }
    int run(int ms) const {
        sleep_ms(ms);
        last = base_;
        return base_ + ms;
    }
    static inline std::atomic<int> last{0};

private:
    int base_;
};

// A callback API, as C libraries have it: calls back on a thread of its own.
template <class Callback>
void start(int ms, Callback callback) {
    std::thread([ms, callback = std::move(callback)] {
        sleep_ms(ms);
        callback();
    }).detach();
}

class set_value {
public:
    set_value(py::completion<int>::callback_type callback, int value) : callback_(std::move(callback)), value_(value) {}
    void operator()() const {
        callback_(value_);
        callback_(-1); // only the first call counts
    }

private:
    py::completion<int>::callback_type callback_;
    int value_;
};
class set_error {
public:
    explicit set_error(py::completion<int>::callback_type callback) : callback_(std::move(callback)) {}
    void operator()() const { callback_.set_exception(std::make_exception_ptr(std::invalid_argument("refused"))); }

private:
    py::completion<int>::callback_type callback_;
};

py::coroutine<int> completes(int ms, int value) {
    py::completion<int> done;
    start(ms, set_value(done.callback(), value));
    co_return co_await done;
}
int refuses() { throw std::invalid_argument("refused"); }
/// The errors of a worker and of a callback, passed on and looked at without a throw.
py::coroutine<int> passes_error(bool worker) {
    if (worker) {
        co_return co_await isthmus::nothrow(py::in_thread(&refuses));
    }
    py::completion<int> done;
    start(1, set_error(done.callback()));
    co_return co_await isthmus::nothrow(done);
}
py::coroutine<std::string> observes_error(bool worker, bool at_once) {
    isthmus::outcome<isthmus::none, int> ended(std::in_place_index<1>, 0);
    if (worker) {
        ended = co_await isthmus::as_outcome(py::in_thread(&refuses));
    } else {
        py::completion<int> done;
        if (at_once) {
            done.callback().set_exception(std::make_exception_ptr(std::invalid_argument("refused")));
            co_await py::in_thread(&nothing); // then it has been delivered
        } else {
            start(1, set_error(done.callback()));
        }
        ended = co_await isthmus::as_outcome(done);
    }
    try {
        std::rethrow_exception(ended.error());
    } catch (const std::invalid_argument& e) {
        co_return e.what();
    }
}

py::coroutine<int> completes_with_error() {
    py::completion<int> done;
    start(1, set_error(done.callback()));
    co_return co_await done;
}
py::coroutine<int> completes_never() {
    py::completion<int> done;
    static_cast<void>(done.callback());
    co_return co_await done;
}
py::coroutine<> completes_at_once() {
    py::completion<> done;
    done.callback()();
    co_await done;
}
py::coroutine<int> completes_before_await(py::object pause) {
    py::completion<int> done;
    done.callback()(7);
    co_await py::await<void>(pause);
    co_return co_await done;
}
py::coroutine<int> awaited_twice() {
    py::completion<int> done;
    done.callback()(7);
    co_await done;
    co_return co_await done;
}
py::coroutine<std::unique_ptr<int>> move_only_result() {
    py::completion<std::unique_ptr<int>> done;
    done.callback()(std::make_unique<int>(5));
    co_return co_await done;
}
py::coroutine<int> unwraps() {
    const std::unique_ptr<int> held = co_await move_only_result();
    co_return *held;
}

} // namespace

NB_MODULE(nb_threads, m) {
    m.def("add", py::in_thread(&add));
    m.def("blocks", py::in_thread(&blocks));
    m.def("greet", py::in_thread(&greet));
    m.def("nothing", py::in_thread(&nothing));
    m.def("fails", py::in_thread(&fails));
    m.def("has_gil", py::in_thread(&has_gil));
    m.def("until_stopped", py::in_thread(&until_stopped));
    m.def("twice", py::in_thread([](int x) { return 2 * x; }));
    m.def("stopped", [] { return stopped.load(); });
    m.def("observed", &observed);
    m.def("deaths", [] { return nb::make_tuple(died_with_gil.load(), died_without_gil.load()); });
    m.def("witnesses", [] { return witnesses.load(); });
    m.def("completes", &completes);
    m.def("completes_with_error", &completes_with_error);
    m.def("passes_error", &passes_error);
    m.def("observes_error", &observes_error);
    m.def("completes_never", &completes_never);
    m.def("completes_at_once", &completes_at_once);
    m.def("completes_before_await", &completes_before_await);
    m.def("awaited_twice", &awaited_twice);
    m.def("unwraps", &unwraps);
    m.def("solvers", [] { return solvers.load(); });
    nb::class_<solver>(m, "Solver").def(nb::init<int>()).def("run", py::in_thread(&solver::run)).def_static("last", [] {
        return solver::last.load();
    });
}
