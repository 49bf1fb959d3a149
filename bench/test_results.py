"""Results that one run begins and others add to, and what the report says of where they were measured."""

import json
import pathlib
import subprocess
import sys
from typing import Any

import report
from results import add

HERE = pathlib.Path(__file__).resolve().parent


def run(
    system: str, sets: dict[str, float], counts: tuple[str, ...] = (), without_pyo3: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What a run has measured: in each set, how long ours takes to the native one."""
    return {
        "date": "2026-01-01", "quick": False, "machine": {"system": system, "compiler: g++": f"g++ of {system}"},
        "skipped": {f"pyo3, {name}": system for name in without_pyo3},
        "sets": {name: {"unit": "ns", "rounds": [{"hop|isthmus": ratio, "hop|native": 1.0}]}
                 for name, ratio in sets.items()},
        "counts": {name: {"hop|isthmus": dict.fromkeys(
            ("own", "total", "own_allocations", "allocations", "bytes"), 1.0)} for name in counts},
    }  # fmt: skip


def lines_of(text: str, start: str) -> list[list[str]]:
    """The cells of the rows of tables that begin with this cell."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    return [row for row in rows if row[0] == start]


def test_added_sets_join_those_that_are_there() -> None:
    first = run("Old", {"CPython 3.12": 3.0, "CPython 3.13": 1.0})
    both = add(first, run("New", {"CPython 3.14": 2.0}, ("g++ 16.2, CPython 3.14",)))
    page = report.page(both, [])
    assert list(both["sets"]) == ["CPython 3.12", "CPython 3.13", "CPython 3.14"]
    goal = "Python → C++ → Python hop, to native"
    assert [(row[1], row[2], row[5]) for row in lines_of(page, goal)] == [
        ("CPython 3.12", "3", "**not met**"), ("CPython 3.13", "1", "met"), ("CPython 3.14", "2", "**not met**"),
    ]  # fmt: skip
    assert lines_of(page, "")[0] == ["", "all else", "CPython 3.14; g++ 16.2, CPython 3.14"]
    assert lines_of(page, "system") == [["system", "Old", "New"]]
    assert lines_of(page, "compiler: g++") == [["compiler: g++", "g++ of Old", "g++ of New"]]
    assert "## CPython 3.14\n\nMedians of 1 round, measured on 2026-01-01 with New." in page
    assert "## CPython 3.13\n\nMedians of 1 round.\n" in page


def test_what_is_measured_anew_is_replaced() -> None:
    first = run("Old", {"CPython 3.12": 3.0, "CPython 3.13": 1.0}, without_pyo3=("CPython 3.12", "CPython 3.13"))
    second = add(first, run("New", {"CPython 3.13": 2.0}, without_pyo3=("CPython 3.14",)))
    assert second["skipped"] == {"pyo3, CPython 3.12": "Old", "pyo3, CPython 3.14": "New"}
    third = add(second, run("Newest", {"CPython 3.13": 4.0}))
    assert third["sets"]["CPython 3.13"]["rounds"] == [{"hop|isthmus": 4.0, "hop|native": 1.0}]
    assert [(each["machine"]["system"], each["names"]) for each in third["added"]] == [("Newest", ["CPython 3.13"])]
    assert lines_of(report.page(third, []), "system") == [["system", "Old", "Newest"]]


def test_counts_replace_the_reason_why_there_were_none() -> None:
    first = run("Old", {"CPython 3.13": 1.0})
    first["skipped"]["instructions and allocations, CPython 3.13"] = "valgrind is not installed"
    first["skipped"]["instructions and allocations, CPython 3.12"] = "valgrind is not installed"
    both = add(first, run("New", {}, ("g++ 16.2", "g++ 16.2, CPython 3.13")))
    assert list(both["skipped"]) == ["instructions and allocations, CPython 3.12"]


def test_a_quick_run_is_said_to_be_one() -> None:
    first, second = run("Old", {"CPython 3.13": 1.0}), run("New", {"CPython 3.14": 1.0})
    second["quick"] = True
    assert "quick" not in report.page(first, [])
    assert "**CPython 3.14: this was a quick run" in report.page(add(first, second), [])
    first["quick"] = True
    assert "**This was a quick run" in report.page(first, [])


def test_nothing_to_add_to(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, str(HERE / "run.py"), "--add", f"--output={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"--add: there is no {tmp_path / 'results.json'} to add to" in done.stderr


def test_an_empty_run_adds_nothing(tmp_path: pathlib.Path) -> None:
    report.write(run("Old", {"CPython 3.13": 1.0}), tmp_path)
    before = (tmp_path / "report.md").read_text()
    subprocess.run([sys.executable, str(HERE / "run.py"), "--add", f"--output={tmp_path}"], check=True)
    assert (tmp_path / "report.md").read_text() == before
    assert json.loads((tmp_path / "results.json").read_text())["added"] == []
