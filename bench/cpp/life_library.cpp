// bench/cpp/life_library.cpp — the shared library that life.cpp loads.
// SPDX-License-Identifier: MIT
#include "coroutines.hpp"

extern "C" {
long awaits_in_library(long count) { return isthmus::run(bench::awaits(count)); }
long awaits_by_malloc_in_library(long count) { return isthmus::run(bench::awaits_by_malloc(count)); }
}
