#!/usr/bin/env python3
"""The differential fuzzer: random coroutine programs, run in CPython and in C++, must leave equal traces.

    fuzz.py --interpreter build/gcc-release/tests/fuzz/isthmus_fuzz_interpreter [--count N | --seconds T]

Kinds of programs: `mixed` uses everything at random; `chains` are 2 to 5 levels, each with a small handler around its
await; `shared` is mixed with coroutines that the driver and every function drive, await and let go, behind each
other's back; in `crossing` the functions are coroutines, generators and coroutines in an any_coroutine, which are
awaited and yielded from directly, through awaitable classes that lack some members of the protocol, through another
any_coroutine, nothrow() and as_outcome(); `dying` compares the order of destructors where coroutines die suspended.
A mismatch is shrunk, printed as Python, as C++ and with what reproduces it, and the exit status is 1. First come the
programs in the folder `regressions`, each of which has once told a faulty core from CPython.
What is left out of the comparison, and why, is told in reference.py.
"""

from __future__ import annotations

import argparse
import difflib
import multiprocessing
import multiprocessing.connection
import secrets
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import program as language
from cplusplus import cplusplus
from program import KINDS, Program, make
from reference import CLOSE_HAS_VALUE, Machine
from shrink import shrink

BATCH = 1000  # programs per process of the interpreter
PATIENCE = 300.0  # seconds for one batch
REGRESSIONS = Path(__file__).parent / "regressions"


class Interpreter:
    """Runs programs in C++."""

    def __init__(self, path: Path) -> None:
        self.command = [str(path), *([] if CLOSE_HAS_VALUE else ["--no-close-value"])]

    def start(self, texts: list[str]) -> Running:
        out, errors = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")  # noqa: SIM115 (Running closes them)
        with tempfile.TemporaryFile("w+") as source:
            source.write("".join(f"{text}\n" for text in texts))
            source.seek(0)
            return Running(subprocess.Popen(self.command, stdin=source, stdout=out, stderr=errors), out, errors)

    def run(self, texts: list[str]) -> Result:
        return self.start(texts).finish(PATIENCE if len(texts) > 1 else 10)


@dataclass
class Result:
    """The traces of the programs that ran to their end, and why the others did not."""

    traces: list[list[str]]
    problem: str


