# The commands of this project. Each can be the first one in a fresh clone: what is missing is installed.
# `make` alone lists them.

SHELL := /bin/bash
PYTHON := .venv/default/bin/python
EXAMPLES := build/demo/examples/postgres:build/demo/examples/sqlite:build/demo/examples/sansio:build/demo/examples/minimal

# No CCACHE_BASEDIR: it makes the paths relative that std::source_location, and so co_filename, shows.
export CCACHE_SLOPPINESS := pch_defines,time_macros
# What ccache does not know yet is not preprocessed a second time, only for it.
export CCACHE_DEPEND := 1

# The C++ tests run in each of these; CMakePresets.json says what they are: both compilers at -O0 and at -O2. Those of
# Asio, which takes long to compile, run under the sanitizers: with g++ at -O0, with clang at -O2.
CPP_PRESETS := gcc-release gcc-asan clang-debug clang-tsan

.PHONY: help setup demo test test-cpp test-must-not-compile test-python test-clauses clauses test-fuzz test-examples \
        test-passthrough passthrough test-installed test-docs test-debugger test-soak soak-programs test-counts counts \
        bench fuzz soak format lint clean

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-22s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## install everything that the commands below need
	@tools/bootstrap test

demo: ## build and run the demo: an asynchronous SQLite driver in C++, on real data
	@tools/bootstrap demo
	@cmake --preset demo --log-level=WARNING >/dev/null
	@cmake --build --preset demo
	@PYTHONPATH=build/demo/examples/sqlite $(PYTHON) examples/sqlite/demo.py

test: ## run every test and the linters (the commands below, one after the other)
	@tools/bootstrap test
	@tools/test

test-cpp: setup ## the C++ tests: g++ and clang, -O0 and -O2, sanitizers
	@set -e; for preset in $(CPP_PRESETS); do \
	    printf '\n-------- %s\n' $$preset; \
	    case $$preset in *san) asio=ON ;; *) asio=OFF ;; esac; \
	    cmake --preset $$preset -DISTHMUS_TEST_ASIO=$$asio --log-level=WARNING >/dev/null; \
	    cmake --build --preset $$preset; \
	    ctest --preset $$preset; \
	done

test-must-not-compile: setup ## programs that must not compile, and their messages
	@$(PYTHON) tests/must_not_compile/run.py

test-fuzz: setup ## 50,000 random programs, in CPython and in C++: 10,000 of each kind
	@cmake --preset gcc-release --log-level=WARNING >/dev/null
	@cmake --build --preset gcc-release --target isthmus_fuzz_interpreter
	@$(PYTHON) tests/fuzz/fuzz.py --interpreter build/gcc-release/tests/fuzz/isthmus_fuzz_interpreter --count 10000 --jobs $$(nproc)
	@$(PYTHON) tests/fuzz/test_shrink.py --interpreter build/gcc-release/tests/fuzz/isthmus_fuzz_interpreter

test-python: setup ## the Python tests on every CPython >= 3.11, with clang, and under the sanitizers
	@tests/python/run

# On the newest CPython, where no clause has to be skipped.
test-clauses clauses: newest = $(shell cd .venv && ls -d 3.* | sort -V | tail -1)
test-clauses: setup ## which clauses of the protocol the tests prove, and that docs/clauses.md says so
	@cmake --preset gcc-release --log-level=WARNING >/dev/null
	@cmake --build --preset gcc-release --target isthmus_cpp_tests
	@cmake --preset python -B build/py-$(newest) -DPython_EXECUTABLE=$(CURDIR)/.venv/$(newest)/bin/python \
	    --log-level=WARNING >/dev/null
	@cmake --build build/py-$(newest)
	@$(PYTHON) tests/clauses/run.py --cpp build/gcc-release/tests/cpp/isthmus_cpp_tests \
	    --python .venv/$(newest)/bin/python --modules build/py-$(newest)/tests/python $(WRITE)

clauses: WRITE = --write
clauses: test-clauses ## write docs/clauses.md anew

test-examples: setup ## the tests of the examples
	@cmake --preset demo --log-level=WARNING >/dev/null
	@cmake --build --preset demo
	@ctest --test-dir build/demo --output-on-failure --no-tests=error
	@for example in postgres sqlite sansio; do \
	    MYPYPATH=$(EXAMPLES):examples/$$example:examples/$$example/tests $(PYTHON) -m mypy --strict examples/$$example || exit; \
	    PYTHONPATH=$(EXAMPLES) $(PYTHON) -m pytest -q examples/$$example || exit; \
	done
	@PYTHONPATH=$(EXAMPLES) $(PYTHON) -m pytest -q examples/minimal examples/embed examples/asio

test-passthrough: setup ## CPython's own tests, with a C++ coroutine around each of theirs, on the newest CPython
	@tests/passthrough/run --short

passthrough: setup ## the same on every CPython, with debug mode and tracing, and the tests of trio, anyio and uvloop
	@tests/passthrough/run --write

test-installed: setup ## a project of a user's own, with the installed package
	@tests/installed/run

test-docs: setup ## every code block of the documentation
	@$(PYTHON) tests/docs/run.py

test-debugger: setup ## gdb's command for coroutines
	@$(PYTHON) tests/debugger/run.py

# BENCH=--quick for a run of some four minutes; BENCH="--only cpp counts" for parts. bench/run.py --help has more.
bench: ## the benchmarks: a report in docs/benchmarks (20 minutes; BENCH=--quick: 4)
	@tools/bootstrap bench
	@bench/run $(BENCH)

test-counts: setup ## the instructions and allocations of the hot paths, which must not exceed the record, and the tests of the benchmarks
	@cmake --preset bench --log-level=WARNING >/dev/null
	@cmake --build --preset bench --target isthmus_bench_counts
	@$(PYTHON) bench/counts/run.py --build build/bench $(RECORD)
	@$(PYTHON) -m pytest -q bench

counts: RECORD = --record
counts: test-counts ## record the instructions and allocations of now, for test-counts to compare with

fuzz: setup ## the fuzzer with 10,000,000 programs, 2,000,000 of each kind, under the sanitizers
	@cmake --preset clang-asan --log-level=WARNING >/dev/null
	@cmake --build --preset clang-asan --target isthmus_fuzz_interpreter
	@$(PYTHON) tests/fuzz/fuzz.py --interpreter build/clang-asan/tests/fuzz/isthmus_fuzz_interpreter --count 2000000 --jobs $$(nproc)

test-soak: setup soak-programs ## a minute of random operations on several threads and loops, whose accounts must balance
	@$(PYTHON) tests/soak/run.py --seconds 60

soak: setup soak-programs ## ten minutes of the same, and the Python tests marked `soak`, for leaks and rare races
	@$(PYTHON) tests/soak/run.py --seconds 600
	@tests/python/run --soak

soak-programs:
	@set -e; for preset in gcc-asan clang-tsan; do \
	    cmake --preset $$preset --log-level=WARNING >/dev/null; \
	    cmake --build --preset $$preset --target isthmus_soak; \
	done; \
	default=$$(readlink .venv/default); \
	cmake --preset python -B build/py-$$default --log-level=WARNING >/dev/null; \
	cmake --build build/py-$$default --target raw_soak; \
	cmake --preset python-asan -B build/py-$$default-asan --log-level=WARNING >/dev/null; \
	cmake --build build/py-$$default-asan --target raw_soak

format: setup ## format the C++ and the Python sources
	@tools/lint --fix

lint: setup ## the formatters' check, ruff, mypy and clang-tidy
	@tools/lint

clean: ## remove what the commands above have made, the virtual environments too
	@rm -rf build .venv
