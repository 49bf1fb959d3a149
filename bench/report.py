"""Makes the report of what was measured: docs/benchmarks/report.md, its plots, and results.json, which has all rounds.

Usage: report.py [RESULTS.json]: makes the page anew from the JSON, by default that in docs/benchmarks.
"""

import json
import pathlib
import statistics
import sys
from typing import Any

from goals import GOALS, Goal
from plots import line_plot
from results import Results, runs

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "docs" / "benchmarks"
Round = dict[str, float]
Rows = list[list[str]]

# What the others of a case are compared with: the first of these that the case has.
REFERENCES = (
    "native", "least promise", "least task", "bare handle", "throw_", "close()", "call_soon_threadsafe per item",
    "function",
)  # fmt: skip


def table(header: list[str], rows: Rows) -> str:
    """A table in Markdown; all columns but the first are numbers or verdicts."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value >= 1 else f"{value:.3f}" if value >= 0.01 else f"{value:.5f}"


def spread(values: list[float]) -> str:
    """From the least to the greatest."""
    return f"{number(min(values))}–{number(max(values))}"  # noqa: RUF001


def ratios(rounds: list[Round], ours: str, theirs: tuple[str, ...], absolute: bool = False) -> list[float]:
    """Of each round that has both; to the least of `theirs`."""
    found = []
    for each in rounds:
        others = [each[name] for name in theirs if name in each]
        if ours in each and others:
            found.append(each[ours] - min(others) if absolute else each[ours] / min(others))
    return found


def judge(goal: Goal, sets: dict[str, Any]) -> Rows:
    """A row for each set that the goal is about. Round by round a ratio may be on either side: the median counts."""
    rows = []
    for name, measured in sets.items():
        if name.startswith(goal.measured_in):
            found = ratios(measured["rounds"], goal.ours, goal.theirs, goal.absolute)
            if found:
                median = statistics.median(found)
                verdict = "met" if median <= goal.limit else "**not met**"
                rows.append([goal.text, name, number(median), spread(found), f"≤ {number(goal.limit)}", verdict])
    return rows or [[goal.text, goal.measured_in, "not measured", "", f"≤ {number(goal.limit)}", ""]]


def case_tables(rounds: list[Round], unit: str) -> str:
    """One table for all cases of a set: medians, and ratios to the reference of the case."""

    def place(key: str) -> tuple[str, int]:
        # Google Benchmark runs in random order; cases are in that of their numbers.
        case, _, depth = key.partition("|")[0].rpartition("/")
        return (case, int(depth)) if depth.isdigit() else (key.partition("|")[0], -1)

    cases: dict[str, list[str]] = {}
    for key in sorted({key for each in rounds for key in each}, key=place):
        case, _, who = key.partition("|")
        cases.setdefault(case, []).append(who)
    rows: Rows = []
    for case, everyone in cases.items():
        # A case that has no reference of its own is compared with that at depth 0, if there is one.
        reference = next((f"{case}|{who}" for who in REFERENCES if who in everyone), None)
        if reference is None or (case.startswith("send/") and case != "send/0"):
            reference = "send/0|least promise" if case.startswith("send/") else f"{case}|{everyone[0]}"
        everyone.sort(key=lambda who, first=reference, case=case: (f"{case}|{who}" != first, who))  # type: ignore[misc]
        for who in everyone:
            key = f"{case}|{who}"
            values = [each[key] for each in rounds if key in each]
            found = ratios(rounds, key, (reference,))
            compared = ["", ""] if key == reference else [number(statistics.median(found)), spread(found)]
            shown = (f"{int(case[1:]):,}" if case.startswith("/") else case) if who == everyone[0] else ""
            rows.append([shown, who, number(statistics.median(values)), *compared])
    return table(["case", "", unit, "ratio to the first", "spread"], rows)


def points(rounds: list[Round], case: str, who: str) -> list[tuple[float, float]]:
    """Medians over the number in the name of the case."""
    values: dict[float, list[float]] = {}
    for each in rounds:
        for key, value in each.items():
            name, _, measured = key.partition("|")
            prefix, _, depth = name.rpartition("/")
            if measured == who and prefix == case and value > 0:
                values.setdefault(float(depth), []).append(value)
    return [(x, statistics.median(y)) for x, y in sorted(values.items())]


def people(rounds: list[Round], case: str) -> list[str]:
    """Who is in a case that depends on a number."""
    keys = dict.fromkeys(key for each in rounds for key in each if key.split("|")[0].rpartition("/")[0] == case)
    return list(dict.fromkeys(key.partition("|")[2] for key in keys))


def plots(sets: dict[str, Any], folder: pathlib.Path) -> list[tuple[str, str]]:
    """Writes them; the headings and the files."""
    wanted = []
    for name, measured in sets.items():
        short = name.replace("++", "pp").replace(",", "").replace(" ", "-").lower()
        if name.startswith("C++"):
            wanted.append((f"Cost of a resume over depth: {name}", f"{short}-depth", "levels", "ns", measured, "send"))
            wanted.append((f"Cost over the number alive: {name}", f"{short}-alive", "coroutines alive", "ns each",
                           measured, "alive"))  # fmt: skip
        if name.startswith("CPython"):
            wanted.append(
                (f"Cost of a resume over depth: {name}", f"{short}-depth", "levels", "ns", measured, "resume")
            )
            wanted.append((f"Cost of a throw over depth: {name}", f"{short}-throw", "levels", "ns", measured, "throw"))
        if name.startswith("memory"):
            wanted.append((f"Bytes of a suspended coroutine: {name}", short, "coroutines", "bytes each", measured, ""))
    made = []
    for title, file, x_label, y_label, measured, case in wanted:
        series = {who: points(measured["rounds"], case, who) for who in people(measured["rounds"], case)}
        if any(series.values()):
            line_plot(folder / f"{file}.svg", title, x_label, y_label, series)
            made.append((title, f"{file}.svg"))
    return made


def counts_table(counts: dict[str, dict[str, dict[str, float]]]) -> str:
    """Instructions and allocations."""
    rows = [
        [
            key,
            name.replace("|", ", "),
            *(f"{count[field]:,.1f}" for field in ("own", "total", "own_allocations", "allocations", "bytes")),
        ]
        for key, cases in counts.items()
        for name, count in cases.items()
    ]
    header = ["", "case", "instructions, ours", "instructions, all", "allocations, ours", "allocations, all", "bytes"]
    return table(header, rows)


def machine_table(results: Results) -> str:
    """Where and when it was measured: a column for each run."""
    columns = runs(results)
    rows: Rows = [["date", *(run["date"] for run in columns.values())]]
    for key in dict.fromkeys(key for run in columns.values() for key in run["machine"]):
        rows.append([key, *(run["machine"].get(key, "") for run in columns.values())])
    return table(["", *columns], rows)


def where(name: str, results: Results) -> str:
    """What is said of a set that another run has added."""
    added = [run for run in results.get("added", []) if name in run["names"]]
    return "".join(f", measured on {run['date']} with {run['machine']['system']}" for run in added)


def page(results: Results, drawn: list[tuple[str, str]]) -> str:
    """The report."""
    sets = results["sets"]
    judged = [row for goal in GOALS for row in judge(goal, sets)]
    out = ["# Benchmarks: the report", "`make bench` wrote this; [the page beside it](README.md) explains the cases."]
    for what, run in runs(results).items():
        if run["quick"]:
            this = f"{what}: this" if what else "This"
            out.append(f"**{this} was a quick run, which is good only to see that all works.**")
    out += ["## The machine", machine_table(results)]
    out += [
        "## The goals",
        "A ratio is the median of those of the rounds, the spread is from the least to the greatest.",
    ]
    out.append(table(["goal", "measured with", "ratio", "spread", "goal", ""], judged))
    verdicts = [row[-1] for row in judged if row[-1]]
    out.append(f"Of {len(judged)} goals {len(verdicts)} were measured, and {verdicts.count('met')} of these are met.")
    if results["skipped"]:
        out += ["## What was left out", table(["", "why"], [[name, why] for name, why in results["skipped"].items()])]
    out += ["## Plots", *(f"![{title}]({file})" for title, file in drawn)]
    for name, measured in sets.items():
        rounds = measured["rounds"]
        out += [
            f"## {name}",
            f"Medians of {len(rounds)} round{'s' * (len(rounds) != 1)}{where(name, results)}.",
            case_tables(rounds, measured["unit"]),
        ]
    if results["counts"]:
        out += [
            "## Instructions and allocations",
            "For one time, by callgrind; ours are those of the program or the module.",
        ]
        out.append(counts_table(results["counts"]))
    return "\n\n".join(out) + "\n"


def write(results: Results, folder: pathlib.Path) -> None:
    """Writes everything; plots of an earlier report go."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n")
    (folder / "report.md").write_text(page(results, plots(results["sets"], folder)))


if __name__ == "__main__":
    given = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER / "results.json"
    write(json.loads(given.read_text()), given.parent)
