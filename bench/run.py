"""Measures everything that `make bench` builds, and writes the report to docs/benchmarks.

Usage: run.py --cpp BUILD... --python INTERPRETER=BUILD... [--quick] [--only PART...] [--add] [--output FOLDER]
"""

import argparse
import datetime
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

import measure
import report
import results as stored

PARTS = ("cpp", "memory", "python", "completions", "header", "counts")


def compiler_of(build: pathlib.Path) -> tuple[str, str]:
    """The compiler of a build: its command, and its name with the version."""
    path = re.search(r"^CMAKE_CXX_COMPILER:\w+=(.*)$", (build / "CMakeCache.txt").read_text(), re.MULTILINE)
    assert path, "not a build folder of CMake"
    first = subprocess.run([path[1], "--version"], check=True, capture_output=True, text=True).stdout.splitlines()[0]
    version = re.findall(r"\d+\.\d+\.\d+", first)[-1 if "clang" not in first else 0]
    return path[1], f"{pathlib.Path(path[1]).name.split('-')[0]} {version}"


def absent_peers(build: pathlib.Path) -> dict[str, str]:
    """The C++ libraries that were not there to be built with."""
    cache = (build / "CMakeCache.txt").read_text()
    absent = {}
    for name, entry in (("Asio", "BENCH_ASIO"), ("Boost.Context", "boost_context_DIR")):
        if not re.search(rf"^{entry}:\w+=.+(?<!NOTFOUND)$", cache, re.MULTILINE):
            absent[name] = "it is not installed, or does not compile"
    return absent


def parse() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cpp", type=pathlib.Path, nargs="*", default=[], metavar="BUILD")
    parser.add_argument("--python", nargs="*", default=[], metavar="INTERPRETER=BUILD")
    parser.add_argument("--quick", action="store_true", help="few and short rounds: only to see that all works")
    parser.add_argument("--rounds", type=int, help="instead of 7, or of 2 with --quick")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--add", action="store_true",
                        help="to the report that is there; what it has of the same name is replaced")  # fmt: skip
    parser.add_argument("--output", type=pathlib.Path, default=report.FOLDER)
    options = parser.parse_args()
    if options.add and not (options.output / "results.json").exists():
        parser.error(f"--add: there is no {options.output / 'results.json'} to add to")
    return options


def main() -> None:
    """Measures and writes."""
    options = parse()
    quick: bool = options.quick
    rounds: int = options.rounds or (2 if quick else 7)
    sets: dict[str, Any] = {}
    results: dict[str, Any] = {
        "date": datetime.date.today().isoformat(), "quick": quick, "machine": measure.machine(), "skipped": {},
        "sets": sets, "counts": {},
    }  # fmt: skip

    def add(name: str, unit: str, measured: list[measure.Round]) -> None:
        sets[name] = {"unit": unit, "rounds": measured}

    compiler = "g++"
    for build in [path.resolve() for path in options.cpp]:
        command, name = compiler_of(build)
        compiler = command if build == options.cpp[0].resolve() else compiler
        results["machine"][f"compiler: {pathlib.Path(command).name}"] = name
        results["skipped"] |= {f"{peer}, {name}": why for peer, why in absent_peers(build).items()}
        if "cpp" in options.only:
            measure.say(f"C++, {name}")
            add(f"C++, {name}", "ns", measure.cpp(build, rounds, quick))
        if "memory" in options.only and build == options.cpp[0].resolve():
            for what, measured in measure.cpp_memory(build, quick).items():
                add(f"memory, C++, {what}", "bytes", with_slash(measured))

    pythons = []
    for given in options.python:
        interpreter, _, build = given.rpartition("=")
        command, name = compiler_of(pathlib.Path(build))
        results["machine"][f"compiler: {pathlib.Path(command).name}"] = name
        with_peers = not {"python", "memory"}.isdisjoint(options.only)
        pythons.append(measure.Python(os.path.abspath(interpreter), pathlib.Path(build).resolve(), with_peers))
    for python in pythons:
        results["machine"][python.name] = python.version
        if "python" in options.only:
            add(python.name, "ns", python.measure(rounds, quick))
        if "memory" in options.only:
            add(f"memory, {python.name}", "bytes", with_slash(python.memory(quick)))
        if "counts" in options.only and shutil.which("valgrind"):
            measure.say(f"{python.name}: instructions and allocations")
            results["counts"] |= python.counts()
        elif "counts" in options.only:
            python.skipped["instructions and allocations"] = "valgrind is not installed"
        results["skipped"] |= {f"{name}, {python.name}": why for name, why in python.skipped.items()}
    for python in pythons[:1]:
        if "completions" in options.only:
            add(f"results of threads, {python.name}", "µs", python.completions(quick))
        if "header" in options.only:
            measure.say("what binding a coroutine costs the compiler")
            seconds, size = python.header_cost(compiler, 1 if quick else 5)
            add(f"compile time, {python.name}", "s", seconds)
            add(f"code size, {python.name}", "bytes", size)
    if options.add:
        results = stored.add(json.loads((options.output / "results.json").read_text()), results)
    report.write(results, options.output)
    measure.say(f"the report: {options.output / 'report.md'}")


def with_slash(rounds: list[measure.Round]) -> list[measure.Round]:
    """Numbers of coroutines as the plots want them, "/number|who", from "number|who"."""
    return [{f"/{key}": value for key, value in each.items()} for each in rounds]


if __name__ == "__main__":
    main()
