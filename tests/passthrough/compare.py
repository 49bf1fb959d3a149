"""CPython's own tests, and those of other packages, with a pass-through around their coroutines.

A test counts as lost in a mode if it passes where nothing is wrapped, and not in that mode. expectations.toml lists
every lost test, with the reason; anything else is an error, also a listed one that passes.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import packages
import table
from expectations import Expectations
from modes import MODES
from suites import Version, suites

HERE = Path(__file__).resolve().parent

# CPython's tests in three ways, with options of the interpreter and of the harness; and those of other packages.
CPYTHON: dict[str, tuple[list[str], list[str]]] = {
    "plain": ([], []),
    "dev": (["-X", "dev"], []),
    "trace": ([], ["--trace"]),
}
VARIANTS = [*CPYTHON, "packages"]


@dataclass(frozen=True)
class Job:
    """One process: one suite in one mode."""

    suite: str
    mode: str
    command: list[str]
    environment: dict[str, str]
    directory: Path | None = None  # a new one if there is none
    limit: float = 200

    def run(self, only: Iterable[str] = ()) -> "Report":
        with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as output:
            report = Path(scratch) / "report.json"
            process = subprocess.Popen(
                [*self.command, f"--report={report}", *(["--only", *only] if only else [])],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory or scratch,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )
            try:
                process.wait(self.limit)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            text = output.read().decode(errors="replace")
            if not report.exists():
                return Report(self, 0, {}, {}, f"no report, status {process.returncode}:\n{text[-3000:]}")
            content = json.loads(report.read_text())
            return Report(self, content["wrapped"], content["outcomes"], content["texts"])


@dataclass(frozen=True)
class Report:
    job: Job
    wrapped: int
    outcomes: dict[str, str]
    texts: dict[str, str]
    failure: str | None = None

    def passed(self) -> set[str]:
        return {test for test, what in self.outcomes.items() if what == "passed"}

    def failed(self) -> set[str]:
        return {test for test, what in self.outcomes.items() if what == "failed"}


def full_version(python: Path) -> str:
    command = [str(python), "-c", "import platform; print(platform.python_version())"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def version_of(full: str) -> Version:
    major, minor = full.split(".")[:2]
    return int(major), int(minor)


def has_tests(python: Path) -> bool:
    return subprocess.run([str(python), "-c", "import test.test_coroutines"], capture_output=True).returncode == 0


def cpython_jobs(python: Path, version: Version, variant: str, options: argparse.Namespace) -> Iterator[Job]:
    interpreter, harness = CPYTHON[variant]
    short = options.short or variant != "plain"
    for suite in suites():
        if version < suite.since or (short and not suite.short) or not re.search(options.suites, suite.key):
            continue
        for mode in options.modes:
            command = [str(python), *interpreter, str(HERE / "harness.py"), suite.name(version)]
            command += [f"--method={suite.method}", f"--mode={mode}", "--limit=190", *harness]
            command += [f"--tests={only}" for only in suite.only]
            yield Job(suite.key, mode, command, {"PYTHONPATH": str(options.modules)})


def package_jobs(python: Path, version: str, options: argparse.Namespace) -> Iterator[Job]:
    for name, command, directory in packages.commands(python, version):
        if re.search(options.suites, name):
            for mode in options.modes:
                environment = {
                    "PASSTHROUGH_MODE": mode,
                    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
                    "PYTHONPATH": os.pathsep.join([str(HERE), str(options.modules)]),
                }
                yield Job(name, mode, command, environment, directory, limit=900)


class Comparison:
    """What was lost, against what was expected."""

    def __init__(self, python: str, variant: str, expectations: Expectations) -> None:
        self.python = python
        self.variant = variant
        self.expectations = expectations
        self.errors: list[str] = []
        self.rows: dict[str, dict[str, int]] = {}

    def add(self, suite: str, reports: dict[str, Report]) -> None:
        """Compares the modes of one suite with "none", which must be among them."""
        native = reports.pop("none")
        passing = native.passed() | self.again(native, native.failed())
        row = {"tests": len(passing)}
        if native.failure is not None:
            self.errors.append(f"{suite}, none: {native.failure}")
        for mode, report in reports.items():
            lost = passing - report.passed()
            if report.failure is not None:
                self.errors.append(f"{suite}, {mode}: {report.failure}")
            elif report.wrapped == 0:
                self.errors.append(f"{suite}, {mode}: not one coroutine was wrapped")
            else:
                expected = self.expectations.lost(suite, self.python, mode, self.variant, passing)
                lost -= self.again(report, lost - expected.keys())
                self.explain(suite, report, lost - expected.keys())
                for test in sorted(expected.keys() - lost):
                    self.errors.append(f"{suite}, {mode}: {test} was not lost, although: {expected[test]}")
            row[mode] = len(passing - lost)
        row["wrapped"] = max((report.wrapped for report in reports.values()), default=0)
        self.rows[suite] = row

    def explain(self, suite: str, report: Report, lost: set[str]) -> None:
        """One error for all classes of a test's module that lose a test of the same name."""
        by_name: dict[str, list[str]] = {}
        for test in sorted(lost):
            by_name.setdefault(re.split(r"[.:]", test)[-1].partition("[")[0], []).append(test)
        for tests in by_name.values():
            text = report.texts.get(tests[0], report.outcomes.get(tests[0], "did not run"))
            last_lines = "\n".join(text.strip().splitlines()[-12:])
            self.errors.append(f"{suite}, {report.job.mode}: lost " + "\n     ".join(tests) + f"\n{last_lines}")

    def again(self, report: Report, tests: set[str]) -> set[str]:
        """Some tests measure time, and fail on a busy machine: so each gets a second chance, alone. Those that pass."""
        if not tests or len(tests) > 10:
            return set()
        passed = tests & report.job.run(sorted(tests)).passed()
        for test in sorted(passed):
            print(f"    {report.job.suite}, {report.job.mode}: {test} passed when run again")
        return passed