class Running:
    def __init__(self, process: subprocess.Popen[bytes], out: IO[str], errors: IO[str]) -> None:
        self.process, self.out, self.errors = process, out, errors

    def finish(self, patience: float = PATIENCE) -> Result:
        problem = ""
        try:
            status = self.process.wait(patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            problem = f"the interpreter hangs (no end after {patience:.0f} s)"
        else:
            if status:
                problem = f"the interpreter ended with status {status}"
        with self.out, self.errors:
            self.out.seek(0)
            self.errors.seek(0)
            *whole, _ = self.out.read().split(".\n")
            if problem:
                problem += "\n" + self.errors.read()
        return Result([text.splitlines() for text in whole], problem)


@dataclass
class Case:
    index: int
    program: Program
    text: str
    trace: list[str]  # CPython's


@dataclass
class Failure:
    case: Case
    result: Result


class Fuzzer:
    """Compares every `step`-th program of a seed, from the `first` on."""

    def __init__(self, interpreter: Interpreter, seed: str, first: int = 0, step: int = 1) -> None:
        self.interpreter = interpreter
        self.seed = seed
        self.indices = range(first, sys.maxsize, step)
        self.machine = Machine()
        self.left_out: Counter[str] = Counter()

    def cases(self, kind: str) -> Iterator[Case]:
        """Programs without end, and their traces in CPython."""
        for index in self.indices:
            program = make(kind, self.seed, index)
            trace = self.machine.run(program)
            if trace is None:
                self.left_out[self.machine.left_out] += 1
            else:
                yield Case(index, program, program.text(), trace)

    def failure(self, cases: list[Case], result: Result) -> Failure | None:
        """The first program that differs; one that fails only after others have run is looked for by halving."""
        for case, trace in zip(cases, result.traces, strict=False):
            if trace != case.trace:
                return Failure(case, Result([trace], ""))
        if not result.problem:
            return None
        if len(result.traces) < len(cases):
            case = cases[len(result.traces)]
            alone = self.interpreter.run([case.text])
            if alone.problem or alone.traces != [case.trace]:
                return Failure(case, alone)
        while len(cases) > 1:
            for half in (cases[: len(cases) // 2], cases[len(cases) // 2 :]):
                if (of_half := self.interpreter.run([case.text for case in half])).problem:
                    cases, result = half, of_half
                    break
            else:
                break
        return Failure(cases[0], result)

    def fails(self, program: Program) -> bool:
        try:
            trace = self.machine.run(program)
        except SyntaxError:
            return False
        if trace is None:
            return False
        result = self.interpreter.run([program.text()])
        return bool(result.problem) or result.traces != [trace]

    def report(self, kind: str, failure: Failure) -> None:
        index = failure.case.index
        print(f"\n{kind}: MISMATCH, seed {self.seed}, program {index}")
        print(f"reproduce with: --kind {kind} --seed {self.seed} --only {index}")
        self.explain(failure)

    def explain(self, failure: Failure) -> None:
        """Shrinks the program and prints it."""
        print(failure.result.problem)
        program = failure.case.program
        if not self.fails(program):
            print("This program alone does not fail; it does so after others of the same run.\n")
            print(program.listing(), f"\nAs text:\n{program.text()}", sep="\n")
            return
        print("Shrinking ...\n", flush=True)
        program = shrink(program, self.fails)
        expected = self.machine.run(program) or []
        result = self.interpreter.run([program.text()])
        actual = result.traces[0] if result.traces else []
        print(program.listing())
        print("\nAs C++ (g++ -std=c++20 -I include -I tests/fuzz program.cpp):\n")
        print(cplusplus(program, CLOSE_HAS_VALUE))
        print(f"As text:\n{program.text()}")
        print(f"\nAs a file for {REGRESSIONS.name}/:\n{program!r}")
        for name, trace in (("CPython", expected), ("C++", actual)):
            print(f"\n{name}:", *trace, sep="\n    ")
        print("\nDifference (- CPython, + C++):")
        print(*difflib.unified_diff(expected, actual, lineterm="", n=1), sep="\n")
        print(result.problem)

    def regressions(self) -> bool:
        """Compares the programs that are kept: Program(...) as Python, after a comment on what it has found."""
        files = sorted(REGRESSIONS.glob("*.txt"))
        for file in files:
            program = eval(file.read_text(), vars(language))
            assert isinstance(program, Program)
            trace = self.machine.run(program)
            if trace is None:
                continue  # on this version of CPython
            case = Case(0, program, program.text(), trace)
            failure = self.failure([case], self.interpreter.run([case.text]))
            if failure is not None:
                print(f"\n{file.name}: MISMATCH")
                self.explain(failure)
                return False
        print(f"regressions: {len(files)} programs with equal traces", flush=True)
        return True

    def run(self, kind: str, count: int, deadline: float) -> bool:
        """Compares `count` programs, or as many as the time allows."""
        start = time.monotonic()
        self.left_out.clear()
        compared = 0
        cases = self.cases(kind)
        batch: list[Case] = []
        running: tuple[list[Case], Running] | None = None
        failure: Failure | None = None
        while failure is None and compared < count and time.monotonic() < deadline:
            size = min(BATCH, count - compared)
            batch = [next(cases) for _ in range(size)]
            if running is not None:
                failure = self.failure(running[0], running[1].finish())
            running = batch, self.interpreter.start([case.text for case in batch])
            compared += size
            if sys.stderr.isatty():
                print(f"\r{kind}: {compared} programs", end="", file=sys.stderr)
        if running is not None:
            last = running[1].finish()
            failure = failure or self.failure(running[0], last)
        if sys.stderr.isatty():
            print("\r", end="", file=sys.stderr)
        if failure is not None:
            self.report(kind, failure)
            return False
        seconds = time.monotonic() - start
        left_out = "".join(f"\n    left out: {n}, each {reason}" for reason, n in self.left_out.items())
        print(f"{kind}: {compared} programs with equal traces, {seconds:.1f} s{left_out}", flush=True)
        return True

    def only(self, kind: str, index: int) -> bool:
        """One program, printed whether it fails or not."""
        program = make(kind, self.seed, index)
        trace = self.machine.run(program)
        print(program.listing(), f"\nAs text:\n{program.text()}", sep="\n")
        if trace is None:
            print(f"\nLeft out of the comparison: it {self.machine.left_out}.")
            return True
        print("\nCPython:", *trace, sep="\n    ")
        case = Case(index, program, program.text(), trace)
        failure = self.failure([case], self.interpreter.run([case.text]))
        if failure is not None:
            self.report(kind, failure)
        return failure is None


def work(options: argparse.Namespace, job: int = 0) -> None:
    """One job's share of all that is asked for; exits with status 1 if a program fails."""
    fuzzer = Fuzzer(Interpreter(options.interpreter), options.seed, job, options.jobs)
    kinds: list[str] = options.kind or list(KINDS)
    seconds = options.seconds
    for position, kind in enumerate(kinds):
        if options.only is not None:
            good = fuzzer.only(kind, options.only)
        elif seconds is not None:
            # The time that is left is shared by the kinds that are left.
            started = time.monotonic()
            good = fuzzer.run(kind, sys.maxsize, started + seconds / (len(kinds) - position))
            seconds -= time.monotonic() - started
        else:
            good = fuzzer.run(kind, len(range(job, options.count, options.jobs)), float("inf"))
        if not good:
            sys.exit(1)


def share(options: argparse.Namespace) -> int:
    """All jobs at once, until the first one fails."""
    jobs = [multiprocessing.Process(target=work, args=(options, job)) for job in range(options.jobs)]
    for job in jobs:
        job.start()
    running = {job.sentinel: job for job in jobs}
    while running:
        for ended in multiprocessing.connection.wait(list(running)):
            job = running.pop(cast(int, ended))
            job.join()
            if job.exitcode != 0:
                for other in running.values():
                    other.terminate()
                return 1
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--interpreter", type=Path, required=True, help="the program built from interpreter.cpp")
    parser.add_argument("--kind", choices=KINDS, action="append", help="default: all of them")
    parser.add_argument("--count", type=int, default=10_000, help="programs to compare of each kind (%(default)s)")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the programs (%(default)s)")
    parser.add_argument("--seconds", type=float, help="stop after this time, instead of a count")
    parser.add_argument("--seed", default=str(secrets.randbelow(10**9)), help="default: a random one; always printed")
    parser.add_argument("--only", type=int, metavar="INDEX", help="run just this program of the seed, and print it")
    options = parser.parse_args()
    if not options.interpreter.is_file():
        parser.error(f"no such file: {options.interpreter}")

    options.interpreter = options.interpreter.resolve()
    print(f"seed {options.seed}, Python {sys.version.split()[0]}", flush=True)
    if options.only is None and not Fuzzer(Interpreter(options.interpreter), options.seed).regressions():
        return 1
    if options.jobs > 1 and options.only is None:
        return share(options)
    work(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
