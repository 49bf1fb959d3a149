// tests/python/raw_isolation_twin.cpp — raw_isolation.cpp as a second module.
// SPDX-License-Identifier: MIT

#define MODULE raw_isolation_twin
#include "raw_isolation.cpp"