def run_all(jobs: list[Job], comparison: Comparison, workers: int) -> None:
    reports: dict[str, dict[str, Report]] = {}
    with ThreadPoolExecutor(workers) as pool:
        for report in pool.map(Job.run, jobs):
            reports.setdefault(report.job.suite, {})[report.job.mode] = report
    for suite, by_mode in reports.items():
        comparison.add(suite, by_mode)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, required=True)
    parser.add_argument("--modules", type=Path, required=True, help="where the module raw_passthrough is")
    parser.add_argument("--short", action="store_true", help="what belongs to `make test`")
    parser.add_argument("--suites", default="", help="a regular expression: only suites that it is found in")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=["plain"])
    parser.add_argument("--jobs", type=int, default=2, help="processes at a time")
    parser.add_argument("--write", action="store_true", help="write the counts to results.json and docs/passthrough.md")
    options = parser.parse_args()

    options.modes = ["none", *(mode for mode in options.modes if mode != "none")]
    options.modules = options.modules.absolute()
    python = options.python.absolute()  # a link to it would leave the virtual environment
    full = full_version(python)
    version = version_of(full)
    short = f"{version[0]}.{version[1]}"
    expectations = Expectations.read(HERE / "expectations.toml")
    failed = False
    for variant in options.variants:
        if variant in CPYTHON and not has_tests(python):
            print(f"CPython {full} has no tests of its own here (in Debian: libpython{short}-testsuite)")
            continue
        start = time.monotonic()
        comparison = Comparison(short, variant, expectations)
        if variant in CPYTHON:
            jobs = list(cpython_jobs(python, version, variant, options))
        else:
            jobs = list(package_jobs(python, short, options))
        if not jobs:
            continue
        run_all(jobs, comparison, options.jobs)
        print(f"\nCPython {full}, {variant}: {time.monotonic() - start:.0f} s")
        print(table.text(comparison.rows))
        if not options.write:
            comparison.errors += table.differences(full, variant, comparison.rows)
        elif not comparison.errors:
            table.store(full, variant, comparison.rows)
        for error in comparison.errors:
            print(f"\n---- CPython {full}, {variant}: {error}")
        failed = failed or bool(comparison.errors)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
