#!/usr/bin/env python3
"""The fuzzer's report of a mismatch, which should not come up otherwise: with a broken comparison, a program is shrunk
to a few statements, and the C++ that is printed compiles and leaves CPython's trace.

    test_shrink.py --interpreter build/gcc-release/tests/fuzz/isthmus_fuzz_interpreter
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cplusplus import cplusplus
from fuzz import Fuzzer, Interpreter, Result
from program import KINDS, Program, Statement, make
from reference import CLOSE_HAS_VALUE, Machine
from shrink import blocks_of, shrink

ROOT = Path(__file__).resolve().parents[2]
COMPILE = [os.environ.get("CXX", "g++"), "-std=c++20", f"-I{ROOT / 'include'}", f"-I{ROOT / 'tests/fuzz'}"]
SEED = "shrink"
# The start of a line of the trace which is changed, and how many statements are needed to come there.
BROKEN = {
    "mixed": ("caught", 2),
    "shared": ("drive", 1),
    "chains": ("finally", 1),
    "crossing": ("got", 1),
    "dying": ("died", 1),
}
WHOLE = 1  # programs of each kind that are printed as they are


class Broken(Interpreter):
    """Misreads every line of the trace that starts with a word."""

    def __init__(self, path: Path, word: str) -> None:
        super().__init__(path)
        self.word = word

    def run(self, texts: list[str]) -> Result:
        result = super().run(texts)
        result.traces = [[line.replace(self.word, "broken", 1) for line in trace] for trace in result.traces]
        return result


def shrunk(path: Path, kind: str) -> Program:
    """The smallest program of this kind that fails with the broken comparison."""
    word, expected = BROKEN[kind]
    fuzzer = Fuzzer(Broken(path, word), SEED)
    case = next(case for case in fuzzer.cases(kind) if fuzzer.fails(case.program))
    program = shrink(case.program, fuzzer.fails)
    assert fuzzer.fails(program), f"{kind}: what was shrunk does not fail"
    statements: list[Statement] = [statement for block in blocks_of(program) for statement in block]
    assert len(statements) <= expected + 3, f"{kind}: {len(statements)} statements are left:\n{program.listing()}"
    return program


def check(program: Program) -> str:
    """Runs the program as it is printed in C++; what is wrong with it, or nothing."""
    source = cplusplus(program, CLOSE_HAS_VALUE)
    trace = Machine().run(program)
    if trace is None:
        return ""
    with tempfile.TemporaryDirectory() as folder:
        file, executable = Path(folder) / "program.cpp", Path(folder) / "program"
        file.write_text(source)
        compiled = subprocess.run([*COMPILE, file, "-o", executable], capture_output=True, text=True)
        if compiled.returncode:
            return f"{compiled.stderr}\n{source}"
        ran = subprocess.run([executable], capture_output=True, text=True, timeout=60)
    if ran.returncode or ran.stdout.splitlines() != trace:
        return "\n".join([source, "CPython:", *trace, f"C++ (status {ran.returncode}):", ran.stdout])
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interpreter", type=Path, required=True, help="the program built from interpreter.cpp")
    path: Path = parser.parse_args().interpreter.resolve()

    start = time.monotonic()
    programs = {f"{kind}, shrunk": shrunk(path, kind) for kind in KINDS}
    programs |= {f"{kind} {index}": make(kind, SEED, index) for kind in KINDS for index in range(WHOLE)}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = dict(zip(programs, pool.map(check, programs.values()), strict=True))
    for name, problem in problems.items():
        if problem:
            print(f"\n{name}: the C++ that is printed is wrong\n{problem}")
    if any(problems.values()):
        return 1
    seconds = time.monotonic() - start
    print(f"shrinking: {len(KINDS)} programs shrunk, {len(programs)} printed as C++ and run, {seconds:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
