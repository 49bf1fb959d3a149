// bench/cpp/main.cpp — the Google Benchmark program.
// SPDX-License-Identifier: MIT
#include "suite.hpp"

int main(int count, char** arguments) {
    bench::register_resume();
    bench::register_life();
    bench::register_errors();
#ifdef BENCH_ASIO
    bench::register_asio();
#endif
#ifdef BENCH_CONTEXT
    bench::register_context();
#endif
    benchmark::Initialize(&count, arguments);
    if (benchmark::ReportUnrecognizedArguments(count, arguments)) {
        return 1;
    }
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
}
