"""The table of clauses: runs the tests that name one, and says of each whether C++ and the Python object keep it.

A test names the clauses that it proves: `TEST(Throw, Clause_5_23_...)`, `def test_5_23_...`, or several of them,
`test_5_6_5_20_...`. clauses.toml lists all clauses, and says of those that no test proves why that is so. It is an
error if a test that names a clause fails or does not run, if a binding clause is neither proved nor accounted for, or
if it is both.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import tomllib
from collections import defaultdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[2]
LIST = ROOT / "tests/clauses/clauses.toml"
TABLE = ROOT / "docs/clauses.md"
SPECIFICATION = ROOT.parent / "shared/spec/protocol.md"  # is not part of the project; compared where it exists

CPP_CLAIM = re.compile(r"^TEST(?:_F)?\(\s*(\w+),\s*(Clause((?:_\d+_\d+)+)_\w+)\)", re.M)
PYTHON_CLAIM = re.compile(r"^def (test((?:_\d+_\d+)+)_\w+)\(", re.M)
COLUMNS = {"cpp": "C++", "python": "Python object"}
BINDS = {"B": ("cpp", "python"), "P": ("python",), "N": ("cpp",)}

Claims = dict[str, list[str]]  # the clauses that each test names


def clauses_in(name: str) -> list[str]:
    return [f"{section}.{number}" for section, number in re.findall(r"_(\d+)_(\d+)", name)]


def cpp_claims() -> Claims:
    found = [m for path in (ROOT / "tests/cpp").glob("test_*.cpp") for m in CPP_CLAIM.finditer(path.read_text())]
    return {f"{m[1]}.{m[2]}": clauses_in(m[3]) for m in found}


def python_claims() -> Claims:
    claims = {}
    for path in (ROOT / "tests/python").glob("test_*.py"):
        for m in PYTHON_CLAIM.finditer(path.read_text()):
            claims[f"{path.stem}::{m[1]}"] = clauses_in(m[2])
    return claims


class Results:
    """What became of the cases of each test, by a report in the JUnit format."""

    def __init__(self, report: Path) -> None:
        self.cases: dict[str, list[tuple[str, str]]] = defaultdict(list)
        if not report.exists():
            return
        for case in ElementTree.parse(report).iter("testcase"):
            group, name = case.get("classname", ""), case.get("name", "")
            function, _, parameters = name.partition("[")
            python = group.startswith("tests.python.")
            test = f"{group.removeprefix('tests.python.')}::{function}" if python else f"{group}.{name}"
            self.cases[test].append((parameters, self.outcome(case)))

    @staticmethod
    def outcome(case: ElementTree.Element) -> str:
        if case.find("failure") is not None or case.find("error") is not None:
            return "failed"
        ran = case.get("status") != "notrun" and case.get("result") != "skipped" and case.find("skipped") is None
        return "passed" if ran else "skipped"

    def passed(self, test: str) -> bool:
        """In a case that says something of Isthmus: in others all is native, as a check of the test."""
        return any(
            what == "passed" and ("native" not in parameters or "cpp" in parameters)
            for parameters, what in self.cases.get(test, [])
        )

    def failed(self, test: str) -> bool:
        return any(what == "failed" for _, what in self.cases.get(test, []))


def run_cpp(program: Path, report: Path) -> None:
    arguments = ["--gtest_filter=*.Clause_*", "--gtest_brief=1", f"--gtest_output=xml:{report}"]
    subprocess.run([str(program), *arguments], check=False)


def run_python(python: Path, modules: Path, claims: Claims, report: Path) -> None:
    tests = sorted("tests/python/{}.py::{}".format(*test.split("::")) for test in claims)
    command = [str(python), "-m", "pytest", "-q", "-r", "fE", f"--junit-xml={report}", *tests]
    subprocess.run(command, check=False, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(modules)})


def version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def version_of(python: Path) -> tuple[int, ...]:
    command = [str(python), "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
    return version(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


class Table:
    """The verdicts, and what is wrong with them."""

    def __init__(self, listed: dict[str, Any], python: tuple[int, ...]) -> None:
        self.listed = listed
        self.python = python
        self.clauses: dict[str, tuple[str, str]] = {
            number: (text[0], text[3:]) for number, text in listed["clauses"].items()
        }
        self.verdicts: dict[tuple[str, str], str] = {}
        self.problems: list[str] = []
        reasons = [listed[kind].get(column, {}) for kind in ("differs", "except", "missing") for column in COLUMNS]
        named = {number for group in [*reasons, listed["no_test"], listed["since"]] for number in group}
        for number in sorted(named - self.clauses.keys()):
            self.problems.append(f"clauses.toml says something of {number}, which is no clause")

    def judge(self, column: str, claims: Claims, results: Results) -> None:
        if not results.cases:
            raise SystemExit(f"clauses: no test ran: {COLUMNS[column]}")
        tests = defaultdict(list)
        for test, numbers in claims.items():
            for number in numbers:
                tests[number].append(test)
            if test not in results.cases:
                self.problems.append(f"{test} did not run")
        for number in tests.keys() - self.clauses.keys():
            self.problems.append(f"{tests[number][0]} names {number}, which is no clause")
        for number, (tag, _) in self.clauses.items():
            verdict = self.verdict(column, number, tests[number], results)
            if verdict is None and column in BINDS[tag]:
                self.problems.append(f"{number} has no test: {COLUMNS[column]}")
                verdict = "missing"
            self.verdicts[number, column] = verdict or ""

    def verdict(self, column: str, number: str, tests: list[str], results: Results) -> str | None:
        reasons = {
            "differs": self.listed["differs"].get(column, {}).get(number),
            "no test": self.listed["no_test"].get(number) if column == "python" else None,
            "missing": "" if number in self.listed["missing"].get(column, []) else None,
        }
        given = {kind: reason for kind, reason in reasons.items() if reason is not None}
        if len(given) > 1 or (given and tests):
            named = [*given, *(["proved by a test"] if tests else [])]
            self.problems.append(f"{number} is at once {' and '.join(named)}: {COLUMNS[column]}")
        if any(results.failed(test) for test in tests):
            self.problems.append(f"{number} FAILED: {COLUMNS[column]}")
            return "FAILED"
        needs = self.listed["since"].get(number, "0")
        if tests and column == "python" and version(needs) > self.python:
            print(f"clauses: {number} needs CPython {needs}, so its verdict is taken for granted")
        elif tests and not any(results.passed(test) for test in tests):
            self.problems.append(f"no test of {number} ran: {COLUMNS[column]}")
            return "did not run"
        if tests:
            exception = self.listed["except"].get(column, {}).get(number)
            return "pass" if exception is None else f"pass; {exception}"
        for kind, reason in given.items():
            return f"{kind}: {reason}" if reason else kind
        return None

    def compare_with(self, specification: Path) -> None:
        """The list must have the clauses of the specification, with their tags."""
        if not specification.exists():
            return
        written = dict(re.findall(r"^(\d+\.\d+) \[([BPN])\]", specification.read_text(), re.M))
        ours = {number: tag for number, (tag, _) in self.clauses.items()}
        for number in sorted(written.keys() | ours.keys()):
            if written.get(number) != ours.get(number):
                tags = f"[{ours.get(number)}] in clauses.toml and [{written.get(number)}]"
                self.problems.append(f"{number} is {tags} in {specification.name}")

    def count(self, column: str, verdict: str) -> int:
        return sum(v.startswith(verdict) for (_, c), v in self.verdicts.items() if c == column)

    def text(self) -> str:
        lines = [
            "# Clauses of the protocol",
            "",
            "What CPython's coroutines do was measured and written down clause by clause. This table, which",
            "`make test-clauses` makes, says what of it Isthmus keeps: *pass* where a test that names the clause has",
            "passed, *differs* where it cannot be so, *missing* where it is still to be done, *no test* where there is",
            "nothing to keep. [B] binds the native C++ coroutine and the Python object, [P] the Python object alone,",
            "[N] is a note for C++. A test names its clauses: `Clause_5_23_…` in `tests/cpp`, `test_5_23_…` in",
            "`tests/python`.",
            "",
            "| clause | | | C++ | Python object |",
            "|---|---|---|---|---|",
        ]
        for number, (tag, title) in self.clauses.items():
            verdicts = " | ".join(self.verdicts[number, column] for column in COLUMNS)
            lines.append(f"| {number} | [{tag}] | {title} | {verdicts} |")
        return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cpp", type=Path, required=True, help="the program with the C++ tests")
    parser.add_argument("--python", type=Path, required=True, help="the interpreter for the Python tests")
    parser.add_argument("--modules", type=Path, required=True, help="the folder with their extension modules")
    parser.add_argument("--write", action="store_true", help=f"write {TABLE.relative_to(ROOT)} anew")
    options = parser.parse_args()

    table = Table(tomllib.loads(LIST.read_text()), version_of(options.python))
    table.compare_with(SPECIFICATION)
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "cpp.xml")
        run_cpp(options.cpp.resolve(), report)
        table.judge("cpp", cpp_claims(), Results(report))
        report = Path(folder, "python.xml")
        claims = python_claims()
        run_python(options.python.absolute(), options.modules.resolve(), claims, report)
        table.judge("python", claims, Results(report))

    if options.write:
        TABLE.write_text(table.text())
    elif not TABLE.exists() or TABLE.read_text() != table.text():
        table.problems.append(f"{TABLE.relative_to(ROOT)} is out of date: `make clauses` writes it anew")
    for problem in table.problems:
        print("clauses:", problem, file=sys.stderr)
    for column, name in COLUMNS.items():
        counts = ", ".join(f"{table.count(column, kind)} {kind}" for kind in ("pass", "differs", "missing", "no test"))
        print(f"{name}: {counts}")
    print(f"clauses: {len(table.clauses)} judged, {len(table.problems)} problems")
    return 1 if table.problems else 0


if __name__ == "__main__":
    sys.exit(main())
