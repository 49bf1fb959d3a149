// bench/cpp/suite.hpp — how the cases are named and registered: "case|who", of which bench/report.py makes ratios.
// SPDX-License-Identifier: MIT
#pragma once

#include <benchmark/benchmark.h>

#include <ctime>
#include <string>
#include <utility>
#include <vector>

namespace bench {

void register_resume();
void register_life();
void register_errors();
void register_asio();
void register_context();

inline constexpr long depths[] = {0, 1, 10, 100, 1'000, 1'000'000};
inline constexpr long error_depths[] = {0, 10, 100};

template <class Function>
benchmark::internal::Benchmark* add(const std::string& name, const std::string& who, Function function) {
    return benchmark::RegisterBenchmark((name + "|" + who).c_str(), std::move(function));
}
inline std::string at(const char* name, long number) { return std::string(name) + "/" + std::to_string(number); }

/// The processor's time of this thread: what Google Benchmark takes everywhere else.
inline double thread_seconds() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// For what can be done only once to each object: makes some, and then times `act` on all of them. What is left of
/// them dies outside the measured time.
template <class Make, class Act>
void add_once_each(const std::string& name, const std::string& who, Make make, Act act) {
    add(name, who, [make, act](benchmark::State& state) {
        constexpr std::size_t batch = 64;
        while (state.KeepRunningBatch(batch)) {
            std::vector<decltype(make())> made;
            made.reserve(batch);
            for (std::size_t i = 0; i < batch; ++i) {
                made.push_back(make());
            }
            const double start = thread_seconds();
            for (auto& each : made) {
                act(each);
            }
            state.SetIterationTime(thread_seconds() - start);
        }
    })->UseManualTime();
}

} // namespace bench
