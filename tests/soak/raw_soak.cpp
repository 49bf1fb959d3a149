// tests/soak/raw_soak.cpp — the operations of the soak test as Python coroutines, and some that only Python has.
// SPDX-License-Identifier: MIT

#include "raw.hpp"

#include "world.hpp"

#include <chrono>
#include <cstdint>
#include <memory>
#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

namespace {

namespace py = isthmus::py;

// One for the process: it is closed before the interpreter ends.
std::unique_ptr<soak::world> shared;

/// How many operations are to be under way at once; 0 if this was built without what the kind needs.
int open_world(std::string kind, std::string address, int threads) {
    // What is cancelled early has not awaited all that it was given.
    isthmus::set_never_awaited_hook([](std::string_view, const std::source_location&) {});
    try {
        shared = std::make_unique<soak::world>(kind, std::move(address), threads);
    } catch (const soak::left_out&) {
        return 0;
    }
    return shared->operate.at_once;
}

void close_world() {
    Py_BEGIN_ALLOW_THREADS; // which a worker may want
    shared.reset();
    Py_END_ALLOW_THREADS;
}

py::coroutine<> use_python_completion(std::uint64_t seed) {
    soak::world& in = *shared;
    soak::random dice(static_cast<soak::random::result_type>(seed));
    const auto delay = std::chrono::microseconds(soak::roll(dice, 4000));
    const int how = soak::roll(dice, 5);
    py::completion<std::uint64_t> expected;
    in.deliveries.begin();
    in.workers.call_after(delay, [call = expected.callback(), seed, how, &in] {
        if (how == 0) {
            call.set_exception(std::make_exception_ptr(std::runtime_error("the worker failed")));
        } else if (how != 1) { // else it dies uncalled
            call(seed);
        }
        in.deliveries.end(soak::ending::completed);
    });
    if (co_await expected != seed) {
        in.fault("the result is another one's");
    }
}

py::coroutine<> use_pool(std::uint64_t seed) {
    soak::random dice(static_cast<soak::random::result_type>(seed));
    const auto time = std::chrono::microseconds(soak::roll(dice, 500));
    const bool fails = soak::roll(dice, 4) == 0;
    auto function = [time, fails, seed] {
        std::this_thread::sleep_for(time);
        if (fails) {
            throw std::runtime_error("the function failed");
        }
        return seed;
    };
    if (co_await py::in_thread(function) != seed) {
        shared->fault("the result is another one's");
    }
}

/// Like soak::act, for what is awaited in a py::coroutine; `python` is awaited between.
py::coroutine<> act_in_python(std::uint64_t seed, py::object python) {
    soak::world& in = *shared;
    soak::random dice(static_cast<soak::random::result_type>(seed));
    soak::entry account(in.operations);
    try {
        switch (soak::roll(dice, 5)) {
        case 0:
            co_await use_python_completion(dice());
            break;
        case 1:
            co_await use_pool(dice());
            break;
        case 2:
            co_await isthmus::with_timeout(std::chrono::milliseconds(2), soak::await_completion(in, dice()));
            break;
        case 3:
            co_await soak::await_completion(in, dice());
            break;
        default:
            break;
        }
        co_await py::await(std::move(python));
        account.end(soak::ending::completed);
    } catch (const isthmus::timed_out&) {
        account.end(soak::ending::timed_out);
    } catch (const isthmus::cancelled&) {
        account.end(soak::ending::cancelled);
        throw;
    } catch (const std::exception&) {
        account.end(soak::ending::failed);
    }
}

/// A task that no Python knows: soak::act.
isthmus::task<> act(std::uint64_t seed) { return soak::act(*shared, seed); }

/// Waits for whatever is not over, without the GIL, which a result that dies may need.
int faults() {
    Py_BEGIN_ALLOW_THREADS;
    shared->expect_balance();
    Py_END_ALLOW_THREADS;
    return shared->faults;
}

std::string accounts() { return shared->accounts(); }

std::int64_t tolerance() { return static_cast<std::int64_t>(soak::tolerance(shared->operate)); }
std::int64_t allocated_bytes() { return static_cast<std::int64_t>(soak::allocated_bytes()); }

PyMethodDef functions[] = {
    raw::def<open_world>("open_world"),
    raw::def<close_world>("close_world"),
    raw::def<act>("act"),
    raw::def<act_in_python>("act_in_python"),
    raw::def<faults>("faults"),
    raw::def<accounts>("accounts"),
    raw::def<tolerance>("tolerance"),
    raw::def<allocated_bytes>("allocated_bytes"),
    raw::def<soak::open_descriptors>("open_descriptors"),
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef definition = raw::define("raw_soak", functions);

} // namespace

PyMODINIT_FUNC PyInit_raw_soak() { return PyModuleDef_Init(&definition); }
